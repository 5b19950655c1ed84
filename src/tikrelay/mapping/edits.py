"""What a rule changes in the event that goes out: rename, copy, set, remove, in that order.

A field of the table keeps its own cleaner, so a copied customer number is hashed as any external id is. Properties that
no row of the table knows are the operator's own: texts in them are cleared of personal data like any other text.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import Context, Left, Settings, cleaned
from tikrelay.mapping.conditions import Mistakes, Values, reader_of
from tikrelay.mapping.config import RuleConfig, Scalar
from tikrelay.mapping.fields import FIELDS, Field
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.numbers import narrow
from tikrelay.mapping.texts import as_is, text

_BY_PATH: Final[Mapping[str, Field]] = {field.path: field for field in FIELDS}
_GROUPS: Final = frozenset(field.group for field in FIELDS if field.group)
# TikTok takes no event without them, and the same ones for all events would make one event of those.
_OF_EACH_EVENT: Final = frozenset({"event_time", "event_id"})
_OWN: Final = re.compile(r"properties\.[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_MOST_VALUES: Final = 100
# Where a person is told of: all of it goes to fields that are hashed, and nowhere else.
_OF_PERSONS: Final = frozenset(
    source.key if source.place == "data" else f"{source.place}.{source.key}"
    for field in FIELDS
    if field.hashed
    for source in field.sources
)
_OF_A_PERSON_STARTS: Final = "user_data."
_BY_ITSELF: Final = "properties.contents"  # from which ids, count and sum follow
_NOBODYS: Final = Event(name="-", source="data", received_at=0.0)

Body = dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """What an explanation says of a change: in words, the fields it made or took, and the event's field it read."""

    text: str
    fields: tuple[str, ...]
    source: str = ""


