"""How what identifies a person is normalised and hashed.

SHA-256 of UTF-8, in lower-case hex. A value that is 64 hex digits already is passed on in lower case and never hashed
twice; nothing empty is hashed. Normalising follows what TikTok's server template and help pages ask for.
"""

import hashlib
import re
import unicodedata
from typing import Final

from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse

from tikrelay.event import Json
from tikrelay.mapping.cleaning import Context, Left, as_text

_DIGEST: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_SPACES: Final = re.compile(r"\s+")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2}-([a-z0-9]{1,3})", re.ASCII)  # ISO 3166-2, as Measurement Protocol's region_id
_LONGEST: Final = 320  # the longest e-mail address; longer than any name
_CHINA: Final = 86


def sha256_hex(text: str) -> str:
    """Hash a normalised text.

    >>> sha256_hex("test@test.com")
    'f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a'
    """
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def hash_email(value: Json, _: Context) -> str | Left:
    """Hash an e-mail address: white space out, lower case; dots and plus tags stay."""
    text = as_text(value)
    if isinstance(text, Left) or (digest := _hashed_already(text)) is None:
        return _email(text) if isinstance(text, str) else text
    return digest


def _email(text: str) -> str | Left:
    address = _SPACES.sub("", text).lower()
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or "@" in name or len(address) > _LONGEST or "," in address:
        return Left.UNUSABLE
    return sha256_hex(address)


def hash_phone(value: Json, context: Context) -> list[str] | Left:
    """Hash a phone number in E.164; a country is taken from the number, the event's address, or the setting.

    A Chinese number comes out in both forms, with ``+86`` and without: TikTok's template asks for the second, its newer
    pages for the first.
    """
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if (digest := _hashed_already(text)) is not None:
        return [digest]
    given = "+" + text[2:] if text.startswith("00") else text
    country = None if given.startswith("+") else _country_of(context)
    if country is None and not given.startswith(("+", "tel:+")):
        return Left.UNUSABLE
    try:
        number = parse(given[:100], country)
    except NumberParseException:
        return Left.UNUSABLE
    if not is_possible_number(number):
        return Left.UNUSABLE
    e164 = format_number(number, PhoneNumberFormat.E164)
    forms = [e164, e164.removeprefix(f"+{_CHINA}")] if number.country_code == _CHINA else [e164]
    return [sha256_hex(form) for form in forms]


def _country_of(context: Context) -> str | None:
    """The country of the event's address, else the one set; never a guess."""
    for country in context.event.user_data.get("address.country", ()):
        if _COUNTRY.fullmatch(country.strip()):
            return country.strip().upper()
    return context.rules.phone_country or None


def hash_external_id(value: Json, _: Context) -> str | Left:
    """Hash the shop's own id of a person: trimmed, its case kept, as the browser pixel must give it too."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    return _hashed_already(text) or sha256_hex(text)


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
    if (digest := _hashed_already(text)) is not None:
        return digest
    letters = _letters(text, keep)
    return sha256_hex(letters) if letters else Left.UNUSABLE


def _letters(text: str, keep: str = "LNM") -> str:
    """Keep letters, digits and marks, in lower case.

    >>> _letters(" O'Neil-Müller ")
    'oneilmüller'
    """
    lower = unicodedata.normalize("NFC", text[:_LONGEST]).lower()
    return unicodedata.normalize("NFC", "".join(sign for sign in lower if unicodedata.category(sign)[0] in keep))


def place(value: Json, _: Context) -> str | Left:
    """Write a city: lower case, without spaces and punctuation; TikTok takes it unhashed."""
    text = as_text(value)
    return text if isinstance(text, Left) else _letters(text) or Left.UNUSABLE


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
