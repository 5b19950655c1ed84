"""Numbers as shops' templates write them: ``19``, ``"14,90"``, ``"1.299,00 EUR"``."""

import math
import re
import unicodedata
from decimal import Decimal
from typing import Final

from tikrelay.event import Json
from tikrelay.mapping.personal import mask

# A sign, then digits with dots, commas, spaces or apostrophes between them; a currency may stand around them.
_AROUND: Final = r"[^\d+\-.,]{0,12}"
_ABBREVIATED: Final = r"(?:[^\W\d_]{1,4}\.(?=[ \d]))?"  # "Rs. 500"
_DIGITS: Final = r"(\d[\d.,' \u00a0\u202f\u2019]{0,40}|[.,]\d{1,20})"
_FORM: Final = re.compile(
    rf"{_ABBREVIATED}{_AROUND}([+-]?){_AROUND}{_DIGITS}[\-\u2013\u2014]{{0,2}}{_AROUND}[.\-]{{0,2}}"
)
_PLAIN: Final = re.compile(r"[+-]?\d{1,25}(?:\.\d{1,25})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_AMOUNT_SIGNS: Final = frozenset(".,'-\u2013\u2014+ \u00a0\u202f\u2019")
# What may stand beside an amount: the codes of ISO 4217, and how people write them. Anything else ("1.5k", "5 kg") says
# that the number is not the amount it looks like.
_CURRENCY_WORDS: Final = frozenset(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf clp
    cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk htg huf
    idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl mga mkd mmk
    mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar
    sbd scr sdg sek sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt tnd top try ttd twd tzs uah ugx usd uyu uzs ved
    ves vnd vuv wst xaf xcd xof xpf yer zar zmw zwl
    euro euros dollar dollars pound pounds rs inr kr kč kc zł zl \u043b\u0432 \u0440\u0443\u0431 \u0440 ft lei din
    rm rp us au ca nz hk nt mx r a c s
    fr sfr tl dh qr sr kd bd dhs ksh tsh ush rmb yuan yen
    """.split()  # noqa: SIM905  a list of 200 words in quotes would be a page
)
_SPACES: Final = re.compile(r"[' \u00a0\u202f\u2019]")
_GROUPED: Final = re.compile(r"\d{1,3}(?: \d{2,3})* \d{3}(?:[.,]\d*)?", re.ASCII)
_NO_CENTS: Final = re.compile(r"[.,][-\u2013\u2014]")
_SEVERAL: Final = re.compile(r"[.,]")
_PARTED: Final = re.compile(r"\d{1,3}(?:[.,]\d{2,3})*[.,]\d{3}", re.ASCII)  # India parts by two
_SHOWN: Final = frozenset("0123456789.,'-+ \u00a0\u202f\u2019\u2212")
_LONGEST_SHOWN: Final = 40
_EXACT: Final = 2**53  # up to here every whole number is one of JavaScript's
_THOUSANDS: Final = re.compile(r"[1-9]\d*,\d{3}", re.ASCII)


def read_number(value: Json) -> int | float | None:
    """Read a number; whole ones come out as integers, None is what is none.

    One dot begins the cents, and so does one comma, unless three digits follow it: then it parts thousands, as a sign
    that stands several times does. Where dots and commas both stand, the cents come after the last.

    >>> [read_number(text) for text in ("1.299,00", "14,90", "1,299", "1.299", "1,299.50", "1.001.900", "42.50 EUR")]
    [1299, 14.9, 1299, 1.299, 1299.5, 1001900, 42.5]
    >>> read_number("10 - 20"), read_number(True), read_number(float("inf")), read_number(0)
    (None, None, None, 0)
    """
    if isinstance(value, str):
        text = _decimal_text(value)
        return None if text is None else narrow(float(text))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return narrow(value)


def told_reading(value: Json, number: float) -> str:
    """Say how a text that is no plain number was read; nothing of a plain one. Letters around it are not shown.

    >>> told_reading("EUR 14,90", 14.9), told_reading("14.90", 14.9), told_reading(14.9, 14.9)
    ('14,90 read as 14.9', '', '')
    """
    if not isinstance(value, str) or _PLAIN.fullmatch(value.strip()):
        return ""
    shown = "".join(sign for sign in value if sign in _SHOWN or unicodedata.category(sign) == "Sc")
    return f"{' '.join(shown.split()).lstrip('. ')[:_LONGEST_SHOWN]} read as {number}"


def narrow(number: float | Decimal) -> int | float | None:
    """Give whole numbers as integers; None for what JSON cannot hold."""
    if isinstance(number, int) and abs(number) < _EXACT:
        return number
    try:
        plain = float(number)
    except OverflowError:
        return None
    if not math.isfinite(plain):
        return None
    return int(plain) if plain.is_integer() and abs(plain) < _EXACT else plain


def _decimal_text(text: str) -> str | None:
    """Write a number's text with a dot at most, or None."""
    given = text.strip().replace("\u2212", "-")
    if len(given) > 60 or (("+" in given or "00" in given) and mask(given) != given):
        return None  # nobody's phone number is an amount
    if _PLAIN.fullmatch(given):
        return given
    match = _FORM.fullmatch(given)
    if match is None or any(sign.isdigit() and not sign.isascii() for sign in given):
        return None
    if not _is_amount(given):
        return None
    digits = _SPACES.sub(" ", match[2]).strip()
    if " " in digits and not _GROUPED.fullmatch(digits):
        return None
    whole = digits.replace(" ", "")
    if _NO_CENTS.search(given) and whole[-1:] in {".", ","}:  # "1.299,-" has no cents, so its dot parts thousands
        return match[1] + _SEVERAL.sub("", whole)
    plain = _with_one_dot(whole.rstrip(".,"))
    return None if plain is None else match[1] + plain


def _is_amount(text: str) -> bool:
    """Say whether nothing but a currency stands beside the digits."""
    if any(word.casefold() not in _CURRENCY_WORDS for word in _LETTERS.findall(text)):
        return False
    return all(sign.isalnum() or sign in _AMOUNT_SIGNS or unicodedata.category(sign) == "Sc" for sign in text)


def _with_one_dot(digits: str) -> str | None:
    dots, commas = digits.count("."), digits.count(",")
    if dots and commas:
        decimal, other = (",", ".") if digits.rfind(",") > digits.rfind(".") else (".", ",")
        whole, _, part = digits.replace(other, "").rpartition(decimal)
        return f"{whole.replace(decimal, '')}.{part}"
    if dots > 1 or commas > 1:
        return _SEVERAL.sub("", digits) if _PARTED.fullmatch(digits) else None
    return digits.replace(",", "") if _THOUSANDS.fullmatch(digits) else digits.replace(",", ".")
