"""tikrelay as a library: what a hit becomes, and why, in a program of one's own. For the tests of a shop.

No server, no token, no disk but the files that are named; nothing is sent. It may be called where an event loop runs.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.explained import explain_hits, refusal_of, rules_of
from tikrelay.app.hits.request import read_requests
from tikrelay.app.hits.text import Hits, hits_of
from tikrelay.app.load import parse_settings, read_settings
from tikrelay.base.errors import ConfigError, InputRefused
from tikrelay.event import Dropped, Event
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.explain import FALLBACK_ID, Explanation
from tikrelay.tiktok.payload import TikTokEvent
from tikrelay.tools.hit_input import read_hits

__all__ = ["ConfigError", "Dropped", "Explanation", "InputRefused", "TikTokEvent", "explain", "map_hit"]

Hit = str | Path | Mapping[str, object] | Sequence[Mapping[str, object]]
"""What ``tikrelay explain`` takes (a URL, a HAR, a curl command, JSON, a file), or event data: one or several."""


def map_hit(
    hit: Hit, *, settings: str | Path | None = None, received_at: float | None = None
) -> list[TikTokEvent | Dropped]:
    """Map a hit: each event of it, for each destination of the settings, to the TikTok events it becomes, or a drop.

    ``settings``     a TOML file's path, or TOML text; the defaults without any. The environment is not looked at.
    ``received_at``  Unix seconds; now without any

    Raises InputRefused when nothing in it is a hit, or the server would refuse all of it; ConfigError for settings
    that cannot be used.

    >>> (event,) = map_hit({"event_name": "purchase", "transaction_id": "R-1", "value": "14,90", "currency": "eur"})
    >>> event.body["event"], event.body["event_id"], event.body["properties"]["value"]
    ('PlaceAnOrder', 'R-1', 14.9)
    >>> map_hit("https://gw/g/collect?v=2&tid=G-1&cid=1.2&en=scroll")
    [Dropped(reason=<DropReason.NO_MAPPING: 'no_mapping'>)]
    """
    rules = rules_of(_config(settings))
    events = _events(_hits(hit), _now(received_at))
    return [outcome for event in events for one in rules for outcome in map_event(event, one, fallback_id=FALLBACK_ID)]


def explain(
    hit: Hit,
    *,
    settings: str | Path | None = None,
    received_at: float | None = None,
    show_personal_data: bool = False,
) -> list[Explanation]:
    """Map a hit like ``map_hit``, and say of each outcome why: sources, cleaning, warnings, rules, what is not sent.

    >>> (told,) = explain({"event_name": "contact", "phone": "030 1234", "color": "red"})
    >>> told.tiktok["event"], told.not_sent, [one.source for one in told.origins if one.field == "user.phone"]
    ('Contact', ('color',), ['phone'])
    """
    config, hits, now = _config(settings), _hits(hit), _now(received_at)
    _events(hits, now)  # refuses what holds no event
    report = explain_hits(hits, config, received_at=now, show_personal_data=show_personal_data)
    return [one.explanation for one in report.events]


def _events(hits: Hits, received_at: float) -> list[Event]:
    """The events of hits. Raises InputRefused when there is none, with the reason the server would answer."""
    found = read_requests(hits.requests, received_at=received_at)
    events = [event for one in found for event in one.events]
    if not events:
        refusal = refusal_of(found[0])
        what = next((text for one in found for text in one.refusals), refusal.message or "the hit holds no event")
        code = next((reason for one in found for reason in one.turned_away), refusal.code or "no_event")
        raise InputRefused(found[0].status, code, what, hint=refusal.hint)
    return events


def _hits(hit: Hit) -> Hits:
    if isinstance(hit, str):
        return hits_of(hit) if hit.strip() == "-" else read_hits(hit)  # stdin is the command's
    if isinstance(hit, Path):
        return read_hits(str(hit))
    try:
        return hits_of(msgspec.json.encode(dict(hit) if isinstance(hit, Mapping) else hit).decode())
    except (TypeError, UnicodeEncodeError) as error:
        what = f"this is no event data: {error}"
        raise InputRefused(400, "no_hit", what, hint="give texts, numbers, lists and dicts, as JSON has them") from None


def _config(settings: str | Path | None) -> Config:
    """Settings of a file or a text; a text has a line's end, a section or an equals sign in it."""
    if settings is None:
        return Config()
    if isinstance(settings, str) and (not settings.strip() or any(sign in settings for sign in "\n=[")):
        return parse_settings(settings, None, {}, to_send=False).config
    return read_settings(str(settings), {}, to_send=False).config


def _now(received_at: float | None) -> float:
    return time.time() if received_at is None else received_at
