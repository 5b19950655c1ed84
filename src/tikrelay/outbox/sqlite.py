"""The Outbox in one SQLite file: group commit, durable before the answer.

One named thread holds the only connection and does all the work that is handed to it::

    put, settle ──> queue ──> [ everything that waits at this moment ] ──> one COMMIT, one fsync ──> every caller resumes

While one commit is at the disk, the next group gathers; there is no timer and no artificial wait. A crash loses what
was not committed, and nobody was told that it was stored. Leases, the counts of what waits and the drop counts of
the last second live in memory.

When a write fails because the disk is full, its callers get OutboxUnavailable and the next write is tried as usual. When
the disk itself fails, the connection is never written on again (after a failed fsync nobody knows what the kernel
kept): ``failed`` is set and the process is expected to end and begin anew.
"""

import asyncio
import contextlib
import os
import queue
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar, assert_never

import apsw

from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.happenings import CommitDone, Emit, StoreFailed
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.schema import FORMAT, prepare
from tikrelay.outbox.store import (
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
RETRY_HORIZON_S: Final = 2 * 300.0  # nothing waits longer for its turn than twice the longest back-off
MOST_NAMES: Final = 50
_OTHER: Final = "other"
_MOST_JOBS: Final = 1024
_LOOK_AT_ROOM_EVERY_S: Final = 1.0
_FLUSH_DROPS_EVERY_S: Final = 1.0
_COLUMNS: Final = (
    "SELECT id, event, event_id, format, checksum, body, received_at, attempts, unknown_since"
    " FROM waiting WHERE destination = ?"
)
_FATAL: Final = (apsw.IOError, apsw.CorruptError, apsw.NotADBError, apsw.ReadOnlyError, apsw.CantOpenError)

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

    def __init__(self, path: Path, *, clock: Clock, emit: Emit, max_bytes: int, reserve_bytes: int) -> None:
        self.path = path
        self.failed = asyncio.Event()
        self._clock = clock
        self._emit = emit
        self._max_bytes = max_bytes
        self._reserve_bytes = reserve_bytes
        self._loop = asyncio.get_running_loop()
        self._lock = OutboxLock(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"outbox {path.name}", daemon=True)
        self._arrivals: dict[str, asyncio.Event] = {}
        self._closing = False
        self._full = ""
        self._looked_at_room = float("-inf")
        # Below: touched by the thread alone.
        self._counts: Counter[CountKey] = Counter()
        self._changed: Counter[CountKey] = Counter()
        self._waiting: Counter[str] = Counter()
        self._leased: dict[str, set[int]] = {}
        self._names: set[str] = set()
        self._last_id = 0
        self._drops_since: float | None = None

    @classmethod
    async def open(
        cls, path: Path, *, clock: Clock, emit: Emit, max_bytes: int = 0, reserve_bytes: int = RESERVE_BYTES
    ) -> Self:
        """Own a file and open it. Raises OutboxInUse, OutboxBroken or OutboxUnavailable."""
        if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
            what = f"SQLite {apsw.sqlite_lib_version()} can damage a file (WAL-reset bug)"
            raise OutboxBroken(what, hint="install apsw 3.51.3 or newer")
        outbox = cls(path, clock=clock, emit=emit, max_bytes=max_bytes, reserve_bytes=reserve_bytes)
        outbox._lock.acquire()
        try:
            await asyncio.to_thread(outbox._connect)
        except BaseException:
            outbox._lock.release()
            raise
        outbox._thread.start()
        return outbox

    @property
    def ready(self) -> bool:
        """Say whether a put would be taken."""
        return not (self._closing or self.failed.is_set() or self._why_full())

    # The contract.

    async def put(self, records: Sequence[Record], drops: Sequence[Drop] = ()) -> None:
        """Make events durable. Raises OutboxUnavailable."""
        if not records:
            if drops:
                self._refuse_when_unable()
                self._jobs.put(_Job(lambda: self._count_drops(drops), self._loop.create_future(), writes=False))
            return
        self._refuse_when_unable()
        if why := self._why_full():
            raise OutboxUnavailable(f"{self.path}: {why}", hint="free some room; what waits is still being delivered")
        await self._do(lambda: self._insert(records, drops), writes=True, events=len(records))
        for destination in {record.destination for record in records}:
            self._arrival(destination).set()

    async def lease(self, destination: DestinationName, *, most: int, max_bytes: int, now: float) -> Lease:
        """Take events that are due."""
        return await self._do(lambda: self._select(destination, most, max_bytes, now), writes=True)

    async def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        """Write what became of each event of the lease, and end it."""
        if len(lease.events) != len(outcomes):
            raise ValueError(f"{len(outcomes)} outcomes for a lease of {len(lease.events)}")
        await self._do(lambda: self._write_outcomes(lease, outcomes), writes=True)
        self.release(lease)

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
        job = _Job(work, self._loop.create_future(), writes=writes, events=events)
        self._jobs.put(job)
        result: T = await job.future
        return result

    def _why_full(self) -> str:
        """Say why nothing more may be stored, or nothing; looked at once a second."""
        now = self._clock.monotonic()
        if now - self._looked_at_room >= _LOOK_AT_ROOM_EVERY_S:
            self._looked_at_room = now
            self._full = self._look_at_room()
        return self._full

    def _look_at_room(self) -> str:
        try:
            room = os.statvfs(self.path.parent)
            size = self.path.stat().st_size
        except OSError as error:
            return f"cannot be looked at: {error.strerror}"
        if room.f_bavail * room.f_frsize < self._reserve_bytes:
            return f"less than {self._reserve_bytes // (1024 * 1024)} MiB are free on its disk"
        if self._max_bytes and size >= self._max_bytes:
            return f"it holds {size} bytes, and outbox.max_bytes is {self._max_bytes}"
        return ""

    # On the thread.

    def _connect(self) -> None:
        try:
            self._connection = apsw.Connection(str(self.path))
            self.path.chmod(0o600)
            prepare(self._connection)
            self._load()
        except (apsw.NotADBError, apsw.CorruptError) as error:
            hint = "move it away to start with an empty one; what waits in it is not delivered until it is repaired"
            raise OutboxBroken(f"{self.path} is damaged: {error}", hint=hint) from None
        except (apsw.Error, OSError) as error:
            hint = "check the folder's owner, its permissions and the room on its disk"
            raise OutboxUnavailable(f"cannot open {self.path}: {error}", hint=hint) from None

    def _load(self) -> None:
        """Read what is kept in memory."""
        for kind, destination, first, second, n in self._connection.execute(
            "SELECT kind, destination, first, second, n FROM counts"
        ):
            self._counts[kind, destination, first, second] = n
            if kind == "received":
                self._names.add(second)
        for destination, n in self._connection.execute(
            "SELECT destination, count(*) FROM waiting GROUP BY destination"
        ):
            self._waiting[destination] = n
        self._last_id = self._connection.execute(
            "SELECT max(ifnull((SELECT max(id) FROM waiting), 0), ifnull((SELECT max(id) FROM dead), 0))"
        ).get

    def _work(self) -> None:
        """Take all that waits, do it in one transaction, tell who waited; until told to close."""
        closing = False
        while not closing:
            jobs, closing = self._gather()
            if closing or self._drops_are_due():
                jobs.append(_Job(lambda: None, self._loop.create_future(), writes=True))
            if jobs:
                self._run(jobs)
        with contextlib.suppress(apsw.Error):
            self._connection.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        """Wait for one job, and take those that wait behind it; True when it is time to close."""
        try:
            job = self._jobs.get(timeout=_FLUSH_DROPS_EVERY_S if self._changed else None)
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

    def _drops_are_due(self) -> bool:
        return self._drops_since is not None and time.monotonic() - self._drops_since >= _FLUSH_DROPS_EVERY_S

    def _run(self, jobs: list[_Job]) -> None:
        """Do the jobs in one transaction; when one of them fails, each alone, so that none harms its neighbours."""
        error = self._attempt(jobs)
        if error is None:
            return
        if len(jobs) > 1 and not isinstance(error, (*_FATAL, apsw.FullError)):
            for job in jobs:
                self._run([job])
            return
        self._fail(jobs, error)

    def _attempt(self, jobs: list[_Job]) -> Exception | None:
        began = time.perf_counter()
        before = (self._counts.copy(), self._changed.copy(), self._waiting.copy(), self._last_id)
        try:
            if self.failed.is_set():
                raise apsw.ReadOnlyError("an earlier write failed")
            if any(job.writes for job in jobs):
                self._connection.execute("BEGIN IMMEDIATE")
                for job in jobs:
                    job.result = job.work()
                self._write_counts()
                self._connection.execute("COMMIT")
                self._changed.clear()
                self._drops_since = None
            else:
                for job in jobs:
                    job.result = job.work()
        except Exception as error:
            self._counts, self._changed, self._waiting, self._last_id = before
            with contextlib.suppress(apsw.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return error
        self._tell(jobs)
        events = sum(job.events for job in jobs)
        if events:
            done = CommitDone(jobs=len(jobs), events=events, seconds=time.perf_counter() - began)
            self._call_loop(lambda: self._emit(done))
        return None

    def _tell(self, jobs: list[_Job]) -> None:
        def resume() -> None:
            for job in jobs:
                if not job.future.done():
                    job.future.set_result(job.result)

        self._call_loop(resume)

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        fatal = isinstance(error, _FATAL)
        told: Exception = error
        if isinstance(error, apsw.Error):
            hint = "the server is starting anew" if fatal else "free some room on its disk"
            told = OutboxUnavailable(f"cannot write {self.path}: {error}", hint=hint)

        def resume() -> None:
            if fatal:
                self.failed.set()
            self._emit(StoreFailed(reason=type(error).__name__))
            self._looked_at_room = float("-inf")
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(told)
                    job.future.exception()  # a caller that has gone away does not make it a warning

        self._call_loop(resume)

    def _call_loop(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback)

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
        self._connection.executemany(
            "INSERT INTO waiting (id, destination, event, event_id, format, checksum, body, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (first + i, r.destination, r.event, r.event_id, FORMAT, zlib.crc32(r.body), r.body, now)
                for i, r in enumerate(records)
            ],
        )
        for record in records:
            self._count("received", record.destination, record.source, self._bounded(record.name))
            self._waiting[record.destination] += 1
        self._count_drops(drops)

    def _write_counts(self) -> None:
        self._connection.executemany(
            "INSERT INTO counts (kind, destination, first, second, n) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(*key, n) for key, n in self._changed.items() if n],
        )

    def _select(self, destination: DestinationName, most: int, max_bytes: int, now: float) -> Lease:
        leased = self._leased.setdefault(destination, set())
        chosen: list[Leased] = []
        size = 0
        for row in self._due(destination, most + len(leased), now):
            key, event, event_id, form, checksum, body, received_at, attempts, unknown_since = row
            if key in leased:
                continue
            if form != FORMAT or zlib.crc32(body) != checksum:
                self._bury(key, destination, Dead(reason=DeadReason.DAMAGED), now)
                continue
            size += len(body)
            if chosen and (len(chosen) >= most or size > max_bytes):
                break
            chosen.append(
                Leased(
                    key=key,
                    event=event,
                    event_id=EventId(event_id),
                    body=body,
                    received_at=received_at,
                    attempts=attempts,
                    unknown_since=unknown_since,
                )
            )
        leased.update(row.key for row in chosen)
        return Lease(destination, tuple(chosen))

    def _due(self, destination: str, most: int, now: float) -> Iterable[Any]:
        """Rows whose time has come; also those put off beyond any back-off, as a clock set back leaves them."""
        due = self._connection.execute(
            _COLUMNS + " AND not_before <= ? ORDER BY not_before, id LIMIT ?",
            (destination, now, most),
        ).fetchall()
        if len(due) < most:
            due += self._connection.execute(
                _COLUMNS + " AND not_before > ? ORDER BY not_before, id LIMIT ?",
                (destination, now + RETRY_HORIZON_S, most - len(due)),
            ).fetchall()
        return due

    def _forget(self, destination: str, keys: set[int]) -> None:
        self._leased.get(destination, set()).difference_update(keys)

    def _write_outcomes(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        now = self._clock.now()
        gone: list[tuple[int]] = []
        stay: list[tuple[float, int, float | None, int]] = []
        for leased, outcome in zip(lease.events, outcomes, strict=True):
            match outcome:
                case Accepted():
                    gone.append((leased.key,))
                case RetryAt(at=at, unknown=unknown, counts=counts):
                    stay.append((at, int(counts), now if unknown else None, leased.key))
                case Dead():
                    self._bury(leased.key, lease.destination, outcome, now)
                case never:
                    assert_never(never)
        if gone:
            self._connection.executemany("DELETE FROM waiting WHERE id = ?", gone)
            self._count("accepted", lease.destination, "", n=len(gone))
            self._waiting[lease.destination] -= len(gone)
        if stay:
            self._connection.executemany(
                "UPDATE waiting SET not_before = ?, attempts = attempts + ?,"
                " unknown_since = ifnull(unknown_since, ?) WHERE id = ?",
                stay,
            )

    def _bury(self, key: int, destination: str, dead: Dead, now: float) -> None:
        self._connection.execute(
            "INSERT INTO dead SELECT id, destination, event, event_id, format, checksum, body, received_at, ?,"
            " attempts + 1, unknown_since, ?, ?, ?, ? FROM waiting WHERE id = ?",
            (now, dead.reason.value, dead.code, dead.message, dead.request_id, key),
        )
        self._connection.execute("DELETE FROM waiting WHERE id = ?", (key,))
        self._count("dead", destination, dead.reason.value)
        self._waiting[destination] -= 1

    def _read_books(self) -> Books:
        oldest = {}
        for destination, n in self._waiting.items():
            if n > 0:
                oldest[destination] = self._connection.execute(
                    "SELECT received_at FROM waiting NOT INDEXED WHERE destination = ? ORDER BY id LIMIT 1",
                    (destination,),
                ).get
        kinds: dict[str, Any] = {"received": {}, "accepted": {}, "dead": {}, "dropped": {}}
        for (kind, destination, first, second), n in self._counts.items():
            keys = {"received": (destination, first, second), "accepted": destination}
            kinds[kind][keys.get(kind, (destination, first))] = n
        return Books(
            **kinds, waiting=dict(self._waiting), oldest_waiting={name: at for name, at in oldest.items() if at}
        )

    def _read_dead(self, most: int) -> list[DeadLetter]:
        rows = self._connection.execute(
            "SELECT id, destination, event, event_id, body, received_at, died_at, attempts, reason, code, message,"
            " request_id FROM dead ORDER BY died_at DESC LIMIT ?",
            (most,),
        )
        return [
            DeadLetter(
                key=row[0],
                destination=DestinationName(row[1]),
                event=row[2],
                event_id=EventId(row[3]),
                body=row[4],
                received_at=row[5],
                died_at=row[6],
                attempts=row[7],
                reason=DeadReason(row[8]),
                code=row[9],
                message=row[10],
                request_id=row[11],
            )
            for row in rows
        ]
