"""Plain texts and the small fields with a form of their own: locale, currency, address, agent."""

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from tikrelay.base.addresses import is_public, read_address
from tikrelay.base.shown import one_line, with_hidden
from tikrelay.event import Json
from tikrelay.mapping.cleaning import LONGEST_TEXT, Cleaner, Context, Left, as_text, decoded, whole_signs
from tikrelay.mapping.memory import remember, remembered
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.numbers import read_number, told_reading
from tikrelay.mapping.personal import mask_and_cut, value_gives_away

LONGEST_NAME: Final = 200
MOST_TEXTS: Final = 100
AS_NUMBER: Final = "came as a number and was made a text; send it as a text, for long numbers lose digits on the way"
_KNOWN_NAMES: Final[dict[str, tuple[str, str]]] = {}
_LONGEST_READ: Final = 2000  # nothing behind it could still be sent
UNNAMED: Final = "unnamed"  # a name of nothing but control characters
_LONGEST_AGENT: Final = 2048
_LONGEST_ADDRESS: Final = 101  # longer is none
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,6}", re.ASCII)
_BETWEEN: Final = re.compile(r"[\s_-]+")
_POSIX: Final = re.compile(r"[@.]")
_COOKIE: Final = re.compile(r"[\x21-\x7e]{1,1024}")

# "About parameters" (TikTok help centre, Apr 2025). Others are sent as they are, with a notice.
LISTED_CURRENCIES: Final = frozenset({
    "AED", "ARS", "AUD", "BDT", "BHD", "BIF", "BOB", "BRL", "CAD", "CHF", "CLP", "CNY",
    "COP", "CRC", "CZK", "DKK", "DZD", "EGP", "EUR", "GBP", "GTQ", "HKD", "HNL", "HUF",
    "IDR", "ILS", "INR", "ISK", "JPY", "KES", "KHR", "KRW", "KWD", "KZT", "MAD", "MOP",
    "MXN", "MYR", "NGN", "NIO", "NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN", "PYG",
    "QAR", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VES",
    "VND", "ZAR",
})  # fmt: skip


def text(value: Json, context: Context) -> str | Left:
    """Take a text as people type it; e-mail addresses and phone numbers in it become stars."""
    return _masked(value, context, is_typed=True)


def code(value: Json, context: Context) -> str | Left:
    """Take a text that a program made, in which digits with dashes are no phone number."""
    return _masked(value, context, is_typed=False)


def _masked(value: Json, context: Context, *, is_typed: bool) -> str | Left:
    given = as_text(value)
    if isinstance(given, Left):
        return given
    masked = mask_and_cut(given, longest=LONGEST_TEXT, is_typed=is_typed)
    if len(given) > LONGEST_TEXT:
        context.warn(NoticeKind.CUT, f"longer than {LONGEST_TEXT} characters, and cut")
    if masked != given[:LONGEST_TEXT].rstrip():
        context.warn(NoticeKind.PERSONAL_DATA_REMOVED, "personal data was taken out")
    return masked


def identifier(clean: Cleaner) -> Cleaner:
    """Make a cleaner of ids also warn of one that came as a number."""

    def told(value: Json, context: Context) -> Any:
        found = clean(value, context)
        if isinstance(value, int | float) and not isinstance(found, Left):
            context.warn(NoticeKind.ID_AS_NUMBER, AS_NUMBER)
        return found

    return told


def event_name(given: str) -> str:
    """Take an event's name as it is, but of bounded length and with nobody's address in it."""
    return _names(given[:_LONGEST_READ])[0]


def _names(given: str) -> tuple[str, str]:
    """The name that is sent and the one that is shown; the same few come with every hit."""
    known = _KNOWN_NAMES.get(given)
    if known is not None:
        return known
    name = mask_and_cut(whole_signs(given), longest=LONGEST_NAME)
    is_readable = not with_hidden(name, lambda _: " ").isspace()
    both = (name, one_line(name).strip()) if name and is_readable else (UNNAMED, UNNAMED)
    return remember(_KNOWN_NAMES, given, both, name)


def shown_name(given: str) -> str:
    r"""Make a name fit to stand in a count or on a screen: on one line.

    >>> shown_name(" size\nguide ")
    'size guide'
    """
    return _names(given[:_LONGEST_READ])[1]


