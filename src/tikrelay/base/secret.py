"""A value that prints as stars."""

import re
from typing import Final

_STARS: Final = "********"


class Secret:
    """A token or password: equal to itself, true when set, and never shown by accident.

    ``repr``, ``str``, f-strings and tracebacks show stars. ``reveal()`` is called where the value goes out
    (``tiktok/api.py``), is compared with what a caller sent, or is handed to a worker of ours (``app/crew.py``), and
    nowhere else.

    >>> token = Secret("abc")
    >>> print(token, [token], f"{token}")
    ******** [Secret(********)] ********
    >>> token.reveal(), bool(Secret(""))
    ('abc', False)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Say whether the whole value has a form, without showing it."""
        return pattern.fullmatch(self._value) is not None

    def __repr__(self) -> str:
        return f"Secret({_STARS})"

    def __str__(self) -> str:
        return _STARS

    def __format__(self, spec: str) -> str:
        return format(_STARS, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not pickled or copied to another process; pass where it came from")
