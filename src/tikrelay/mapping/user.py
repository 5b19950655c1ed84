"""How what identifies a person is normalised and hashed.

SHA-256 of UTF-8, in lower-case hex. A value that is hashed already is passed on in lower case and never hashed twice;
nothing empty is hashed, nor is the hash of nothing passed on. Normalising follows what TikTok's server template and
help pages ask for. Most values are short and ASCII; those take a short way to the same result.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from tikrelay.base.digests import of_base64, of_hex
from tikrelay.event import Json
from tikrelay.mapping import industry, phones
from tikrelay.mapping.cleaning import LONGEST_TEXT, NOTHING, Context, Left, as_text, decoded, is_object, is_several
from tikrelay.mapping.countries import alpha_2
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.personal import value_gives_away

_REGION: Final = re.compile(r"[a-z]{2}-([a-z0-9]{1,3})", re.ASCII)  # ISO 3166-2, as Measurement Protocol's region_id
_UNSEEN: Final = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")  # what copying leaves in an address
_PLAIN_ADDRESS: Final = re.compile(r"[a-z0-9._%+-]+@[a-z0-9.-]+", re.ASCII)
_NO_ADDRESS: Final = re.compile(r"[<>()\[\]:;,\"\\]")
# Brackets, and the marks of direction that address books of phones put around a number when it is copied.
_BEFORE_NUMBER: Final = "( \u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_MANY_DIGITS: Final = re.compile(r"\d{7}")
# What no place is written with, and an address is, however it is disguised. Without its signs it would look like one.
_NO_PLACE: Final = re.compile(
    r"[@%\\\uff20\ufe6b]|&(?:#|commat)|[(\[{<]\s?at\s?[)\]}>]|\sat\s[^\s.]{1,63}\.\w|\sdot\s", re.IGNORECASE
)
_SHORT_PLACE: Final = 8  # shorter is no address in base64
_ZIP_PLUS_FOUR: Final = re.compile(r"([0-9]{5})( ?-? ?)[0-9]{4}", re.ASCII)
_DEVICE_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NO_DEVICE: Final = "00000000-0000-0000-0000-000000000000"  # what a phone gives where ad tracking is limited
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_MOST: Final = 20  # of one kind, in one text
_LONGEST: Final = 320  # the longest e-mail address; longer than any name
_CHINA: Final = "+86"
_ASCII_LETTERS: Final = {sign: None for sign in range(128) if not chr(sign).isalnum()}

ATT_STATUS: Final = ("AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE")
"""What a visitor said to Apple's App Tracking Transparency; NOT_APPLICABLE on Android and iOS below 14."""


def sha256_hex(text: str) -> str:
    """Hash a normalised text.

    >>> sha256_hex("test@test.com")
    'f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a'
    """
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _spellings(word: str) -> tuple[str, ...]:
    return word, word.upper(), word.capitalize(), "".join(filter(str.isalnum, word))


# Who sends one of these hashed nothing, or the word a template wrote for it; all of those would be one person.
_OF_NOTHING: Final = frozenset(
    sha256_hex(text)
    for text in (
        "",
        " ",
        "+",
        "NaN",
        "[object Object]",
        _NO_DEVICE,
        *(form for word in NOTHING for form in _spellings(word)),
    )
)


# What shops write for whoever has not logged in. Hashed, it would make all of them one person. The list is our own.
_NOBODY: Final = frozenset(
    between.join(words.split())
    for words in (
        "guest", "guest user", "guest customer", "guest checkout", "is guest", "gast", "invitado", "invite", "visitor",
        "unknown", "unknown user", "anonymous", "anonymous user", "anonym", "anonyme", "anon", "nobody",
        "not logged in", "logged out", "no user", "no id", "not set", "not available", "not applicable", "n/a",
        "undefined", "undef", "null", "nil", "none", "nan", "na", "empty", "void", "false", "no", "-1",
    )
    for between in ("", " ", "_", "-")
)  # fmt: skip
_NO_SIGNS: Final = "-0_. "  # an id of nothing else: "0", "--", the nil UUID
_QUOTES: Final = "()[]{}<>\"'*"
_LONGEST_NOBODY: Final = 40
_OF_NOBODY: Final = _OF_NOTHING | frozenset(
    sha256_hex(form) for word in ("0", "00", "000", "-", *_NOBODY) for form in (word, word.upper(), word.capitalize())
)


def _is_nobody(text: str) -> bool:
    """Say whether an id is what a shop or a template writes where there is none.

    >>> [_is_nobody(text) for text in ("Guest", "(not logged in)", "0", "-1", "C-77", "100")]
    [True, True, True, True, False, False]
    """
    bare = text.strip(_QUOTES) if len(text) <= _LONGEST_NOBODY else text
    return not bare.strip(_NO_SIGNS) or bare.lower() in _NOBODY


