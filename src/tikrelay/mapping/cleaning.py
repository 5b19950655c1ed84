"""What a cleaner is: one function that makes a given value fit for one TikTok field, or says why it cannot."""

import functools
import json
import math
import re
from collections.abc import Callable, Sequence
from enum import Enum, StrEnum
from typing import Any, Final, Literal, TypeAlias, TypeGuard, TypeVar

import msgspec

from tikrelay.event import Event, Json, Notice
from tikrelay.mapping.personal import MASK
from tikrelay.tiktok.payload import Content, EventSource

LONGEST_TEXT: Final = 1024
MOST_VALUES: Final = 20  # of one field, where it takes several
_HALF: Final = re.compile(r"[\ud800-\udfff]")  # halves of signs, which UTF-8 cannot hold
_TOO_LONG: Final = 10**LONGEST_TEXT  # an integer no text is made of

# Words that templates write where they mean nothing; hashing one would make strangers the same person.
NOTHING: Final = frozenset({"undefined", "null", "nan", "(not set)", "[object object]"})
_LONGEST_REMEMBERED: Final = 512
_MOST_REMEMBERED: Final = 2000
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

    NAME_ENDS = "name_ends"
    """TikTok stops taking the name in 2027."""

    SENSITIVE_NAME = "sensitive_name"
    """The name hints at what TikTok's terms forbid to share."""

    TEST_EVENT = "test_event"
    """The event goes out as a test and does not count for ads."""

    NO_EVENT_ID = "no_event_id"
    """The hit has no event_id: the copy that the browser pixel sends cannot be told to be the same."""

    ID_AS_NUMBER = "id_as_number"
    """An id came as a number and was made a text, as TikTok wants it; digits may have been lost before."""

    UNKNOWN_PARAMETER = "unknown_parameter"
    """A parameter that begins with x-ttq- is none that is known."""

    PHONE_WITHOUT_COUNTRY = "phone_without_country"
    """A phone number has no country code, so it was left out."""

    NUMBER_READ = "number_read"
    """A number was written as people write it, and read."""

    NO_CONTENTS = "no_contents"
    """The event says nothing of products, which catalogue ads need."""

    CONTENT_WITHOUT_ID = "content_without_id"
    """A product has no id, so it cannot be found in the catalogue."""

    LEAD_WITHOUT_ID = "lead_without_id"
    """The event for a CRM event set has no lead_id."""

    EVENT_TIME_UNIT = "event_time_unit"
    """The time did not come in seconds, and was read."""

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

    ``name`` is its TikTok name.
    """

    __slots__ = ("basket", "event", "fallback_id", "name", "notices", "settings", "target")

    def __init__(self, event: Event, *, name: str, fallback_id: str, settings: Settings) -> None:
        self.event = event
        self.name = name
        self.fallback_id = fallback_id
        self.settings = settings
        self.basket: Basket | None = None
        self.notices: list[Notice] = []
        self.target = "event"

    def warn(self, kind: NoticeKind, text: str) -> None:
        """Note something doubtful about the field being mapped; the text holds nothing of the value."""
        self.notices.append(Notice(kind.value, self.target, f"{self.target}: {text}"))


_Made = TypeVar("_Made")
Value: TypeAlias = Any
"""A value of TikTok's JSON."""
Cleaner = Callable[["Json", Context], Value | Left]


def remember(memory: dict[str, _Made], text: str, made: _Made, shown: str) -> _Made:
    """Keep what was made of a text that comes with every other hit: a name, an agent, a language.

    The memory is bounded, and keeps nothing that held somebody's address or number, as ``shown`` would tell.
    """
    if len(text) <= _LONGEST_REMEMBERED and MASK not in shown:
        if len(memory) >= _MOST_REMEMBERED:
            memory.clear()
        memory[text] = made
    return made


def remembered(clean: Cleaner) -> Cleaner:
    """Let a cleaner of texts that tell nothing of one visitor remember them; what it warned of is worked out anew."""
    memory: dict[str, Value] = {}

    def clean_once(value: Json, context: Context) -> Value | Left:
        if not isinstance(value, str):
            return clean(value, context)
        known = memory.get(value)
        if known is not None:
            return known
        warned = len(context.notices)
        made = clean(value, context)
        is_doubtful = isinstance(made, Left) or len(context.notices) > warned
        return made if is_doubtful else remember(memory, value, made, str(made))

    return functools.wraps(clean)(clean_once)


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