def number(value: Json, context: Context) -> int | float | Left:
    """Read a number; zero is one."""
    if value is None or value == "":
        return Left.EMPTY
    found = read_number(value)
    if found is None:
        return Left.EMPTY if isinstance(as_text(value), Left) and isinstance(value, str) else Left.UNUSABLE
    if told := told_reading(value, found):
        context.warn(NoticeKind.NUMBER_READ, told)
    return found


def whole_number(value: Json, context: Context) -> int | Left:
    """Read a whole number, zero or more."""
    found = number(value, context)
    return found if isinstance(found, Left) or (isinstance(found, int) and found >= 0) else Left.UNUSABLE


def one_of(spellings: Mapping[str, str]) -> Cleaner:
    """Make the cleaner of a field that takes a few words: whatever the case, blanks, dashes or underscores given."""
    known = {_squeezed(written): spelled for written, spelled in spellings.items()}

    def clean(value: Json, _: Context) -> str | Left:
        given = as_text(value)
        return given if isinstance(given, Left) else known.get(_squeezed(given[:LONGEST_NAME]), Left.UNUSABLE)

    return clean


def _squeezed(word: str) -> str:
    return _BETWEEN.sub("", word).lower()


def texts(value: Json, context: Context) -> list[str] | Left:
    """Take a list of texts, one text, or either as JSON text."""
    given = decoded(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    listed = given if isinstance(given, list) else [given]
    if len(listed) > MOST_TEXTS:
        context.warn(NoticeKind.CUT, f"more than {MOST_TEXTS} entries; the first are sent")
    found = [text(one, context) for one in listed[:MOST_TEXTS]]
    kept = [one for one in found if isinstance(one, str)]
    return kept or (Left.UNUSABLE if Left.UNUSABLE in found else Left.EMPTY)


def as_is(value: Json, _: Context) -> Any:
    """Take what was worked out elsewhere."""
    return Left.EMPTY if value is None or value == [] else value


@remembered
def currency(value: Json, context: Context) -> str | Left:
    """Write a currency in upper case: three letters."""
    given = as_text(value)
    if isinstance(given, Left):
        return given
    if not _CURRENCY.fullmatch(given):
        return Left.UNUSABLE
    code = given.upper()
    if code not in LISTED_CURRENCIES:
        context.warn(NoticeKind.UNLISTED_CURRENCY, "not in TikTok's list of currencies; sent as it is")
    return code


@remembered
def locale(value: Json, _: Context) -> str | Left:
    """Write a language as BCP 47 does: ``en-US``, ``zh-Hans-CN``."""
    given = as_text(value)
    if isinstance(given, Left):
        return given
    tag = _POSIX.split(given, maxsplit=1)[0]  # a browser without a language says en-us@posix
    if not _LOCALE.fullmatch(tag):
        return Left.UNUSABLE
    return spell_locale(tag)


def spell_locale(given: str) -> str:
    """Put a language tag's parts in the case they are written in.

    >>> spell_locale("en-us"), spell_locale("zh_hans_cn"), spell_locale("ES-419")
    ('en-US', 'zh-Hans-CN', 'es-419')
    """
    first, *rest = given.replace("_", "-").split("-")
    return "-".join([first.lower(), *(_spell_part(part) for part in rest)])


def _spell_part(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part.lower()


def public_address(value: Json, context: Context) -> str | Left:
    """Write an address without port and brackets; one that is not the public internet's is not sent.

    ``::`` and ``0.0.0.0`` are how a sender says that the address is to be left out (``_uip=::``).
    """
    given = as_text(value)
    found = given if isinstance(given, Left) else _public(given[:_LONGEST_ADDRESS])
    if found is Left.TOLD:
        context.warn(NoticeKind.UNUSABLE, "is not the address of a visitor on the internet, and was left out")
    return found


@functools.lru_cache(maxsize=4096)
def _public(given: str) -> str | Left:
    """Judge an address; a visitor's comes with each of their hits."""
    address = read_address(given)
    if address is None:
        return Left.UNUSABLE
    if address.is_unspecified:
        return Left.WITHHELD
    return str(address) if is_public(address) else Left.TOLD


@remembered
def agent(value: Json, _: Context) -> str | Left:
    """Take a user agent."""
    given = as_text(value)
    return given if isinstance(given, Left) else mask_and_cut(given, longest=_LONGEST_AGENT, is_typed=False)


def pixel_cookie(value: Json, _: Context) -> str | Left:
    """Take the pixel's cookie as it is."""
    given = as_text(value)
    if isinstance(given, Left):
        return given
    return given if _COOKIE.fullmatch(given) and not value_gives_away(given) else Left.UNUSABLE