def hash_email(value: Json, _: Context) -> list[str] | Left:
    """Hash an e-mail address: white space out, lower case; dots and plus tags stay."""
    if isinstance(value, str) and _PLAIN_ADDRESS.fullmatch(address := value.strip().lower()):
        return [sha256_hex(address)] if len(address) <= _LONGEST else Left.UNUSABLE
    return _each(value, _email)


def _each(value: Json, hash_one: Callable[[str], list[str] | Left]) -> list[str] | Left:
    """Hash one value, or each of several; a field of which each value has a form no other text has."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if "," not in text and text[0] not in "[{":
        return _digest_or(text, hash_one)
    found: list[str] = []
    left = Left.EMPTY
    for one in _several(text):
        piece = as_text(one)
        digests = piece if isinstance(piece, Left) else _digest_or(piece, hash_one)
        if isinstance(digests, Left):
            left = digests if left is Left.EMPTY or digests is Left.TOLD else left
        else:
            found += [digest for digest in digests if digest not in found]
    return found or left


def _several(text: str) -> list[Json]:
    """Take apart what gtag.js joins by commas, and a list or an object in JSON."""
    read = decoded(text) if text[0] in "[{" else text
    if is_object(read):
        read = list(read.values())
    return [*(read if is_several(read) else text.split(",", _MOST))][:_MOST]


def _digest_or(text: str, hash_one: Callable[[str], list[str] | Left]) -> list[str] | Left:
    digest = of_hex(text) or of_base64(text)
    if digest is None:
        return hash_one(text)
    return Left.UNUSABLE if digest in _OF_NOTHING else [digest]


def _email(text: str) -> list[str] | Left:
    address = text.lower()
    if not _PLAIN_ADDRESS.fullmatch(address):
        address = _UNSEEN.sub("", address)
        name, at, domain = address.rpartition("@")
        if not (name and at and domain) or "@" in name or _NO_ADDRESS.search(address):
            return Left.UNUSABLE
    return [sha256_hex(address)] if len(address) <= _LONGEST else Left.UNUSABLE


def hash_phone(value: Json, context: Context) -> list[str] | Left:
    """Hash a phone number in E.164; a country is taken from the number, the event's address, or the setting.

    A Chinese number comes out in both forms, with ``+86`` and without, unless ``phone_cn`` says which: TikTok's
    template asks for the second, its newer pages for the first.
    """
    if isinstance(value, str) and phones.is_e164(plain := value.strip()):
        return _hashed(plain, context)
    return _each(value, lambda text: _phone(text, context))


def _phone(text: str, context: Context) -> list[str] | Left:
    e164 = text if phones.is_e164(text) else _read_phone(text, context)
    return e164 if isinstance(e164, Left) else _hashed(e164, context)


def _hashed(e164: str, context: Context) -> list[str]:
    if not e164.startswith(_CHINA) or context.settings.phone_cn == "e164":
        return [sha256_hex(e164)]
    national = sha256_hex(e164.removeprefix(_CHINA))
    return [national] if context.settings.phone_cn == "national" else [sha256_hex(e164), national]


def _read_phone(text: str, context: Context) -> str | Left:
    """Read a number as people write it."""
    given = text.removeprefix("tel:").lstrip(_BEFORE_NUMBER)
    country = _country_of_address(context) or alpha_2(context.settings.phone_country)
    e164 = phones.read(given, country)
    if e164 is None and phones.lacks_country(given, country):
        return _without_country(context)
    return e164 or Left.UNUSABLE


def _without_country(context: Context) -> Left:
    context.warn(
        NoticeKind.PHONE_WITHOUT_COUNTRY,
        "has no country code: set mapping.default_phone_country; left out, since it could not be matched",
    )
    return Left.TOLD


def _country_of_address(context: Context) -> str | None:
    """The country of the event's address; never a guess, and not where a journey goes."""
    people = context.event.user_data
    own = None if industry.is_trip(context.event) else context.event.data.get("country")
    given = (*people.get("address.country", ()), *people.get("country", ()), own if isinstance(own, str) else "")
    return next((code for one in given if (code := alpha_2(one))), None)


