"""Which share of events carries each match key, and when a share fell."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import sqrt
from statistics import median
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tikrelay.outbox.figures import MARKS, MATCH_KEYS
from tikrelay.watch.console.asked import DAY_S, DAYS, Asked, Column, in_order
from tikrelay.watch.console.charts import Line, draw_line, draw_spark
from tikrelay.watch.console.page import Parts, day, number, page, share
from tikrelay.watch.operations import FiguresQuery, FiguresShown

WEEK: Final = 7
"""Days: what a share is compared with."""

FELL_BY: Final = 0.2
"""A share that lost so much of itself is marked."""

ENOUGH: Final = 50
"""Events on both sides, or a share says too little to be compared."""

_NO_CHANCE: Final = 4.0
"""Standard errors that a fall must be large: among many shares some fall by a fifth by chance alone.

They are those of single events, and those of whole days where these swing more. Our own choice: of shares that only
swing, at ten visitors a day with ten events each, one in 25 is marked within a month; of larger ones next to none.
"""

_MEDIAN_STEP: Final = 0.954  # between two draws of a normal distribution, in standard deviations: sqrt(2) * 0.6745

_SPARK_DAYS: Final = 30  # more make no word-sized line

TITLES: Final = {
    "email": "E-mail",
    "phone": "Phone",
    "external_id": "External id",
    "ttclid": "Click id (ttclid)",
    "ttp": "Cookie (_ttp)",
    "ip_and_agent": "Address and agent",
    "own_id": "Own event id",
}


class Fall(msgspec.Struct, frozen=True):
    """A share that fell: on which day (Unix seconds of its beginning), from what, and to what."""

    since: int
    before: float
    after: float

    @property
    def words(self) -> str:
        """Say it.

        >>> Fall(1795305600, 0.61, 0.031).words
        '61.0 % before, 3.1 % since Sun 22 Nov'
        """
        return f"{share(self.before)} before, {share(self.after)} since {day(self.since)}"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one event name shows of one key.

    ``now``, ``before``  its share in the last week and in the one before; None where there was no event
    ``change``           from the one to the other; None where there is too little to compare
    """

    key: str
    title: str
    now: float | None
    before: float | None
    change: float | None
    fall: Fall | None
    spark: str

    @property
    def words(self) -> str:
        """Say the change: in points, for beside a share a part of it would be read as points, too.

        >>> Cell(key="email", title="", now=0.46, before=0.4, change=0.06, fall=None, spark="").words
        '+6.0 points'
        """
        if self.fall is not None:
            return "fell"
        if self.change is None:
            return "too few"
        return f"{round(self.change * 100, 1) + 0.0:+.1f} points" if self.now or self.before else ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One event name. ``events`` came in the time that is shown, ``given`` are the names they came by."""

    event: str
    events: int
    given: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def falls(self) -> list[Cell]:
        """The keys whose share fell."""
        return [cell for cell in self.cells if cell.fall is not None]


class Days:
    """How many events of one name came on each day, and how many of them carry each mark."""

    def __init__(self, days: int) -> None:
        self.received = [0] * days
        self.marks = {mark: [0] * days for mark in MARKS}

    def add(self, place: int, received: int, marks: Sequence[int]) -> None:
        """Add to one day."""
        self.received[place] += received
        for mark, count in zip(MARKS, marks, strict=True):
            self.marks[mark][place] += count

    def shares(self, mark: str) -> list[float | None]:
        """The share of each day; None of a day without events."""
        return [have / of if of else None for have, of in zip(self.marks[mark], self.received, strict=True)]


def by_event(figures: FiguresShown, starts: Sequence[int]) -> dict[str, Days]:
    """Put the figures of all destinations in days, by event name, the most frequent first."""
    places = {start: place for place, start in enumerate(starts)}
    found: dict[str, Days] = {}
    for one in figures.periods:
        if (place := places.get(one.at)) is not None:
            found.setdefault(one.event, Days(len(starts))).add(place, one.received, one.marks)
    events = {event: days for event, days in found.items() if any(days.received)}
    return dict(sorted(events.items(), key=lambda pair: -sum(pair[1].received)))


def find_fall(have: Sequence[int], of: Sequence[int], starts: Sequence[int]) -> Fall | None:
    """Find the day on which a share fell by a fifth or more and has stayed low since; of several the last.

    A day is held against the week before it. Of the days that would do, the one at which that week and the one that
    begins with it differ most surely is where the fall began.
    """
    had, were = [0, *accumulate(have)], [0, *accumulate(of)]
    swing = _swing(had, were)
    fall, first = None, 0
    while (place := _steepest(had, were, first, swing)) is not None:
        after = _between(had, were, place)
        if fall is not None and place == first + 1:  # it began within a day, and this is the first whole one
            fall = msgspec.structs.replace(fall, after=after)
        else:
            fall = Fall(starts[place], _between(had, were, max(first, place - WEEK), place), after)
        first = place
    return fall


def _steepest(had: Sequence[int], were: Sequence[int], first: int, swing: float) -> int | None:
    """Find the day after the ``first`` at which a share fell most surely, if at any."""
    best, surest = None, _NO_CHANCE
    for place in range(first + 1, len(were) - 1):
        begin, end = max(first, place - WEEK), min(place + WEEK, len(were) - 1)
        of_before, of_after = were[place] - were[begin], were[end] - were[place]
        if min(of_before, of_after) < ENOUGH:
            continue
        before, after = _between(had, were, begin, place), _between(had, were, place, end)
        highest = before * (1 - FELL_BY)
        sureness = _sureness(before, of_before, after, of_after)
        if after > highest or _between(had, were, place) > highest or sureness < surest:
            continue
        if before - after >= _NO_CHANCE * swing * sqrt(1 / (place - begin) + 1 / (end - place)):
            best, surest = place, sureness
    return best


def _swing(had: Sequence[int], were: Sequence[int]) -> float:
    """By how much a share swings from day to day: its standard deviation, which steps and odd days leave as it is.

    Events of one visitor carry the same keys, so the shares of few visitors swing more than those of as many events.
    """
    days = [at for at in range(len(were) - 1) if were[at + 1] > were[at]]
    shares = [_between(had, were, at, at + 1) for at in days]
    steps = [abs(later - earlier) for earlier, later in pairwise(shares)]
    return median(steps) / _MEDIAN_STEP if len(steps) >= WEEK else 0.0


def _between(had: Sequence[int], were: Sequence[int], begin: int, end: int = -1) -> float:
    """The share of some days, of which there were events, out of the sums up to each day."""
    return (had[end] - had[begin]) / (were[end] - were[begin])


def _sureness(before: float, of_before: int, after: float, of_after: int) -> float:
    """How many standard errors lie between two shares."""
    whole = (before * of_before + after * of_after) / (of_before + of_after)
    error = sqrt(whole * (1 - whole) * (1 / of_before + 1 / of_after))
    return (before - after) / error if error else 0.0


def cell(days: Days, key: str, starts: Sequence[int]) -> Cell:
    """Compare the last week of one key with the one before, and look for a fall."""
    have, of = days.marks[key], days.received
    of_now, of_before = sum(of[-WEEK:]), sum(of[-2 * WEEK : -WEEK])
    now = sum(have[-WEEK:]) / of_now if of_now else None
    before = sum(have[-2 * WEEK : -WEEK]) / of_before if of_before else None
    is_few = min(of_now, of_before) < ENOUGH
    change = None if is_few or now is None or before is None else now - before
    fall = find_fall(have, of, starts)
    spark = draw_spark(days.shares(key)[-_SPARK_DAYS:])
    return Cell(key=key, title=TITLES[key], now=now, before=before, change=change, fall=fall, spark=spark)


def rows_of(figures: FiguresShown, starts: Sequence[int], *, shown: int, keys: Sequence[str] = MATCH_KEYS) -> list[Row]:
    """Make a row of each event name that came in the last ``shown`` days, the most frequent first."""
    given = given_names(figures)
    return [
        Row(
            event=event,
            events=sum(days.received[-shown:]),
            given=tuple(given.get(event, ())),
            cells=tuple(cell(days, key, starts) for key in keys),
        )
        for event, days in by_event(figures, starts).items()
        if any(days.received[-shown:])
    ]


def given_names(figures: FiguresShown) -> dict[str, Counter[str]]:
    """Count the names the sender gave, by TikTok's name."""
    found: dict[str, Counter[str]] = {}
    for tally in figures.tallies:
        if tally.kind == "given":
            found.setdefault(tally.event, Counter())[tally.what] += tally.count
    return found


