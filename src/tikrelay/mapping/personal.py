"""What in a text gives a person or a secret away.

E-mail addresses and phone numbers are sent hashed in the fields made for them and stand nowhere else: not in a search
term, a product's name, or a page's address, where forms and mailings leave them.
"""

import functools
import re
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

MASK: Final = "***"

# An address is looked for from where a run of its letters begins, so that the search stays linear. A picture for dense
# screens, such as logo@2x.png, is nobody's.
_NAME: Final = r"""(?<![^\s@,;:<>()"'/=&?])[^\s@,;:<>()"'/=&?]+"""
_DOMAIN: Final = r"""(?![1-4]x\.(?:png|jpe?g|gif|webp|svg)\b)(?:[^\s@,;:<>()"'/.=&?]{1,63}\.){1,8}[^\W\d_]{2,24}"""
_EMAIL: Final = re.compile(f"{_NAME}+@{_DOMAIN}")
_ENCODED_EMAIL: Final = re.compile(f"{_NAME}%(?:25){{0,3}}40{_DOMAIN}")  # percent-encoded, once or several times
_PHONE: Final = re.compile(
    r"(?:\+|%(?:25){0,3}2[Bb]|(?<![0-9A-Za-z])00)[1-9](?:[0-9 ()./\-\u00a0]|%(?:25){0,3}2[089Dd]){6,24}[0-9]", re.ASCII
)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
SHORTEST_PHONE: Final = 9  # digits with the country's code; the few shorter ones look like anything
LONGEST_MATCH: Final = 700  # of anybody's address or number
_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}")  # a JSON Web Token

# Names of parameters, in parts: ``userEmail``, ``user[email]`` and ``user_e-mail`` all hold the part "email".
_PARTS: Final = frozenset({
    "email", "mail", "emailaddress", "mailaddress",
    "tel", "telephone", "telefon", "telefono", "phone", "phonenumber", "mobile", "mobilenumber", "mobilephone",
    "handy", "msisdn", "whatsapp",
    "firstname", "lastname", "fname", "lname", "surname", "fullname", "familyname", "givenname", "username",
    "vorname", "nachname",
    "token", "accesstoken", "idtoken", "password", "passwort", "passwd", "pwd", "secret", "auth", "authorization",
    "apikey", "accesskey", "jwt", "otp", "pass", "passphrase", "pin", "cvv", "cvc", "signature", "sig", "login",
    "session", "sess", "sessid", "sessionid", "phpsessid", "jsessionid",
    "iban", "ssn", "dob", "birthday", "birthdate", "dateofbirth", "geburtsdatum",
})  # fmt: skip
_WHOLE: Final = frozenset({"name", "user", "key", "address", "street", "strasse"})
_ANYWHERE: Final = ("email", "token", "passw")  # also where words are written together: "useremail", "csrftoken"
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z0-9]+")


def gives_away(name: str, value: str) -> bool:
    """Say whether a parameter of a page's address, decoded, gives a person or a secret away.

    >>> gives_away("user[eMail]", "x"), gives_away("q", "ann@shop.example"), gives_away("utm_medium", "email")
    (True, True, False)
    """
    words = _WORD.findall(_CAMEL.sub(" ", name[:200]).lower())
    pairs = [first + second for first, second in pairwise(words)]
    whole = "".join(words)
    if not _PARTS.isdisjoint(words) or not _PARTS.isdisjoint(pairs) or whole in _WHOLE:
        return True
    if any(part in whole for part in _ANYWHERE):
        return True
    return value_gives_away(name) or value_gives_away(value)


def value_gives_away(value: str) -> bool:
    """Say whether a value is, or holds, an e-mail address, a phone number or a token, however often it was encoded.

    >>> value_gives_away("ann%40shop.example"), value_gives_away("+49 151 55501234"), value_gives_away("12345678")
    (True, True, False)
    """
    plain = value
    for _ in range(3):
        if mask(plain) != plain or _TOKEN.search(plain):
            return True
        nested = plain.partition("?")[2]
        if nested and any(gives_away(*_pair(part)) for part in nested.split("&")[:50] if "=" in part):
            return True
        if "%" not in plain:
            return False
        plain = unquote(plain)
    return False


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value.partition("?")[0]


def _is_phone(found: re.Match[str]) -> bool:
    """Tell a number from an article's or an order's that begins with two zeros: only a phone number has a country."""
    if not found[0].startswith("00"):
        return True
    groups = _DIGITS.findall(unquote(found[0][2:]))
    starts = ("".join(groups[:end]) for end in range(1, len(groups) + 1))  # a year may follow it
    whole = [start for start in starts if len(start) >= SHORTEST_PHONE]
    return any(len(start) - size in _lengths(start[:size]) for start in whole for size in (1, 2, 3))


@functools.cache
def _lengths(calling_code: str) -> frozenset[int]:
    """How many digits a number of a country has; none where no country has the code. At most 1,110 codes are asked."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(calling_code), ())
    found = [PhoneMetadata.metadata_for_region_or_calling_code(int(calling_code), region) for region in regions]
    described = [one.general_desc for one in found if one is not None]
    return frozenset(length for one in described if one is not None for length in one.possible_length)


def mask(text: str) -> str:
    """Put stars for e-mail addresses and phone numbers.

    >>> mask("gift for ann@shop.example, call +49 151 55501234 or 0049 151 55501234 about 0012345678")
    'gift for ***, call *** or *** about 0012345678'
    """
    if "@" in text:
        text = _EMAIL.sub(MASK, text)
    if "%" in text:
        text = _ENCODED_EMAIL.sub(MASK, text)
    if "+" in text or "00" in text or "%" in text:
        text = _PHONE.sub(lambda found: MASK if _is_phone(found) else found[0], text)
    return text


def mask_and_cut(text: str, *, longest: int) -> str:
    """Put stars, then cut; nobody's address stays because the cut went through it.

    >>> mask_and_cut("0123456 ann@shop.example", longest=12)
    '0123456 ***'
    """
    if len(text) <= longest:
        return mask(text)
    window = longest + 2 * LONGEST_MATCH
    masked = mask(text[:window])
    whole = len(masked) if len(text) <= window else len(masked) - LONGEST_MATCH
    return masked[: max(0, min(longest, whole))].rstrip()
