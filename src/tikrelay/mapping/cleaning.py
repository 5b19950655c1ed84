"""What a cleaner is: one function that makes a given value fit for one TikTok field, or says why it cannot."""

import json
import math
import re
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias, TypeGuard

import msgspec

from tikrelay.event import Event, Json, Notice
from tikrelay.tiktok.payload import Content

LONGEST_TEXT: Final = 1024
_HALF: Final = re.compile(r"[\ud800-\udfff]")  # halves of signs, which UTF-8 cannot hold
_TOO_LONG: Final = 10**LONGEST_TEXT  # an integer no text is made of

# Words that templates write where they mean nothing; hashing one would make strangers the same person.
_NOTHING: Final = frozenset({"undefined", "null", "nan", "(not set)", "[object object]"})


class Left(Enum):
    """Why a source gives no value."""

    EMPTY = "empty"
    """Nothing is given; the next source is asked."""

    UNUSABLE = "unusable"
    """Something is given that cannot be read; it is left out with a notice, and the next source is asked."""

    WITHHELD = "withheld"
    """The sender says that there is to be no value; no further source is asked."""


class NoticeKind(StrEnum):
    """What can be doubtful about an event that is sent all the same. Every member is documented."""

    UNUSABLE = "unusable"
    """A field could not be read and was left out."""

    PERSONAL_DATA_REMOVED = "personal_data_removed"
    """A text or an address held an e-mail address, a phone number or a secret, which was taken out."""

    USER_DATA_DENIED = "user_data_denied"
    """The visitor said no to ad_user_data: e-mail, phone, names, address and external id were left out."""

    CUSTOM_NAME = "custom_name"
    """The name breaks TikTok's rules for custom events."""

    RESERVED_NAME = "reserved_name"
    """TikTok counts the name as another event."""

    UNLISTED_CURRENCY = "unlisted_currency"
    """The currency is not in TikTok's list."""

    VALUE_WITHOUT_CURRENCY = "value_without_currency"
    """There is a value and no currency: TikTok cannot count it as revenue."""

    EVENT_TIME_OLD = "event_time_old"
    """The event lies further back than TikTok attributes."""

    EVENT_TIME_FUTURE = "event_time_future"
    """The event lies in the future."""

    NO_MATCH_KEY = "no_match_key"
    """Nothing in the event lets TikTok match it with a visitor."""

    CUT = "cut"
    """A text or a list was longer than is sent, and was cut."""


class Basket(msgspec.Struct, frozen=True):
    """What an event is about: products, how many, and what they cost together (None when that is not known)."""

    contents: list[Content]
    num_items: int
    total: int | float | None
    currency: Json


class Context:
    """One event while it is mapped: what is given with it, and what has been found so far.

    ``name`` is its TikTok name; ``phone_country`` and ``app_id`` are the settings that fields are made of.
    """

    __slots__ = ("app_id", "basket", "event", "fallback_id", "name", "notices", "phone_country", "target")

    def __init__(self, event: Event, *, name: str, fallback_id: str, phone_country: str, app_id: str) -> None:
        self.event = event
        self.name = name
        self.fallback_id = fallback_id
        self.phone_country = phone_country
        self.app_id = app_id
        self.basket: Basket | None = None
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


def whole_signs(text: str) -> str:
    """Leave out halves of signs, so that every text can be encoded."""
    return text if text.isascii() else _HALF.sub("", text)


def as_text(value: Json) -> str | Left:
    """Read a text: trimmed, else as it is, for an id is compared sign by sign; numbers as people write them.

    >>> as_text("  R-1 "), as_text(1001), as_text(12.0), as_text(""), as_text("undefined"), as_text(True)
    ('R-1', '1001', '12', <Left.EMPTY: 'empty'>, <Left.EMPTY: 'empty'>, <Left.UNUSABLE: 'unusable'>)
    """
    if isinstance(value, str):
        text = whole_signs(value).strip()
        return text if text and text.lower() not in _NOTHING else Left.EMPTY
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
