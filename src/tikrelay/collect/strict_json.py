"""JSON from strangers: decoded within bounds, and fit for everything that comes after."""

import json
import math
import re
from typing import Final

import msgspec

from tikrelay.base.errors import InputRefused
from tikrelay.event import Json

_DEEPEST: Final = 32
_MOST_MEMBERS: Final = 100_000  # 1,000 events of 100 values
_LARGEST_INT: Final = 2**63
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LONGEST_NUMBER: Final = 400
_HINT: Final = "send UTF-8 JSON as RFC 8259 has it"


def read_json(raw: bytes) -> Json:
    """Decode one JSON text. Raises InputRefused (400).

    One odd value does not cost the rest: NaN and Infinity become null; numbers that no double, and integers that no
    64 bits can hold stay text (so a long order number keeps its digits); lone surrogates and bytes that are no UTF-8
    become U+FFFD. Nesting beyond 32 is refused.
    """
    text = raw.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise InputRefused(400, "empty_body", "the body is empty", hint=_HINT)
    try:
        value: Json = msgspec.json.decode(text)
    except RecursionError:
        raise _too_much() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        value = _read_leniently(text, why=error)
    budget = [_MOST_MEMBERS]
    return _fit(value, 0, budget)


def _read_leniently(text: bytes, *, why: Exception) -> Json:
    """Read with the standard library what is JSON but for single values; slower, so tried second."""
    try:
        value: Json = json.loads(
            text.decode("utf-8", "replace"), parse_constant=_nothing, parse_int=_integer, parse_float=_number
        )
    except RecursionError:
        raise _too_much() from None
    except ValueError:
        where = str(why)[:120] if isinstance(why, msgspec.DecodeError) else "it is not UTF-8"  # never what stood there
        raise InputRefused(400, "bad_json", f"the body is not readable JSON: {where}", hint=_HINT) from None
    return value


def _too_much() -> InputRefused:
    what = "the body is nested too deeply or holds too much"
    return InputRefused(400, "bad_json", what, hint="send fewer events at once")


def _nothing(_: str) -> None:
    """NaN and Infinity, which JSON does not have and Python and pandas write for what is missing."""


def _integer(text: str) -> int | str:
    return int(text) if len(text) < 20 else text[:_LONGEST_NUMBER]


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text[:_LONGEST_NUMBER]


def _fit(value: Json, depth: int, budget: list[int]) -> Json:
    budget[0] -= 1
    if depth > _DEEPEST or budget[0] < 0:
        raise _too_much()
    if isinstance(value, str):
        return fit_text(value)
    if isinstance(value, dict):
        return {fit_text(key): _fit(inner, depth + 1, budget) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fit(inner, depth + 1, budget) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INT:
        return str(value)
    return value


def fit_text(text: str) -> str:
    r"""Replace what UTF-8 cannot hold.

    >>> fit_text("a\ud800b")
    'a\ufffdb'
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