Tell = Callable[[Change], None]


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One change, and how it is done; it says whether there was anything to change."""

    change: Change
    do: Callable[[Body, Context], bool]
    is_person: bool = False


def edits_of(rule: RuleConfig, mistakes: Mistakes) -> tuple[Edit, ...]:
    """Compile the changes of a rule; what cannot be read is added to the mistakes, with what to write instead."""
    wanted: list[tuple[str, Callable[..., Edit], tuple[Any, ...]]] = [
        *(("rename", _rename, item) for item in rule.rename.items()),
        *(("copy", _copy, item) for item in rule.copy.items()),
        *(("set", _set, item) for item in rule.set.items()),
        *(("remove", _remove, (target,)) for target in rule.remove),
    ]
    found: list[Edit] = []
    for key, make, arguments in wanted:
        try:
            found.append(make(*arguments))
        except ValueError as error:
            mistakes.append((key, str(error)))
    return tuple(found)


def apply(edits: tuple[Edit, ...], body: Body, context: Context, *, without_person: bool, tell: Tell | None) -> None:
    """Make the changes of one rule; ``tell`` hears what was changed."""
    for edit in edits:
        if edit.is_person and without_person:
            continue
        if edit.do(body, context) and tell is not None:
            tell(edit.change)


def _rename(source: str, target: str) -> Edit:
    for path in (source, target):
        if not _OWN.fullmatch(path):
            raise ValueError(f"{path} is no property; write both as properties.name")
    if target in _BY_PATH:
        raise ValueError(f"{target} has a cleaning of its own; copy to it instead")

    old, new = (path.rpartition(".")[2] for path in (source, target))

    def do(body: Body, _: Context) -> bool:
        properties = body.get("properties", {})
        if old not in properties:
            return False
        properties[new] = properties.pop(old)
        return True

    return Edit(change=Change(f"{source} renamed to {target}", (source, target)), do=do)


def _copy(target: str, source: str) -> Edit:
    field = _target(target)
    is_hashed, is_person = (False, False) if field is None else (field.hashed, field.person)
    if (source in _OF_PERSONS and not is_hashed) or (source.startswith(_OF_A_PERSON_STARTS) and not is_person):
        raise ValueError(f"{source} tells of a person, and {target} is not hashed; copy it to a field of user")
    read = reader_of(source)

    def do(body: Body, context: Context) -> bool:
        return _put(body, context, target, field, read(context.event))

    change = Change(f"{target} copied from {source}", (target,), source)
    return Edit(change=change, do=do, is_person=is_person)


def _set(target: str, value: Scalar) -> Edit:
    field = _target(target)
    if target in _OF_EACH_EVENT:
        raise ValueError(f"{target} would be one and the same for all events; copy it from a field of the event")
    fixed = _cleaned_once(target, field, value)
    group, _, key = target.rpartition(".")

    def do(body: Body, context: Context) -> bool:
        if field is not None:  # its cleaning may look at the event
            return _put(body, context, target, field, (value,))
        body.setdefault(group, {})[key] = fixed
        return True

    return Edit(change=Change(f"{target} set", (target,)), do=do, is_person=field is not None and field.person)


def default_of(name: str, value: Scalar) -> Edit:
    """Make the change that adds a property of ``[mapping] custom_properties`` where the event says nothing of it.

    Raises ValueError for a value that can never be sent.
    """
    target = f"properties.{name}"
    field = _BY_PATH.get(target)
    _cleaned_once(target, field, value)

    def do(body: Body, context: Context) -> bool:
        return name not in body.get("properties", {}) and _put(body, context, target, field, (value,))

    return Edit(change=Change(f"{target} added", (target,)), do=do)


def _cleaned_once(target: str, field: Field | None, value: Scalar) -> Any:
    """Clean a value that is the same for all events. Raises ValueError when it can never be sent."""
    found = _clean(field, (value,), _nobody(target))
    if found.__class__ is Left:
        raise ValueError(f"{value!r} can be no {target}")
    return found


def _nobody(target: str) -> Context:
    context = Context(_NOBODYS, name="-", fallback_id="-", settings=Settings())
    context.target = target
    return context


def _remove(target: str) -> Edit:
    if target in _OF_EACH_EVENT or target == "event":
        raise ValueError(f"TikTok takes no event without {target}")
    if target not in _BY_PATH and target not in _GROUPS and not _OWN.fullmatch(target):
        raise ValueError(f"{target} is no field; {_meant(target)}")
    group, _, key = target.rpartition(".")

    def do(body: Body, _: Context) -> bool:
        place = body.get(group, {}) if group else body
        return place.pop(key, None) is not None

    return Edit(change=Change(f"{target} removed", (target,)), do=do)


def _target(target: str) -> Field | None:
    """Find the row of a field; None for a property of the operator's own."""
    field = _BY_PATH.get(target)
    if field is None and not _OWN.fullmatch(target):
        hint = "send_as names the event" if target == "event" else _meant(target)
        raise ValueError(f"{target} is no field and no properties.name; {hint}")
    if target == _BY_ITSELF:
        raise ValueError(f"{target} is made of items; send them as x-ttq-pt-contents")
    # A row that takes what others worked out does not look at it; what a rule gives is looked at like an own property.
    return None if field is None or field.clean is as_is else field


def _meant(target: str) -> str:
    near = difflib.get_close_matches(target[:100], [*_BY_PATH, *_GROUPS], n=1)
    return f"did you mean {near[0]}?" if near else "see docs/reference/mapping.md for their names"


def _put(body: Body, context: Context, target: str, field: Field | None, values: Values) -> bool:
    """Clean what is given and put it in its place; what cannot be used leaves the field as it was."""
    context.target = target
    value = _clean(field, values, context)
    if isinstance(value, Left):
        if value is Left.UNUSABLE:
            context.warn(NoticeKind.UNUSABLE, "what a rule puts here could not be read and was left out")
        return False
    group, _, key = target.rpartition(".")
    (body.setdefault(group, {}) if group else body)[key] = value
    return True


def _clean(field: Field | None, values: Values, context: Context) -> Any:
    if field is None:
        return _own(values, context)
    given: Any = values[0] if len(values) == 1 else tuple(values)
    return cleaned(field.clean, given, context, many=field.many)


def _own(values: Values, context: Context) -> Any:
    """Read a property that no row knows: yes or no, a number, a text, or a list of those."""
    listed = [one for given in values for one in (given if isinstance(given, list) else [given])]
    found = [value for one in listed[:_MOST_VALUES] if not isinstance(value := _plain(one, context), Left)]
    if not found:
        return Left.UNUSABLE if listed else Left.EMPTY
    return found[0] if len(values) == 1 and not isinstance(values[0], list) else found


def _plain(value: Json, context: Context) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        number = narrow(value)
        return Left.UNUSABLE if number is None else number
    return text(value, context) if isinstance(value, str) else Left.UNUSABLE
