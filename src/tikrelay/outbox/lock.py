"""Who owns a file or a folder: an exclusive lock on a file beside it.

The lock is on a sidecar, never on the database itself: SQLite's own locks belong to the process, and closing any second
descriptor of a database file drops them. The kernel lets go of the lock when its process ends, however it ends.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from tikrelay.base.errors import OutboxInUse, OutboxUnavailable

SERVE_LOCK: Final = "serve.lock"
_A_LOOK_TAKES_AT_MOST_S: Final = 0.1  # whoever asks is_free holds the lock for an instant
_LOOK_AGAIN_AFTER_S: Final = 0.01
_PLACES: Final = 10  # for the number of a process: it always has as many, so that the note behind it is not touched


class FileLock:
    """An exclusive lock on one path, held from ``acquire`` to ``release``."""

    def __init__(self, path: Path, *, what: str, hint: str) -> None:
        self.path = path
        self._what = what
        self._hint = hint
        self._fd: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it. Raises OutboxUnavailable when its file cannot be used."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            hint = "check the folder's owner, its permissions and the room on its disk"
            raise OutboxUnavailable(f"cannot open {self.path}: {error.strerror}", hint=hint) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except OSError as error:
            os.close(fd)
            hint = "choose an outbox.url on a local disk"
            raise OutboxUnavailable(f"cannot lock {self.path}: {error.strerror}", hint=hint) from None
        self._fd = fd
        with contextlib.suppress(OSError):  # the number is a courtesy; a full disk must not keep anybody from sending
            os.pwrite(fd, f"{os.getpid():<{_PLACES}}\n".encode(), 0)
        return True

    def acquire(self) -> None:
        """Take the lock. Raises OutboxInUse, naming the process that has it."""
        deadline = time.monotonic() + _A_LOOK_TAKES_AT_MOST_S
        while not self.try_acquire():
            if time.monotonic() < deadline:
                time.sleep(_LOOK_AGAIN_AFTER_S)
                continue
            holder = self._holder()
            by = f"process {holder}" if holder else "another process"
            raise OutboxInUse(f"{self._what} is in use by {by}", hint=self._hint)

    def is_held(self) -> bool:
        """Say whether somebody has it; nothing is made or written."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def is_in_place(self) -> bool:
        """Say whether the file that is locked still lies at its path; if not, another process may lock another one."""
        if self._fd is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def note(self) -> str:
        """What was noted in the lock's file, by whoever had it; nothing where that cannot be read."""
        with contextlib.suppress(OSError):
            return self._lines()[1]
        return ""

    def write_note(self, note: str) -> None:
        """Note something, which stays when the lock goes from one to another. It must be held."""
        if self._fd is None:
            raise ValueError(f"{self.path} is not held")
        with contextlib.suppress(OSError):  # as its number
            os.ftruncate(self._fd, _PLACES + 1)
            os.pwrite(self._fd, note.encode(), _PLACES + 1)
            os.fsync(self._fd)

    def _lines(self) -> tuple[str, str]:
        holder, _, note = self.path.read_text(encoding="ascii", errors="replace").partition("\n")
        return holder.strip(), note.strip()

    def _holder(self) -> str:
        with contextlib.suppress(OSError):
            holder, *_ = self._lines()
            return holder if holder.isdigit() else ""
        return ""


class DirectoryLock(FileLock):
    """Says that one server owns an outbox folder."""

    def __init__(self, folder: Path) -> None:
        hint = "stop it first, give this server its own outbox.url, or replace it without loss: serve --take-over"
        super().__init__(folder / SERVE_LOCK, what=f"the outbox {folder}", hint=hint)


class OutboxLock(FileLock):
    """Says that one process owns an outbox file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.with_suffix(".lock"), what=f"the outbox file {path}", hint="one process owns a file")


def is_free(path: Path) -> bool:
    """Say whether nobody owns an outbox file at this moment."""
    lock = OutboxLock(path)
    free = lock.try_acquire()
    lock.release()
    return free
