"""What of an outbox file's log SQLite does not read, because something before it is damaged.

SQLite takes the first frame that is not whole for the end of its log. Mostly it is: a process was killed in the middle
of a commit. But where frames of the same log lie behind it, and one of them ended a commit, a byte before them was
changed, and what was committed there would be gone without a word. A cut of power may leave such frames too, of the one
commit it came into, which nobody was answered for. Which it was cannot be told, so the log is kept beside the file.

Until its copy is whole and on disk, the log stays as it is: nothing is written to it, and who cannot open the file does
not empty it. SQLite deletes the log of a file that is gone or empty, so that one gets its new name before SQLite looks.

Frames are known by the two salts of their log, of which one is enough: the other may be what was changed. Frames of an
older log, which lie behind the end of every log that was begun anew, have neither. So nothing has to be summed up, and
a look costs a few bytes for each frame. Frames that say what the file says already are not missed.

The format: https://www.sqlite.org/fileformat2.html, section 4.
"""

import contextlib
import os
import shutil
import struct
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, Final, NamedTuple

import apsw

from tikrelay.base.happenings import LogKept
from tikrelay.outbox.damage import KEPT_LOG, LOG, TAKEN_BACK
from tikrelay.outbox.database import Database
from tikrelay.outbox.folder import is_nothing, sync_folder
from tikrelay.outbox.schema import PAGE_SIZE

_HINT: Final = (
    "look at the disk and at the kernel's log; what could be read comes back by itself, see the page on troubleshooting"
)
_PARTIAL: Final = ".keeping"
HEADER_BYTES: Final = 32
_SALTS: Final = struct.Struct(">16xII")
_FRAME: Final = struct.Struct(">IIII")  # the page's number, the file's pages after a commit or 0, two salts
FRAME_HEADER_BYTES: Final = 24
_FRAME_BYTES: Final = FRAME_HEADER_BYTES + PAGE_SIZE

Salts = tuple[int, int]


class Frame(NamedTuple):
    """One page in a log; ``at`` says where the page begins, ``is_own`` that it is none of an older log."""

    page: int
    ends_commit: bool
    salts: Salts
    at: int
    is_own: bool = True


def log_of(path: Path) -> Path:
    """Where the log of an outbox file lies."""
    return path.with_name(f"{path.name}{LOG}")


def new_name_for_log(path: Path, at: float) -> Path:
    """A name to keep a log under that none before it has, or has had."""
    name = path.with_name(f"{path.name}{KEPT_LOG}{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}")
    had = name.with_name(name.name + TAKEN_BACK)
    return new_name_for_log(path, at + 1) if name.exists() or had.exists() else name


def keep_orphan(path: Path, *, at: float) -> LogKept | None:
    """Keep the log of a file that is gone or empty, before SQLite opens the file. That needs no room."""
    if is_nothing(log_of(path)) or not is_nothing(path):
        return None
    with log_of(path).open("rb", buffering=0) as log:
        frames = [frame for frame in frames_of(log) if frame.is_own]
    if not frames:
        return None
    kept = log_of(path).rename(new_name_for_log(path, at))
    kept.chmod(0o600)
    sync_folder(kept.parent)
    return LogKept(path=str(path), kept=kept.name, frames=len(frames), hint=_HINT)


def keep_left_out(database: Database, *, at: float) -> LogKept | None:
    """Keep the log of a file that was just opened when SQLite leaves out something of it that the file lacks."""
    left_out = count_left_out(database)
    if not left_out:
        return None
    kept = new_name_for_log(database.path, at)
    with log_of(database.path).open("rb", buffering=0) as log:
        _copy(log, kept, owner=database.path)
    with contextlib.suppress(apsw.BusyError):
        database.empty_log()  # lest the same frames are found again
    return LogKept(path=str(database.path), kept=kept.name, frames=left_out, hint=_HINT)


def count_left_out(database: Database) -> int:
    """How many frames SQLite leaves out of the log of a file that was just opened; 0 where the file lacks nothing."""
    read = database.frames_in_log()
    if is_nothing(log_of(database.path)):
        return 0
    with log_of(database.path).open("rb", buffering=0) as log:
        frames = frames_of(log)
        left_out = [frame for frame in frames[read:] if frame.is_own]
        ends_commit = any(frame.ends_commit for frame in left_out)
        return len(left_out) if ends_commit and _are_missed(database, log, frames[:read], left_out) else 0


def frames_of(log: IO[bytes]) -> list[Frame]:
    """All frames of a log in order, however damaged it is."""
    log.seek(0)
    header = log.read(HEADER_BYTES)
    frames = [_read_frame(log, at) for at in range(HEADER_BYTES, log.seek(0, 2) - _FRAME_BYTES + 1, _FRAME_BYTES)]
    if not frames:
        return []
    salts = _salts_of(header, frames)
    return [frame._replace(is_own=_share(frame.salts, salts)) for frame in frames]


def page_in(log: IO[bytes], at: int) -> bytes:
    """The page of a frame."""
    log.seek(at)
    return log.read(PAGE_SIZE)


def _read_frame(log: IO[bytes], at: int) -> Frame:
    log.seek(at)
    page, pages_after_commit, *salts = _FRAME.unpack(log.read(_FRAME.size))
    return Frame(page, pages_after_commit > 0, (salts[0], salts[1]), at + FRAME_HEADER_BYTES)


def _salts_of(header: bytes, frames: list[Frame]) -> Salts:
    """Those of the header, or, where no frame knows them, of the first two frames that agree."""
    first, second = _SALTS.unpack_from(header)
    if any(_share(frame.salts, (first, second)) for frame in frames):
        return first, second
    return next((one.salts for one, other in pairwise(frames) if one.salts == other.salts), frames[0].salts)


def _share(one: Salts, other: Salts) -> bool:
    return one[0] == other[0] or one[1] == other[1]


def _are_missed(database: Database, log: IO[bytes], read: list[Frame], left_out: list[Frame]) -> bool:
    """Say whether a page would look otherwise if SQLite had read on."""
    seen = {frame.page: frame.at for frame in read}
    with database.raw() as file:
        return any(
            page_in(log, at) != (page_in(log, seen[page]) if page in seen else _page_of(file, page))
            for page, at in {frame.page: frame.at for frame in left_out}.items()
        )


def _page_of(file: apsw.VFSFile, page: int) -> bytes:
    with contextlib.suppress(apsw.IOError):  # there is none
        return file.xRead(PAGE_SIZE, (page - 1) * PAGE_SIZE) if page else b""
    return b""


def _copy(log: IO[bytes], target: Path, *, owner: Path) -> None:
    """Write a log into a file of its own, and have it on disk. It gets its name when it is whole."""
    partial = owner.with_suffix(_PARTIAL)
    log.seek(0)
    try:
        with open(partial, "wb", opener=_for_its_owner) as file:
            with contextlib.suppress(PermissionError):  # it is for the server's user, whoever opens the file now
                os.chown(partial, owner.stat().st_uid, owner.stat().st_gid)
            shutil.copyfileobj(log, file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
