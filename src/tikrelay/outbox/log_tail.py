"""What of an outbox file's log SQLite does not read, because something before it is damaged.

SQLite takes the first frame that is not whole for the end of its log. Mostly it is: a process was killed in the middle
of a commit. But where frames of the same log lie behind it, and one of them ended a commit, a byte before them was
changed, and what was committed there would be gone without a word. A cut of power may leave such frames too, of the one
commit it came into, which nobody was answered for. Which it was cannot be told, so the log is kept beside the file.

Frames are known by the two salts of their log, of which one is enough: the other may be what was changed. Frames of an
older log, which lie behind the end of every log that was begun anew, have neither. So nothing has to be summed up, and
a look costs a few bytes for each frame. Frames that say what the file says already are not missed.

The format: https://www.sqlite.org/fileformat2.html, section 4.
"""

import contextlib
import io
import os
import shutil
import struct
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, Final, NamedTuple

import apsw

from tikrelay.base.happenings import LogKept
from tikrelay.outbox.damage import KEPT_LOG
from tikrelay.outbox.database import Database
from tikrelay.outbox.folder import sync_folder
from tikrelay.outbox.schema import PAGE_SIZE

_HINT: Final = (
    "look at the disk and at the kernel's log; what could be read comes back by itself, see the page on troubleshooting"
)
_HEADER_BYTES: Final = 32
_SALTS: Final = struct.Struct(">16xII")
_FRAME: Final = struct.Struct(">IIII")  # the page's number, the file's pages after a commit or 0, two salts
_FRAME_HEADER_BYTES: Final = 24
_FRAME_BYTES: Final = _FRAME_HEADER_BYTES + PAGE_SIZE

Salts = tuple[int, int]


class Frame(NamedTuple):
    """One page in a log; ``at`` says where the page begins."""

    page: int
    ends_commit: bool
    salts: Salts
    at: int


def log_of(path: Path) -> Path:
    """Where the log of an outbox file lies."""
    return path.with_name(f"{path.name}-wal")


def new_name_for_log(path: Path, at: float) -> Path:
    """A name to keep a log under that none before it has."""
    name = path.with_name(f"{path.name}{KEPT_LOG}{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}")
    return new_name_for_log(path, at + 1) if name.exists() else name


def open_log(path: Path) -> IO[bytes]:
    """Open the log of a file that SQLite has not opened yet, for it deletes the log of an empty file."""
    with contextlib.suppress(FileNotFoundError):
        return log_of(path).open("rb", buffering=0)
    return io.BytesIO()


def keep_left_out(database: Database, log: IO[bytes], *, at: float) -> LogKept | None:
    """Keep the log of a file that was just opened when SQLite leaves out something of it that the file lacks."""
    read = database.frames_in_log()
    frames = frames_of(log)
    left_out = [frame for frame in frames[read:] if frame.page]
    if not any(frame.ends_commit for frame in left_out) or not _are_missed(database, log, frames[:read], left_out):
        return None
    kept = new_name_for_log(database.path, at)
    _copy(log, kept, owner=database.path)
    with contextlib.suppress(apsw.BusyError):
        database.empty_log()  # lest the same frames are found again
    return LogKept(path=str(database.path), kept=kept.name, frames=len(left_out), hint=_HINT)


def frames_of(log: IO[bytes]) -> list[Frame]:
    """All frames of a log in order, however damaged it is; those of an older log have the page 0."""
    log.seek(0)
    header = log.read(_HEADER_BYTES)
    frames = [_read_frame(log, at) for at in range(_HEADER_BYTES, log.seek(0, 2) - _FRAME_BYTES + 1, _FRAME_BYTES)]
    if not frames:
        return []
    salts = _salts_of(header, frames)
    return [frame if _share(frame.salts, salts) else frame._replace(page=0) for frame in frames]


def page_in(log: IO[bytes], at: int) -> bytes:
    """The page of a frame."""
    log.seek(at)
    return log.read(PAGE_SIZE)


def _read_frame(log: IO[bytes], at: int) -> Frame:
    log.seek(at)
    page, pages_after_commit, *salts = _FRAME.unpack(log.read(_FRAME.size))
    return Frame(page, pages_after_commit > 0, (salts[0], salts[1]), at + _FRAME_HEADER_BYTES)


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
        return file.xRead(PAGE_SIZE, (page - 1) * PAGE_SIZE)
    return b""


def _copy(log: IO[bytes], target: Path, *, owner: Path) -> None:
    """Write a log into a file of its own, and have it on disk."""
    log.seek(0)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with target.open("wb") as file:
        with contextlib.suppress(PermissionError):  # it is for the server's user, whoever opens the file now
            os.chown(target, owner.stat().st_uid, owner.stat().st_gid)
        shutil.copyfileobj(log, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)