# Charts.


class KeyChart(msgspec.Struct, frozen=True):
    """The share of one key on each day."""

    title: str
    line: Line
    now: float | None
    fall: Fall | None


def charts_of(days: Days, starts: Sequence[int], *, shown: int, with_falls: bool) -> list[KeyChart]:
    """Draw the last ``shown`` days of each key."""
    found: list[KeyChart] = []
    for key in MATCH_KEYS:
        shares = days.shares(key)[-shown:]
        titles = [
            f"{day(start)}: {'no events' if value is None else share(value)} of {number(of)}"
            for start, value, of in zip(starts[-shown:], shares, days.received[-shown:], strict=True)
        ]
        seen = cell(days, key, starts)
        fall = seen.fall if with_falls else None
        mark = starts[-shown:].index(fall.since) if fall and fall.since in starts[-shown:] else None
        found.append(KeyChart(TITLES[key], draw_line(shares, titles, mark=mark), seen.now, fall))
    return found


def together(every: Iterable[Days], days: int) -> Days:
    """Add the days of several event names up."""
    whole = Days(days)
    for one in every:
        for place, received in enumerate(one.received):
            whole.add(place, received, [one.marks[mark][place] for mark in MARKS])
    return whole


class DayRow(msgspec.Struct, frozen=True):
    """One day in figures."""

    at: int
    events: int
    shares: tuple[float | None, ...]


