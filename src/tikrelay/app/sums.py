"""The figures of all files as one, small enough to be shown."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, TypeVar

import msgspec

from tikrelay.outbox.figures import Figures, Period, Tally
from tikrelay.outbox.memory import OTHER

MOST_ROWS: Final = 6000
"""An answer holds about so many periods and tallies (750 kB as JSON); of more, the rarest events are told as one."""

R = TypeVar("R", Period, Tally)


def add_up(found: Iterable[Figures], *, most_rows: int = MOST_ROWS) -> Figures:
    """Add the figures of several files, in order of time.

    >>> one = Figures([Period(0, "shop", "Lead", 2, 1)], [Tally(0, "shop", "lead", "dropped", "by_rule", 3)])
    >>> add_up([one, one]).periods[0].received, add_up([one, one]).tallies[0].count
    (4, 6)
    """
    given = [one for one in found if one.periods or one.tallies]
    if len(given) == 1 and _rows(given[0]) <= most_rows:
        return given[0]
    every = Figures(
        list(chain.from_iterable(one.periods for one in given)), list(chain.from_iterable(one.tallies for one in given))
    )
    kept = _frequent(every, most_rows)
    periods = _sum_of_periods(_with_others(every.periods, kept))
    return Figures(periods, _sum_of_tallies(_with_others(every.tallies, kept)))


def _rows(figures: Figures) -> int:
    return len(figures.periods) + len(figures.tallies)


def _frequent(every: Figures, most_rows: int) -> set[str] | None:
    """The names of events that stay, the most frequent first; None where all do."""
    if _rows(every) <= most_rows:
        return None
    rows: Counter[str] = Counter(row.event for row in chain[Period | Tally](every.periods, every.tallies))
    events: Counter[str] = Counter()
    for period in every.periods:
        events[period.event] += period.received
    for tally in every.tallies:
        events[tally.event] += tally.count
    kept: set[str] = set()
    room = most_rows
    for name, _ in events.most_common():
        room -= rows[name]
        if room < 0:
            break
        kept.add(name)
    return kept


def _with_others(rows: Iterable[R], kept: set[str] | None) -> Iterator[R]:
    return (row if kept is None or row.event in kept else _of_others(row) for row in rows)


def _of_others(row: R) -> R:
    names = {"event": OTHER, "what": OTHER} if isinstance(row, Tally) and row.kind == "given" else {"event": OTHER}
    return msgspec.structs.replace(row, **names)


def _sum_of_periods(rows: Iterable[Period]) -> list[Period]:
    sums: dict[tuple[int, str, str], Period] = {}
    for row in rows:
        key = (row.at, row.destination, row.event)
        known = sums.get(key)
        sums[key] = row if known is None else _both(known, row)
    return [sums[key] for key in sorted(sums)]


def _both(one: Period, other: Period) -> Period:
    marks = tuple(a + b for a, b in zip(one.marks, other.marks, strict=True))
    received, accepted = one.received + other.received, one.accepted + other.accepted
    return Period(one.at, one.destination, one.event, received, accepted, marks)


def _sum_of_tallies(rows: Iterable[Tally]) -> list[Tally]:
    sums: Counter[tuple[int, str, str, str, str]] = Counter()
    for row in rows:
        sums[row.at, row.destination, row.event, row.kind, row.what] += row.count
    return [Tally(*key, count) for key, count in sorted(sums.items())]  # type: ignore[arg-type]  # kind stays one
