"""Query strings and forms, decoded once.

The splitting is ours and the percent-decoding is yarl's C code, behind one function: the standard library's parser is
most of the cost of a hit (docs/dependencies.md). It stays the yardstick in the tests.
"""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes


def _standard_unquote(text: str) -> str:
    """Decode percent signs and pluses; bytes that are no UTF-8 become U+FFFD."""
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def _fast_unquote() -> Callable[[str], str]:
    """Take yarl's unquoter, which is not part of its public names, or do without."""
    try:
        from yarl._quoting import _Unquoter
    except ImportError:
        return _standard_unquote
    unquoter = _Unquoter(plus=True)

    def unquote(text: str) -> str:
        if "%" not in text and "+" not in text:
            return text
        decoded = str(unquoter(text))
        return decoded if "%" not in decoded else _standard_unquote(text)  # an invalid sequence: decoded by the book

    return unquote


unquote = _fast_unquote()


def pairs(text: str) -> list[tuple[str, str]]:
    """Split at ``&`` and the first ``=``, and decode both sides; a key without ``=`` has an empty value.

    >>> pairs("en=page_view&dt=a+b%20c&richsstsse&&x==1")
    [('en', 'page_view'), ('dt', 'a b c'), ('richsstsse', ''), ('x', '=1')]
    """
    found: list[tuple[str, str]] = []
    for part in text.split("&"):
        if part:
            key, _, value = part.partition("=")
            found.append((unquote(key), unquote(value)))
    return found


def last_of_each(text: str) -> dict[str, str]:
    """The parameters by name; of a repeated one the last counts."""
    return dict(pairs(text))
