"""What a failed write means: for the jobs that shared it, for the connection, and in words."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Final

import apsw

from tikrelay.outbox.damage import how_to_mend
from tikrelay.outbox.room import REPLACED


class ReplacedError(Exception):
    """The open file, or its lock, is not where it was any more."""


class BesideError(Exception):
    """What is kept beside the events (figures, traces) is damaged, and goes on without; its words are SQLite's."""


class EscapedError(Exception):
    """What was not expected ended the work of the outbox's thread in the middle; its name alone is told."""


DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError)
FATAL: Final = (*DAMAGE, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, ReplacedError, EscapedError)
NO_FAULT_OF_A_JOB: Final = (apsw.FullError, apsw.BusyError, apsw.NoMemError, MemoryError)


@contextlib.contextmanager
def beside() -> Generator[None, None, None]:
    """Work on figures or traces, whose damage is none of the events'. Raises BesideError."""
    try:
        yield
    except DAMAGE as error:
        raise BesideError(words_of(error)) from None


def hint_of(error: Exception, path: Path) -> str:
    """What to do about an error that a file met."""
    match error:
        case apsw.FullError():
            return "free some room on its disk"
        case apsw.BusyError():
            return "another program has the file open; close it there"
        case apsw.CorruptError() | apsw.NotADBError():
            return how_to_mend(path)
        case ReplacedError():
            return "stop the server before you restore a copy, leave .lock and -wal files alone; it is starting anew"
        case EscapedError():
            return "give the server more memory where that is what it wants for; the server is starting anew"
        case _ if isinstance(error, FATAL):
            return "look at the disk and at the kernel's log; the server is starting anew"
        case _:
            return ""


def reason_of(error: Exception) -> str:
    """Its name, as a metric has it."""
    if isinstance(error, EscapedError):
        return str(error)
    return REPLACED if isinstance(error, ReplacedError) else type(error).__name__


def words_of(error: Exception) -> str:
    """What SQLite says, with the name of its finer code. Other errors may quote an event, and say nothing here."""
    if isinstance(error, ReplacedError | EscapedError | UnicodeDecodeError):
        return str(error)
    if not isinstance(error, apsw.Error):
        return ""
    code = getattr(error, "extendedresult", 0)
    finer = apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes.get(code)
    return f"{error} ({finer})" if finer else str(error)
