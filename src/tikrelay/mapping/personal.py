"""What in a text gives a person or a secret away.

E-mail addresses and phone numbers are sent hashed in the fields made for them and stand nowhere else: not in a search
term, a product's name, or a page's address, where forms and mailings leave them. Most texts hold none of the signs that
an address or a number needs; those are let through at a glance.

A number that names no country is one as people write it, in groups: only in words that people type and read
(``mask_text``). In ids, paths and parameters an article's number is likelier, and stays.
"""

import functools
import re
import unicodedata
from binascii import a2b_base64
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from tikrelay.mapping.phones import has_possible_length, is_valid

MASK: Final = "***"

# Signs that are read as ASCII ones: full-width forms, digits of other scripts, dashes, spaces and dots. Those that
# change how another looks, and stand for nothing themselves, are read as nothing, and fillers as the space they show.
_ZEROS: Final = (0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0x1040)
_LIKE_ASCII: Final = {
    **{0xFEE0 + sign: sign for sign in range(0x21, 0x7F)},
    **{zero + digit: 0x30 + digit for zero in _ZEROS for digit in range(10)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), 0x2D),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), 0x20),
    **dict.fromkeys((0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0), 0x20),
    **dict.fromkeys((0x34F, 0x61C, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x2061, 0x2066), 0x20E3)),
    **dict.fromkeys((*range(0x206A, 0x2070), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000))),
    **dict.fromkeys((0x3002, 0xFE52, 0xFF61), 0x2E),
    0xFE62: 0x2B,
    0xFE6B: 0x40,
}

