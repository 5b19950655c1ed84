"""Figures made up for the console's pages."""

from tikrelay.outbox.figures import MARKS, Period, Tally
from tikrelay.watch.operations import FiguresShown

DAY_S = 86400
NOW = 1_795_312_345.0  # 2026-11-22 01:52:25 UTC
TODAY = int(NOW) // DAY_S * DAY_S


def day(back: int) -> int:
    """When the day began that is so many days back."""
    return TODAY - back * DAY_S


def period(back: int, event: str, received: int, *, destination: str = "shop", accepted: int = 0, **marks: int):
    """One day of one event name."""
    counts = tuple(marks.get(mark, 0) for mark in MARKS)
    return Period(day(back), destination, event, received, accepted, counts)


def tally(back: int, event: str, kind: str, what: str, count: int, *, destination: str = "shop"):
    """How often one thing happened on one day."""
    return Tally(day(back), destination, event, kind, what, count)


def shown(*rows: Period | Tally, unanswered: dict[str, str] | None = None) -> FiguresShown:
    """What the server answers."""
    return FiguresShown(
        span="day",
        begin=day(100),
        end=int(NOW),
        periods=sorted((row for row in rows if isinstance(row, Period)), key=lambda row: row.at),
        tallies=sorted((row for row in rows if isinstance(row, Tally)), key=lambda row: row.at),
        unanswered=unanswered or {},
    )
