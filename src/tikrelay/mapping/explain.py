"""Where each field of a TikTok event came from: the mapper's own walk over the table, written down."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from tikrelay.event import DropReason, Event, Json, Notice
from tikrelay.mapping.cleaning import Left, is_object, is_several, whole_signs
from tikrelay.mapping.convert import plan, walk
from tikrelay.mapping.edits import Change
from tikrelay.mapping.fields import FIELDS, Field, Source
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.personal import LONGEST_MATCH, mask_and_cut, text_gives_away
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.texts import event_name
from tikrelay.tiktok.payload import EventBody

FALLBACK_ID: Final = "made-when-stored"  # shown where an id is random and made only at the door
_LONGEST_SHOWN: Final = 120
# Read for other ends than a field, or part of every hit: not worth a line among what is not sent.
_USED: Final = frozenset({
    "event_name", "x-ttq-event-name", "client_id", "ga_session_id", "screen_resolution", "page_title", "user_data",
    "tt_content_type", "content_type", "transaction_id", "page_location", "page_referrer", "x-ttq-ct-page-url",
    "consent_state", "client_hints", "user_properties", "x-ttq-test-event-code", "event", "ecommerce",
    "x-ga-measurement_id", "measurement_id", "consent", "ad_storage", "ad_user_data", "x-ga-gcs", "x-ga-gcd",
    "x-ga-mp2-gcd", "gcs", "gcd", "event_location", "request.timestamp_micros",
})  # fmt: skip

Outcome = Literal["taken", "empty", "unusable", "withheld", "not_asked"]
"""What became of a source: ``not_asked`` is one that had a value too, below the one that was taken."""

# Why an event is dropped, and what would send it.
WHY_DROPPED: Final[Mapping[DropReason, str]] = {
    DropReason.NO_MAPPING: 'housekeeping of GA4\'s own; [mapping] events = {{ {name} = "YourName" }} would send it',
    DropReason.BY_RULE: "{by} sends nothing for it; give it a name there, or take the entry out",
    DropReason.NOT_ROUTED: "{by} leaves it to other destinations; add what this event has, or empty it",
    DropReason.DENY_LISTED: "{by} holds its page or its name; take that entry out",
    DropReason.CONSENT_DENIED: 'the visitor said no, and {by} obeys; only "ignore" there would send it',
    DropReason.CONSENT_MISSING: 'no signal says yes, and {by} is "required"; "required_or_unknown" would send it',
    DropReason.OVER_QUOTA: "as many events wait as the destination's max_waiting allows; raise it",
    DropReason.FORGOTTEN: "tikrelay forget erased it while it waited",
}

# A value that a cleaner warned of itself is as unusable as one that the mapper warns of.
_LEFT: Final[Mapping[Left, Outcome]] = {
    Left.EMPTY: "empty",
    Left.UNUSABLE: "unusable",
    Left.TOLD: "unusable",
    Left.WITHHELD: "withheld",
}
_OF_WHAT_IS_MISSING: Final = frozenset({NoticeKind.NO_EVENT_ID, NoticeKind.VALUE_WITHOUT_CURRENCY})


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source of one field. ``given`` is masked where it identifies a person."""

    field: str
    source: str
    given: str
    outcome: Outcome
    value: Any = None
    cleaning: str = ""