# What is around an address where people and programs write one. Any other sign may be part of its name, and all that
# stands up to the next of these is masked with it: ``ann@shop.example|bob@shop.example``.
_BETWEEN: Final = frozenset(",;:<>()\"'/=&?")
_TO_BETWEEN: Final = re.compile(r"""[^\s,;:<>()"'/=&?]*""")
# A picture for dense screens, such as logo@2x.png, is nobody's.
_DOT: Final = r"%(?:25)*2[Ee]"  # percent-encoded, once or several times
_LABEL: Final = rf"""(?:[^\s@,;:<>()"'/.=&?%]|%(?!{_DOT[1:]})){{1,63}}"""
_DOMAIN: Final = rf"(?![1-4]x\.(?:png|jpe?g|gif|webp|svg)\b)(?:{_LABEL}(?:\.|{_DOT})){{1,8}}[^\W\d_]{{2,24}}"
ESCAPED_AT: Final = r"&(?:#0*64|#[xX]0*40|commat);"  # as HTML writes it
_AT: Final = rf"(?:@|%(?:25)*40|%(?:25)*[Ee][Ff]%(?:25)*[Bb][Cc]%(?:25)*[Aa]0|{ESCAPED_AT}|\\[ux](?:00)?40)"
_UNSEEN: Final = "\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"  # as copying from an address book leaves
_LITERAL: Final = r"(?:\[|%(?:25)*5[Bb])(?:[Ii][Pp][Vv]6(?::|%(?:25)*3[Aa]))?[0-9A-Fa-f:.]{3,45}"  # RFC 5321, 4.1.3
# White space beside the sign is no part of an address, and people read one all the same: ``ann @ shop.example``.
_AT_DOMAIN: Final = re.compile(rf"{_AT}[\s{_UNSEEN}]{{0,32}}+(?:{_DOMAIN}|{_LITERAL})")
_LONGEST_NAME: Final = 66  # of a name in quotation marks, with them (RFC 5321, 4.5.3.1.1)
_BESIDE_AT: Final = re.compile(rf"[\s{_UNSEEN}\"'@]")
# A text in base64, of 8 to 200 characters, that may hold an address. Since the first bit of each of its bytes is 0,
# only one in eight groups of four signs can be of one, and what is no such text is passed over fast.
_QUAD_END: Final = "[A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9]"
_ENCODED: Final = re.compile(
    rf"[I-Za-f]{_QUAD_END}(?<![A-Za-z0-9].{{4}})(?:[A-Za-f]{_QUAD_END}){{1,49}}+(?:[A-Za-z0-9]{{2,3}})?"
    r"(?![A-Za-z0-9])={0,2}"
)
_SHORTEST_ENCODED: Final = 8
_TYPOGRAPHIC: Final = r"[Ee]2%(?:25)*80%(?:25)*(?:[89][0-9A-Fa-f]|[Aa][A-Fa-f])"  # spaces and dashes, encoded
_BETWEEN_DIGITS: Final = rf"(?:[ ()./\-{_UNSEEN}]|%(?:25)*(?:2[089DdEeFf]|[Cc]2%(?:25)*[Aa]0|{_TYPOGRAPHIC}))"
# Behind letters and digits zeros begin no number, unless those are a sign's code: ``%7C0049``.
_CODE: Final = r"(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=%2525[0-9A-Fa-f]{2})"
_ZEROS_BEGIN: Final = rf"(?:(?<![0-9A-Za-z])|{_CODE})00"
_PHONE: Final = re.compile(
    rf"(?:(?:\+|%(?:25)*2[Bb])(?:[ (]|%(?:25)*2[08]){{0,2}}|{_ZEROS_BEGIN})[1-9]"
    rf"(?:[0-9]|{_BETWEEN_DIGITS}){{6,24}}[0-9]"
)
_MORE_DIGITS: Final = re.compile(rf"(?:{_BETWEEN_DIGITS}*+[0-9])*+")
_AMERICAN: Final = re.compile(r"\([2-9][0-9]{2}\)[ .\-]?[0-9]{3}[ .\-][0-9]{4}(?![0-9])", re.ASCII)
_DIALLED: Final = re.compile(r"(?<![A-Za-z])tel:[0-9(][0-9 ()./\-]{3,}[0-9]", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
# As people in North America write a number: its area and its exchange begin with 2 to 9 (North American Numbering
# Plan). The plain search finds nothing in most texts, and does so fast.
_BETWEEN_GROUPS: Final = rf"(?:{_BETWEEN_DIGITS}{{1,3}})"
_GROUPED: Final = rf"[2-9][0-9]{{2}}{_BETWEEN_GROUPS}[2-9][0-9]{{2}}{_BETWEEN_GROUPS}[0-9]{{4}}(?![0-9])"
_MAYBE_GROUPED: Final = re.compile(_GROUPED)
_NORTH_AMERICAN: Final = re.compile(rf"(?:(?<![0-9])|{_CODE})(?:1{_BETWEEN_GROUPS})?{_GROUPED}")
# A single zero is dialled in front of an area in most of the world. How many digits the groups have tells such a number
# from dates, sizes and an ISBN (``0-306-40615-2``).
_APART: Final = rf"(?:(?!\.){_BETWEEN_DIGITS}){{0,3}}"
_NATIONAL: Final = re.compile(
    rf"0(?![0.;,:A-Za-z])(?<![0-9][.\-].)(?:(?<![0-9A-Za-z].)|(?<=%[0-9A-Fa-f]{{2}}.)|(?<=%25[0-9A-Fa-f]{{2}}.))"
    rf"(?:(?:{_APART}[0-9]){{6,12}}|[1-9](?:\.[0-9]{{2}}){{4}})(?![0-9])"
)
_MOST_IN_SHAPE: Final = 9
_SHAPE: Final = re.compile(
    r"13322"  # 0 532 123 45 67
    r"|2(?:[5-9]|3(?:4|3|22|32)|4[34]|2222)"  # 06-12345678, 02 123 4567, 03-1234-5678, 01 23 45 67 89
    r"|[3-7][1-9]"  # 030-1234567
)
_HUNGARIAN: Final = re.compile(r"2[12](?:7|34)")  # 06 30 123 4567
_YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}", re.ASCII)
_EAN_BEHIND_FIRST: Final = re.compile(r"([0-9]{6}) ([0-9]{6})")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_UUID_GROUPS: Final = (9, 14, 19, 24)  # where in one a group begins
_SHORTEST_TEXT: Final = 8  # a national number has seven digits or more, and a sign between
SHORTEST_PHONE: Final = 9  # digits with the country's code; the few shorter ones look like anything
_SHORTEST_WITH_PLUS: Final = 8
LONGEST_MATCH: Final = 700  # that is needed to see anybody's address or number
_PRODUCT_LENGTHS: Final = (12, 13, 14)  # GTINs long enough for a phone number (GS1 General Specifications, 7.9)
_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}")  # a JSON Web Token

