"""A sound outbox file is made of what can be read in a damaged one, and put in its place.

::

    outbox-000.db ── read ──> outbox-000.salvaging ── whole, on disk ──> outbox-000.salvaged
    outbox-000.db, -wal, -shm ──> outbox-000.db.damaged-20261124T093000Z, ...
    outbox-000.salvaged ──> outbox-000.db, and only then the mark is removed

The file's lock is held all the while, and until the last step the mark keeps everybody from opening what lies there. A
kill at any moment leaves the old file or the whole new one, and the next salvage goes on from there. The new file has
the number of the old one, so that the server's books and the references of its events go on.
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw
import msgspec

from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.failpoints import passing
from tikrelay.outbox.damage import KEPT, is_marked, mark_of
from tikrelay.outbox.database import Database
from tikrelay.outbox.folder import sync_folder
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.pages import Pages, page_sizes
from tikrelay.outbox.rebuild import Rebuilt, count_events, rebuild
from tikrelay.outbox.remains import Remains, Row
from tikrelay.outbox.schema import PAGE_SIZE, prepare
from tikrelay.outbox.store import State
from tikrelay.outbox.vanished import refuse_vanished

_BESIDE: Final = ("", "-wal", "-shm")


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one file.

    ``saved``        events in the new file, by where they are
    ``lost``         those that were there and could not be read
    ``at_least``     of these nobody knows how many were lost beyond that
    ``counts_made``  destinations whose counts could not be relied on, and were made of what was found
    ``lost_beside``  figures of past hours and days, or traces, could not all be read; no event is lost by that
    ``kept_as``      the name the damaged file has now; empty after a dry run
    """

    file: str
    saved: dict[State, int]
    lost: dict[State, int] = {}
    at_least: tuple[State, ...] = ()
    counts_made: tuple[str, ...] = ()
    lost_beside: bool = False
    kept_as: str = ""

    @property
    def is_all(self) -> bool:
        """Say whether no event was lost."""
        return not (any(self.lost.values()) or self.at_least or self.counts_made)


def salvage(path: Path, *, now: float, dry_run: bool = False) -> Salvaged:
    """Save what can be read. Raises OutboxInUse, OutboxBroken where there is nothing to mend, OutboxUnavailable."""
    if not path.parent.is_dir():
        raise _no_file(path)
    lock = OutboxLock(path)
    lock.acquire()
    try:
        return _salvage(path, lock, now=now, dry_run=dry_run)
    except (OSError, apsw.Error) as error:
        hint = "look at the room and the permissions there; nothing is lost by this, try it again"
        raise OutboxUnavailable(f"cannot salvage {path}: {error}", hint=hint) from None
    finally:
        lock.release()


def _no_file(path: Path) -> OutboxBroken:
    return OutboxBroken(f"there is no file {path}", hint="name one that is there, such as outbox-000.db")


def _salvage(path: Path, lock: OutboxLock, *, now: float, dry_run: bool) -> Salvaged:
    whole, partial = path.with_suffix(".salvaged"), path.with_suffix(".salvaging")
    if whole.exists() and not path.exists():  # the last salvage was ended between two names
        done = Salvaged(file=path.name, saved=_count(whole))
        return done if dry_run else _put_in_place(path, whole, done, now)
    if not is_marked(path):
        refuse_vanished(path, lock, dry_run=dry_run)
    if not path.exists():
        raise _no_file(path)
    whole.unlink(missing_ok=True)
    _remove(partial)
    try:
        done = Salvaged(file=path.name, **_make(partial, path)._asdict())
        if dry_run:
            return done
        if done.is_all and not (done.lost_beside or is_marked(path)):
            raise OutboxBroken(f"{path} is sound: all of it can be read", hint="leave it as it is")
        partial.rename(whole)
    finally:
        _remove(partial)
    return _put_in_place(path, whole, done, now)


def _make(partial: Path, damaged: Path) -> Rebuilt:
    """Write what can be read into a new file, and have it on disk."""
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    owner = damaged.stat()
    with contextlib.suppress(PermissionError):  # it is for the server's user, whoever runs this
        os.chown(partial, owner.st_uid, owner.st_gid)
    database = Database(partial)
    try:
        prepare(database)
        database.pragma("journal_mode", "memory")  # after a crash it is made anew
        database.pragma("synchronous", 0)
        database.run("BEGIN")
        with Pages(damaged, _page_size(damaged)) as pages:
            done = rebuild(database, Remains(pages))
        database.run("COMMIT")
    finally:
        database.close()
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    passing("in_salvage")
    return done


def _page_size(path: Path) -> int:
    """Of the sizes its pages may have the one with which most is found; nearly always there is but one."""
    sizes = list(dict.fromkeys([PAGE_SIZE, *page_sizes(path)]))
    return max(sizes, key=lambda size: _rows_found(path, size)) if len(sizes) > 1 else PAGE_SIZE


def _rows_found(path: Path, size: int) -> int:
    with Pages(path, size) as pages:
        return sum(isinstance(row, Row) for row in Remains(pages).rows())


def _put_in_place(path: Path, whole: Path, done: Salvaged, now: float) -> Salvaged:
    """Rename the damaged file, then the new one, and remove the mark."""
    sync_folder(path.parent)
    begun = sorted(path.parent.glob(f"{path.name}{KEPT}*Z"))
    kept = _new_name(path, now) if path.exists() or not begun else begun[-1]
    for ending in _BESIDE:  # the file first: as long as it bears its name, its log is beside it
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(kept.with_name(kept.name + ending))
        passing("in_salvage")
    sync_folder(path.parent)
    whole.rename(path)
    sync_folder(path.parent)
    passing("in_salvage")
    mark_of(path).unlink(missing_ok=True)
    sync_folder(path.parent)
    return msgspec.structs.replace(done, kept_as=kept.name)


def _new_name(path: Path, now: float) -> Path:
    """A name for the damaged file that none before it has."""
    name = path.with_name(f"{path.name}{KEPT}{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}")
    return _new_name(path, now + 1) if name.exists() else name


def _remove(partial: Path) -> None:
    for ending in (*_BESIDE, "-journal"):
        partial.with_name(partial.name + ending).unlink(missing_ok=True)


def _count(path: Path) -> dict[State, int]:
    database = Database(path)
    try:
        return count_events(database)
    finally:
        database.close()
