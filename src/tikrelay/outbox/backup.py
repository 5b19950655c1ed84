"""A copy of every outbox file, each as it was at one moment, also while a server writes to it.

SQLite's own backup reads the file and its log as one reader more; nobody waits for it. A copy is looked through before
it gets its name, so what bears the name of an outbox file is whole. A file that was found damaged is not copied. Nor
is what stands in a log that SQLite does not read: whoever owns the file next takes it back (``outbox.kept_log``), so
such a log is left as it is, and named.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

import apsw
import msgspec

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.outbox.damage import TAKEN_BACK
from tikrelay.outbox.database import Database
from tikrelay.outbox.folder import OutboxFolder, is_nothing, sync_folder
from tikrelay.outbox.lock import is_free
from tikrelay.outbox.log_tail import count_left_out, log_of

_HINT: Final = "look at the room and the permissions there; nothing of the outbox itself was changed"
_PARTIAL: Final = ".partial"
_COUNTS: Final = {
    "waiting": "SELECT count(*) FROM waiting",
    "dead": "SELECT count(*) FROM dead",
    "delivered": "SELECT count(*) FROM delivered",
}


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was copied: its name, its size in bytes, and how many events wait, are dead and were delivered."""

    file: str
    bytes: int
    events: dict[str, int]


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """All files that were copied.

    ``damaged``   the names of those that were not, for they are damaged
    ``logs_left`` the names of logs with events that stand in no copy
    """

    folder: str
    copied: tuple[Copied, ...]
    damaged: tuple[str, ...]
    logs_left: tuple[str, ...] = ()


def back_up(folder: OutboxFolder, target: Path) -> BackedUp:
    """Copy every file into a folder that is made, or empty. Raises OutboxUnavailable."""
    _make_empty(folder.path, target)
    damaged = set(folder.damaged())
    left_behind = _left_behind(folder)
    sources = [folder.path / name for name in folder.names() if name not in damaged]
    sources = [path for path in sources if log_of(path).name not in left_behind]
    try:
        in_part = [log_of(path).name for path in sources if _is_left_in_part(path)]
        copied = tuple(_copy(path, target) for path in sources)
        sync_folder(target)
    except (OSError, apsw.Error) as error:
        raise OutboxUnavailable(f"cannot copy to {target}: {error}", hint=_HINT) from None
    kept = [name for name in folder.kept_logs() if not name.endswith(TAKEN_BACK)]
    logs_left = tuple(sorted([*left_behind, *in_part, *kept]))
    return BackedUp(folder=str(target), copied=copied, damaged=tuple(sorted(damaged)), logs_left=logs_left)


def _left_behind(folder: OutboxFolder) -> list[str]:
    """The logs whose file is gone or empty: SQLite would delete one if such a file were opened."""
    logs = [log for log in folder.path.glob("outbox-*.db-wal") if not is_nothing(log)]
    return [log.name for log in logs if is_nothing(log.with_name(log.name.removesuffix("-wal")))]


def _is_left_in_part(path: Path) -> bool:
    """Say whether SQLite leaves out something of a log; who owns the file has looked at that himself."""
    if is_nothing(log_of(path)) or not is_free(path):
        return False
    database = Database(path)
    try:
        return count_left_out(database) > 0
    finally:
        database.write_no_more()
        database.close()


def _make_empty(outbox: Path, target: Path) -> None:
    if target.resolve() == outbox.resolve() or outbox.resolve() in target.resolve().parents:
        hint = "a server would take the copies for its own files; choose a folder elsewhere, best on another disk"
        raise OutboxUnavailable(f"{target} lies in the outbox itself", hint=hint)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise OutboxUnavailable(f"{target} is not empty", hint="give each backup a folder of its own")
    except OSError as error:
        raise OutboxUnavailable(f"cannot use {target}: {error.strerror}", hint=_HINT) from None


def _copy(source: Path, target: Path) -> Copied:
    partial, whole = target / f"{source.name}{_PARTIAL}", target / source.name
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        counts = _fill(partial, source)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(whole)
    except BaseException:
        for left in (partial, *(Path(f"{partial}{ending}") for ending in ("-wal", "-shm", "-journal"))):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        raise
    return Copied(file=source.name, bytes=whole.stat().st_size, events=counts)


def _fill(path: Path, source: Path) -> dict[str, int]:
    """Copy into a file, and look through what is there now; returns how many events each table holds."""
    copy = Database(path)
    try:
        copy.become_copy_of(source)
        if (found := copy.pragma("integrity_check")) != "ok":
            raise apsw.CorruptError(str(found))
        there = {row[0] for row in copy.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        return {table: copy.value(statement) for table, statement in _COUNTS.items() if table in there}
    finally:
        copy.close()
