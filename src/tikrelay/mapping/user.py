"""How what identifies a person is normalised and hashed.

SHA-256 of UTF-8, in lower-case hex. A value that is 64 hex digits already is passed on in lower case and never hashed
twice; nothing empty is hashed. Normalising follows what TikTok's server template and help pages ask for.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number_for_region,
    parse,
)

from tikrelay.event import Json
from tikrelay.mapping.cleaning import Context, Left, as_text
from tikrelay.mapping.personal import value_gives_away

_DIGEST: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2}-([a-z0-9]{1,3})", re.ASCII)  # ISO 3166-2, as Measurement Protocol's region_id
# The hash of an empty text: whoever sends it hashed nothing, and all of those would be one person.
_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_UNSEEN: Final = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")  # what copying leaves in an address
_NO_ADDRESS: Final = re.compile(r"[<>()\[\]:;,\"\\]")
_MANY_DIGITS: Final = re.compile(r"\d{7}")
_MOST: Final = 20  # of one kind, in one text
_LONGEST: Final = 320  # the longest e-mail address; longer than any name
_CHINA: Final = 86


def sha256_hex(text: str) -> str:
    """Hash a normalised text.

    >>> sha256_hex("test@test.com")
    'f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a'
    """
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def hash_email(value: Json, _: Context) -> list[str] | Left:
    """Hash an e-mail address: white space out, lower case; dots and plus tags stay."""
    return _each(value, _email)


def _each(value: Json, hash_one: Callable[[str], list[str]]) -> list[str] | Left:
    """Hash one value, or each of a list as gtag.js writes it: joined by commas."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    found: list[str] = []
    for one in text.split(",", _MOST)[:_MOST]:
        digest = _hashed_already(one.strip())
        found += ([] if digest == _OF_NOTHING else [digest]) if digest else hash_one(one)
    return found or Left.UNUSABLE


def _email(text: str) -> list[str]:
    address = _UNSEEN.sub("", text).lower()
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or "@" in name or len(address) > _LONGEST or _NO_ADDRESS.search(address):
        return []
    return [sha256_hex(address)]


def hash_phone(value: Json, context: Context) -> list[str] | Left:
    """Hash a phone number in E.164; a country is taken from the number, the event's address, or the setting.

    A Chinese number comes out in both forms, with ``+86`` and without: TikTok's template asks for the second, its newer
    pages for the first.
    """
    return _each(value, lambda text: _phone(text.strip(), context))


def _phone(text: str, context: Context) -> list[str]:
    given = text.removeprefix("tel:")
    given = "+" + given[2:] if given.startswith("00") else given
    country = None if given.startswith("+") else _country_of(context)
    number = _read_phone(given, country)
    if number is None:
        return []
    e164 = format_number(number, PhoneNumberFormat.E164)
    forms = [e164, e164.removeprefix(f"+{_CHINA}")] if number.country_code == _CHINA else [e164]
    return [sha256_hex(form) for form in forms]


def _read_phone(given: str, country: str | None) -> PhoneNumber | None:
    """Read a number that names its country, or one of the country given; None when it can be no number there."""
    if country is None and not given.startswith("+"):
        return None
    try:
        number = parse(given[:100], country)
        if country is not None and _names_country(given, country):
            number = parse("+" + given[:100])
    except NumberParseException:
        return None
    return number if is_possible_number(number) else None


def _names_country(given: str, country: str) -> bool:
    """Say whether a number begins with its country's code, though without a plus.

    Where numbers are written with a leading zero, one that lacks it and is right behind a plus was meant so:
    ``4915155501234`` of Germany, where lengths vary and it could pass for a number of the town 04915 too.
    """
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.national_prefix != "0" or not given.startswith(str(metadata.country_code)):
        return False
    return is_valid_number_for_region(parse("+" + given[:100]), country)


def _country_of(context: Context) -> str | None:
    """The country of the event's address, else the one set; never a guess."""
    people = context.event.user_data
    own = context.event.data.get("country")
    for given in (*people.get("address.country", ()), *people.get("country", ()), own if isinstance(own, str) else ""):
        if _COUNTRY.fullmatch(given.strip()):
            return given.strip().upper()
    return context.settings.phone_country.strip().upper() or None


def hash_external_id(value: Json, _: Context) -> str | Left:
    """Hash the shop's own id of a person: trimmed, its case kept, as the browser pixel must give it too."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    digest = _hashed_already(text) or sha256_hex(text)
    return digest if digest != _OF_NOTHING else Left.UNUSABLE


def hash_name(value: Json, _: Context) -> str | Left:
    """Hash a first or last name: NFC, lower case, no punctuation, no white space; accents and scripts stay."""
    return _hash_letters(value, keep="LNM")


def hash_zip(value: Json, _: Context) -> str | Left:
    """Hash a postal code: lower case, without spaces and dashes."""
    return _hash_letters(value, keep="LN")


def _hash_letters(value: Json, *, keep: str) -> str | Left:
    text = as_text(value)
    if isinstance(text, Left):
        return text
    digest = _hashed_already(text) or sha256_hex(_letters(text, keep))
    return digest if digest != _OF_NOTHING else Left.UNUSABLE


def _letters(text: str, keep: str = "LNM") -> str:
    """Keep letters, digits and marks, in lower case.

    >>> _letters(" O'Neil-Müller ")
    'oneilmüller'
    """
    lower = unicodedata.normalize("NFC", text[:_LONGEST]).lower()
    return unicodedata.normalize("NFC", "".join(sign for sign in lower if unicodedata.category(sign)[0] in keep))


def place(value: Json, _: Context) -> str | Left:
    """Write a city: lower case, without spaces and punctuation; TikTok takes it unhashed.

    What holds somebody's address or number is no city.
    """
    text = as_text(value)
    if isinstance(text, Left) or (digest := _hashed_already(text)) is None:
        return _place(text) if isinstance(text, str) else text
    return digest


def _place(text: str) -> str | Left:
    letters = _letters(text)
    gives_away = len(text) > _LONGEST or value_gives_away(text) or _MANY_DIGITS.search(letters)
    return letters if letters and not gives_away else Left.UNUSABLE


def state(value: Json, context: Context) -> str | Left:
    """Write a state: of ``US-CA`` the part that is the state's."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    region = _REGION.fullmatch(text.lower())
    return region[1] if region else place(text, context)


def country(value: Json, _: Context) -> str | Left:
    """Write a country: ISO 3166-1 alpha-2, lower case."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    return text.lower() if _COUNTRY.fullmatch(text) else Left.UNUSABLE


def _hashed_already(text: str) -> str | None:
    return text.lower() if len(text) == 64 and _DIGEST.fullmatch(text) else None
