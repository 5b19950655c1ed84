"""The first page: what came, what became of it, and what needs attention."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tikrelay.event import DropReason
from tikrelay.outbox.store import State
from tikrelay.watch.console.asked import DAY_S, STRETCHES, Asked, Column, Stretch, address, in_order
from tikrelay.watch.console.attention import days_to_judge, find_points
from tikrelay.watch.console.charts import Bars, draw_bars
from tikrelay.watch.console.page import Parts, day, number, page, utc
from tikrelay.watch.operations import EventQuery, EventRow, FiguresQuery, FiguresShown
from tikrelay.watch.status import DestinationStatus, Status


class PeriodRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one hour or day brought. None: it lies before the first figure that is kept, and nobody knows."""

    at: int
    received: int | None
    accepted: int | None
    dead: int | None
    dropped: int | None


class Reason(msgspec.Struct, frozen=True):
    """Why events died or were dropped, how often, and where to see them."""

    name: str
    count: int
    link: str = ""


class CountChart(msgspec.Struct, frozen=True):
    """The counts of one kind over time, and their sum."""

    title: str
    kind: str
    total: int
    bars: Bars


class DestinationRow(msgspec.Struct, frozen=True):
    """One destination, and the event of it that TikTok judged last; None where it has judged none that is kept."""

    name: str
    status: DestinationStatus
    last: EventRow | None


_KINDS: Final = (("received", "Received"), ("accepted", "Accepted"), ("dead", "Dead"), ("dropped", "Dropped"))


def known_since(figures: FiguresShown, of_days: FiguresShown, starts: Sequence[int]) -> float:
    """When what is known begins: with the first figure that is kept, also where it lies before all that is shown."""
    earlier = _first(of_days)
    return starts[0] if earlier + DAY_S <= starts[0] else _first(figures)


def _first(figures: FiguresShown) -> float:
    times = [*(one.at for one in figures.periods), *(one.at for one in figures.tallies)]
    return min(times, default=math.inf)


def period_rows(figures: FiguresShown, starts: Sequence[int], *, known_since: float) -> list[PeriodRow]:
    """Add the figures of each period up.

    Received is what was stored and what was dropped at the door, as in the server's books. What was erased while it
    waited had been stored, and is not counted anew.
    """
    received: Counter[int] = Counter()
    accepted: Counter[int] = Counter()
    ended: dict[str, Counter[int]] = {"dead": Counter(), "dropped": Counter()}
    for period in figures.periods:
        received[period.at] += period.received
        accepted[period.at] += period.accepted
    for tally in figures.tallies:
        if tally.kind in ended:
            ended[tally.kind][tally.at] += tally.count
        if tally.kind == "dropped" and tally.what != DropReason.FORGOTTEN:
            received[tally.at] += tally.count
    return [
        PeriodRow(at=at, received=None, accepted=None, dead=None, dropped=None)
        if at < known_since
        else PeriodRow(
            at=at, received=received[at], accepted=accepted[at], dead=ended["dead"][at], dropped=ended["dropped"][at]
        )
        for at in starts
    ]


def charts_of(rows: Sequence[PeriodRow], stretch: Stretch) -> list[CountChart]:
    """Draw the counts of each kind. What came and what was accepted share a scale."""
    counts = {kind: [getattr(row, kind) for row in rows] for kind, _ in _KINDS}
    most = max(count or 0 for kind in ("received", "accepted") for count in counts[kind])
    return [
        CountChart(
            title,
            kind,
            sum(count or 0 for count in counts[kind]),
            draw_bars(
                counts[kind],
                [_title(row.at, getattr(row, kind), stretch) for row in rows],
                most=most if kind in {"received", "accepted"} else None,
            ),
        )
        for kind, title in _KINDS
    ]


def period_title(at: int, stretch: Stretch) -> str:
    """Name an hour or a day.

    >>> period_title(1795312800, STRETCHES[0]), period_title(1795305600, STRETCHES[1])
    ('22 Nov 02:00', 'Sun 22 Nov')
    """
    return f"{day(at)[4:]} {utc(at)[11:16]}" if stretch.span == "hour" else day(at)


def since_when(at: int, stretch: Stretch) -> str:
    """Say when what is shown begins; it is less than the stretch's name says, for the last hour or day is not over.

    >>> since_when(1795312800, STRETCHES[0]), since_when(1795305600, STRETCHES[1])
    ('22 Nov 02:00 UTC', 'Sun 22 Nov')
    """
    return period_title(at, stretch) + (" UTC" if stretch.span == "hour" else "")


