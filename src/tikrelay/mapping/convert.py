"""``to_tiktok(event, rules)``: the only entrance. An event becomes a TikTok event, or is dropped for a reason.

Pure: it reads no clock and draws no random number; what it cannot derive (an id for a source without one) is handed in.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from tikrelay.event import Dropped, DropReason, Event, Json
from tikrelay.mapping.cleaning import Context, Left, NoticeKind, decoded, is_object, is_several, is_tuple
from tikrelay.mapping.consent import hides_person, keeps_back
from tikrelay.mapping.fields import Field, Source
from tikrelay.mapping.names import Names, breaks_custom_rules
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.texts import event_name
from tikrelay.tiktok.payload import TikTokEvent

__all__ = ["Recorder", "Rules", "to_tiktok", "walk"]

_MOST_VALUES: Final = 20
_MATCH_KEYS: Final = ("ttclid", "ttp", "email", "phone", "external_id")


class Recorder(Protocol):
    """Hears how each field came about; ``explain`` is one."""

    def took(self, field: Field, source: Source, given: Json, value: Any) -> None:
        """A source's value was taken."""

    def left(self, field: Field, source: Source, given: Json, why: Left) -> None:
        """A source's value was not."""


def to_tiktok(event: Event, rules: Rules, *, fallback_id: str) -> TikTokEvent | Dropped:
    """Map one event for one destination. ``fallback_id`` is used where nothing gives or derives an id."""
    return walk(event, rules, fallback_id=fallback_id, recorder=None)


def walk(event: Event, rules: Rules, *, fallback_id: str, recorder: Recorder | None) -> TikTokEvent | Dropped:
    """Walk the table of fields, and tell the recorder what each source gave."""
    name = rules.names.of(event_name(event.name))
    if isinstance(name, DropReason):
        return Dropped(name)
    if (reason := keeps_back(event.consent, rules.consent)) is not None:
        return Dropped(reason)

    context = Context(event, name=name, fallback_id=fallback_id, settings=rules.settings)
    _judge_name(rules.names, context)
    body: dict[str, Any] = {"event": name}
    without_person = hides_person(event.consent, rules.consent)
    for field in rules.fields:
        if without_person and field.person:
            continue
        context.target = field.path
        value = _first_usable(field, context, recorder)
        if value is not None:
            _put(body, field, value)
    _add_custom_properties(body, rules)
    if rules.settings.limited_data_use:
        body["limited_data_use"] = True
    _judge_whole(body, context, without_person=without_person)
    return TikTokEvent(body, tuple(context.notices))  # type: ignore[arg-type]  # the table's paths are EventBody's


def _first_usable(field: Field, context: Context, recorder: Recorder | None) -> Any:
    for source in field.sources:
        given = source.read(context)
        if given is None or given in ("", ()):
            continue
        value = _clean_all(field, source, given, context) if field.many else _clean_one(field, source, given, context)
        if not isinstance(value, Left):
            if recorder is not None:
                recorder.took(field, source, given, value)
            return value
        if recorder is not None:
            recorder.left(field, source, given, value)
        if value is Left.WITHHELD:
            return None
        if value is Left.UNUSABLE:
            context.warn(NoticeKind.UNUSABLE, f"{source.name} could not be read and was left out")
    return None


def _clean_one(field: Field, source: Source, given: Any, context: Context) -> Any:
    """Clean one value; of several the first usable counts."""
    clean = source.clean or field.clean
    if not is_tuple(given):
        return clean(given, context)
    left = Left.EMPTY
    for one in given:
        value = clean(one, context)
        if not isinstance(value, Left):
            return value
        left = value if value is not Left.EMPTY else left
    return left


def _clean_all(field: Field, source: Source, given: Any, context: Context) -> Any:
    """Clean every value: one comes out alone, more as a list without repeats."""
    clean = source.clean or field.clean
    found: list[Any] = []
    left = Left.EMPTY
    for one in _listed(given):
        value = clean(one, context)
        if isinstance(value, Left):
            left = value if value is not Left.EMPTY else left
            continue
        found += [form for form in (value if is_several(value) else [value]) if form not in found]
    if not found:
        return left
    return found[0] if len(found) == 1 else found[:_MOST_VALUES]


def _listed(given: Any) -> Iterable[Any]:
    """Several values come as a list, as its JSON text, or as an object with numbers for keys."""
    if isinstance(given, str) and given.lstrip().startswith("["):
        given = decoded(given)
    if is_object(given):
        return list(given.values())[:_MOST_VALUES]
    return given[:_MOST_VALUES] if is_several(given) else [given]


def _put(body: dict[str, Any], field: Field, value: Any) -> None:
    (body.setdefault(field.group, {}) if field.group else body)[field.key] = value


def _add_custom_properties(body: dict[str, Any], rules: Rules) -> None:
    """Add the operator's own properties; what the event itself says wins."""
    if rules.custom_properties:
        body["properties"] = {**rules.custom_properties, **body.get("properties", {})}


def _judge_name(names: Names, context: Context) -> None:
    name = context.name
    if names.is_standard(name):
        return
    if (counted_as := names.reserved_for(name)) is not None:
        context.warn(NoticeKind.RESERVED_NAME, f"the name is reserved: TikTok counts it as {counted_as}")
    elif breaks_custom_rules(name):
        context.warn(
            NoticeKind.CUSTOM_NAME, "TikTok asks for a letter, then letters, digits, _ and -, at most 50; sent as it is"
        )


def _judge_whole(body: dict[str, Any], context: Context, *, without_person: bool) -> None:
    """Note what makes the event of little use to TikTok."""
    user, properties = body.get("user", {}), body.get("properties", {})
    if without_person:
        context.target = "user"
        context.warn(
            NoticeKind.USER_DATA_DENIED,
            "ad_user_data is denied: e-mail, phone, names, address and external id are left out",
        )
    if properties.get("value") and "currency" not in properties:
        context.target = "properties.currency"
        context.warn(NoticeKind.VALUE_WITHOUT_CURRENCY, "there is a value but no currency; TikTok cannot count it")
    if not any(key in user for key in _MATCH_KEYS) and not ("ip" in user and "user_agent" in user):
        context.target = "user"
        context.warn(
            NoticeKind.NO_MATCH_KEY,
            "no ttclid, ttp, email, phone or external_id, and not both address and agent: TikTok cannot match it",
        )
