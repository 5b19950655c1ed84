"""What in a text gives a person or a secret away.

E-mail addresses and phone numbers are sent hashed in the fields made for them and stand nowhere else: not in a search
term, a product's name, or a page's address, where forms and mailings leave them. Most texts hold none of the signs that
an address or a number needs; those are let through at a glance.
"""

import functools
import re
import unicodedata
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from tikrelay.mapping.phones import has_possible_length

MASK: Final = "***"

# Signs that are read as ASCII ones: full-width forms, digits of other scripts, dashes, spaces and dots.
_ZEROS: Final = (0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0x1040)
_LIKE_ASCII: Final = {
    **{0xFEE0 + sign: sign for sign in range(0x21, 0x7F)},
    **{zero + digit: 0x30 + digit for zero in _ZEROS for digit in range(10)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), 0x2D),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), 0x20),
    **dict.fromkeys((0x3002, 0xFE52, 0xFF61), 0x2E),
    0xFE62: 0x2B,
    0xFE6B: 0x40,
}

# An address is looked for from where a run of its letters begins, so that the search stays linear. A picture for dense
# screens, such as logo@2x.png, is nobody's.
_NAME: Final = r"""(?<![^\s@,;:<>()"'/=&?])[^\s@,;:<>()"'/=&?]+"""
_DOT: Final = r"%(?:25)*2[Ee]"  # percent-encoded, once or several times
_LABEL: Final = rf"""(?:[^\s@,;:<>()"'/.=&?%]|%(?!{_DOT[1:]})){{1,63}}"""
_DOMAIN: Final = rf"(?![1-4]x\.(?:png|jpe?g|gif|webp|svg)\b)(?:{_LABEL}(?:\.|{_DOT})){{1,8}}[^\W\d_]{{2,24}}"
_EMAIL: Final = re.compile(f"{_NAME}+@{_DOMAIN}")
_AT: Final = (
    r"(?:%(?:25)*40|%(?:25)*[Ee][Ff]%(?:25)*[Bb][Cc]%(?:25)*[Aa]0|&(?:#0*64|#[xX]0*40|commat);|\\[ux](?:00)?40)"
)
_ENCODED_EMAIL: Final = re.compile(f"{_NAME}{_AT}{_DOMAIN}")
_PHONE: Final = re.compile(
    r"(?:(?:\+|%(?:25)*2[Bb])(?:[ (]|%(?:25)*2[08]){0,2}|(?<![0-9A-Za-z])00)[1-9]"
    r"(?:[0-9 ()./\-]|%(?:25)*(?:2[089DdEeFf]|[Cc]2%(?:25)*[Aa]0)){6,24}[0-9]",
    re.ASCII,
)
_AMERICAN: Final = re.compile(r"\([2-9][0-9]{2}\)[ .\-]?[0-9]{3}[ .\-][0-9]{4}(?![0-9])", re.ASCII)
_DIALLED: Final = re.compile(r"(?<![A-Za-z])tel:[0-9(][0-9 ()./\-]{3,23}[0-9]", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
SHORTEST_PHONE: Final = 9  # digits with the country's code; the few shorter ones look like anything
_SHORTEST_WITH_PLUS: Final = 8
LONGEST_MATCH: Final = 700  # of anybody's address or number
_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}")  # a JSON Web Token

# Names of parameters, in parts: ``userEmail``, ``user[email]`` and ``user_e-mail`` all hold the part "email"; so does
# ``email2``.
_PARTS: Final = frozenset({
    "email", "mail", "emailaddress", "mailaddress", "correo", "courriel",
    "tel", "telephone", "telefon", "telefono", "telno", "telnr", "telefonnr", "telefonnummer", "rufnummer",
    "phone", "phonenumber", "phoneno", "phonenum", "phonenr", "userphone", "customerphone", "cellphone", "celular",
    "mobilenumber", "mobilephone", "mobileno", "mobilenum", "mobilnummer", "handynummer", "msisdn",
    "whatsapp",
    "firstname", "lastname", "fname", "lname", "surname", "fullname", "familyname", "givenname", "username",
    "yourname", "customername", "contactname", "billingname", "shippingname", "recipientname", "accountname",
    "cardname", "cardholder", "nickname", "vorname", "nachname", "prenom", "apellido", "apellidos", "cognome",
    "address", "streetaddress", "streetname", "housenumber", "hausnummer",
    "token", "accesstoken", "idtoken", "mkttok", "password", "passwort", "passwd", "pwd", "secret",
    "authorization", "authcode", "authkey", "credential", "credentials", "bearer", "samlresponse", "samlrequest",
    "apikey", "accesskey", "jwt", "otp", "passphrase", "cvv", "cvc", "signature", "sig",
    "sessid", "sessionid", "sessionkey", "loginhint", "phpsessid", "jsessionid",
    "iban", "ssn", "passport", "cardnumber", "creditcard",
    "dob", "birthday", "birthdate", "dateofbirth", "geburtsdatum",
})  # fmt: skip
# Words that say so at the end only: ``user_mobile``, and not ``mobile_menu``.
_LAST: Final = frozenset({"mobile", "handy", "pass", "pin", "login", "session", "sess", "auth"})
_WHOLE: Final = frozenset({"name", "nom", "user", "key", "street", "strasse"})
_ANYWHERE: Final = ("email", "token", "passw")  # also where words are written together: "useremail", "csrftoken"
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z]+")
_SEPARATOR: Final = re.compile(r"[?&;#]")
_JSON_KEY: Final = re.compile(r'"([^"]{1,100})"\s{0,9}:')
_MOST_DECODED: Final = 8  # times a text is percent-decoded; nobody encodes more often by mistake
_LONGEST_KEPT: Final = 40