def _title(at: int, count: int | None, stretch: Stretch) -> str:
    return f"{period_title(at, stretch)} UTC: {'not known' if count is None else number(count)}"


def reasons(figures: FiguresShown) -> tuple[list[Reason], list[Reason]]:
    """Count why events died, and why they were dropped, the most frequent first."""
    counts: dict[str, Counter[str]] = {"dead": Counter(), "dropped": Counter()}
    for tally in figures.tallies:
        if tally.kind in counts:
            counts[tally.kind][tally.what] += tally.count
    dead = [Reason(name, n, address("/events", state="dead", reason=name)) for name, n in counts["dead"].most_common()]
    return dead, [Reason(name, n) for name, n in counts["dropped"].most_common()]


# The page.

_COLUMNS: Final = (
    Column("name", "Destination", lambda row: row.name, is_number=False),
    Column("state", "State", lambda row: row.status.state, is_number=False),
    Column("waiting", "Waiting", lambda row: row.status.waiting),
    Column("oldest", "Oldest", lambda row: row.status.oldest_waiting_s if row.status.waiting else None),
    Column("received", "Received", lambda row: row.status.received),
    Column("accepted", "Accepted", lambda row: row.status.accepted),
    Column("dead", "Dead", lambda row: row.status.dead),
    Column("dropped", "Dropped", lambda row: row.status.dropped),
)


async def show(request: Request, parts: Parts) -> Response:
    """Show it."""
    asked = Asked("/", STRETCHES, STRETCHES[0], request.query_params)
    now = parts.clock.now()
    days = days_to_judge(now)
    status = await parts.status()
    figures, of_days, last = await asyncio.gather(
        parts.operations.figures(asked.stretch.query(now)),
        parts.operations.figures(FiguresQuery(span="day", begin=days[0])),
        asyncio.gather(*(_last_judged(name, parts) for name in status.destinations)),
    )
    destinations = [
        DestinationRow(name, row, judged) for (name, row), judged in zip(status.destinations.items(), last, strict=True)
    ]
    return await asyncio.to_thread(overview_page, asked, status, figures, of_days, destinations=destinations, now=now)


async def _last_judged(name: str, parts: Parts) -> EventRow | None:
    states: tuple[State, ...] = ("delivered", "dead")
    pages = await asyncio.gather(
        *(parts.operations.page(EventQuery(state=state, destination=name, most=1)) for state in states)
    )
    newest = [event for page in pages for event in page.events[:1]]
    return max(newest, key=lambda event: event.ended_at or 0.0, default=None)


def overview_page(
    asked: Asked,
    status: Status,
    figures: FiguresShown,
    of_days: FiguresShown,
    *,
    destinations: Sequence[DestinationRow],
    now: float,
) -> Response:
    """Make the page. ``of_days`` are the figures by which attention is judged."""
    of_now = [row for name, row in status.destinations.items() if asked.is_its(name)]
    starts = asked.stretch.starts(now)
    first_known = known_since(figures, of_days, starts)
    figures = asked.only(figures)
    periods = period_rows(figures, starts, known_since=first_known)
    dead, dropped = reasons(figures)
    points = find_points(status, of_days, days_to_judge(now))
    waiting = sum(row.waiting for row in of_now)
    rows, heads = in_order([one for one in destinations if asked.is_its(one.name)], _COLUMNS, asked)
    return page(
        "overview.html",
        title="Overview",
        here="/",
        asked=asked,
        since=since_when(starts[0], asked.stretch),
        status_now=status,
        is_empty=first_known == math.inf
        and not status.uncounted
        and not any(row.received for row in status.destinations.values()),
        urgent=[point for point in points if point.level != "note"],
        notes=[point for point in points if point.level == "note"],
        charts=charts_of(periods, asked.stretch),
        periods=[(period_title(row.at, asked.stretch), row) for row in reversed(periods)],
        is_known=any(row.received is not None for row in periods),
        waiting=waiting,
        oldest_s=max((row.oldest_waiting_s or 0.0 for row in of_now), default=0.0) if waiting else None,
        letters=sum(row.dead for row in of_now),
        dead=dead,
        dropped=dropped,
        rows=rows,
        heads=heads,
        destinations=asked.destinations(status.destinations),
        unanswered=figures.unanswered,
    )
