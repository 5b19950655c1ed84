"""Numbers as a hit writes them: those of event parameters and those inside an item."""

import math
import re
from typing import Final

from tikrelay.event import Json

_IN_SCRIPT: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_IN_ITEM: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)


def read_float(text: str) -> int | float | None:
    """A number as JavaScript writes it, whole ones as integers; None for what is none, and for NaN and Infinity.

    >>> read_float("19"), read_float("-1.50"), read_float("1e+21"), read_float("NaN"), read_float("1_0")
    (19, -1.5, 1e+21, None, None)
    """
    number = float(text) if len(text) < 50 and _IN_SCRIPT.fullmatch(text) else math.nan
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def read_number(text: str) -> Json:
    """A number where it is one, else the text.

    >>> read_number("12"), read_number("9.50"), read_number("1.001.900,00"), read_number("NaN")
    (12, 9.5, '1.001.900,00', 'NaN')
    """
    if not _IN_ITEM.fullmatch(text):
        return text
    if text.lstrip("-").isdigit():
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else text