# Names of parameters, in parts: ``userEmail``, ``user[email]`` and ``user_e-mail`` all hold the part "email"; so does
# ``email2``.
_PARTS: Final = frozenset({
    "email", "mail", "emailaddress", "mailaddress", "correo", "courriel",
    "tel", "telephone", "telefon", "telefono", "telno", "telnr", "telefonnr", "telefonnummer", "rufnummer",
    "phone", "phonenumber", "phoneno", "phonenum", "phonenr", "userphone", "customerphone", "cellphone", "celular",
    "mobilenumber", "mobilephone", "mobileno", "mobilenum", "mobilnummer", "handynummer", "msisdn",
    "cellnumber", "cellno", "telefax", "faxnumber", "faxno", "faxnr", "whatsapp",
    "firstname", "lastname", "fname", "lname", "surname", "fullname", "familyname", "givenname", "username",
    "yourname", "customername", "contactname", "billingname", "shippingname", "recipientname", "accountname",
    "cardname", "cardholder", "nickname", "vorname", "nachname", "prenom", "apellido", "apellidos", "cognome",
    "address", "streetaddress", "streetname", "housenumber", "hausnummer",
    "token", "accesstoken", "idtoken", "mkttok", "password", "passwort", "passwd", "pwd", "secret",
    "authorization", "authcode", "authkey", "credential", "credentials", "bearer", "samlresponse", "samlrequest",
    "apikey", "accesskey", "jwt", "otp", "passphrase", "cvv", "cvc", "signature", "sig",
    "sessid", "sessionid", "sessionkey", "loginhint", "phpsessid", "jsessionid",
    "iban", "accountnumber", "accountno", "kontonummer", "kontonr", "bankaccount", "routingnumber",
    "cardnumber", "cardnum", "cardno", "cardnr", "kartennummer", "creditcard", "ccnumber", "ccnum", "ccno", "cccvv",
    "ssn", "socialsecurity", "passport", "passportnumber", "passportno", "nationalid", "idcard", "ausweisnummer",
    "taxid", "taxnumber", "taxno", "steuerid", "steuernummer", "cpf", "curp",
    "driverslicense", "driverlicense", "drivinglicence", "drivinglicense", "licenseplate",
    "middlename", "maidenname", "dob", "birthday", "birthdate", "dateofbirth", "geburtsdatum", "geburtstag",
})  # fmt: skip
# Words that say so at the end only: ``user_mobile`` and ``gift_card``, and not ``mobile_menu`` or ``card_type``.
_LAST: Final = frozenset({
    "mobile", "handy", "cell", "fax", "pass", "pin", "login", "session", "sess", "auth", "card", "birth",
})  # fmt: skip
# ``cc`` is a country's code more often than a card's, and ``plz`` the area of a shop: both stay.
_WHOLE: Final = frozenset({"name", "nom", "user", "key", "street", "strasse", "pan", "dni", "nif"})
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
        return _is_of_person(name) or (_may_hold_encoded(name) and mask(name) != name)
    plain = unicodedata.normalize("NFKD", "".join(sign for sign in decodings(name)[-1] if sign.isprintable()))
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return _is_of_person.__wrapped__(bare) or value_gives_away(name)


@functools.lru_cache(maxsize=2048)
def _is_of_person(name: str) -> bool:
    words = _WORD.findall(_CAMEL.sub(" ", name).lower())
    whole = "".join(words)
    if whole in _WHOLE or any(part in whole for part in _ANYWHERE) or (words[-1:] and words[-1] in _LAST):
        return True
    return not _PARTS.isdisjoint(words) or not _PARTS.isdisjoint([first + second for first, second in pairwise(words)])


