"""What in a text gives a person or a secret away.

E-mail addresses and phone numbers are sent hashed in the fields made for them and stand nowhere else: not in a search
term, a product's name, or a page's address, where forms and mailings leave them.
"""

import re
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

MASK: Final = "***"

EMAIL: Final = re.compile(
    r"""[^\s@,;:<>()"'/=&?]{1,64}@(?:[^\s@,;:<>()"'/.=&?]{1,63}\.){1,8}[^\W\d_]{2,24}""", re.UNICODE
)
PHONE: Final = re.compile(r"(?:\+|\b00)[1-9][0-9 ()./\-\u00a0]{6,24}[0-9]")
_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}")  # a JSON Web Token

# Names of parameters, in parts: ``userEmail``, ``user[email]`` and ``user_e-mail`` all hold the part "email".
_PARTS: Final = frozenset({
    "email", "mail", "emailaddress", "mailaddress",
    "tel", "telephone", "telefon", "telefono", "phone", "phonenumber", "mobile", "handy", "msisdn", "whatsapp",
    "firstname", "lastname", "surname", "fullname", "familyname", "givenname", "username", "vorname", "nachname",
    "token", "accesstoken", "idtoken", "password", "passwort", "passwd", "pwd", "secret", "auth", "authorization",
    "apikey", "accesskey", "jwt", "otp", "sessionid", "phpsessid", "jsessionid",
    "iban", "ssn", "dob", "birthday", "birthdate", "dateofbirth", "geburtsdatum",
})  # fmt: skip
_WHOLE: Final = frozenset({"name", "address", "street", "strasse"})
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z0-9]+")


def gives_away(name: str, value: str) -> bool:
    """Say whether a parameter of a page's address, decoded, gives a person or a secret away.

    >>> gives_away("user[eMail]", "x"), gives_away("q", "ann@shop.example"), gives_away("utm_medium", "email")
    (True, True, False)
    """
    words = _WORD.findall(_CAMEL.sub(" ", name[:200]).lower())
    pairs = [first + second for first, second in pairwise(words)]
    if not _PARTS.isdisjoint(words) or not _PARTS.isdisjoint(pairs) or "".join(words) in _WHOLE:
        return True
    return value_gives_away(value)


def value_gives_away(value: str) -> bool:
    """Say whether a value is, or holds, an e-mail address, a phone number or a token, however often it was encoded.

    >>> value_gives_away("ann%40shop.example"), value_gives_away("+49 151 55501234"), value_gives_away("12345678")
    (True, True, False)
    """
    plain = value
    for _ in range(3):
        if EMAIL.search(plain) or PHONE.search(plain) or _TOKEN.search(plain):
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


def mask(text: str) -> str:
    """Put stars for e-mail addresses and phone numbers.

    >>> mask("gift for ann@shop.example, call +49 151 55501234")
    'gift for ***, call ***'
    """
    if "@" in text:
        text = EMAIL.sub(MASK, text)
    return PHONE.sub(MASK, text) if "+" in text or "00" in text else text
