"""When an event happened, in whole Unix seconds."""

import math
from datetime import UTC, datetime
from typing import Final

from tikrelay.event import Json
from tikrelay.mapping.cleaning import Cleaner, Context, Left
from tikrelay.mapping.notices import NoticeKind

_EARLIEST_S: Final = 1_000_000_000  # 2001: anything earlier is no time of an event
_LATEST_S: Final = 10_000_000_000
SECONDS: Final = 1
MICROSECONDS: Final = 1_000_000
# Seconds, and the classic mistakes.
_UNITS: Final = {SECONDS: "seconds", 1_000: "milliseconds", MICROSECONDS: "microseconds", 10**9: "nanoseconds"}
_OF_A_PHONE: Final = ("+", "00")
_DAY_S: Final = 86400
FUTURE_AFTER_S: Final = 600  # clocks of visitors run ahead


def whole_seconds(meant: int) -> Cleaner:
    """Make the cleaner of a source that is meant to give a time in a unit; any unit, and ISO 8601, is read."""

    def clean(value: Json, context: Context) -> int | Left:
        if value is None or value == "":
            return Left.EMPTY
        found = _read(value)
        if found is None:
            return Left.UNUSABLE
        at, unit = found
        if unit is not None and unit != meant:
            context.warn(NoticeKind.EVENT_TIME_UNIT, f"came in {_UNITS[unit]} instead of {_UNITS[meant]}, and was read")
        _judge_age(at, context)
        return at

    return clean


def _judge_age(at: int, context: Context) -> None:
    """Warn of what lies further back than the setting says (TikTok documents no largest age), or ahead."""
    received_at = context.event.received_at
    if at < received_at - context.settings.old_after_s:
        days = f"{context.settings.old_after_s / _DAY_S:g} days"
        context.warn(NoticeKind.EVENT_TIME_OLD, f"more than {days} back; TikTok may no longer attribute it")
    elif at > received_at + FUTURE_AFTER_S:
        context.warn(NoticeKind.EVENT_TIME_FUTURE, "in the future; look at the sender's clock")


def read_time(value: Json) -> int | None:
    """Read one; None when it is no time after 2001.

    >>> read_time(1795312345678), read_time("1795312345"), read_time("2026-11-22T10:12:25Z"), read_time("soon")
    (1795312345, 1795312345, 1795342345, None)
    """
    found = _read(value)
    return None if found is None else found[0]


def _read(value: Json) -> tuple[int, int | None] | None:
    """Read a time, and how many of its units are a second; no unit where it is a date."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text) if len(text) <= 30 and not text.startswith(_OF_A_PHONE) else math.nan
        except ValueError:
            at = _read_iso(text)
            return None if at is None else (at, None)
    if not isinstance(value, int | float) or not abs(value) < _LATEST_S * max(_UNITS):
        return None
    for unit in _UNITS:
        if _EARLIEST_S <= value / unit < _LATEST_S:
            return int(value // unit), unit
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