def parameter_gives_away(value: str, *, is_products: bool = False) -> bool:
    """Say whether a parameter's value, as it stands in an address, gives away; also where it is JSON."""
    if _is_plain(value):
        return False
    forms = (value, value.replace("+", " ")) if "+" in value else (value,)
    if any(value_gives_away(form, is_products=is_products) for form in forms):
        return True
    plain = decodings(value)[-1]
    return '"' in plain and any(name_gives_away(key) for key in _JSON_KEY.findall(plain))


def value_gives_away(value: str, *, is_products: bool = False) -> bool:
    """Say whether a value is, or holds, an e-mail address, a phone number or a token, however often it was encoded.

    ``is_products`` as for `mask`.

    >>> value_gives_away("ann%40shop.example"), value_gives_away("+49 151 55501234"), value_gives_away("12345678")
    (True, True, False)
    """
    return not _is_plain(value) and any(_shows(plain, is_products=is_products) for plain in decodings(value))


def _is_plain(text: str) -> bool:
    return not ("=" in text or "&" in text or has_signs(text))


def has_signs(text: str) -> bool:
    """Say at a glance whether a text has a sign without which nothing in it, but parameters, can give away."""
    return (
        "@" in text
        or "%" in text
        or "+" in text
        or ("00" in text and len(text) > SHORTEST_PHONE)
        or "(" in text
        or '"' in text
        or "\\" in text
        or "eyJ" in text
        or "tel:" in text
        or not text.isascii()
        or (len(text) >= _SHORTEST_ENCODED and _may_hold_encoded(text))
    )


def _may_hold_encoded(text: str) -> bool:
    """Say whether something in a text reads like base64 of an address, where the @ has a Q, an A or a B for a sign."""
    return ("Q" in text or "A" in text or "B" in text) and _ENCODED.search(text) is not None


def decodings(text: str) -> list[str]:
    """List a text as it is and as it reads each time it is percent-decoded; browsers leave out tabs and line ends."""
    found = [text]
    while "%" in text and len(found) <= _MOST_DECODED:
        plain = unquote(text)
        if plain == text:
            break
        text = plain.replace("\t", "").replace("\n", "").replace("\r", "")
        found.append(text)
    return found


def _shows(plain: str, *, is_products: bool) -> bool:
    if mask(plain, is_products=is_products) != plain or ("eyJ" in plain and _TOKEN.search(plain)):
        return True
    if "=" not in plain:
        return False
    pairs = (piece.partition("=") for piece in _SEPARATOR.split(plain))
    return any(is_ and value.strip("=") and name_gives_away(name) for name, is_, value in pairs)


def mask(text: str, *, is_products: bool = False) -> str:
    """Put stars for e-mail addresses and phone numbers; what is masked once stays as it is.

    ``is_products`` says that numbers of products are to be expected, as in a path or an item's id.

    >>> mask("gift for ann@shop.example, call +49 151 55501234 or 0049 151 55501234 about 0012345678")
    'gift for ***, call *** or *** about 0012345678'
    """
    if text.isascii() and _mask(text, is_products=is_products) == text:
        return text
    return _mask_all(text, is_products=is_products, is_typed=False)


def mask_text(text: str) -> str:
    """Put stars as `mask` does, in words that people type or read: also for numbers without a country.

    >>> mask_text("call 213-373-4253 or 0151/55501234 by 01/02/2026, size 10-12")
    'call *** or *** by 01/02/2026, size 10-12'
    """
    if text.isascii() and _mask(text, is_typed=True) == text:
        return text
    return _mask_all(text, is_products=False, is_typed=True)


def _mask_all(text: str, *, is_products: bool, is_typed: bool) -> str:
    """Mask again what was masked: without the address in front of it, digits may be seen for a number."""
    read = masked = text if text.isascii() else text.translate(_LIKE_ASCII)
    while (more := _mask(masked, is_products=is_products, is_typed=is_typed)) != masked:
        masked = more
    return text if masked == read else masked


