"""How a stranger's text is shown to a person: on one line, without signs that steer a terminal."""

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, direction marks, halves of signs, line breaks


def one_line(text: str) -> str:
    r"""Put a space for every sign that is not one to be read.

    >>> one_line("a\nb\x1b[31mc")
    'a b [31mc'
    """
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(sign) in _HIDDEN else sign for sign in text)
