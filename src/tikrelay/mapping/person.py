"""Which hashes an event may hold of a person's address, number or id: by these the person's events are found.

What is given is cleaned and hashed as the mapping does it, under each setting that it may have had.
"""

import re
from collections.abc import Iterator
from typing import Final

from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import Cleaner, Context, Left, Settings
from tikrelay.mapping.user import hash_email, hash_external_id, hash_phone

# Who hashes for Google leaves out the dots of these (User-provided data, "Data normalization"), and such a hash may
# have come in with a hit.
_DOTLESS: Final = re.compile(r"(.+)@(gmail\.com|googlemail\.com)", re.IGNORECASE)
_NOBODY: Final = Event(name="", source="data", received_at=0.0)
_PHONE: Final = re.compile(r"\+[\d\s()./-]{5,30}", re.ASCII)
_LONGEST_ADDRESS: Final = 320  # RFC 3696, erratum 1690: 64 before the sign, 255 behind


def external_id_digests(value: str) -> tuple[str, ...]:
    """Every hash of an id of the shop's own; none of an empty one."""
    return _digests(value, hash_external_id)


def email_digests(value: str) -> tuple[str, ...]:
    """Every hash of an e-mail address; none of what is no address."""
    return _digests(value, _hash_email)


def phone_digests(value: str, *, country: str) -> tuple[str, ...]:
    """Every hash of a phone number; none of what is none, or needs a country and has none.

    >>> len(phone_digests("+86 138 0013 8000", country="")), phone_digests("0170 1234567", country="")
    (2, ())
    """
    return _digests(value, hash_phone, country)


def digests_in_search(text: str) -> tuple[str, ...]:
    """The hashes to look for where a text is an e-mail address, or a phone number that begins with +; else none.

    >>> [len(digests_in_search(text)) for text in ("ann@shop.example", "+49 170 1234567", "R-1001", "shoe@2")]
    [1, 1, 0, 0]
    """
    if "@" in text and len(text) <= _LONGEST_ADDRESS and "." in text.rpartition("@")[2]:
        return email_digests(text)
    return phone_digests(text, country="") if _PHONE.fullmatch(text) else ()


def _digests(value: str, clean: Cleaner, country: str = "") -> tuple[str, ...]:
    return tuple(dict.fromkeys(_hashes(value, clean, country)))


def _hash_email(value: Json, context: Context) -> list[str] | Left:
    found = hash_email(value, context)
    if isinstance(found, Left) or not isinstance(value, str) or not (address := _DOTLESS.fullmatch(value.strip())):
        return found
    dotless = hash_email(f"{address[1].replace('.', '')}@{address[2]}", context)
    return found if isinstance(dotless, Left) else [*found, *dotless]


def _hashes(value: Json, clean: Cleaner, phone_country: str) -> Iterator[str]:
    """Clean a value under every setting that changes its hash; phone_cn's default gives both forms."""
    for lowercase in (False, True):
        settings = Settings(phone_country=phone_country, external_id_lowercase=lowercase)
        found = clean(value, Context(_NOBODY, name="", fallback_id="", settings=settings))
        if not isinstance(found, Left):
            yield from [found] if isinstance(found, str) else found