def text_gives_away(text: str) -> bool:
    """Say whether words that people type give away: as `value_gives_away`, or by a number without a country."""
    return mask_text(text) != text or value_gives_away(text)


def _mask(text: str, *, is_products: bool = False, is_typed: bool = False) -> str:
    """Mask numbers first: stars for one may make an address of what is around it, and never the other way round."""
    if "+" in text or "00" in text or ("%" in text and ("2B" in text or "2b" in text)):
        text = _without_phones(text, is_products=is_products)
    if "(" in text:
        text = _AMERICAN.sub(MASK, text)
    if "tel:" in text:
        text = _DIALLED.sub(MASK, text)
    if is_typed and len(text) >= _SHORTEST_TEXT:
        if _MAYBE_GROUPED.search(text):
            text = _NORTH_AMERICAN.sub(MASK, text)
        if "0" in text:
            text = _without_national(text)
    if "@" in text or "%" in text or "&" in text or "\\" in text:
        text = _without_emails(text)
    if len(text) >= _SHORTEST_ENCODED and _may_hold_encoded(text):
        text = _ENCODED.sub(_stars_if_address, text)
    return text


def _stars_if_address(found: re.Match[str]) -> str:
    """Put stars for what is base64 of a text with an e-mail address in it."""
    token = found[0].rstrip("=")
    plain = a2b_base64(token + "=" * (-len(token) % 4)).decode("latin-1")
    return MASK if _without_emails(plain) != plain else found[0]


def _without_phones(text: str, *, is_products: bool) -> str:
    """Put stars for numbers, each with all digits behind it, of which another number may be."""
    pieces: list[str] = []
    end = at = 0
    while (found := _PHONE.search(text, at)) is not None:
        at = found.start() + 1
        if _is_phone(found[0], is_products=is_products):
            pieces += [text[end : found.start()], MASK]
            more = _MORE_DIGITS.match(text, found.end())
            end = at = found.end() if more is None else more.end()
    return "".join([*pieces, text[end:]]) if pieces else text


def _is_phone(found: str, *, is_products: bool) -> bool:
    """Tell a number from an article's or an order's that begins with two zeros: only a phone number has a country.

    Digits in one piece that are as many as a product's number has must be somebody's by all that is known of the
    country. One phone number in ten has a product's check digit by chance: where people type it is masked; in a path or
    an id it stays, for a product's is likelier there, and the catalogue needs it.
    """
    groups = _DIGITS.findall(decodings(found)[-1])
    if not found.startswith("00"):
        return sum(map(len, groups)) >= _SHORTEST_WITH_PLUS
    starts = ("".join(groups[:end])[2:] for end in range(1, len(groups) + 1))  # a year may follow it
    if len(groups[0]) not in _PRODUCT_LENGTHS:
        return any(len(start) >= SHORTEST_PHONE and has_possible_length(start) for start in starts)
    if is_products and _has_check_digit(groups[0]):
        next(starts)
    return any(is_valid(f"+{start}") for start in starts)


def _without_national(text: str) -> str:
    """Put stars for numbers that begin with a single zero, each with all digits behind it."""
    pieces: list[str] = []
    end = at = 0
    while (found := _NATIONAL.search(text, at)) is not None:
        begin = found.start()
        at = begin + 1
        if not _is_national(found[0]) or _belongs_to_more(text, found, after=end):
            continue
        if begin > end and text[begin - 1] == "(" and ")" in found[0]:
            begin -= 1
        pieces += [text[end:begin], MASK]
        more = _MORE_DIGITS.match(text, found.end())
        end = at = found.end() if more is None else more.end()
    return "".join([*pieces, text[end:]]) if pieces else text


