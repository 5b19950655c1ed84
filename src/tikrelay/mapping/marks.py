"""What is counted of each stored event: which match keys it carries, and how it came by its id."""

from typing import Any, Final

from tikrelay.mapping.notices import NoticeKind
from tikrelay.outbox.figures import MARKS, MATCH_KEYS
from tikrelay.tiktok.payload import EventBody, TikTokEvent

_BIT: Final = {mark: 1 << place for place, mark in enumerate(MARKS)}
_FIELDS: Final = {mark: ("ip", "user_agent") if mark == "ip_and_agent" else (mark,) for mark in MATCH_KEYS}


def match_keys(body: EventBody) -> tuple[str, ...]:
    """Name the match keys of an event.

    >>> match_keys({"event": "Lead", "event_time": 1, "event_id": "1", "user": {"ttp": "a", "ip": "8.8.8.8"}})
    ('ttp',)
    """
    user: dict[str, Any] = body.get("user", {})
    return tuple(mark for mark, fields in _FIELDS.items() if all(field in user for field in fields))


def marks_of(made: TikTokEvent) -> int:
    """Set a bit for each of ``figures.MARKS`` that is true of an event."""
    marks = sum(_BIT[key] for key in match_keys(made.body))
    if made.own_id:
        marks |= _BIT["own_id"]
    if any(notice.kind == NoticeKind.ID_AS_NUMBER and notice.field == "event_id" for notice in made.notices):
        marks |= _BIT["number_id"]
    return marks
