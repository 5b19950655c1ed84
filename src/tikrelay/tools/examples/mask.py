"""What of a difference may be seen where anybody looks on, as in continuous integration: nobody's data."""

import re
from typing import Any, Final

import msgspec

from tikrelay.mapping.cleaning import is_object, is_several, whole_signs
from tikrelay.mapping.explain import masked
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.personal import mask, name_gives_away, value_gives_away
from tikrelay.tools.examples.diff import Difference

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_OF_PERSONS: Final = frozenset(
    [
        *(field.path for field in FIELDS if field.person),
        *(f"{source.place}.{source.key}" for field in FIELDS if field.person for source in field.sources if source.key),
    ]
)
_ALL_OF_PERSONS: Final = "user_data"
_NAMED_BY_SHOPS: Final = frozenset({"data", "user_properties"})


def without_persons(difference: Difference) -> Difference:
    """Mask both sides as ``tikrelay explain`` masks what came in: a person's field whole, else what gives one away."""
    is_of_person = _is_of_person(difference.field)
    place, dot, rest = difference.field.partition(".")
    return msgspec.structs.replace(
        difference,
        field=place + dot + mask(whole_signs(rest)),  # a name may be somebody's address
        expected=_shown(difference.expected, is_of_person=is_of_person),
        got=_shown(difference.got, is_of_person=is_of_person),
    )


def _is_of_person(path: str) -> bool:
    """Say whether a path of the event, or of what becomes of it, leads to what identifies a person.

    >>> _is_of_person("user_data.email[0]"), _is_of_person("data.email"), _is_of_person("data.items[0].item_name")
    (True, True, False)
    """
    place, _, rest = path.partition(".")
    name = rest.partition("[")[0]
    return (
        place == _ALL_OF_PERSONS
        or f"{place}.{name}" in _OF_PERSONS
        or (place in _NAMED_BY_SHOPS and name_gives_away(name.partition(".")[0]))
    )


def _shown(value: Any, *, is_of_person: bool) -> Any:
    if value is msgspec.UNSET or value is None or isinstance(value, bool):
        return value
    if is_several(value):
        return [_shown(one, is_of_person=is_of_person) for one in value]
    if is_object(value):
        return {mask(name): _shown(one, is_of_person=is_of_person) for name, one in value.items()}
    text = str(value)
    gives_away = value_gives_away(text) or (is_of_person and _HASH.fullmatch(text) is None)
    return masked(text) if gives_away else value
