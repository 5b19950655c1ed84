"""In what two explanations differ: the events that go out, field by field, with the source of each value."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final, Literal

import msgspec
from rich.console import Console
from rich.padding import Padding

from tikrelay.app.explained import Report
from tikrelay.base.shown import one_line
from tikrelay.mapping.cleaning import is_object, is_several
from tikrelay.mapping.explain import Explanation
from tikrelay.mapping.lines import lines_of, shown_value
from tikrelay.tools.explain.page import said_to_be, unpadded

_LONGEST: Final = 100
_CHANGES: Final = {"only_in_a": "only in A", "only_in_b": "only in B", "changed": "changed"}


class Side(msgspec.Struct, frozen=True):
    """What one of the two has: the value as sent, and where it came from."""

    value: Any
    source: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One field in which the two differ. ``event`` counts from 1; a side is None where it has no such field."""

    event: int
    name: str
    destination: str
    field: str
    change: Literal["only_in_a", "only_in_b", "changed"]
    a: Side | None
    b: Side | None


def compare(first: Report, second: Report) -> list[Difference]:
    """Compare event by event and destination by destination."""
    found: list[Difference] = []
    one, other = _by_place(first), _by_place(second)
    other = _renamed(one, other)
    for place in dict.fromkeys([*one, *other]):
        for a, b in zip_longest(one.get(place, ()), other.get(place, ())):
            found += _differences(place, a, b)
    return [*found, *_turned_away(first, second)]


def _turned_away(first: Report, second: Report) -> Iterator[Difference]:
    """What a server with these settings would not take at all is no event there, whatever it would become."""
    sides = [sorted({one.reason for one in report.turned_away}) for report in (first, second)]
    if sides[0] != sides[1]:
        a, b = (Side(", ".join(reasons), "") if reasons else None for reasons in sides)
        change: Any = "only_in_b" if a is None else "only_in_a" if b is None else "changed"
        yield Difference(event=0, name="the hit", destination="any", field="turned away", change=change, a=a, b=b)


Place = tuple[int, str]


def _by_place(report: Report) -> dict[Place, list[Explanation]]:
    """The outcomes of each event for each destination."""
    found: dict[Place, list[Explanation]] = {}
    for one in report.events:
        found.setdefault((one.event, one.explanation.destination), []).append(one.explanation)
    return found


def _renamed(
    one: Mapping[Place, list[Explanation]], other: Mapping[Place, list[Explanation]]
) -> dict[Place, list[Explanation]]:
    """Take destinations that only one side knows by name for each other, in their order."""
    names, others = ([*dict.fromkeys(name for _, name in side)] for side in (one, other))
    mine = [name for name in names if name not in others]
    theirs = [name for name in others if name not in names]
    same = dict(zip(theirs, mine, strict=False))
    return {(event, same.get(name, name)): outcomes for (event, name), outcomes in other.items()}


def _differences(place: Place, a: Explanation | None, b: Explanation | None) -> Iterator[Difference]:
    one, other = _leaves(a), _leaves(b)
    event, destination = place
    name = (a or b or Explanation(name="")).name
    for field in dict.fromkeys([*one, *other]):
        left, right = one.get(field), other.get(field)
        if left is not None and right is not None and left.value == right.value:
            continue
        change: Any = "only_in_b" if left is None else "only_in_a" if right is None else "changed"
        yield Difference(event=event, name=name, destination=destination, field=field, change=change, a=left, b=right)


def _leaves(told: Explanation | None) -> dict[str, Side]:
    """Every value of the event by its path; a drop, and its reason, stands for a whole event."""
    if told is None:
        return {}
    if told.tiktok is None:
        return {"event": Side(None, f"dropped: {told.dropped}")}
    found: dict[str, Side] = {}
    for line in lines_of(told):
        if line.is_sent:
            found |= {path: Side(value, line.source) for path, value in _inside(line.field, line.value)}
    if told.test_event_code:
        found["test_event_code"] = Side(told.test_event_code, "")
    return found


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Take a value apart as people compare: a product by its fields, a list of ids or hashes as one value.

    An example is held to every single value and to its place instead; its walk is its own (``examples/diff.py``).
    """
    if is_object(value):
        for key, inner in value.items():
            yield from _inside(f"{path}.{key}", inner)
    elif is_several(value) and value and is_object(value[0]):
        for number, inner in enumerate(value):
            yield from _inside(f"{path}[{number}]", inner)
    else:
        yield path, value


def print_differences(differences: list[Difference], to: Console, *, other: str) -> None:
    """Print them, those of one event together. ``other`` names the second of the two."""
    with unpadded(to):
        if not differences:
            to.print("alike: both become the same events for TikTok")
            return
        to.print(f"A is what was given first, B is {one_line(other)}")
        place: tuple[int, str] | None = None
        for one in differences:
            if place != (one.event, one.destination):
                place = one.event, one.destination
                to.print()
                whole = f"event {one.event}, {one_line(one.name)}, for destination {one.destination}"
                to.print(whole if one.event else one.name, style="bold")
            to.print(f"  {one.field}: {_CHANGES[one.change]}")
            for letter, side in (("A", one.a), ("B", one.b)):
                if side is not None:
                    to.print(Padding(f"{letter}  {_words(side)}", (0, 0, 0, 6)))


def _words(side: Side) -> str:
    if side.value is None:
        return side.source
    text = shown_value(side.value)
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f"{shown}  ({said_to_be(side.source)})" if side.source else shown
