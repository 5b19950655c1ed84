"""The Outbox in one SQLite file: durable before the answer.

All work is handed to one thread (``outbox.group_commit``), which does what waits at one moment in one transaction. A
crash loses what was not committed, and nobody was told that it was stored. Leases, the counts of what waits and the
drop counts of the last second live in memory (``outbox.memory``).
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, Self, TypeVar

import apsw
import msgspec

from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.failpoints import passing
from tikrelay.base.happenings import Emit, PutRefused
from tikrelay.event import DestinationName
from tikrelay.outbox import outcomes as results
from tikrelay.outbox.counting import Reading
from tikrelay.outbox.damage import how_to_mend, is_marked, mark_of, read_mark
from tikrelay.outbox.figures import Figures, Id, Letters, Look, Traced
from tikrelay.outbox.forget import Erasure
from tikrelay.outbox.group_commit import GroupCommit
from tikrelay.outbox.jobs import Long
from tikrelay.outbox.kept_log import logs_to_take_back
from tikrelay.outbox.look_up import Search
from tikrelay.outbox.replay import Copying, Replaying
from tikrelay.outbox.retention import make_room
from tikrelay.outbox.room import FAILED, SLOW_AFTER_S, SLOW_DISK, Room, WhyNot
from tikrelay.outbox.scrub import Scrubbing
from tikrelay.outbox.store import (
    Books,
    Call,
    Drop,
    Entry,
    Find,
    Forgotten,
    Lease,
    Outcome,
    Record,
    Replay,
    Replayed,
    Retention,
)
from tikrelay.outbox.survey import CollectingIds, Grouping
from tikrelay.outbox.traces import newest_traces
from tikrelay.outbox.waiting import Shift, Wish, insert, take

OLDEST_SQLITE: Final = 3051003  # 3.51.3: the WAL-reset bug of 3.7.0 to 3.51.2 can damage a file
RESERVE_BYTES: Final = 64 * 1024 * 1024  # kept free, so that outcomes can be written and room be made
_KEEPS: Final = Retention()

L = TypeVar("L", bound=Long)


class SqliteOutbox(GroupCommit):
    """See the module's text; the contract is ``outbox.store.Outbox``."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        emit: Emit,
        max_bytes: int,
        reserve_bytes: int,
        retention: Retention,
        slow_after_s: float,
        vfs: str,
    ) -> None:
        room = Room(
            path,
            clock=clock,
            emit=emit,
            max_bytes=max_bytes,
            reserve_bytes=reserve_bytes,
            slow_after_s=slow_after_s,
        )
        super().__init__(path, clock=clock, emit=emit, room=room, retention=retention, vfs=vfs)
        self._arrivals: dict[str, asyncio.Event] = {}
        self._moving = asyncio.Lock()  # what goes through the tables in steps meets no replay on its way

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        emit: Emit,
        max_bytes: int = 0,
        reserve_bytes: int = RESERVE_BYTES,
        retention: Retention = _KEEPS,
        slow_after_s: float = SLOW_AFTER_S,
        vfs: str = "",
    ) -> Self:
        """Own a file and open it. Raises OutboxInUse, OutboxBroken or OutboxUnavailable.

        ``slow_after_s``  nothing more is taken while one write has lasted for longer

        ``vfs`` names the file system layer SQLite works through; empty is its own.
        """
        if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
            what = f"SQLite {apsw.sqlite_lib_version()} can damage a file (WAL-reset bug)"
            raise OutboxBroken(what, hint="install apsw 3.51.3 or newer")
        outbox = cls(
            path,
            clock=clock,
            emit=emit,
            max_bytes=max_bytes,
            reserve_bytes=reserve_bytes,
            retention=retention,
            slow_after_s=slow_after_s,
            vfs=vfs,
        )
        await asyncio.to_thread(outbox._lock.acquire)
        try:
            outbox._refuse_marked()
            await asyncio.to_thread(outbox._connect)
        except BaseException:
            outbox._lock.release()
            raise
        outbox._thread.start()
        return outbox

    def _refuse_marked(self) -> None:
        """Open no file that was found damaged. The mark of one that has gone means nothing any more."""
        if not self.path.exists():
            mark_of(self.path).unlink(missing_ok=True)
        elif is_marked(self.path):
            what = f"{self.path} was found damaged: {read_mark(self.path)}"
            raise OutboxBroken(what, hint=how_to_mend(self.path))

    @property
    def why_not(self) -> WhyNot | None:
        """Why nothing more is taken, or None; of one that has failed or closes, nothing more can be said."""
        return self._why_not()

    @property
    def ready(self) -> bool:
        """Say whether a put would be taken."""
        return not (self._closing or self.failed.is_set() or self._why_not())

    async def put(self, records: Sequence[Record], drops: Sequence[Drop] = ()) -> None:
        """Make events durable. Raises OutboxUnavailable."""
        if not (records or drops):
            return
        if records and self.failed.is_set():
            self._emit(PutRefused(reason=FAILED))
        self._refuse_when_unable()
        why = self._why_not()
        if why and (records or why.reason == SLOW_DISK):  # counts of drops need no room, but somebody to take them
            self._emit(PutRefused(reason=why.reason))
            raise OutboxUnavailable(f"{self.path}: {why.what}", hint=why.hint)
        if not records:
            self._hand_over(lambda: self._count_drops(drops), writes=False)
            return
        await self._do(lambda: self._insert(records, drops), writes=True, events=len(records))
        for destination in {record.destination for record in records}:
            self._arrival(destination).set()

    async def lease(
        self,
        destination: DestinationName,
        *,
        most: int,
        max_bytes: int,
        now: float,
        tests: bool = True,
        newest: bool = False,
    ) -> Lease:
        """Take events of one test code that are due, those without one first."""
        wish = Wish(destination, most, max_bytes, now, tests, newest)
        lease = await self._do(lambda: take(self._memory, wish), writes=True)
        if lease.events:
            passing("leased")
        return lease

    async def begin(self, lease: Lease) -> None:
        """Note that the events of a lease are about to be sent."""
        await self._do(lambda: results.begin(self._memory, lease), writes=True, optional=True)
        passing("begun")

    async def settle(self, lease: Lease, outcomes: Sequence[Outcome], calls: Sequence[Call] = ()) -> None:
        """Write what became of each event of the lease, with the calls it took, and end it."""
        if len(lease.events) != len(outcomes):
            raise ValueError(f"{len(outcomes)} outcomes for a lease of {len(lease.events)}")
        await self._do(lambda: results.settle(self._memory, lease, outcomes, calls), writes=True)

    def release(self, lease: Lease) -> None:
        """End a lease; its events are as they were."""
        self._hand_over(lambda: self._give_back(lease), writes=False)

    async def wait_for_work(self, destination: DestinationName, *, timeout_s: float) -> None:
        """Return when events have been put since the last call, or after the time."""
        arrival = self._arrival(destination)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrival.wait(), timeout_s)
        arrival.clear()

    async def books(self) -> Books:
        """Count everything."""
        return await self._do(self._memory.books, writes=False)

    def waiting(self, destination: DestinationName) -> int:
        """How many events wait for a destination, as of the last commit."""
        return self._memory.waiting_on_disk[destination]

    async def find(self, which: Find) -> list[Entry]:
        """Look for events, without their bodies and calls."""
        search = Search(which)
        await self._step_through(lambda: search.step(self._memory))
        return search.entries()

    async def show(self, key: int) -> Entry | None:
        """One event with its body and its history."""
        search = Search(Find(keys=(key,)), whole=True)
        await self._step_through(lambda: search.step(self._memory))
        return next(iter(search.entries()), None)

    async def figures(self, look: Look) -> Figures:
        """What happened in each hour or on each day."""
        reading = Reading(look)
        await self._step_through(lambda: reading.step(self._memory))
        return reading.figures()

    async def letters(self) -> list[Letters]:
        """The dead letters in groups that died of the same."""
        grouping = Grouping()
        await self._step_through(lambda: grouping.step(self._memory))
        return grouping.letters

    async def ids(self, *, most: int) -> list[Id]:
        """The ids of the newest events that are kept."""
        collecting = CollectingIds(most)
        await self._step_through(lambda: collecting.step(self._memory))
        return collecting.ids()

    async def traced(self, *, after: int, most: int) -> list[Traced]:
        """The newest traces of events with a key above ``after``."""
        return await self._do(lambda: newest_traces(self._memory, after=after, most=most), writes=False)

    async def replay(self, order: Replay) -> Replayed:
        """Let dead letters wait again, some hundred in each transaction."""
        async with self._moving:
            if order.test_event_code and order.which.keys:
                done = (await self._go_through(await self._to_copy(order), writes=not order.dry_run)).done
            else:
                done = (await self._go_through(Replaying(order=order), writes=not order.dry_run)).done
        if not order.dry_run:
            for arrival in self._arrivals.values():
                arrival.set()
        return done

    async def _to_copy(self, order: Replay) -> Copying:
        search = Search(msgspec.structs.replace(order.which, state=None), whole=True)
        await self._step_through(lambda: search.step(self._memory))
        return Copying(order=order, left=tuple(search.entries()))

    async def forget(self, digests: Collection[str]) -> Forgotten:
        """Erase every event whose body holds one of these SHA-256 hex digests, from the file and its log.

        What is in a kept log is taken back before. Raises OutboxUnavailable where that cannot be done, when all else is
        erased.
        """
        erasure = Erasure.of(digests)
        async with self._moving:
            await self._do(self._take_back, writes=False)
            erasure = await self._go_through(erasure, writes=True)
            await self._scrub()
        if left := [kept.name for kept in logs_to_take_back(self.path)]:
            what = f"erased in the file, but what is in {', '.join(left)} comes back when the file is opened next"
            raise OutboxUnavailable(what, hint="delete it, or make room, and forget again")
        return erasure.forgotten

    async def _scrub(self) -> None:
        """Overwrite what was deleted wherever it may still lie."""
        scrubbing = Scrubbing()
        self._moves_no_pages = True
        try:
            await self._step_through(lambda: scrubbing.step(self._database))
        finally:
            self._moves_no_pages = False

    async def shift(self, seconds: float) -> None:
        """The wall clock was set by so many seconds: what waits keeps its age."""
        async with self._moving:
            await self._go_through(Shift(seconds=seconds), writes=True)

    async def close(self) -> None:
        """Finish what was begun and let go of the file."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    def _arrival(self, destination: str) -> asyncio.Event:
        return self._arrivals.setdefault(destination, asyncio.Event())

    async def _step_through(self, step: Callable[[], bool]) -> None:
        """Look at something long in steps, between which the thread does what others wait for."""
        while await self._do(step, writes=False):
            pass

    async def _go_through(self, long: L, *, writes: bool) -> L:
        """Do something long in steps, each a transaction of its own or part of one."""
        while not long.is_done:
            long = await self._do(functools.partial(long.step, self._memory), writes=writes)
        return long

    # On the thread.

    def _insert(self, records: Sequence[Record], drops: Sequence[Drop]) -> None:
        if self._room.is_tight:
            make_room(self._memory, size=sum(len(record.body) for record in records))
        insert(self._memory, records)
        self._count_drops(drops)

    def _count_drops(self, drops: Iterable[Drop]) -> None:
        self._memory.count_drops(drops)
        if drops and self._drops_since is None:
            self._drops_since = time.monotonic()

    def _give_back(self, lease: Lease) -> None:
        self._memory.let_go(lease.destination, [leased.key for leased in lease.events])
        results.end_note(self._memory, lease)