def gives_away(name: str, value: str) -> bool:
    """Say whether a parameter of a page's address gives a person or a secret away, however often it was encoded.

    >>> gives_away("user[eMail]", "x"), gives_away("q", "ann@shop.example"), gives_away("utm_medium", "email")
    (True, True, False)
    """
    return name_gives_away(name) or parameter_gives_away(value)


def name_gives_away(name: str) -> bool:
    """Say whether a parameter's name says that a person or a secret follows, or is somebody's address itself."""
    if name.isascii() and name.isidentifier() and len(name) <= _LONGEST_KEPT:
        return _is_of_person(name)
    plain = unicodedata.normalize("NFKD", "".join(sign for sign in _decoded(name)[-1] if sign.isprintable()))
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return _is_of_person.__wrapped__(bare) or value_gives_away(name)


@functools.lru_cache(maxsize=2048)
def _is_of_person(name: str) -> bool:
    words = _WORD.findall(_CAMEL.sub(" ", name).lower())
    whole = "".join(words)
    if whole in _WHOLE or any(part in whole for part in _ANYWHERE) or (words[-1:] and words[-1] in _LAST):
        return True
    return not _PARTS.isdisjoint(words) or not _PARTS.isdisjoint([first + second for first, second in pairwise(words)])


def parameter_gives_away(value: str) -> bool:
    """Say whether a parameter's value, as it stands in an address, gives away; also where it is JSON."""
    if _is_plain(value):
        return False
    if value_gives_away(value) or ("+" in value and value_gives_away(value.replace("+", " "))):
        return True
    plain = _decoded(value)[-1]
    return '"' in plain and any(name_gives_away(key) for key in _JSON_KEY.findall(plain))


def value_gives_away(value: str) -> bool:
    """Say whether a value is, or holds, an e-mail address, a phone number or a token, however often it was encoded.

    >>> value_gives_away("ann%40shop.example"), value_gives_away("+49 151 55501234"), value_gives_away("12345678")
    (True, True, False)
    """
    return not _is_plain(value) and any(_shows(plain) for plain in _decoded(value))


def _is_plain(text: str) -> bool:
    return not ("=" in text or "&" in text or has_signs(text))


def has_signs(text: str) -> bool:
    """Say at a glance whether a text has a sign without which nothing in it, but parameters, can give away."""
    return (
        "@" in text
        or "%" in text
        or "+" in text
        or "00" in text
        or "(" in text
        or '"' in text
        or "\\" in text
        or "eyJ" in text
        or "tel:" in text
        or not text.isascii()
    )


def _decoded(text: str) -> list[str]:
    """List a text as it is and as it reads each time it is percent-decoded; browsers leave out tabs and line ends."""
    found = [text]
    while "%" in text and len(found) <= _MOST_DECODED:
        plain = unquote(text)
        if plain == text:
            break
        text = plain.replace("\t", "").replace("\n", "").replace("\r", "")
        found.append(text)
    return found


def _shows(plain: str) -> bool:
    if mask(plain) != plain or ("eyJ" in plain and _TOKEN.search(plain)):
        return True
    if "=" not in plain:
        return False
    pairs = (piece.partition("=") for piece in _SEPARATOR.split(plain))
    return any(is_ and value.strip("=") and name_gives_away(name) for name, is_, value in pairs)


def _is_phone(found: re.Match[str]) -> bool:
    """Tell a number from an article's or an order's that begins with two zeros: only a phone number has a country."""
    groups = _DIGITS.findall(_decoded(found[0])[-1])
    if not found[0].startswith("00"):
        return sum(map(len, groups)) >= _SHORTEST_WITH_PLUS
    groups[0] = groups[0][2:]
    starts = ("".join(groups[:end]) for end in range(1, len(groups) + 1))  # a year may follow it
    return any(len(start) >= SHORTEST_PHONE and has_possible_length(start) for start in starts)


def mask(text: str) -> str:
    """Put stars for e-mail addresses and phone numbers.

    >>> mask("gift for ann@shop.example, call +49 151 55501234 or 0049 151 55501234 about 0012345678")
    'gift for ***, call *** or *** about 0012345678'
    """
    if text.isascii():
        return _mask(text)
    read = text.translate(_LIKE_ASCII)
    masked = _mask(read)
    return text if masked == read else masked


def _mask(text: str) -> str:
    if "@" in text:
        text = _EMAIL.sub(MASK, text)
    if "%" in text or "&" in text or "\\" in text:
        text = _ENCODED_EMAIL.sub(MASK, text)
    if "+" in text or "00" in text or "%" in text:
        text = _PHONE.sub(lambda found: MASK if _is_phone(found) else found[0], text)
    if "(" in text:
        text = _AMERICAN.sub(MASK, text)
    if "tel:" in text:
        text = _DIALLED.sub(MASK, text)
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
