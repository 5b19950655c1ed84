"""Whether an outbox file that held something is gone, or empty: SQLite would begin it anew without a word.

That it held something stands in the lock beside it, which outlives the file. Whoever opens the place goes on with a new
file, tells it, and notes when that was, so that the server's status can tell it for a while, too.
"""

from pathlib import Path
from typing import Final

from tikrelay.base.errors import OutboxBroken
from tikrelay.base.happenings import OutboxVanished
from tikrelay.outbox.folder import is_nothing
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.log_tail import log_of

_HELD: Final = "holds events"
_ANEW: Final = "; begun anew at "
_TOLD_FOR_S: Final = 3600.0
_HINT: Final = (
    "look at the disk, and for a backup; where you moved or emptied it yourself, nothing is to be done:"
    " it is told for an hour"
)
_HINT_LOG: Final = "leave the log there; what can be read in it comes back when a server opens the file next"


def has_vanished(path: Path, lock: OutboxLock) -> bool:
    """Say whether a file that held something is not there, or has nothing in it."""
    return lock.note().startswith(_HELD) and is_nothing(path)


def note_that_it_holds(lock: OutboxLock) -> None:
    """Note that something is in a file now."""
    if not lock.note():
        lock.write_note(_HELD)


def begin_anew(path: Path, lock: OutboxLock, *, at: float) -> OutboxVanished:
    """Note that a file had vanished; returns what is to be told."""
    lock.write_note(f"{_HELD}{_ANEW}{at:.0f}")
    return OutboxVanished(path=str(path), what=_what(path), hint=_HINT)


def refuse_vanished(path: Path, lock: OutboxLock, *, dry_run: bool) -> None:
    """Raise OutboxBroken where nothing is left to salvage. That it was told is told no more, unless a log is left."""
    if not has_vanished(path, lock):
        return
    if not is_nothing(log_of(path)):
        raise OutboxBroken(f"{path} {_how(path)}, but its log is left", hint=_HINT_LOG)
    if not dry_run:
        lock.write_note("")
    raise OutboxBroken(f"{path} {_what(path)}", hint="look for a backup; nothing is left to save")


def vanished_in(folder: Path, *, now: float) -> list[str]:
    """The files that vanished: those that nobody has opened since, and those begun anew within the last hour."""
    locks = [OutboxLock(path.with_suffix(".db")) for path in folder.glob("outbox-*.lock")]
    return sorted(lock.path.with_suffix(".db").name for lock in locks if _is_to_be_told(lock, now))


def _is_to_be_told(lock: OutboxLock, now: float) -> bool:
    note = lock.note()
    _, _, at = note.partition(_ANEW)
    if at.isdigit() and now - int(at) < _TOLD_FOR_S:
        return True
    return note.startswith(_HELD) and is_nothing(lock.path.with_suffix(".db")) and not lock.is_held()


def _how(path: Path) -> str:
    return "is empty" if path.exists() else "is gone"


def _what(path: Path) -> str:
    return f"held events, and {_how(path)}: what waited in it is lost, unless it was moved away"