def _is_national(found: str) -> bool:
    """Tell by its groups a number that begins with a zero from dates, hours and sizes that do.

    >>> [_is_national(text) for text in ("030-1234567", "01 23 45 67 89", "01/02/2026 1030", "02/04/06/08/10")]
    [True, True, False, False]
    """
    plain = decodings(found)[-1]
    groups = _DIGITS.findall(plain)
    shape = "".join(str(min(len(group), _MOST_IN_SHAPE)) for group in groups)
    if _SHAPE.match(shape) is None:
        return groups[0] == "06" and _HUNGARIAN.match(shape) is not None
    between = [sign.strip() for sign in _DIGITS.split(plain)[1:-1]]
    if shape.startswith("22222"):
        is_row = between[1] == "/" and groups[:5] == sorted(groups[:5])  # of sizes
        return not is_row and len(set(between[1:4])) == 1
    if _YEAR.fullmatch(groups[1]) is None:
        return True
    if shape.startswith("2"):  # a month and its year, or a number of Tokyo or Seoul
        return between[:2] == ["-", "-"] and not groups[2].startswith("0") and _YEAR.fullmatch(groups[2]) is None
    return len(groups) > 2


def _belongs_to_more(text: str, found: re.Match[str], *, after: int) -> bool:
    """Say whether digits are minutes of a time, groups of a UUID, or those of an EAN as it stands below its bars."""
    begin = found.start()
    before = text[max(after, begin - 2) : begin]
    if before[:1].isdigit():
        if before[1:] == ":" and not found[0][2:3].isdigit():
            return True
        ean = _EAN_BEHIND_FIRST.match(found[0])
        if before[1:] == " " and ean is not None and _has_check_digit(before[0] + ean[1] + ean[2]):
            return True
    return any(_UUID.match(text, begin - group) for group in _UUID_GROUPS if begin - group >= after)


def _has_check_digit(digits: str) -> bool:
    """Say whether digits end in the check digit that a product's number (GTIN) must have.

    >>> _has_check_digit("0012345678905"), _has_check_digit("0012345678906")
    (True, False)
    """
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))) % 10 == 0


def _without_emails(text: str) -> str:
    """Put stars for addresses, each with all that stands around it without a sign between.

    White space beside the @ counts for nothing. What is looked at again after an address was found is only what comes
    behind it, so that the search stays linear.
    """
    pieces: list[str] = []
    end = at = 0
    while (found := _AT_DOMAIN.search(text, at)) is not None:
        at = found.start() + 1
        name_end = found.start()
        while name_end > end and _BESIDE_AT.match(text, name_end - 1):
            name_end -= 1
        begin = name_end
        while begin > end and text[begin - 1] not in _BETWEEN and not text[begin - 1].isspace():
            begin -= 1
        if text[found.start() - 1 : found.start()] == '"':  # a name in quotation marks may have spaces: "ann x"@...
            opening = text.rfind('"', max(end, found.start() - _LONGEST_NAME), found.start() - 1)
            begin = begin if opening < 0 else min(begin, opening)
        is_next = bool(pieces) and begin == end  # nothing is between this and the stars before it
        if begin == name_end and not is_next:
            continue  # nobody's: no name is before the sign
        if not is_next:
            pieces += [text[end:begin], MASK]
        rest = _TO_BETWEEN.match(text, found.end())
        end = at = found.end() if rest is None else rest.end()
    return "".join([*pieces, text[end:]]) if pieces else text


def mask_and_cut(text: str, *, longest: int, is_typed: bool = True) -> str:
    """Put stars, then cut; nobody's address stays because the cut went through it.

    ``is_typed`` says that people type or read the text, so that it is masked as by `mask_text`, and else as by `mask`.

    >>> mask_and_cut("0123456 ann@shop.example", longest=12)
    '0123456 ***'
    """
    stars = mask_text if is_typed else mask
    if len(text) <= longest:
        return stars(text)
    window = longest + 2 * LONGEST_MATCH
    masked = stars(text[:window])
    whole = len(masked) if len(text) <= window else len(masked) - LONGEST_MATCH
    cut = masked[: max(0, min(longest, whole))].rstrip()
    return cut or (MASK[:longest] if MASK in masked else "")
