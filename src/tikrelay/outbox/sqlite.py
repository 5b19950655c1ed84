"""The Outbox in one SQLite file: group commit, durable before the answer.

One named thread holds the only connection and does all the work that is handed to it::

    put, settle ──> queue ──> [ all that waits at this moment ] ──> one COMMIT, one fsync ──> every caller resumes

While one commit is at the disk, the next group gathers; there is no timer and no artificial wait. A crash loses what
was not committed, and nobody was told that it was stored. Leases, the counts of what waits and the drop counts of
the last second live in memory. Between two groups the thread carries the log into the file, and, when nobody waits,
gives room back to the disk.

When a write fails because the disk is full, its callers get OutboxUnavailable and the next write is tried as usual;
outcomes, which make room, are tried again without the events that came with them. When the disk itself fails, the
connection is never written on again (after a failed fsync nobody knows what the kernel kept): ``failed`` is set and
the process is expected to end and begin anew. So it is when another file was put in the place of the open one, or its
lock was removed; this is looked for between a commit and its answers. A file that SQLite finds damaged is marked
(``outbox.damage``), so that whoever comes next begins another.
"""

import asyncio
import contextlib
import queue
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar, assert_never

import apsw

from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.happenings import CommitDone, Emit, EventsBuried, OutboxDamaged, PutRefused, StoreFailed
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.damage import is_marked, leave_mark, mark_of, read_mark
from tikrelay.outbox.database import Database, Row, Value
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.room import FAILED, REPLACED, Room, WhyNot
from tikrelay.outbox.schema import FORMAT, PAGE_SIZE, prepare
from tikrelay.outbox.store import (
    LONGEST_WAIT_S,
    Accepted,
    Books,
    Dead,
    DeadLetter,
    DeadReason,
    Drop,
    Lease,
    Leased,
    Outcome,
    Record,
    RetryAt,
)

OLDEST_SQLITE: Final = 3051003  # 3.51.3: the WAL-reset bug of 3.7.0 to 3.51.2 can damage a file
RESERVE_BYTES: Final = 64 * 1024 * 1024  # kept free, so that outcomes can be written and room be made
MOST_NAMES: Final = 50
_OTHER: Final = "other"
_MOST_JOBS: Final = 1024
_FLUSH_DROPS_EVERY_S: Final = 1.0
_REST_BEFORE_TIDYING_S: Final = 0.5
_KEEP_FREE_PAGES: Final = 1024  # inside the file, for the next events; more goes back to the disk
_PAGES_GIVEN_BACK_AT_ONCE: Final = 256  # a put may have to wait for these
# Texts are read as bytes: a flipped byte that is no UTF-8 any more is a damaged event, not an error of the program.
_OF_ONE_CODE: Final = (
    "SELECT id, CAST(test_event_code AS BLOB), CAST(event AS BLOB), CAST(event_id AS BLOB), body, format, checksum,"
    " received_at, attempts, unknown_since FROM waiting WHERE destination = ? AND test_event_code = CAST(? AS TEXT)"
)
_TESTS: Final = "SELECT id, CAST(test_event_code AS BLOB) FROM waiting WHERE destination = ? AND test_event_code <> ''"
_NO_CODE: Final = b""
# A flipped byte in the head of a row gives its values other types, which the table of dead letters would not take.
_BURY: Final = (
    "INSERT INTO dead (id, test_event_code, event, event_id, format, checksum, body, received_at, unknown_since,"
    " attempts, destination, died_at, reason, code, message, request_id)"
    " SELECT id, CAST(ifnull(test_event_code, '') AS TEXT), CAST(ifnull(event, '') AS TEXT),"
    " CAST(ifnull(event_id, '') AS TEXT), CAST(ifnull(format, 0) AS INTEGER), CAST(ifnull(checksum, 0) AS INTEGER),"
    " CAST(ifnull(body, '') AS BLOB), CAST(ifnull(received_at, 0) AS REAL), CAST(unknown_since AS REAL),"
    " CAST(ifnull(attempts, 0) AS INTEGER) + ?, ?, ?, ?, ?, ?, ? FROM waiting WHERE id = ?"
)


