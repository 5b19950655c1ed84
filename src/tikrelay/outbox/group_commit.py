"""Group commit: one thread, one connection, and one transaction for all that waits at one moment.

::

    put, settle ──> queue ──> [ all that waits at this moment ] ──> one COMMIT, one fsync ──> every caller resumes

While one commit is at the disk, the next group gathers; there is no timer and no artificial wait. Between two groups
the thread carries the log into the file, and, when nobody waits, gives room back to the disk.

When a write fails because the disk is full, its callers get OutboxUnavailable and the next write is tried as usual;
outcomes, which make room, are tried again without the events that came with them. When the disk itself fails, the
connection is never written on again (after a failed fsync nobody knows what the kernel kept): ``failed`` is set and
the process is expected to end and begin anew. So it is when another file was put in the place of the open one, or its
lock was removed; this is looked for between a commit and its answers. So it is, too, when anything unexpected ends the
thread's work in the middle: the thread lives on, and tells everybody that nothing is stored any more. A file that
SQLite finds damaged is marked (``outbox.damage``), so that whoever comes next begins another.

A disk may also just not answer. Who waits for a commit then goes on waiting, for it may become durable; who comes
later is refused (``outbox.room``) until it has ended.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.failpoints import passing
from tikrelay.base.happenings import (
    CommitDone,
    Emit,
    EventsBuried,
    LogKept,
    OutboxDamaged,
    PutRefused,
    StoreFailed,
    Unexpected,
)
from tikrelay.outbox import retention
from tikrelay.outbox.counting import forget_counted, load_figures, write_figures
from tikrelay.outbox.damage import how_to_mend, leave_mark
from tikrelay.outbox.database import Database
from tikrelay.outbox.failures import (
    DAMAGE,
    FATAL,
    BesideError,
    EscapedError,
    ReplacedError,
    hint_of,
    reason_of,
    words_of,
)
from tikrelay.outbox.jobs import Job, parts_of
from tikrelay.outbox.kept_log import take_back_events
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.log_tail import keep_left_out, keep_orphan
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.outcomes import find_cut_off
from tikrelay.outbox.room import FAILED, REPLACED, Room, WhyNot
from tikrelay.outbox.schema import PAGE_SIZE, prepare
from tikrelay.outbox.store import DeadReason, Lease, Retention
from tikrelay.outbox.traces import load_traces
from tikrelay.outbox.vanished import begin_anew, has_vanished, note_that_it_holds

_MOST_JOBS: Final = 1024
_FLUSH_DROPS_EVERY_S: Final = 1.0
_LOOK_FOR_OLD_EVERY_S: Final = 1.0
_BITE_EVERY_S: Final = 0.02  # of what is old, while there is more of it
_LOOKS_TAKE_AT_MOST: Final = 0.01  # of the thread's time
_MOST_TRIES: Final = 8  # to make room on a full disk, each for twice as much as the one before
_FREED_FIRST: Final = 16 * 1024
_FRUGAL_FOR_S: Final = 10.0  # after the disk was full
_CARRIES_WITHIN_S: Final = 10.0  # the log of a file that was replaced, while somebody reads it
_REST_BEFORE_TIDYING_S: Final = 0.5
_KEEP_FREE_PAGES: Final = 1024  # inside the file, for the next events; more goes back to the disk
_PAGES_GIVEN_BACK_AT_ONCE: Final = 256  # a put may have to wait for these
_HINT_BESIDE: Final = (
    "events are stored and sent as before, and nothing is counted for the console; to mend it, stop the server, then:"
    " tikrelay doctor --salvage"
)

T = TypeVar("T")


class GroupCommit:
    """The thread of one outbox file."""

    def __init__(self, path: Path, *, clock: Clock, emit: Emit, room: Room, retention: Retention, vfs: str) -> None:
        self.path = path
        self.failed = asyncio.Event()
        self._clock = clock
        self._emit = emit
        self._room = room
        self._retention = retention
        self._vfs = vfs
        self._loop = asyncio.get_running_loop()
        self._lock = OutboxLock(path)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"outbox {path.name}", daemon=True)
        self._closing = False
        self._moves_no_pages = False  # while all of them are gone through
        # Below: touched by the thread alone.
        self._drops_since: float | None = None
        self._look_for_old_at = 0.0
        self._was_full_at = float("-inf")
        self._broken = False
        self._resting = False

    # On the event loop.

    def _refuse_when_unable(self) -> None:
        if self._closing:
            raise OutboxUnavailable(f"{self.path} is being closed", hint="the server is stopping")
        if self.failed.is_set():
            raise OutboxUnavailable(f"{self.path}: a write failed", hint="the server is starting anew")

    async def _do(self, work: Callable[[], T], *, writes: bool, events: int = 0, optional: bool = False) -> T:
        self._refuse_when_unable()
        self._why_not()  # so that a change is noticed, and told, when nothing is put
        job = self._hand_over(work, writes=writes, events=events, optional=optional)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            if not job.future.cancelled() and job.future.exception() is None and isinstance(job.result, Lease):
                self._abandon(job.result)  # it came in the very moment in which its asker went
            raise
        return result

    def _hand_over(self, work: Callable[[], Any], **kind: Any) -> Job:
        job = Job(work, self._loop.create_future(), **kind)
        self._jobs.put(job)
        return job

    def _why_not(self) -> WhyNot | None:
        """Say why nothing more may be stored, or None."""
        why = self._room.why_not()
        if why and why.reason == REPLACED:  # the thread will find the same, and fail
            self._hand_over(lambda: None, writes=True)
        return why

    def _abandon(self, lease: Lease) -> None:
        keys = [event.key for event in lease.events]
        self._hand_over(lambda: self._memory.let_go(lease.destination, keys), writes=False)

    # On the thread.

    def _connect(self) -> None:
        try:
            self._open()
        except (*DAMAGE, UnicodeDecodeError) as error:
            self._mark_damaged(error)
            raise OutboxBroken(f"{self.path} is damaged: {error}", hint=how_to_mend(self.path)) from None
        except (apsw.Error, OSError) as error:
            hint = "check the folder's owner, its permissions and the room on its disk"
            raise OutboxUnavailable(f"cannot open {self.path}: {error}", hint=hint) from None

    def _open(self) -> None:
        if has_vanished(self.path, self._lock):
            self._call_loop(self._emit, begin_anew(self.path, self._lock, at=self._clock.now()))
        just_kept = self._tell_kept(keep_orphan(self.path, at=self._clock.now()))
        self._database = Database(self.path, vfs=self._vfs)
        try:
            self.path.chmod(0o600)
            self._room.remember_file()
            just_kept |= self._tell_kept(keep_left_out(self._database, at=self._clock.now()))
            prepare(self._database)
            self._room.remember_log()
            note_that_it_holds(self._lock)
            self._memory = Memory(self._database, clock=self._clock, retention=self._retention)
            self._memory.load()
            self._load_beside()
            self._take_back(just_kept=just_kept)
            self._find_cut_off()
            self._measure()
        except BaseException:
            self._database.write_no_more()  # closing it would empty the log, of which there may be no whole copy yet
            self._database.close()
            raise

    def _tell_kept(self, told: LogKept | None) -> set[str]:
        if not told:
            return set()
        self._call_loop(self._emit, told)
        return {told.kept}

    def _load_beside(self) -> None:
        try:
            load_figures(self._memory)
            load_traces(self._memory)
        except BesideError as error:
            self._go_on_without(error)

    def _go_on_without(self, error: BesideError) -> None:
        """Leave figures and traces alone: they are not worth an event."""
        self._memory.spoilt = True
        forget_counted(self._memory)
        self._call_loop(self._emit, OutboxDamaged(path=str(self.path), what=str(error), hint=_HINT_BESIDE))

    def _take_back(self, *, just_kept: Collection[str] = ()) -> None:
        for told in take_back_events(self._memory, just_kept=just_kept):
            self._call_loop(self._emit, told)

    def _find_cut_off(self) -> None:
        """Note what was under way when the process ended. On a full disk that is left for the next opening."""
        take_back = self._memory.begin()
        try:
            self._database.run("BEGIN IMMEDIATE")
            find_cut_off(self._memory)
            self._database.run("COMMIT")
        except apsw.FullError:
            take_back()
            self._database.roll_back()

    def _measure(self) -> None:
        size, pages, free = (self._database.pragma(name) for name in ("page_size", "page_count", "freelist_count"))
        self._room.held_bytes = (pages - free) * size
        self._room.free_bytes_inside = free * size
        self._room.spare_events = self._memory.delivered

    def _work(self) -> None:
        """Take all that waits, do it in one transaction, tell who waited; until told to close."""
        closing = False
        while not closing:
            jobs, closing = self._gather()
            self._room.busy_since = time.monotonic()
            try:
                self._take_turn(jobs, closing=closing)
            except BaseException as error:  # noqa: BLE001  a dead thread would let everybody wait for ever
                self._escaped(jobs, error)
            self._room.busy_since = None
        with contextlib.suppress(apsw.Error):
            self._database.close()

    def _take_turn(self, jobs: list[Job], *, closing: bool) -> None:
        if closing or self._drops_are_due():
            jobs.append(Job(lambda: None, self._loop.create_future(), writes=True))
        if self._old_is_due():
            jobs.append(Job(self._retire, self._loop.create_future(), writes=True, optional=True))
        self._resting = not jobs
        for job in jobs:
            if not job.writes:
                self._run([job])
        if together := [job for job in jobs if job.writes]:
            self._run(together)
        if self._resting and self._has_spare_room():
            self._tidy(self._give_room_back)
        if self._database.checkpoint_is_due():
            self._tidy(self._database.checkpoint)

    def _escaped(self, jobs: list[Job], error: BaseException) -> None:
        if not self._broken:
            self._call_loop(self._emit, Unexpected(where="outbox", error=error))
        self._fail(jobs, EscapedError(type(error).__name__))

    def _old_is_due(self) -> bool:
        """Say whether there is anything to remove; looking for it takes little of the thread's time."""
        began = time.monotonic()
        if self._broken or began < self._look_for_old_at:
            return False
        found = False
        try:
            found = retention.is_due(self._memory)
        except BesideError as error:
            self._go_on_without(error)
        except FATAL as error:
            self._fail([], error)
        took_s = time.monotonic() - began
        self._look_for_old_at = began + max(_LOOK_FOR_OLD_EVERY_S, took_s / _LOOKS_TAKE_AT_MOST)
        return found

    def _retire(self) -> None:
        if retention.retire(self._memory):
            self._look_for_old_at = time.monotonic() + _BITE_EVERY_S

    def _tidy(self, work: Callable[[], None]) -> None:
        """Do what nobody waits for; on a full disk it is left for later."""
        if self._broken:
            return
        try:
            work()
        except FATAL as error:
            self._fail([], error)
        except apsw.Error:
            self._room.free_bytes_inside = 0  # until the next commit

    def _has_spare_room(self) -> bool:
        """Say whether more than half of the file is free: less is soon used again, and moving pages is work."""
        pages = 0 if self._moves_no_pages else self._room.free_bytes_inside // PAGE_SIZE
        return pages > _KEEP_FREE_PAGES and self._room.free_bytes_inside > self._room.held_bytes

    def _give_room_back(self) -> None:
        before = self._room.free_bytes_inside
        self._database.rows(f"PRAGMA incremental_vacuum({_PAGES_GIVEN_BACK_AT_ONCE})")
        self._measure()
        if self._room.free_bytes_inside >= before:
            self._room.free_bytes_inside = 0  # the file was made without auto_vacuum: no use to go on

    def _gather(self) -> tuple[list[Job], bool]:
        """Wait for one job, and take those that wait behind it; True when it is time to close."""
        try:
            job = self._jobs.get(timeout=self._patience_s())
        except queue.Empty:
            return [], False
        jobs: list[Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) >= _MOST_JOBS:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _patience_s(self) -> float | None:
        if self._broken:
            return None
        if self._has_spare_room():
            return 0.0 if self._resting else _REST_BEFORE_TIDYING_S
        if retention.keeps_anything(self._memory):
            return max(0.0, min(_LOOK_FOR_OLD_EVERY_S, self._look_for_old_at - time.monotonic()))
        return _FLUSH_DROPS_EVERY_S if self._memory.changed else None

    def _drops_are_due(self) -> bool:
        if self._broken:
            return False
        return self._drops_since is not None and time.monotonic() - self._drops_since >= _FLUSH_DROPS_EVERY_S

    def _run(self, jobs: list[Job], *, tried: int = 0) -> None:
        """Do the jobs in one transaction; when it fails, do them in parts, so that none harms its neighbours."""
        error = self._attempt(jobs)
        if error is None:
            return
        if isinstance(error, apsw.FullError):
            self._tidy(self._database.checkpoint)  # a log that was carried over is written anew from its beginning
            if tried < _MOST_TRIES and (self._make_room(size=_FREED_FIRST << tried) or not self._memory.frugal):
                self._was_full_at = time.monotonic()
                self._run(jobs, tried=tried + 1)
                return
        parts = [jobs] if isinstance(error, FATAL) else parts_of(jobs, error)
        if len(parts) > 1:
            for part in parts:
                self._run(part)
        elif isinstance(error, apsw.FullError) and all(job.optional for job in jobs):
            self._tell(jobs)
        else:
            self._fail(jobs, error)

    def _make_room(self, *, size: int) -> bool:
        """On a full disk, remove some of what is only there to be looked at."""
        if not self._memory.delivered:
            return False
        job = Job(lambda: retention.make_room(self._memory, size=size), self._loop.create_future(), writes=True)
        return self._attempt([job]) is None

    def _attempt(self, jobs: list[Job]) -> Exception | None:
        error = self._try(jobs)
        if isinstance(error, BesideError):
            self._go_on_without(error)
            error = self._try(jobs)
        return error

    def _try(self, jobs: list[Job]) -> Exception | None:
        began = time.monotonic()
        take_back = self._memory.begin()
        self._memory.frugal = self._room.is_tight or began - self._was_full_at < _FRUGAL_FOR_S
        try:
            if self._broken:
                raise apsw.ReadOnlyError("an earlier write failed")
            if any(job.writes for job in jobs):
                self._commit(jobs)
            else:
                for job in jobs:
                    job.result = job.work()
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to the callers it belongs to
            take_back()
            with contextlib.suppress(apsw.Error):
                self._database.roll_back()
            return error
        self._report(jobs, time.monotonic() - began)
        self._tell(jobs)
        return None

    def _commit(self, jobs: list[Job]) -> None:
        holds_events = any(job.events for job in jobs)
        self._database.run("BEGIN IMMEDIATE")
        for job in jobs:
            job.result = job.work()
        self._memory.write()
        write_figures(self._memory)
        self._measure()
        if holds_events:
            passing("in_commit")
        self._database.run("COMMIT")
        self._memory.written()
        self._drops_since = None
        self._find_in_place()
        if holds_events:
            passing("committed")

    def _find_in_place(self) -> None:
        """Answer nobody for a commit to a file that the next process will not find."""
        why = self._room.what_is_replaced()
        if not why and self.path.exists() and not self._lock.is_in_place():
            why = "its lock file was removed while it was open"
        if not why:
            return
        self._database.wait_for_others(seconds=_CARRIES_WITHIN_S)
        with contextlib.suppress(apsw.Error):
            self._database.empty_log()
        with contextlib.suppress(OSError):
            self._room.put_strange_log_aside(at=self._clock.now())
        raise ReplacedError(why)

    def _tell(self, jobs: list[Job]) -> None:
        def resume() -> None:
            for job in jobs:
                if not job.future.done():
                    job.future.set_result(job.result)
                elif isinstance(job.result, Lease):  # who asked for it has gone away
                    self._abandon(job.result)

        self._call_loop(resume)

    def _report(self, jobs: list[Job], seconds: float) -> None:
        if events := sum(job.events for job in jobs):
            self._call_loop(self._emit, CommitDone(jobs=len(jobs), events=events, seconds=seconds))
        for destination, count in self._memory.damaged.items():
            reason = DeadReason.DAMAGED.value
            self._call_loop(self._emit, EventsBuried(destination=destination, reason=reason, count=count))

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        fatal = isinstance(error, FATAL)
        is_first = not self._broken
        if fatal and is_first:
            self._broken = True
            self._database.write_no_more()
            if isinstance(error, DAMAGE):
                self._mark_damaged(error)
        told: Exception = error
        hint = hint_of(error, self.path)
        if isinstance(error, apsw.Error | MemoryError | ReplacedError | EscapedError):
            told = OutboxUnavailable(f"cannot write {self.path}: {error}", hint=hint)
        failure = StoreFailed(path=str(self.path), reason=reason_of(error), what=words_of(error), hint=hint)

        def resume() -> None:
            if fatal:
                self.failed.set()
            if is_first:
                self._emit(failure)
            else:
                for _ in filter(lambda job: job.events, jobs):
                    self._emit(PutRefused(reason=FAILED))
            self._room.look_again()
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(told)
                    job.future.exception()  # a caller that has gone away does not make it a warning

        self._call_loop(resume)

    def _mark_damaged(self, error: Exception) -> None:
        words = words_of(error)
        leave_mark(self.path, words, at=self._clock.now())
        self._call_loop(self._emit, OutboxDamaged(path=str(self.path), what=words, hint=how_to_mend(self.path)))

    def _call_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)
