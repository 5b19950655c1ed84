"""Every error tikrelay raises.

::

    TikrelayError
    ├── ConfigError            the settings cannot be used; carries every Mistake at once   (exit 78)
    ├── InputRefused           a request cannot be taken; becomes one 4xx answer               (exit 65)
    └── OutboxError
        ├── OutboxInUse        another process owns the directory or the file                (exit 75)
        ├── OutboxUnavailable  nothing can be stored now; becomes 503 with Retry-After
        └── OutboxBroken       the file is damaged or newer than this program                (exit 70)

What happens as a matter of course (a dropped event, a refusal by TikTok) is a value, not an error.
"""

from typing import Final

import msgspec

# sysexits.h, as systemd and cron report them.
EXIT_USAGE: Final = 64
EXIT_DATA: Final = 65
EXIT_SOFTWARE: Final = 70
EXIT_TEMPORARY: Final = 75
EXIT_CONFIG: Final = 78


class TikrelayError(Exception):
    """Something went wrong that a person can act on: what, and what to do about it."""

    exit_code: int = EXIT_SOFTWARE

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class Mistake(msgspec.Struct, frozen=True):
    """One thing wrong in the settings: where it stands, what is wrong, what to write instead."""

    where: str
    key: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.where}: {self.key}: {self.what}{hint}"


class ConfigError(TikrelayError):
    """The settings cannot be used. Holds every mistake found, not the first."""

    exit_code = EXIT_CONFIG

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


class InputRefused(TikrelayError):
    """A request that cannot be taken, with the HTTP status and the short code its answer carries."""

    exit_code = EXIT_DATA

    def __init__(self, status: int, code: str, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.status = status
        self.code = code


class OutboxError(TikrelayError):
    """The outbox cannot do what was asked."""


class OutboxInUse(OutboxError):
    """Another process owns it."""

    exit_code = EXIT_TEMPORARY


class OutboxUnavailable(OutboxError):
    """Nothing can be stored at this moment (disk full, disk failing, closing)."""


class OutboxBroken(OutboxError):
    """The file cannot be used as it is."""
