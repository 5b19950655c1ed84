"""What a reader of figures asks for: a stretch of time, a destination, an event, an order; and links that change it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from tikrelay.outbox.figures import SECONDS, Span
from tikrelay.watch.operations import FiguresQuery, FiguresShown

R = TypeVar("R")

DAY_S: Final = SECONDS["day"]


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of whole hours or days (UTC) that ends with the one that is now."""

    name: str
    title: str
    span: Span
    periods: int

    def starts(self, now: float) -> list[int]:
        """When each period begins, in Unix seconds.

        >>> Stretch("2d", "2 days", "day", 2).starts(now=86400 * 10 + 5)
        [777600, 864000]
        """
        size = SECONDS[self.span]
        last = int(now) // size * size
        return [last - back * size for back in reversed(range(self.periods))]

    def query(self, now: float) -> FiguresQuery:
        """The question for its figures."""
        return FiguresQuery(span=self.span, begin=self.starts(now)[0])


STRETCHES: Final = (
    Stretch("24h", "24 hours", "hour", 24),
    Stretch("7d", "7 days", "day", 7),
    Stretch("30d", "30 days", "day", 30),
    Stretch("90d", "90 days", "day", 90),
)
DAYS: Final = STRETCHES[1:]


def address(path: str, **given: str) -> str:
    """Write the address of a page; an empty text is left out.

    >>> address("/events", state="dead", reason="")
    '/events?state=dead'
    """
    kept = {key: text for key, text in given.items() if text}
    return f"{path}?{urlencode(kept)}" if kept else path


class Link(msgspec.Struct, frozen=True):
    """One choice among several."""

    title: str
    address: str
    is_here: bool


class Asked(msgspec.Struct, frozen=True):
    """A page's address, taken apart. What is unknown in it counts as not given."""

    path: str
    stretches: tuple[Stretch, ...]
    default: Stretch
    given: Mapping[str, str] = {}

    @property
    def stretch(self) -> Stretch:
        """The stretch of time that is shown."""
        return next((one for one in self.stretches if one.name == self.given.get("range")), self.default)

    @property
    def destination(self) -> str:
        """The destination whose figures are shown; empty is all."""
        return self.given.get("destination", "")

    @property
    def event(self) -> str:
        """The event name that is looked at; empty is all."""
        return self.given.get("event", "")

    @property
    def sort(self) -> str:
        """The column that puts a table in order; a minus before it turns the order round."""
        return self.given.get("sort", "")

    def link(self, **changes: str) -> str:
        """The address of this page with something changed; an empty text takes it away.

        >>> Asked("/coverage", DAYS, DAYS[0], {"range": "30d"}).link(event="a&b")
        '/coverage?range=30d&event=a%26b'
        """
        return address(self.path, **{key: text for key, text in {**self.given, **changes}.items() if key in _KEYS})

    def ranges(self) -> list[Link]:
        """Links to each stretch of time."""
        return [Link(one.title, self.link(range=one.name), one == self.stretch) for one in self.stretches]

    def destinations(self, names: Iterable[str]) -> list[Link]:
        """Links to each destination; none where there is but one."""
        every = sorted(names)
        if len(every) < 2 and not self.destination:
            return []
        links = [Link(name, self.link(destination=name), name == self.destination) for name in every]
        return [Link("All destinations", self.link(destination=""), not self.destination), *links]

    def only(self, figures: FiguresShown) -> FiguresShown:
        """The figures of the destination that is asked for."""
        periods = [one for one in figures.periods if self.is_its(one.destination)]
        tallies = [one for one in figures.tallies if self.is_its(one.destination)]
        return msgspec.structs.replace(figures, periods=periods, tallies=tallies)

    def is_its(self, destination: str) -> bool:
        """Say whether what belongs to a destination is shown."""
        return self.destination in {"", destination}


_KEYS: Final = ("range", "destination", "event", "sort")


# Tables in an order.


class Column(msgspec.Struct, frozen=True):
    """One column that can put its table in order; ``value`` of a row is what counts, None comes last."""

    key: str
    title: str
    value: Callable[[Any], float | str | None]
    is_number: bool = True


class Head(msgspec.Struct, frozen=True):
    """The head of one column. ``order`` is the value of ``aria-sort``, or empty."""

    title: str
    address: str
    is_number: bool
    order: str = ""


def in_order(rows: Sequence[R], columns: Sequence[Column], asked: Asked) -> tuple[list[R], list[Head]]:
    """Put a table in the order that is asked for; without one it stays as it is.

    Numbers begin with the largest, texts at A.
    """
    key, is_turned = asked.sort.removeprefix("-"), asked.sort.startswith("-")
    chosen = next((column for column in columns if column.key == key), None)
    if chosen is None:
        return list(rows), [_head(column, asked) for column in columns]
    falls = chosen.is_number != is_turned
    known = [row for row in rows if chosen.value(row) is not None]
    unknown = [row for row in rows if chosen.value(row) is None]
    known.sort(key=lambda row: _comparable(chosen.value(row)), reverse=falls)
    order = "descending" if falls else "ascending"
    return [*known, *unknown], [
        _head(column, asked, order=order, turned=not is_turned) if column is chosen else _head(column, asked)
        for column in columns
    ]


def _comparable(value: float | str | None) -> tuple[float, str]:
    return (0, value.casefold()) if isinstance(value, str) else (value or 0, "")


def _head(column: Column, asked: Asked, *, order: str = "", turned: bool = False) -> Head:
    return Head(column.title, asked.link(sort=f"{'-' * turned}{column.key}"), column.is_number, order)