def hash_external_id(value: Json, context: Context) -> str | Left:
    """Hash the shop's own id of a person: trimmed, its case kept, as the browser pixel must give it too."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if _is_nobody(text):
        return Left.EMPTY
    digest = _digest_of(text, text.lower() if context.settings.external_id_lowercase else text)
    return Left.UNUSABLE if digest in _OF_NOBODY else digest


def hash_name(value: Json, _: Context) -> str | Left:
    """Hash a first or last name: NFC, lower case, no punctuation, no white space; accents and scripts stay."""
    text = as_text(value)
    return text if isinstance(text, Left) else _digest_of(text, _letters(text))


def hash_zip(value: Json, context: Context) -> str | Left:
    """Hash a postal code: lower case, without spaces and dashes.

    With ``us_zip_first_five`` the first five digits of a US one that has four more. A code without a country is taken
    for one where it is written with a dash.
    """
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if context.settings.us_zip_first_five and (whole := _ZIP_PLUS_FOUR.fullmatch(text)):
        country = _country_of_address(context)
        if country == "US" or (country is None and "-" in whole[2]):
            text = whole[1]
    if of_hex(text) is None and _is_no_place(text):
        return Left.UNUSABLE
    return _digest_of(text, _letters(text, "LN"))


def _digest_of(text: str, normal: str) -> str | Left:
    """Hash a normalised text, unless the text is hashed already."""
    digest = of_hex(text) or (sha256_hex(normal) if normal else None)
    return Left.UNUSABLE if digest is None or digest in _OF_NOTHING else digest


def _letters(text: str, keep: str = "LNM") -> str:
    """Keep letters, digits and marks, in lower case.

    >>> _letters(" O'Neil-Müller ")
    'oneilmüller'
    """
    if text.isascii():
        lower = text[:_LONGEST].lower()
        return lower if lower.isalnum() else lower.translate(_ASCII_LETTERS)
    lower = unicodedata.normalize("NFC", text[:_LONGEST]).lower()
    return unicodedata.normalize("NFC", "".join(sign for sign in lower if unicodedata.category(sign)[0] in keep))


def place(value: Json, _: Context) -> str | Left:
    """Write a city: lower case, without spaces and punctuation; TikTok takes it unhashed.

    What holds somebody's address or number is no city.
    """
    text = as_text(value)
    return text if isinstance(text, Left) else _place(text)


def _place(text: str) -> str | Left:
    if len(text) > _LONGEST:
        return Left.UNUSABLE
    if len(text) < _SHORT_PLACE and text.isascii() and text.isalpha():
        return text.lower()
    if (digest := of_hex(text)) is not None:
        return Left.UNUSABLE if digest in _OF_NOTHING else digest
    letters = _letters(text)
    is_none = not letters or _is_no_place(text) or _MANY_DIGITS.search(letters)
    return Left.UNUSABLE if is_none else letters


def _is_no_place(text: str) -> bool:
    """Say whether a text holds an address or a number, whatever stands between its signs.

    >>> [_is_no_place(text) for text in ("ann (at) shop.example", "ann%2540shop.example", "St. John's", "10115")]
    [True, True, False, False]
    """
    return _NO_PLACE.search(text) is not None or value_gives_away(text)


def state(value: Json, _: Context) -> str | Left:
    """Write a state: of ``US-CA`` the part that is the state's."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    region = _REGION.fullmatch(text.lower()) if "-" in text else None
    return region[1] if region else _place(text)


def country(value: Json, _: Context) -> str | Left:
    """Write a country: ISO 3166-1 alpha-2, lower case. Alpha-3 is read too; names of countries are not."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    code = alpha_2(text)
    return Left.UNUSABLE if code is None else code.lower()


def hash_idfa(value: Json, _: Context) -> str | Left:
    """Hash Apple's advertising id in upper case, as Apple writes it; peers differ, so this is our choice."""
    return _hash_device(value, str.upper)


def hash_gaid(value: Json, _: Context) -> str | Left:
    """Hash Google's advertising id in lower case, as Android writes it; peers differ, so this is our choice."""
    return _hash_device(value, str.lower)


def _hash_device(value: Json, spell: Callable[[str], str]) -> str | Left:
    """Hash an advertising id; one of zeros says that ads must not be tracked, so that none at all is sent."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if (digest := of_hex(text)) is not None:
        return Left.WITHHELD if digest in _OF_NOTHING else digest
    if text == _NO_DEVICE:
        return Left.WITHHELD
    return sha256_hex(spell(text)) if _DEVICE_ID.fullmatch(text.lower()) else Left.UNUSABLE


def vendor_id(value: Json, _: Context) -> str | Left:
    """Take Apple's id of a vendor's apps as it is."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if text == _NO_DEVICE:
        return Left.WITHHELD
    is_one = len(text) <= LONGEST_TEXT and _PRINTABLE.fullmatch(text) and not value_gives_away(text)
    return text if is_one else Left.UNUSABLE


def att_status(value: Json, _: Context) -> str | Left:
    """Write what a visitor said to App Tracking Transparency; ``notDetermined`` is Apple's own spelling."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    return _ATT_STATUS.get(_letters(text), Left.UNUSABLE)


_ATT_STATUS: Final = {_letters(status): status for status in ATT_STATUS}
