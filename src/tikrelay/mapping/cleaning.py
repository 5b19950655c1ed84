"""What a cleaner is: one function that makes a given value fit for one TikTok field, or says why it cannot."""

import json
import math
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, TypeGuard

import msgspec

from tikrelay.event import Event, Json, Notice
from tikrelay.mapping.notices import NoticeKind
from tikrelay.tiktok.payload import Content, EventSource

LONGEST_TEXT: Final = 1024
MOST_VALUES: Final = 20  # of one field, where it takes several
_HALF: Final = re.compile(r"[\ud800-\udfff]")  # halves of signs, which UTF-8 cannot hold
_TOO_LONG: Final = 10**LONGEST_TEXT  # an integer no text is made of

# Words that templates write where they mean nothing; hashing one would make strangers the same person.
NOTHING: Final = frozenset({"undefined", "null", "nan", "(not set)", "[object object]"})
_BEGINS_NOTHING: Final = frozenset(begin for word in NOTHING for begin in (word[0], word[0].upper()))


class Left(Enum):
    """Why a source gives no value."""

    EMPTY = "empty"
    """Nothing is given; the next source is asked."""

    UNUSABLE = "unusable"
    """Something is given that cannot be read; it is left out with a notice, and the next source is asked."""

    WITHHELD = "withheld"
    """The sender says that there is to be no value; no further source is asked."""

    NOT_MEANT = "not_meant"
    """The value is there for another field; nobody needs to be told."""

    TOLD = "told"
    """It is left out, the cleaner has said why in a notice of its own, and the next source is asked."""


class Basket(msgspec.Struct, frozen=True):
    """What an event is about: its products, how many they are, and the currency the first of them names.

    ``priced``  price and quantity of each product that has a price; None when one of them cannot be read, since a sum
                without it would be a wrong one
    """

    contents: list[Content]
    num_items: int
    priced: list[tuple[int | float, int | float]] | None
    currency: Json


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that fields are made of, those of one destination. The defaults are ``[mapping]``'s own.

    ``denies_page``  names the list that an address stands in, if any
    """

    event_source: EventSource = "web"
    phone_country: str = ""
    phone_cn: Literal["both", "e164", "national"] = "both"
    external_id_lowercase: bool = False
    us_zip_first_five: bool = False
    old_after_s: float = 7 * 86400
    strict_urls: bool = False
    allowed_parameters: tuple[str, ...] = ()
    denies_page: Callable[[str], str] | None = None
    app_id: str = ""
    limited_data_use: bool = False
    limited_data_use_regions: frozenset[str] = frozenset()


class Context:
    """One event while it is mapped: what is given with it, and what has been found so far.

    ``name`` is its TikTok name, ``made_id`` an id that was derived or made because none was given.
    """

    __slots__ = ("basket", "event", "fallback_id", "made_id", "name", "notices", "settings", "target")

    def __init__(self, event: Event, *, name: str, fallback_id: str, settings: Settings) -> None:
        self.event = event
        self.name = name
        self.fallback_id = fallback_id
        self.settings = settings
        self.basket: Basket | None = None
        self.made_id: Json = None
        self.notices: list[Notice] = []
        self.target = "event"

    def warn(self, kind: NoticeKind, text: str) -> None:
        """Note something doubtful about the field being mapped; the text holds nothing of the value."""
        self.notices.append(Notice(kind.value, self.target, f"{self.target}: {text}"))


Value: TypeAlias = Any
"""A value of TikTok's JSON."""
Cleaner = Callable[["Json", Context], Value | Left]


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Say whether a source holds several values, as user_data does."""
    return isinstance(value, tuple)


def is_several(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Say whether a source gave a list of values."""
    return isinstance(value, list | tuple)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a source gave a JSON object."""
    return isinstance(value, dict)


def decoded(value: Json) -> Json:
    """Read what a query can only hold as JSON text; what is none stays as it is.

    >>> decoded('["a", NaN]'), decoded("[soon]")
    (['a', None], '[soon]')
    """
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        read: Json = json.loads(value, parse_constant=_nothing)
    except (RecursionError, ValueError):
        return value
    return read


def _nothing(_: str) -> None:
    """NaN and Infinity, which JSON does not have and templates write for what is missing."""


def cleaned(clean: Cleaner, given: Any, context: Context, *, many: bool) -> Value | Left:
    """Clean what a source gives: the first usable value, or with ``many`` all of them, a single one alone."""
    if many:
        listed = _listed(given)
        return _alone(clean(listed[0], context)) if len(listed) == 1 else _all_cleaned(clean, listed, context)
    if not is_tuple(given):
        return clean(given, context)
    left = Left.EMPTY
    for one in given:
        value = clean(one, context)
        if not isinstance(value, Left):
            return value
        left = value if value is not Left.EMPTY else left
    return left


def _all_cleaned(clean: Cleaner, given: Sequence[Any], context: Context) -> Value | Left:
    found: list[Any] = []
    left = Left.EMPTY
    for one in given:
        value = clean(one, context)
        if isinstance(value, Left):
            left = value if value is not Left.EMPTY else left
            continue
        found += [form for form in (value if is_several(value) else (value,)) if form not in found]
    return _alone(found[:MOST_VALUES]) if found else left


def _alone(found: Value | Left) -> Value | Left:
    """Take the only value out of its list."""
    return found[0] if is_several(found) and len(found) == 1 else found


def _listed(given: Any) -> Sequence[Any]:
    """Several values come as a list, as its JSON text, or as an object with numbers for keys."""
    if isinstance(given, str):
        given = decoded(given) if given.lstrip()[:1] == "[" else given
    if is_several(given):
        return given if len(given) <= MOST_VALUES else given[:MOST_VALUES]
    return list(given.values())[:MOST_VALUES] if is_object(given) else (given,)


def whole_signs(text: str) -> str:
    """Leave out halves of signs, so that every text can be encoded."""
    return text if text.isascii() else _HALF.sub("", text)


def as_text(value: Json) -> str | Left:
    """Read a text: trimmed, else as it is, for an id is compared sign by sign; numbers as people write them.

    >>> as_text("  R-1 "), as_text(1001), as_text(12.0), as_text(""), as_text("undefined"), as_text(True)
    ('R-1', '1001', '12', <Left.EMPTY: 'empty'>, <Left.EMPTY: 'empty'>, <Left.UNUSABLE: 'unusable'>)
    """
    if isinstance(value, str):
        text = (value if value.isascii() else whole_signs(value)).strip()
        if not text or (text[0] in _BEGINS_NOTHING and text.lower() in NOTHING):
            return Left.EMPTY
        return text
    if value is None:
        return Left.EMPTY
    if isinstance(value, bool):
        return Left.UNUSABLE
    if isinstance(value, int):
        return str(value) if abs(value) < _TOO_LONG else Left.UNUSABLE
    if not isinstance(value, float):
        return Left.UNUSABLE
    if not math.isfinite(value):
        return Left.EMPTY
    return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
