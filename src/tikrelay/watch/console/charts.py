"""Where the parts of a chart stand: what templates draw as SVG.

A chart is a shape with a scale; the numbers themselves stand in a table beside it. What is not known is a gap.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

WIDTH: Final = 360
HEIGHT: Final = 96
_SPARK_WIDTH: Final = 64
_SPARK_HEIGHT: Final = 18
_EDGE: Final = 2.0  # a line at the very top or bottom is not cut
_STEPS: Final = (1, 2, 5, 10)


class Bar(msgspec.Struct, frozen=True):
    """One bar, and what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str


class Dot(msgspec.Struct, frozen=True):
    """One point of a line, and what it says when it is pointed at."""

    x: float
    y: float
    title: str


class Bars(msgspec.Struct, frozen=True):
    """A chart of counts. ``most`` is the count at its upper edge; ``unknown_until`` where what is known begins."""

    bars: list[Bar]
    most: float
    unknown_until: float = 0.0


class Line(msgspec.Struct, frozen=True):
    """A chart of shares, 0 at the bottom and ``most`` at the top. ``mark`` is where something began, or None."""

    path: str
    dots: list[Dot]
    most: float = 1.0
    mark: float | None = None


def round_up(value: float) -> int:
    """Find the next round number for a scale's end.

    >>> round_up(0), round_up(7), round_up(34), round_up(1034), round_up(2000)
    (1, 10, 50, 2000, 2000)
    """
    if value <= 1:
        return 1
    size = int(10 ** math.floor(math.log10(value)))
    return next(step * size for step in _STEPS if step * size >= value)


def draw_bars(values: Sequence[int | None], titles: Sequence[str], *, most: float | None = None) -> Bars:
    """Draw counts side by side; ``most`` makes several charts share a scale."""
    top = round_up(most if most is not None else max((value or 0 for value in values), default=0))
    step = WIDTH / max(1, len(values))
    bars = [
        _bar(place * step, step, value / top, title)
        for place, (value, title) in enumerate(zip(values, titles, strict=True))
        if value
    ]
    known = next((place for place, value in enumerate(values) if value is not None), len(values))
    return Bars(bars, top, round(known * step, 2))


def _bar(x: float, step: float, share: float, title: str) -> Bar:
    height = max(1.0, share * HEIGHT)  # a single event shows
    gap = min(2.0, step * 0.2)
    return Bar(round(x + gap / 2, 2), round(HEIGHT - height, 2), round(step - gap, 2), round(height, 2), title)


def draw_line(values: Sequence[float | None], titles: Sequence[str], *, mark: int | None = None) -> Line:
    """Draw shares from left to right, on a scale that ends at 100 %, or at 10 % where all are below."""
    top = 0.1 if max((value or 0.0 for value in values), default=0.0) <= 0.1 else 1.0
    xs = _places(len(values), WIDTH)
    ys = [None if value is None else _height(value / top, HEIGHT) for value in values]
    dots = [Dot(x, y, title) for x, y, title in zip(xs, ys, titles, strict=True) if y is not None]
    return Line(_path(xs, ys), dots, top, None if mark is None else xs[mark])


def draw_spark(values: Sequence[float | None]) -> str:
    """Draw shares as a line the size of a word; returns its path.

    >>> draw_spark([0.0, 1.0, None, 0.5])
    'M2.0 16.0h0L22.0 2.0M62.0 9.0h0'
    """
    xs = _places(len(values), _SPARK_WIDTH)
    return _path(xs, [None if value is None else _height(value, _SPARK_HEIGHT) for value in values])


def _places(count: int, width: int) -> list[float]:
    step = (width - 2 * _EDGE) / max(1, count - 1)
    return [round(_EDGE + place * step, 2) for place in range(count)]


def _height(share: float, height: int) -> float:
    return round(height - _EDGE - share * (height - 2 * _EDGE), 2)


def _path(xs: Sequence[float], ys: Sequence[float | None]) -> str:
    """Lift the pen where nothing is known; a point alone is a dot."""
    parts: list[str] = []
    is_down = False
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            parts.append(f"L{x} {y}" if is_down else f"M{x} {y}h0")
        is_down = y is not None
    return "".join(parts)