class _ReplacedError(Exception):
    """The open file, or its lock, is not where it was any more."""


_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError)
_FATAL: Final = (*_DAMAGE, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, _ReplacedError)
_WAITS_FOR_A_REPAIR: Final = "its events wait in it for a repair, see the page on troubleshooting"
_NO_FAULT_OF_A_JOB: Final = (apsw.FullError, apsw.BusyError, apsw.NoMemError, MemoryError)
_FOUND_BY_A_CALL: Final = frozenset({DeadReason.REFUSED, DeadReason.UNKNOWN_ANSWER, DeadReason.PARTIAL})

T = TypeVar("T")
CountKey = tuple[str, str, str, str]


class _Job:
    """Work for the thread, and who waits for it. ``writes``: it waits for the commit, not only for its turn."""

    __slots__ = ("events", "future", "result", "work", "writes")

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any], *, writes: bool, events: int = 0) -> None:
        self.work = work
        self.future = future
        self.writes = writes
        self.events = events
        self.result: Any = None


class SqliteOutbox:
    """See the module's text; the contract is ``outbox.store.Outbox``."""

    def __init__(self, path: Path, *, clock: Clock, emit: Emit, max_bytes: int, reserve_bytes: int, vfs: str) -> None:
        self.path = path
        self.failed = asyncio.Event()
        self._clock = clock
        self._emit = emit
        self._room = Room(path, clock=clock, emit=emit, max_bytes=max_bytes, reserve_bytes=reserve_bytes)
        self._vfs = vfs
        self._loop = asyncio.get_running_loop()
        self._lock = OutboxLock(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"outbox {path.name}", daemon=True)
        self._arrivals: dict[str, asyncio.Event] = {}
        self._closing = False
        # Below: touched by the thread alone.
        self._counts: Counter[CountKey] = Counter()
        self._changed: Counter[CountKey] = Counter()
        self._waiting: Counter[str] = Counter()
        self._leased: dict[str, set[int]] = {}
        self._names: set[str] = set()
        self._last_id = 0
        self._drops_since: float | None = None
        self._broken = False
        self._resting = False
        self._damaged: Counter[str] = Counter()
        self._undo: list[Callable[[], None]] = []  # what a failed attempt did to the leases

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        emit: Emit,
        max_bytes: int = 0,
        reserve_bytes: int = RESERVE_BYTES,
        vfs: str = "",
    ) -> Self:
        """Own a file and open it. Raises OutboxInUse, OutboxBroken or OutboxUnavailable.

        ``vfs`` names the file system layer SQLite works through; empty is its own.
        """
        if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
            what = f"SQLite {apsw.sqlite_lib_version()} can damage a file (WAL-reset bug)"
            raise OutboxBroken(what, hint="install apsw 3.51.3 or newer")
        outbox = cls(path, clock=clock, emit=emit, max_bytes=max_bytes, reserve_bytes=reserve_bytes, vfs=vfs)
        await asyncio.to_thread(outbox._lock.acquire)
        try:
            outbox._refuse_marked()
            await asyncio.to_thread(outbox._connect)
        except BaseException:
            outbox._lock.release()
            raise
        outbox._thread.start()
        return outbox

    @property
    def ready(self) -> bool:
        """Say whether a put would be taken."""
        return not (self._closing or self.failed.is_set() or self._why_not())

    # The contract.

    async def put(self, records: Sequence[Record], drops: Sequence[Drop] = ()) -> None:
        """Make events durable. Raises OutboxUnavailable."""
        if not records:
            if drops:
                self._refuse_when_unable()
                self._jobs.put(_Job(lambda: self._count_drops(drops), self._loop.create_future(), writes=False))
            return
        if self.failed.is_set():
            self._emit(PutRefused(reason=FAILED))
        self._refuse_when_unable()
        if why := self._why_not():
            self._emit(PutRefused(reason=why.reason))
            raise OutboxUnavailable(f"{self.path}: {why.what}", hint=why.hint)
        await self._do(lambda: self._insert(records, drops), writes=True, events=len(records))
        for destination in {record.destination for record in records}:
            self._arrival(destination).set()

    async def lease(
        self, destination: DestinationName, *, most: int, max_bytes: int, now: float, tests: bool = True
    ) -> Lease:
        """Take events of one test code that are due, those without one first."""
        return await self._do(lambda: self._select(destination, most, max_bytes, now, tests=tests), writes=True)

    async def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        """Write what became of each event of the lease, and end it."""
        if len(lease.events) != len(outcomes):
            raise ValueError(f"{len(outcomes)} outcomes for a lease of {len(lease.events)}")
        await self._do(lambda: self._write_outcomes(lease, outcomes), writes=True)

    def release(self, lease: Lease) -> None:
        """End a lease; its events are as they were."""
        keys = {leased.key for leased in lease.events}
        self._jobs.put(_Job(lambda: self._forget(lease.destination, keys), self._loop.create_future(), writes=False))

    async def wait_for_work(self, destination: DestinationName, *, timeout_s: float) -> None:
        """Return when events have been put since the last call, or after the time."""
        arrival = self._arrival(destination)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrival.wait(), timeout_s)
        arrival.clear()

    async def books(self) -> Books:
        """Count everything."""
        return await self._do(self._read_books, writes=False)

    async def dead_letters(self, *, most: int = 100) -> list[DeadLetter]:
        """The newest dead letters."""
        return await self._do(lambda: self._read_dead(most), writes=False)

    async def close(self) -> None:
        """Finish what was begun and let go of the file."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    # On the event loop.

    def _arrival(self, destination: str) -> asyncio.Event:
        return self._arrivals.setdefault(destination, asyncio.Event())

    def _refuse_when_unable(self) -> None:
        if self._closing:
            raise OutboxUnavailable(f"{self.path} is being closed", hint="the server is stopping")
        if self.failed.is_set():
            raise OutboxUnavailable(f"{self.path}: a write failed", hint="the server is starting anew")

    async def _do(self, work: Callable[[], T], *, writes: bool, events: int = 0) -> T:
        self._refuse_when_unable()
        self._why_not()  # so that a change is noticed, and told, when nothing is put
        job = _Job(work, self._loop.create_future(), writes=writes, events=events)
        self._jobs.put(job)
        result: T = await job.future
        return result

    def _why_not(self) -> WhyNot | None:
        """Say why nothing more may be stored, or None."""
        why = self._room.why_not()
        if why and why.reason == REPLACED:  # the thread will find the same, and fail
            self._jobs.put(_Job(lambda: None, self._loop.create_future(), writes=True))
        return why

    def _refuse_marked(self) -> None:
        """Open no file that was found damaged. The mark of one that has gone means nothing any more."""
        if not self.path.exists():
            mark_of(self.path).unlink(missing_ok=True)
        elif is_marked(self.path):
            hint = f"repair it, then remove {mark_of(self.path)}"
            raise OutboxBroken(f"{self.path} was found damaged: {read_mark(self.path)}", hint=hint)

    # On the thread.

    def _connect(self) -> None:
        try:
            self._database = Database(self.path, vfs=self._vfs)
            try:
                self.path.chmod(0o600)
                self._room.remember_file()
                prepare(self._database)
                self._load()
            except BaseException:
                self._database.close()
                raise
        except (*_DAMAGE, UnicodeDecodeError) as error:
            self._mark_damaged(error)
            hint = "move it away to start with an empty one; what waits in it is not delivered until it is repaired"
            raise OutboxBroken(f"{self.path} is damaged: {error}", hint=hint) from None
        except (apsw.Error, OSError) as error:
            hint = "check the folder's owner, its permissions and the room on its disk"
            raise OutboxUnavailable(f"cannot open {self.path}: {error}", hint=hint) from None

    def _load(self) -> None:
        """Read what is kept in memory."""
        for row in self._database.rows("SELECT kind, destination, first, second, n FROM counts"):
            kind, destination, first, second, n = row
            self._counts[kind, destination, first, second] = n
            if kind == "received":
                self._names.add(second)
        for destination, n in self._database.rows("SELECT destination, count(*) FROM waiting GROUP BY destination"):
            self._waiting[destination] = n
        self._last_id = self._database.value(
            "SELECT max(ifnull((SELECT max(id) FROM waiting), 0), ifnull((SELECT max(id) FROM dead), 0))"
        )
        self._measure()

    def _measure(self) -> None:
        size, pages, free = (self._database.pragma(name) for name in ("page_size", "page_count", "freelist_count"))
        self._room.held_bytes = (pages - free) * size
        self._room.free_bytes_inside = free * size

    def _work(self) -> None:
        """Take all that waits, do it in one transaction, tell who waited; until told to close."""
        closing = False
        while not closing:
            jobs, closing = self._gather()
            if closing or self._drops_are_due():
                jobs.append(_Job(lambda: None, self._loop.create_future(), writes=True))
            self._resting = not jobs
            if jobs:
                self._run(jobs)
            elif self._has_spare_room():
                self._tidy(self._give_room_back)
            if self._database.checkpoint_is_due():
                self._tidy(self._database.checkpoint)
        with contextlib.suppress(apsw.Error):
            self._database.close()

    def _tidy(self, work: Callable[[], None]) -> None:
        """Do what nobody waits for; on a full disk it is left for later."""
        if self._broken:
            return
        try:
            work()
        except _FATAL as error:
            self._fail([], error)
        except apsw.Error:
            self._room.free_bytes_inside = 0  # until the next commit

    def _has_spare_room(self) -> bool:
        """Say whether more than half of the file is free: less is soon used again, and moving pages is work."""
        pages = self._room.free_bytes_inside // PAGE_SIZE
        return pages > _KEEP_FREE_PAGES and self._room.free_bytes_inside > self._room.held_bytes

    def _give_room_back(self) -> None:
        before = self._room.free_bytes_inside
        self._database.rows(f"PRAGMA incremental_vacuum({_PAGES_GIVEN_BACK_AT_ONCE})")
        self._measure()
        if self._room.free_bytes_inside >= before:
            self._room.free_bytes_inside = 0  # the file was made without auto_vacuum: no use to go on

    def _gather(self) -> tuple[list[_Job], bool]:
        """Wait for one job, and take those that wait behind it; True when it is time to close."""
        try:
            job = self._jobs.get(timeout=self._patience_s())
        except queue.Empty:
            return [], False
        jobs: list[_Job] = []
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
        return _FLUSH_DROPS_EVERY_S if self._changed else None

    def _drops_are_due(self) -> bool:
        if self._broken:
            return False
        return self._drops_since is not None and time.monotonic() - self._drops_since >= _FLUSH_DROPS_EVERY_S

    def _run(self, jobs: list[_Job]) -> None:
        """Do the jobs in one transaction; when it fails, do them in parts, so that none harms its neighbours."""
        error = self._attempt(jobs)
        if error is None:
            return
        if isinstance(error, apsw.FullError):
            self._tidy(self._database.checkpoint)  # a log that was carried over is written anew from its beginning
        parts = [jobs] if isinstance(error, _FATAL) else _parts(jobs, error)
        if len(parts) == 1:
            self._fail(jobs, error)
            return
        for part in parts:
            self._run(part)

    def _attempt(self, jobs: list[_Job]) -> Exception | None:
        began = time.perf_counter()
        before = (self._counts.copy(), self._changed.copy(), self._waiting.copy(), self._last_id)
        self._undo.clear()
        self._damaged.clear()
        try:
            if self._broken:
                raise apsw.ReadOnlyError("an earlier write failed")
            if any(job.writes for job in jobs):
                self._database.run("BEGIN IMMEDIATE")
                for job in jobs:
                    job.result = job.work()
                self._write_counts()
                self._measure()
                self._database.run("COMMIT")
                self._changed.clear()
                self._drops_since = None
                self._find_in_place()
            else:
                for job in jobs:
                    job.result = job.work()
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to the callers it belongs to
            self._counts, self._changed, self._waiting, self._last_id = before
            for undo in reversed(self._undo):
                undo()
            with contextlib.suppress(apsw.Error):
                self._database.roll_back()
            return error
        self._report(jobs, time.perf_counter() - began)
        self._tell(jobs)
        return None

    def _find_in_place(self) -> None:
        """Answer nobody for a commit to a file that the next process will not find."""
        if self._room.is_replaced():
            why = "another file was put in its place while it was open"
        elif self.path.exists() and not self._lock.is_in_place():
            why = "its lock file was removed while it was open"
        else:
            return
        with contextlib.suppress(apsw.Error):
            self._database.empty_log()
        raise _ReplacedError(why)

    def _tell(self, jobs: list[_Job]) -> None:
        def resume() -> None:
            for job in jobs:
                if not job.future.done():
                    job.future.set_result(job.result)
                elif isinstance(job.result, Lease):  # who asked for it has gone away
                    self.release(job.result)

        self._call_loop(resume)

    def _report(self, jobs: list[_Job], seconds: float) -> None:
        if events := sum(job.events for job in jobs):
            self._call_loop(self._emit, CommitDone(jobs=len(jobs), events=events, seconds=seconds))
        for destination, count in self._damaged.items():
            reason = DeadReason.DAMAGED.value
            self._call_loop(self._emit, EventsBuried(destination=destination, reason=reason, count=count))

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        fatal = isinstance(error, _FATAL)
        is_first = not self._broken
        if fatal and is_first:
            self._broken = True
            self._database.write_no_more()
            if isinstance(error, _DAMAGE):
                self._mark_damaged(error)
        told: Exception = error
        if isinstance(error, apsw.Error | _ReplacedError):
            told = OutboxUnavailable(f"cannot write {self.path}: {error}", hint=_hint(error))
        failure = StoreFailed(path=str(self.path), reason=_reason(error), what=_words(error), hint=_hint(error))

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
        words = _words(error)
        leave_mark(self.path, words, at=self._clock.now())
        self._call_loop(self._emit, OutboxDamaged(path=str(self.path), what=words, hint=_WAITS_FOR_A_REPAIR))

    def _call_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)

    # Jobs.

    def _count(self, kind: str, destination: str, first: str, second: str = "", *, n: int = 1) -> None:
        self._counts[kind, destination, first, second] += n
        self._changed[kind, destination, first, second] += n

    def _bounded(self, name: str) -> str:
        """Keep names few: anybody can make one up, and each is a row and a metric's label."""
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                return _OTHER
            self._names.add(name)
        return name

    def _count_drops(self, drops: Iterable[Drop]) -> None:
        for drop in drops:
            self._count("received", drop.destination, drop.source, self._bounded(drop.name))
            self._count("dropped", drop.destination, drop.reason)
        if self._drops_since is None:
            self._drops_since = time.monotonic()

    def _insert(self, records: Sequence[Record], drops: Sequence[Drop]) -> None:
        now = self._clock.now()
        first = max(self._last_id + 1, int(now * 1_000_000))
        self._last_id = first + len(records) - 1
        self._database.run_many(
            "INSERT INTO waiting"
            " (id, destination, test_event_code, event, event_id, format, checksum, body, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (first + i, r.destination, r.test_event_code, r.event, r.event_id, FORMAT, _checksum_of(r), r.body, now)
                for i, r in enumerate(records)
            ],
        )
        for record in records:
            self._count("received", record.destination, record.source, self._bounded(record.name))
            self._waiting[record.destination] += 1
        self._count_drops(drops)

    def _write_counts(self) -> None:
        self._database.run_many(
            "INSERT INTO counts (kind, destination, first, second, n) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(*key, n) for key, n in self._changed.items() if n],
        )

    def _select(self, destination: DestinationName, most: int, max_bytes: int, now: float, *, tests: bool) -> Lease:
        leased = self._leased.setdefault(destination, set())
        chosen = self._choose(destination, _NO_CODE, most, max_bytes, now)
        if tests and not chosen and (code := self._next_code(destination, now)):
            chosen = self._choose(destination, code, most, max_bytes, now)
        keys = {event.key for event in chosen}
        leased.update(keys)
        self._undo.append(lambda: leased.difference_update(keys))
        return Lease(destination, tuple(chosen))

    def _next_code(self, destination: str, now: float) -> bytes:
        """The test code whose event has been due for longest, of those that nobody holds; or nothing."""
        leased = self._leased[destination]
        with contextlib.closing(self._due(_TESTS, (destination,), 1 + len(leased), now)) as due:
            return next((code for key, code in due if key not in leased), _NO_CODE)

    def _choose(self, destination: str, code: bytes, most: int, max_bytes: int, now: float) -> list[Leased]:
        """Read what is due of one test code as far as a lease may hold it, and bury what is damaged on the way."""
        leased = self._leased[destination]
        chosen: list[Leased] = []
        damaged: list[int] = []
        size = 0
        rows = self._due(_OF_ONE_CODE, (destination, code), most + len(leased), now)
        with contextlib.closing(rows) as due:  # bodies are read one by one
            for row in due:
                if row[0] in leased:
                    continue
                event = _read(row)
                if event is None:
                    damaged.append(row[0])
                    continue
                size += len(event.body)
                if chosen and (len(chosen) >= most or size > max_bytes):
                    break
                chosen.append(event)
        for key in damaged:
            self._bury(key, destination, Dead(reason=DeadReason.DAMAGED), now)
            self._damaged[destination] += 1
        return chosen

    def _due(self, which: str, bindings: Sequence[Value], most: int, now: float) -> Generator[Row, None, None]:
        """Rows whose time has come; also those put off for longer than can be, as a clock set back leaves them."""
        read = 0
        for row in self._database.each(
            f"{which} AND not_before <= ? ORDER BY not_before, id LIMIT ?", (*bindings, now, most)
        ):
            read += 1
            yield row
        if read < most:
            yield from self._database.each(
                f"{which} AND not_before > ? ORDER BY not_before, id LIMIT ?",
                (*bindings, now + LONGEST_WAIT_S, most - read),
            )

    def _forget(self, destination: str, keys: set[int]) -> None:
        self._leased.get(destination, set()).difference_update(keys)

    def _write_outcomes(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        now = self._clock.now()
        held = self._leased.get(lease.destination, set())
        keys = {leased.key for leased in lease.events} & held
        gone: list[tuple[int]] = []
        stay: list[tuple[float, int, float | None, int]] = []
        for leased, outcome in zip(lease.events, outcomes, strict=True):
            if leased.key not in keys:
                continue
            match outcome:
                case Accepted():
                    gone.append((leased.key,))
                case RetryAt(at=at, unknown=unknown, counts=counts):
                    stay.append((min(at, now + LONGEST_WAIT_S), int(counts), now if unknown else None, leased.key))
                case Dead():
                    self._bury(leased.key, lease.destination, outcome, now)
                case _:
                    assert_never(outcome)
        held.difference_update(keys)
        self._undo.append(lambda: held.update(keys))
        if gone:
            self._database.run_many("DELETE FROM waiting WHERE id = ?", gone)
            self._count("accepted", lease.destination, "", n=len(gone))
            self._waiting[lease.destination] -= len(gone)
        if stay:
            self._database.run_many(
                "UPDATE waiting SET not_before = ?, attempts = attempts + ?,"
                " unknown_since = ifnull(unknown_since, ?) WHERE id = ?",
                stay,
            )

    def _bury(self, key: int, destination: str, dead: Dead, now: float) -> None:
        made_a_call = int(dead.reason in _FOUND_BY_A_CALL)
        self._database.run(
            _BURY,
            (made_a_call, destination, now, dead.reason.value, dead.code, dead.message, dead.request_id, key),
        )
        self._database.run("DELETE FROM waiting WHERE id = ?", (key,))
        self._count("dead", destination, dead.reason.value)
        self._waiting[destination] -= 1

    def _read_books(self) -> Books:
        oldest: dict[str, float] = {}
        for destination, n in self._waiting.items():
            if n > 0:
                oldest[destination] = self._database.value(
                    "SELECT received_at FROM waiting NOT INDEXED WHERE destination = ? ORDER BY id LIMIT 1",
                    (destination,),
                )
        kinds: dict[str, Any] = {"received": {}, "accepted": {}, "dead": {}, "dropped": {}}
        for (kind, destination, first, second), n in self._counts.items():
            keys = {"received": (destination, first, second), "accepted": destination}
            kinds[kind][keys.get(kind, (destination, first))] = n
        return Books(**kinds, waiting=dict(self._waiting), oldest_waiting=oldest)

    def _read_dead(self, most: int) -> list[DeadLetter]:
        rows = self._database.rows(
            "SELECT id, destination, CAST(event AS BLOB), CAST(event_id AS BLOB), body, received_at, died_at, attempts,"
            " reason, code, message, request_id, CAST(test_event_code AS BLOB)"
            " FROM dead ORDER BY died_at DESC, id DESC LIMIT ?",
            (most,),
        )
        return [
            DeadLetter(
                key=row[0],
                destination=DestinationName(row[1]),
                event=row[2].decode(errors="replace"),
                event_id=EventId(row[3].decode(errors="replace")),
                body=row[4],
                received_at=row[5],
                died_at=row[6],
                attempts=row[7],
                reason=DeadReason(row[8]),
                code=row[9],
                message=row[10],
                request_id=row[11],
                test_event_code=row[12].decode(errors="replace"),
            )
            for row in rows
        ]


def _parts(jobs: list[_Job], error: Exception) -> list[list[_Job]]:
    """Split jobs whose common transaction failed into those that may still succeed without the others."""
    if not isinstance(error, _NO_FAULT_OF_A_JOB):
        return [[job] for job in jobs]
    parts: dict[tuple[bool, bool], list[_Job]] = {}
    for job in jobs:
        parts.setdefault((job.writes, bool(job.events)), []).append(job)
    return [parts[kind] for kind in sorted(parts)]


def _hint(error: Exception) -> str:
    match error:
        case apsw.FullError():
            return "free some room on its disk"
        case apsw.BusyError():
            return "another program has the file open; close it there"
        case apsw.CorruptError() | apsw.NotADBError():
            return _WAITS_FOR_A_REPAIR
        case _ReplacedError():
            return "stop the server before a copy is restored, and leave its .lock files alone; it is starting anew"
        case _ if isinstance(error, _FATAL):
            return "look at the disk and at the kernel's log; the server is starting anew"
        case _:
            return ""


def _reason(error: Exception) -> str:
    return REPLACED if isinstance(error, _ReplacedError) else type(error).__name__


def _words(error: Exception) -> str:
    """What SQLite says, with the name of its finer code. Other errors may quote an event, and say nothing here."""
    if isinstance(error, _ReplacedError | UnicodeDecodeError):
        return str(error)
    if not isinstance(error, apsw.Error):
        return ""
    code = getattr(error, "extendedresult", 0)
    finer = apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes.get(code)
    return f"{error} ({finer})" if finer else str(error)


def _checksum_of(record: Record) -> int:
    texts = (record.test_event_code, record.event, record.event_id)
    return _checksum(*(text.encode() for text in texts), record.body)


def _checksum(*stored: bytes) -> int:
    """Cover what is sent and what is shown. An empty test code, which comes first, leaves it as it was without one.

    >>> _checksum(b"", b"Lead", b"e1", b"{}") == _checksum(b"Lead", b"e1", b"{}")
    True
    """
    found = 0
    for part in stored:
        found = zlib.crc32(part, found)
    return found


def _read(row: Row) -> Leased | None:
    """Read one row; None when its bytes are not those that were stored, or in a format of another version."""
    key, code, event, event_id, body, form, checksum, received_at, attempts, unknown_since = row
    is_sound = (
        form == FORMAT
        and all(isinstance(part, bytes) for part in (code, event, event_id, body))
        and isinstance(received_at, float)
        and isinstance(attempts, int)
        and isinstance(unknown_since, float | None)
        and _checksum(code, event, event_id, body) == checksum
    )
    if not is_sound:
        return None
    return Leased(
        key=key,
        event=event.decode(),
        event_id=EventId(event_id.decode()),
        body=body,
        received_at=received_at,
        attempts=attempts,
        unknown_since=unknown_since,
        test_event_code=code.decode(),
    )
