"""Where each field of a TikTok event came from: the mapper's own walk over the table, written down."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import Left, is_object, is_several, whole_signs
from tikrelay.mapping.convert import plan, walk
from tikrelay.mapping.fields import FIELDS, Field, Source
from tikrelay.mapping.personal import LONGEST_MATCH, mask_and_cut, value_gives_away
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.texts import event_name
from tikrelay.tiktok.payload import EventBody

FALLBACK_ID: Final = "made-when-stored"  # shown where an id is random and made only at the door
_LONGEST_SHOWN: Final = 120
# Read for other ends than a field, or part of every hit: not worth a line among what is not sent.
_USED: Final = frozenset({
    "event_name", "x-ttq-event-name", "client_id", "ga_session_id", "screen_resolution", "page_title", "user_data",
    "tt_content_type", "content_type", "transaction_id", "page_location", "page_referrer", "x-ttq-ct-page-url",
    "consent_state", "client_hints", "user_properties",
})  # fmt: skip


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source of one field. ``given`` is masked where it identifies a person."""

    field: str
    source: str
    given: str
    outcome: Literal["taken", "empty", "unusable", "withheld"]
    value: Any = None
    cleaning: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event explained: what it becomes, and why. ``not_sent`` are parameters that no field is made of."""

    name: str
    tiktok: EventBody | None = None
    dropped: str = ""
    origins: tuple[Origin, ...] = ()
    notices: tuple[str, ...] = ()
    not_sent: tuple[str, ...] = ()


class _Listener:
    def __init__(self, *, show_personal_data: bool) -> None:
        self.origins: list[Origin] = []
        self._show = show_personal_data

    def took(self, field: Field, source: Source, given: Json, value: Any) -> None:
        """Write down a value that was taken."""
        shown = self._shown(field, given)
        self.origins.append(
            Origin(
                field=field.path, source=source.name, given=shown, outcome="taken", value=value, cleaning=field.cleaning
            )
        )

    def left(self, field: Field, source: Source, given: Json, why: Left) -> None:
        """Write down a value that was not."""
        outcome: Any = why.value
        self.origins.append(
            Origin(field=field.path, source=source.name, given=self._shown(field, given), outcome=outcome)
        )

    def also(self, field: Field, source: Source, given: Json) -> None:
        """Pass over what was not asked."""

    def ruled(self, rule: str, text: str) -> None:
        """Pass over what rules did."""

    def _shown(self, field: Field, given: Json) -> str:
        if field.person and not self._show:
            return masked(given)
        text = whole_signs(given if isinstance(given, str) else _as_json(given))
        if not self._show and value_gives_away(text[: _LONGEST_SHOWN + LONGEST_MATCH]):
            return masked(text)
        return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def explain(
    event: Event, rules: Rules, *, fallback_id: str, show_personal_data: bool = False
) -> tuple[Explanation, ...]:
    """Map an event and say where each field came from; one explanation for each TikTok event."""
    made = plan(event, rules)
    if made.dropped is not None:
        return (Explanation(name=event_name(event.name), dropped=made.dropped.value),)
    found: list[Explanation] = []
    for name in made.names:
        listener = _Listener(show_personal_data=show_personal_data)
        outcome = walk(event, rules, made, name, fallback_id=fallback_id, recorder=listener)
        found.append(
            Explanation(
                name=event_name(event.name),
                tiktok=outcome.body,
                origins=tuple(listener.origins),
                notices=tuple(notice.text for notice in outcome.notices),
                not_sent=_not_sent(event.data),
            )
        )
    return tuple(found)


def masked(given: Any) -> str:
    """Show of a value only how long it is, and its kind of characters at both ends.

    >>> masked("ann@shop.example"), masked(("a", "b"))
    ('a*** (16 characters)', '2 values')
    """
    if is_object(given) or (is_several(given) and len(given) != 1):
        return f"{len(given)} values"
    text = str(given[0] if is_several(given) else given)
    return f"{whole_signs(text[:1])}*** ({len(text)} characters)"


def _as_json(given: Any) -> str:
    try:
        return msgspec.json.encode(given).decode()
    except (TypeError, ValueError):
        return str(given)


def _not_sent(data: Mapping[str, Json]) -> tuple[str, ...]:
    used = _USED | {source.name for field in FIELDS for source in field.sources}
    return tuple(
        mask_and_cut(whole_signs(name), longest=_LONGEST_SHOWN)
        for name in data
        if name not in used and not name.startswith("user_data.")
    )
