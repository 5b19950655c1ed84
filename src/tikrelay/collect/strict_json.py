"""JSON from strangers: decoded within bounds, and fit for everything that comes after."""

import math
import re
from typing import Final

import msgspec

from tikrelay.base.errors import InputRefused
from tikrelay.event import Json

_DEEPEST: Final = 32
_MOST_MEMBERS: Final = 20_000
_LARGEST_INT: Final = 2**63
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HINT: Final = "send UTF-8 JSON as RFC 8259 has it"


def read_json(raw: bytes) -> Json:
    """Decode one JSON text. Raises InputRefused (400).

    NaN, Infinity and what no double can hold are refused; so is nesting beyond 32. Integers beyond 64 bits become
    numbers as doubles have them. Lone surrogates become U+FFFD.
    """
    text = raw.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise InputRefused(400, "empty_body", "the body is empty", hint=_HINT)
    try:
        value: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise InputRefused(400, "bad_json", f"the body is not readable JSON: {_why(error)}", hint=_HINT) from None
    budget = [_MOST_MEMBERS]
    return _fit(value, 0, budget)


def _why(error: BaseException) -> str:
    """Say where it broke, not what stood there."""
    return (
        str(error)[:120]
        if isinstance(error, msgspec.DecodeError)
        else "it is nested too deeply or holds too long a number"
    )


def _fit(value: Json, depth: int, budget: list[int]) -> Json:
    budget[0] -= 1
    if depth > _DEEPEST or budget[0] < 0:
        raise InputRefused(
            400, "bad_json", "the body is nested too deeply or holds too much", hint="send fewer events at once"
        )
    if isinstance(value, str):
        return fit_text(value)
    if isinstance(value, dict):
        return {fit_text(key): _fit(inner, depth + 1, budget) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fit(inner, depth + 1, budget) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INT:
        return float(value) if abs(value) < 10**300 else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def fit_text(text: str) -> str:
    r"""Replace what UTF-8 cannot hold.

    >>> fit_text("a\ud800b")
    'a\ufffdb'
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
