"""Whether an outbox file may take more events: its own limit, the disk's reserve, and whether the disk still answers.

It is looked at once a second, whenever anything is asked of the outbox (a sender does so all the time). A change is
told once, and again every minute while nothing is taken; an outbox at its very limit, which takes one event for each
one delivered, is told of at most every ten seconds.
"""

import os
import time
from pathlib import Path
from typing import Final

import msgspec

from tikrelay.base.clock import Clock
from tikrelay.base.happenings import Emit, StoreResumed, StoreStopped
from tikrelay.outbox.log_tail import log_of, new_name_for_log

MAX_BYTES: Final = "max_bytes"
RESERVE: Final = "disk_reserve"
FREE_SOME_ROOM: Final = "free some room on the outbox's disk; what waits is still being delivered"
GONE: Final = "file_gone"
REPLACED: Final = "replaced"
FAILED: Final = "failed"
SLOW_DISK: Final = "slow_disk"
_MADE_BY_REMOVING: Final = frozenset({MAX_BYTES, RESERVE})
_LOOK_EVERY_S: Final = 1.0
_TELL_AGAIN_EVERY_S: Final = 60.0
_TELL_CHANGES_EVERY_S: Final = 10.0
SLOW_AFTER_S: Final = 10.0  # our own choice: a disk that works syncs within a second or two


class WhyNot(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing more is taken, in a word and in words, and what to do."""

    reason: str
    what: str
    hint: str


class Room:
    """The room of one outbox file.

    ``held_bytes``, ``free_bytes_inside``  written by the outbox's thread
    ``spare_events``  likewise: events that are only there to be looked at, and go before any is refused
    ``busy_since``    likewise: since when it has been at what it is doing, by ``time.monotonic``, or None
    ``is_tight``      read by it: they have to go now
    """

    def __init__(
        self, path: Path, *, clock: Clock, emit: Emit, max_bytes: int, reserve_bytes: int, slow_after_s: float
    ) -> None:
        self.held_bytes = 0
        self.free_bytes_inside = 0
        self.spare_events = 0
        self.busy_since: float | None = None
        self.is_tight = False
        self.reserve_bytes = reserve_bytes
        self._path = path
        self._clock = clock
        self._emit = emit
        self._max_bytes = max_bytes
        self._slow_after_s = slow_after_s
        self._file: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None
        self._seen: WhyNot | None = None
        self._looked_at = float("-inf")
        self._told = ""
        self._told_at = float("-inf")

    def remember_file(self) -> None:
        """Note which file was opened."""
        self._file = _identity(self._path)

    def remember_log(self) -> None:
        """Note which log was opened with it."""
        self._log = _identity(log_of(self._path))

    def what_is_replaced(self) -> str:
        """Say what lies where the opened file or its log was; nothing while the file itself is just gone."""
        try:
            if _identity(self._path) != self._file:
                return "another file was put in its place while it was open"
            return "" if _identity(log_of(self._path)) == self._log else "another log was put in the place of its own"
        except FileNotFoundError:
            return "its log (-wal) was removed while it was open" if self._path.exists() else ""
        except OSError:
            return ""

    def put_strange_log_aside(self, *, at: float) -> None:
        """Leave no log to the opened file that is not its own: the next to open it would read that over its pages."""
        if _identity(self._path) == self._file and _identity(log := log_of(self._path)) != self._log:
            log.rename(new_name_for_log(self._path, at))

    def look_again(self) -> None:
        """Do not trust the last look."""
        self._looked_at = float("-inf")

    def why_not(self) -> WhyNot | None:
        """Say why nothing more may be stored, or None; the disk is looked at once a second."""
        now = self._clock.monotonic()
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._seen = self._look()
        why = self._seen or self._own_limit()
        self.is_tight = why is not None and why.reason in _MADE_BY_REMOVING
        if self.is_tight and self.spare_events:
            why = None
        why = why or self._stuck()
        self._tell(why, now)
        return why

    def _stuck(self) -> WhyNot | None:
        """Say that a write hangs. What waits for it may still become durable; nothing more is made to wait."""
        since = self.busy_since
        if since is None or time.monotonic() - since <= self._slow_after_s:
            return None
        what = f"its disk has not finished a write for more than {self._slow_after_s:g} seconds"
        hint = (
            "look at the disk and at the kernel's log; what waits for it may still be stored, and it goes on by itself"
        )
        return WhyNot(reason=SLOW_DISK, what=what, hint=hint)

    def _own_limit(self) -> WhyNot | None:
        if not self._max_bytes or self.held_bytes < self._max_bytes:
            return None
        what = f"it holds {self.held_bytes} bytes, and outbox.max_bytes is {self._max_bytes}"
        hint = "raise outbox.max_bytes, or free some room: what waits is still being delivered, see tikrelay status"
        return WhyNot(reason=MAX_BYTES, what=what, hint=hint)

    def _look(self) -> WhyNot | None:
        try:
            room = os.statvfs(self._path.parent)
            _identity(self._path)
            if what := self.what_is_replaced():
                return WhyNot(reason=REPLACED, what=what, hint="stop the server before you restore a copy")
        except OSError as error:
            what = f"cannot be looked at: {error.strerror}"
            return WhyNot(reason=GONE, what=what, hint="put the file back, or stop the server and start it anew")
        free = room.f_bavail * room.f_frsize + self.free_bytes_inside
        if free >= self.reserve_bytes:
            return None
        what = (
            f"{free} bytes are free on its disk, and the last {self.reserve_bytes}"
            f" ({self.reserve_bytes // (1024 * 1024)} MiB) are kept for deliveries"
        )
        return WhyNot(reason=RESERVE, what=what, hint=FREE_SOME_ROOM)

    def _tell(self, why: WhyNot | None, now: float) -> None:
        reason = why.reason if why else ""
        if reason == REPLACED or reason == self._told == "":
            return  # a replaced file fails the outbox, which is told by itself
        if now - self._told_at < (_TELL_AGAIN_EVERY_S if reason == self._told else _TELL_CHANGES_EVERY_S):
            return
        self._told, self._told_at = reason, now
        if why:
            self._emit(StoreStopped(path=str(self._path), reason=why.reason, what=why.what, hint=why.hint))
        else:
            self._emit(StoreResumed(path=str(self._path)))


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
