"""When an event happened, in whole Unix seconds."""

import math
from datetime import UTC, datetime
from typing import Final

from tikrelay.event import Json
from tikrelay.mapping.cleaning import Context, Left, NoticeKind

_EARLIEST_S: Final = 1_000_000_000  # 2001: anything earlier is no time of an event
_LATEST_S: Final = 10_000_000_000
_UNITS: Final = (1, 1_000, 1_000_000, 1_000_000_000)  # seconds, and the classic mistakes: milli-, micro-, nanoseconds
_OF_A_PHONE: Final = ("+", "00")
# TikTok documents no largest age; its attribution ends 7 days after a view and 28 days after a click.
OLD_AFTER_S: Final = 7 * 86400
FUTURE_AFTER_S: Final = 600  # clocks of visitors run ahead


def whole_seconds(value: Json, context: Context) -> int | Left:
    """Read a time in seconds, milli- or microseconds, or as ISO 8601."""
    if value is None or value == "":
        return Left.EMPTY
    at = read_time(value)
    if at is None:
        return Left.UNUSABLE
    received_at = context.event.received_at
    if at < received_at - OLD_AFTER_S:
        context.warn(NoticeKind.EVENT_TIME_OLD, "more than 7 days back; TikTok may no longer attribute it")
    elif at > received_at + FUTURE_AFTER_S:
        context.warn(NoticeKind.EVENT_TIME_FUTURE, "in the future; look at the sender's clock")
    return at


def read_time(value: Json) -> int | None:
    """Read one; None when it is no time after 2001.

    >>> read_time(1795312345678), read_time("1795312345"), read_time("2026-11-22T10:12:25Z"), read_time("soon")
    (1795312345, 1795312345, 1795342345, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text) if len(text) <= 30 and not text.startswith(_OF_A_PHONE) else math.nan
        except ValueError:
            return _read_iso(text)
    if not isinstance(value, int | float) or not abs(value) < _LATEST_S * _UNITS[-1]:
        return None
    for unit in _UNITS:
        if _EARLIEST_S <= value / unit < _LATEST_S:
            return int(value // unit)
    return None


def _read_iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        seconds = int(moment.timestamp())
    except (OverflowError, ValueError):
        return None
    return seconds if _EARLIEST_S <= seconds < _LATEST_S else None
