"""How a stranger's text is shown to a person: on one line, with every sign that is not seen or steers made visible."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

# Signs that programs are to show nothing for, assigned or not (Unicode, DerivedCoreProperties: Default_Ignorable), and
# the Braille pattern without a dot: with one of them, two ids look alike.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_STEERS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, direction marks, halves of signs, line breaks


def one_line(text: str) -> str:
    r"""Put a space for every line break and tab, and its code for every other sign that is not one to be read.

    >>> one_line("a\nb"), one_line("R-1001" + chr(0x200B)), one_line(chr(0x1B) + "[31mc")
    ('a b', 'R-1001⟨200B⟩', '⟨001B⟩[31mc')
    """
    return with_hidden(text, _in_words)


def with_hidden(text: str, shown: Callable[[str], str]) -> str:
    """Show every sign that is not seen, or steers, as ``shown`` says."""
    if text.isprintable() and (text.isascii() or _UNSEEN.search(text) is None):
        return text
    return "".join(shown(sign) if _is_hidden(sign) else sign for sign in text)


def _is_hidden(sign: str) -> bool:
    return unicodedata.category(sign) in _STEERS or _UNSEEN.match(sign) is not None


def _in_words(sign: str) -> str:
    return " " if sign.isspace() else f"⟨{ord(sign):04X}⟩"
