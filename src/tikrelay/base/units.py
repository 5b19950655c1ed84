"""Lengths of time as people write them in settings."""

import re
from typing import Final, Self

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([smhd])\s*", re.ASCII)


class Duration(float):
    """Seconds, written ``"90s"``, ``"15m"``, ``"36h"`` or ``"7d"``.

    >>> Duration.parse("7d")
    Duration('7d')
    >>> Duration.parse("1.5h") == 5400
    True
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one; raises ValueError, with what to write instead."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f'{text!r} is not a length of time; write a number and s, m, h or d, such as "7d"')
        return cls(float(match[1]) * _SECONDS[match[2]])

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"

    def __str__(self) -> str:
        unit, size = next(((u, n) for u, n in reversed(_SECONDS.items()) if self and self % n == 0), ("s", 1))
        return f"{self / size:g}{unit}"
