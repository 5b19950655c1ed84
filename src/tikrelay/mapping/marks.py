"""What is counted of each stored event: which match keys it carries, and how it came by its id."""

from collections.abc import Mapping
from typing import Any, Final

from tikrelay.mapping.notices import NoticeKind
from tikrelay.outbox.figures import MARKS, MATCH_KEYS
from tikrelay.tiktok.payload import EventBody, TikTokEvent

_BIT: Final = {mark: 1 << place for place, mark in enumerate(MARKS)}
_OF_ONE_FIELD: Final = {mark: _BIT[mark] for mark in MATCH_KEYS if mark != "ip_and_agent"}
_IP_AND_AGENT: Final = _BIT["ip_and_agent"]
_OWN_ID: Final = _BIT["own_id"]
_NUMBER_ID: Final = _BIT["number_id"]


def match_keys(body: EventBody) -> tuple[str, ...]:
    """Name the match keys of an event.

    >>> match_keys({"event": "Lead", "event_time": 1, "event_id": "1", "user": {"ttp": "a", "ip": "8.8.8.8"}})
    ('ttp',)
    """
    return match_keys_of(body.get("user", {}))


def match_keys_of(user: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the match keys among what is known of a visitor."""
    bits = _match_bits(user)
    return tuple(key for key in MATCH_KEYS if bits & _BIT[key])


def marks_of(made: TikTokEvent) -> int:
    """Set a bit for each of ``figures.MARKS`` that is true of an event."""
    bits = _match_bits(made.body.get("user", {}))
    if made.own_id:
        bits |= _OWN_ID
    for notice in made.notices:
        if notice.kind == NoticeKind.ID_AS_NUMBER and notice.field == "event_id":
            bits |= _NUMBER_ID
    return bits


def _match_bits(user: Mapping[str, Any]) -> int:
    bits = _IP_AND_AGENT if "ip" in user and "user_agent" in user else 0
    for key in user:
        bits |= _OF_ONE_FIELD.get(key, 0)
    return bits