def day_rows(days: Days, starts: Sequence[int], *, shown: int) -> list[DayRow]:
    """The last ``shown`` days in figures, the newest first."""
    shares = [days.shares(key) for key in MATCH_KEYS]
    rows = [
        DayRow(start, days.received[place], tuple(one[place] for one in shares)) for place, start in enumerate(starts)
    ]
    return rows[-shown:][::-1]


# The page.

_COLUMNS: Final = (
    Column("event", "TikTok event", lambda row: row.event, is_number=False),
    Column("events", "Events", lambda row: row.events),
    *(
        Column(key, TITLES[key], lambda row, place=place: row.cells[place].now)  # type: ignore[misc]
        for place, key in enumerate(MATCH_KEYS)
    ),
)


async def show(request: Request, parts: Parts) -> Response:
    """Show it."""
    asked = Asked("/coverage", DAYS, DAYS[1], request.query_params)
    now = parts.clock.now()
    starts = days_to_compare(now, shown=asked.stretch.periods)
    figures = await parts.operations.figures(FiguresQuery(span="day", begin=starts[0]))
    return await asyncio.to_thread(coverage_page, asked, figures, starts)


def days_to_compare(now: float, *, shown: int) -> list[int]:
    """The days that are shown, and the week that the first of them is compared with."""
    today = int(now) // DAY_S * DAY_S
    return [today - back * DAY_S for back in reversed(range(shown + WEEK))]


def coverage_page(asked: Asked, figures: FiguresShown, starts: Sequence[int]) -> Response:
    """Make the page of figures."""
    shown = asked.stretch.periods
    names = {one.destination for one in figures.periods}
    figures = asked.only(figures)
    rows, heads = in_order(rows_of(figures, starts, shown=shown), _COLUMNS, asked)
    events = by_event(figures, starts)
    one = events.get(asked.event)
    days = one or together(events.values(), len(starts))
    return page(
        "coverage.html",
        title=f"Match coverage of {asked.event}" if one else "Match coverage",
        here="/coverage",
        asked=asked,
        is_known=one is not None or not asked.event,
        row=next((row for row in rows if one and row.event == asked.event), None),
        rows=rows,
        heads=heads,
        charts=charts_of(days, starts, shown=shown, with_falls=one is not None) if any(days.received) else [],
        days=day_rows(days, starts, shown=shown),
        key_titles=[TITLES[key] for key in MATCH_KEYS],
        destinations=asked.destinations(names),
        unanswered=figures.unanswered,
    )