class Warned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A warning, and the source it is about with what that gave; masked as in its Origin."""

    kind: str
    field: str
    text: str
    source: str = ""
    given: str = ""


class Ruled(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a rule of the operator did: in words, to which fields, and from which field of the event."""

    rule: str
    text: str
    fields: tuple[str, ...] = ()
    source: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome of an event explained: what it becomes, and why.

    ``tiktok``    the exact event; None where it is dropped
    ``dropped``   the reason, ``by`` the setting or rule it follows from, ``why`` in words, with what would send it
    ``rules``     what rules of the operator did; ``not_applied``, which did nothing, and why
    ``not_sent``  parameters of the event that no field is made of
    """

    name: str
    destination: str = ""
    tiktok: EventBody | None = None
    test_event_code: str = ""
    dropped: str = ""
    by: str = ""
    why: str = ""
    origins: tuple[Origin, ...] = ()
    warnings: tuple[Warned, ...] = ()
    rules: tuple[Ruled, ...] = ()
    not_applied: tuple[Ruled, ...] = ()
    not_sent: tuple[str, ...] = ()


class _Listener:
    def __init__(self, *, show_personal_data: bool) -> None:
        self.origins: list[Origin] = []
        self.rules: list[Ruled] = []
        self._show = show_personal_data

    def took(self, field: Field, source: Source, given: Json, value: Any) -> None:
        """Write down a value that was taken."""
        self._add(field, source, given, "taken", value=value, cleaning=_CLEANINGS[field.path])

    def left(self, field: Field, source: Source, given: Json, why: Left) -> None:
        """Write down a value that was not."""
        if why is not Left.NOT_MEANT:
            self._add(field, source, given, _LEFT[why])

    def also(self, field: Field, source: Source, given: Json) -> None:
        """Write down a value below the one that was taken."""
        self._add(field, source, given, "not_asked")

    def ruled(self, rule: str, change: Change) -> None:
        """Write down what a rule did."""
        self.rules.append(Ruled(rule, change.text, change.fields, change.source))

    def _add(self, field: Field, source: Source, given: Json, outcome: Outcome, **more: Any) -> None:
        shown = self._shown(field, given)
        self.origins.append(Origin(field=field.path, source=source.name, given=shown, outcome=outcome, **more))

    def _shown(self, field: Field, given: Json) -> str:
        if field.person and not self._show:
            return masked(given)
        text = whole_signs(given if isinstance(given, str) else _as_json(given))
        if not self._show and text_gives_away(text[: _LONGEST_SHOWN + LONGEST_MATCH]):
            return masked(text)
        return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def explain(
    event: Event, rules: Rules, *, fallback_id: str, show_personal_data: bool = False
) -> tuple[Explanation, ...]:
    """Map an event and say of each TikTok event it becomes where each field came from, or why it is dropped."""
    made = plan(event, rules)
    name = event_name(event.name)
    passed_over = tuple(Ruled(one.name, one.why_not(event)) for one in rules.own if not one.applies(event))
    if made.dropped is not None:
        return (
            Explanation(
                name=name,
                destination=rules.destination,
                dropped=made.dropped.value,
                by=made.by,
                why=_why(made.dropped, by=made.by, name=name),
                not_applied=passed_over,
            ),
        )
    found: list[Explanation] = []
    for becomes in made.names:
        listener = _Listener(show_personal_data=show_personal_data)
        outcome = walk(event, rules, made, becomes, fallback_id=fallback_id, recorder=listener)
        found.append(
            Explanation(
                name=name,
                destination=rules.destination,
                tiktok=outcome.body,
                test_event_code=outcome.test_event_code,
                origins=tuple(listener.origins),
                warnings=tuple(_warned(notice, listener.origins) for notice in outcome.notices),
                rules=tuple(listener.rules),
                not_applied=passed_over,
                not_sent=_not_sent(event.data, listener.rules),
            )
        )
    return tuple(found)


def cleaning_of(path: str) -> str:
    """Say how a field is cleaned; nothing of a property that only a rule makes.

    >>> cleaning_of("user.ttp"), cleaning_of("properties.own")
    ('as it is', '')
    """
    return _CLEANINGS.get(path, "")


def _cleaning(field: Field) -> str:
    """The row's own words, without the marks a page needs."""
    words = field.cleaning.replace("`", "")
    return f"{words}, then SHA-256" if field.hashed and "SHA" not in words else words


_CLEANINGS: Final = {field.path: _cleaning(field) for field in FIELDS}


def _why(reason: DropReason, *, by: str, name: str) -> str:
    return WHY_DROPPED[reason].format(by=by or "a setting", name=json.dumps(name, ensure_ascii=False))


def _warned(notice: Notice, origins: Sequence[Origin]) -> Warned:
    """Put beside a warning the value it is about: that of the refused source it names, else any refused, else taken."""
    told = Warned(kind=notice.kind, field=notice.field, text=notice.text)
    shown = {"unusable"} if notice.kind in _OF_WHAT_IS_MISSING else {"unusable", "taken"}
    about = [one for one in origins if one.field == notice.field and one.outcome in shown]
    if not about:
        return told
    first = min(about, key=lambda one: (one.source not in notice.text, one.outcome == "taken"))
    return msgspec.structs.replace(told, source=first.source, given=first.given)


def masked(given: Any) -> str:
    """Show of a value only how long it is, and what it begins with.

    >>> masked("ann@shop.example"), masked(("a", "b"))
    ('a*** (16 characters)', '2 values')
    """
    if is_object(given) or (is_several(given) and len(given) != 1):
        return _counted(len(given), "value")
    text = str(given[0] if is_several(given) else given)
    return f"{whole_signs(text.lstrip()[:1])}*** ({_counted(len(text), 'character')})"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _as_json(given: Any) -> str:
    try:
        return msgspec.json.encode(given).decode()
    except (TypeError, ValueError):
        return str(given)


def _not_sent(data: Mapping[str, Json], rules: Sequence[Ruled]) -> tuple[str, ...]:
    used = _USED | {source.name for field in FIELDS for source in field.sources} | {one.source for one in rules}
    return tuple(
        mask_and_cut(whole_signs(name), longest=_LONGEST_SHOWN)
        for name in data
        if name not in used and not name.startswith("user_data.")
    )
