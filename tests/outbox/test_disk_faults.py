"""A disk that fails, fills up, or gives back other bytes than it was given."""
# ruff: noqa: ARG002, N802  SQLite's own names and arguments

import asyncio
import hashlib
import os
import random
import shutil
import threading
import time
from itertools import count

import apsw
import pytest

from outboxes import balance, drop, records
from tikrelay.base.errors import OutboxError, OutboxUnavailable
from tikrelay.base.happenings import CommitDone, PutRefused, StoreFailed, StoreStopped, Unexpected
from tikrelay.outbox.jobs import Job
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Find, Forgotten, Replay, Replayed, RetryAt

ANN = hashlib.sha256(b"ann").hexdigest()
MANY = 1200  # more than a forgetting or a shift goes through in two steps
WRITES = frozenset({"write", "sync", "truncate"})
READS = frozenset({"open", "read"})


class FaultyVfs(apsw.VFS):
    """Fails at the n-th call, once or from then on; has no more room, also from the n-th write on; or is slow."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heal()
        super().__init__(name, "")

    def heal(self) -> None:
        self.calls_left: int | None = None
        self.which = WRITES
        self.for_good = False
        self.failed = 0
        self.writes_after_failure = 0
        self.room: int | None = None
        self.is_copy_on_write = False
        self.writes_until_full: int | None = None
        self.is_full_once = False
        self.log_is_well = False
        self.a_sync_takes_s = 0.0
        self.syncs_may_end = threading.Event()
        self.syncs_may_end.set()

    def fail_at(self, call: int, *, for_good: bool, which: frozenset[str] = WRITES) -> None:
        self.heal()
        self.calls_left, self.for_good, self.which = call, for_good, which

    def full_at(self, write: int, *, is_copy_on_write: bool, once: bool = False) -> None:
        self.heal()
        self.writes_until_full, self.is_copy_on_write, self.is_full_once = write, is_copy_on_write, once

    def xOpen(self, name, flags):
        self.meet("open", apsw.CantOpenError)
        return FaultyFile(self, name, flags)

    def meet(self, call: str, error: type[apsw.Error] = apsw.IOError) -> None:
        """Stand for one call to the disk."""
        if self.failed and call in WRITES:
            self.writes_after_failure += 1
        if self.calls_left is None or call not in self.which:
            return
        self.calls_left -= 1
        if self.calls_left == 0 or (self.calls_left < 0 and self.for_good):
            self.failed += 1
            raise error("the disk fails")

    def take_room(self, grows_by: int) -> None:
        """Stand for one write that needs room: one beyond a file's end, or any where nothing is written in place."""
        if not (grows_by or self.is_copy_on_write):
            return
        if self.writes_until_full is not None:
            self.writes_until_full -= 1
            if self.writes_until_full <= 0:
                self.room = 0
        if self.room is not None:
            if self.is_copy_on_write or grows_by > self.room:
                self.failed += 1
                if self.is_full_once:
                    self.heal()
                raise apsw.FullError("no space left on device")
            self.room -= grows_by


class FaultyFile(apsw.VFSFile):
    """One open file of a FaultyVfs."""

    def __init__(self, vfs: FaultyVfs, name, flags) -> None:
        super().__init__("", name, flags)
        self.vfs = vfs
        self.is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def meet(self, call: str) -> None:
        if not (self.is_log and self.vfs.log_is_well):
            self.vfs.meet(call)

    def xRead(self, amount, offset):
        self.meet("read")
        return super().xRead(amount, offset)

    def xWrite(self, data, offset):
        self.meet("write")
        self.vfs.take_room(max(0, offset + len(data) - self.xFileSize()))
        super().xWrite(data, offset)

    def xSync(self, flags):
        self.meet("sync")  # and no more: what is tried here is what SQLite is told
        time.sleep(self.vfs.a_sync_takes_s)
        self.vfs.syncs_may_end.wait()

    def xTruncate(self, newsize):
        self.meet("truncate")
        super().xTruncate(newsize)


@pytest.fixture
def disk():
    vfs = FaultyVfs("faulty")

    def keep_to_itself(connection: apsw.Connection) -> None:
        if connection.open_vfs == vfs.name:
            connection.pragma("locking_mode", "exclusive")  # the layer has no shared memory

    apsw.connection_hooks.append(keep_to_itself)
    yield vfs
    apsw.connection_hooks.remove(keep_to_itself)
    vfs.unregister()


async def lease_all(outbox, clock):
    return await outbox.lease("shop", most=10_000, max_bytes=1 << 30, now=clock.now())


async def work(outbox, clock, record, told):
    """Put and deliver some events; ``told`` holds those that were acknowledged and not handed over to be settled."""
    for number in range(3):
        records = [record(10 * number + i, body=b"%d" % i * 9000) for i in range(2)]
        await outbox.put(records)
        told.update({r.event_id: r.body for r in records})
    lease = await outbox.lease("shop", most=2, max_bytes=1 << 30, now=clock.now())
    for event in lease.events:
        del told[event.event_id]
    await outbox.settle(lease, [Accepted()] * 2)
    await outbox._do(lambda: None, writes=True)


async def checkpointed(outbox):
    """Let the thread make a checkpoint, as it does between two groups when the log has grown long."""
    outbox._database._pages_in_wal = 1 << 20
    await outbox._do(lambda: None, writes=True)
    await outbox.books()  # the next group: the checkpoint is over


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("which", [WRITES, READS], ids=["writes", "reads"])
async def test_after_an_io_error_nothing_is_written_and_nothing_acknowledged_is_lost(  # noqa: PLR0917
    open_outbox, record, clock, disk, tmp_path, for_good, which
):
    """SQLite's own method: fail the first call, then the second, and so on, until a pass meets no failure."""
    seen = {"at start": 0, "at work": 0}
    for call in count(1):
        path = tmp_path / f"outbox-{call:03}.db"
        told = {}
        disk.fail_at(call, for_good=for_good, which=which)
        try:
            outbox = await open_outbox(path, vfs="faulty")
        except OutboxUnavailable:
            seen["at start"] += 1
            disk.heal()
            assert () == (await lease_all(await open_outbox(path, vfs="faulty"), clock)).events
            continue
        try:
            await work(outbox, clock, record, told)
            await checkpointed(outbox)
        except OutboxUnavailable:
            pass
        if not disk.failed:
            await outbox.close()
            break
        await asyncio.wait_for(outbox.failed.wait(), 5)
        with pytest.raises(OutboxUnavailable, match="a write failed"):
            await outbox.put([record(99)])
        await outbox.close()
        seen["at work"] += 1
        assert (False, 0) == (outbox.ready, disk.writes_after_failure)

        disk.heal()
        await found_whole(await open_outbox(path, vfs="faulty"), clock, told)

    assert seen["at start"] > 5
    assert seen["at work"] > (10 if which is WRITES else 0)


async def found_whole(outbox, clock, told):
    found = {event.event_id: event.body for event in (await lease_all(outbox, clock)).events}
    assert told == {event_id: found.get(event_id) for event_id in told}
    assert "ok" == await outbox._do(lambda: outbox._database.pragma("integrity_check"), writes=False)
    await outbox.close()


@pytest.mark.parametrize("is_copy_on_write", [False, True], ids=["writes in place", "copies on write"])
async def test_a_disk_that_is_full_at_any_write_costs_nothing_that_was_acknowledged(  # noqa: PLR0917
    open_outbox, record, clock, disk, tmp_path, is_copy_on_write
):
    """Nothing fails for good: with room again, the same outbox takes and delivers."""
    seen = {"at start": 0, "at work": 0}
    for write in count(1):
        path = tmp_path / f"outbox-{write:03}.db"
        told = {}
        disk.full_at(write, is_copy_on_write=is_copy_on_write)
        try:
            outbox = await open_outbox(path, vfs="faulty")
        except OutboxUnavailable:
            seen["at start"] += 1
            disk.heal()
            await found_whole(await open_outbox(path, vfs="faulty"), clock, {})
            continue
        try:
            await work(outbox, clock, record, told)
            await checkpointed(outbox)
        except OutboxUnavailable:
            seen["at work"] += 1
        was_full = disk.failed
        disk.heal()
        await outbox.put([record(99)])
        failed = outbox.failed.is_set()
        await outbox.close()

        assert not failed
        await found_whole(await open_outbox(path, vfs="faulty"), clock, {**told, "e99": b'{"n":99}'})
        if not was_full:
            break

    assert seen["at start"] > 5
    assert seen["at work"] > 5


async def test_on_a_slow_disk_what_comes_meanwhile_shares_one_sync(open_outbox, record, disk, happenings):
    outbox = await open_outbox(vfs="faulty")
    happenings.clear()
    disk.a_sync_takes_s = 0.2
    for first in (0, 100, 200):
        puts = [asyncio.ensure_future(outbox.put([record(first + number)])) for number in range(100)]
        await asyncio.sleep(0.1)
    await asyncio.gather(*puts)
    commits = [what for what in happenings if isinstance(what, CommitDone) and what.events]

    assert 300 == sum(commit.events for commit in commits)
    assert len(commits) <= 5


async def test_while_a_sync_hangs_nobody_more_is_made_to_wait_and_who_waits_is_told_the_truth(
    open_outbox, record, disk, happenings
):
    outbox = await open_outbox(vfs="faulty", slow_after_s=0.05)
    await outbox.put([record(1)])
    disk.syncs_may_end.clear()
    waiting = asyncio.ensure_future(outbox.put([record(2)]))
    was_ready = await has_been(outbox, ready=False)
    if not was_ready:
        disk.syncs_may_end.set()  # or the test would hang where it should fail
    refused = await asyncio.gather(outbox.put([record(3)]), outbox.put([], [drop()]), return_exceptions=True)
    is_told = waiting.done()
    disk.syncs_may_end.set()
    await waiting
    is_ready = await has_been(outbox, ready=True)
    await outbox.put([record(4)])

    assert (True, True, False) == (was_ready, is_ready, is_told)
    assert [OutboxUnavailable] * 2 == [type(result) for result in refused]
    assert [PutRefused(reason="slow_disk")] * 2 == [what for what in happenings if isinstance(what, PutRefused)]
    assert ["slow_disk"] == [what.reason for what in happenings if isinstance(what, StoreStopped)]
    assert {"e1", "e2", "e4"} == {entry.event_id for entry in await outbox.find(Find())}


async def has_been(outbox, *, ready):
    """Wait until an outbox is ready, or is not."""
    deadline = time.monotonic() + 20
    while outbox.ready != ready and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return outbox.ready == ready


@pytest.mark.parametrize("error", [MemoryError, apsw.NoMemError, KeyError])
async def test_what_escapes_on_the_thread_ends_the_process_and_lets_nobody_wait(
    open_outbox, record, clock, happenings, error
):
    outbox = await open_outbox()

    def fail():
        raise error("ann@shop.example")

    clock.now = fail  # the thread asks for it when it looks for what is old, which nobody waits for
    puts = [outbox.put([record(number)]) for number in range(3)]
    results = await asyncio.wait_for(asyncio.gather(*puts, return_exceptions=True), 30)
    later = await asyncio.gather(outbox.put([record(9)]), outbox.books(), return_exceptions=True)
    (failed,) = [what for what in happenings if isinstance(what, StoreFailed)]

    assert [OutboxUnavailable] * 5 == [type(result) for result in [*results, *later]]
    assert (True, False, True) == (outbox.failed.is_set(), outbox.ready, outbox._thread.is_alive())
    assert (error.__name__, error.__name__) == (failed.reason, failed.what)
    assert [error] == [type(what.error) for what in happenings if isinstance(what, Unexpected)]
    assert "ann@" not in f"{results}{later}"


async def test_the_callers_of_a_commit_that_failed_are_told(open_outbox, record, disk, happenings):
    outbox = await open_outbox(vfs="faulty")
    disk.fail_at(1, for_good=True)
    puts = [outbox.put([record(number)]) for number in range(5)]
    results = await asyncio.gather(*puts, return_exceptions=True)

    assert [OutboxUnavailable] * 5 == [type(result) for result in results]
    assert "IOError" in {what.reason for what in happenings if isinstance(what, StoreFailed)}


async def test_nothing_is_written_before_the_event_loop_hears_of_the_failure(open_outbox, record, disk):
    outbox = await open_outbox(vfs="faulty")
    disk.fail_at(1, for_good=False)
    first = asyncio.ensure_future(outbox.put([record(1)]))
    await asyncio.sleep(0)
    deadline = time.monotonic() + 5
    while not disk.failed and time.monotonic() < deadline:
        time.sleep(0.001)  # the loop stands still, as it does under load
    outbox._jobs.put(Job(lambda: outbox._insert([record(2)], []), outbox._loop.create_future(), writes=True))
    while not outbox._jobs.empty() and time.monotonic() < deadline:
        time.sleep(0.001)
    heard = outbox.failed.is_set()
    await outbox.close()

    assert (1, 0) == (disk.failed, disk.writes_after_failure)
    assert not heard
    assert isinstance(first.exception(), OutboxUnavailable)


async def test_a_failure_under_a_checkpoint_is_noticed(open_outbox, record, clock, disk):
    """The event is safe in the log, and its answer is true; but nothing is written any more."""
    outbox = await open_outbox(vfs="faulty")
    disk.fail_at(1, for_good=True)
    disk.log_is_well = True
    await outbox.put([record(1, body=b"x" * 3_000_000)])
    await asyncio.wait_for(outbox.failed.wait(), 5)
    ready = outbox.ready
    await outbox.close()
    disk.heal()

    assert not ready
    assert 1 == len((await lease_all(await open_outbox(vfs="faulty"), clock)).events)


async def test_a_full_disk_stops_what_comes_in_and_not_what_goes_out(open_outbox, record, clock, disk):
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(number, body=b"x" * 10_000) for number in range(20)])
    await outbox._do(outbox._database.checkpoint, writes=False)
    lease = await lease_all(outbox, clock)
    disk.room = 0
    results = await asyncio.gather(
        outbox.put([record(100, body=b"x" * 3_000_000)]),
        outbox.settle(lease, [Accepted()] * 20),
        lease_all(outbox, clock),
        return_exceptions=True,
    )
    books = await outbox.books()

    assert isinstance(results[0], OutboxUnavailable)
    assert "free some room on its disk" in results[0].hint
    assert None is results[1]
    assert () == results[2].events
    assert ({"shop": 20}, {"shop": 0}) == (books.accepted, books.waiting)
    assert not outbox.failed.is_set()


async def test_an_outbox_recovers_when_there_is_room_again(open_outbox, record, clock, disk):
    outbox = await open_outbox(vfs="faulty")
    disk.room = 200_000
    told = []
    for number in range(100):
        try:
            await outbox.put([record(number, body=b"x" * 10_000)])
        except OutboxUnavailable:
            break
        told.append(f"e{number}")
    disk.room = None
    await outbox.put([record(200)])
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted()] * len(lease.events))

    assert 1 < len(told) < 99
    assert [*told, "e200"] == [event.event_id for event in lease.events]
    assert "ok" == await outbox._do(lambda: outbox._database.pragma("integrity_check"), writes=False)
    assert not outbox.failed.is_set()


async def test_on_a_full_disk_the_room_inside_the_file_is_used(open_outbox, record, clock, disk):
    """The log cannot grow, so it is carried into the file's free pages and written anew from its beginning."""
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(number, body=b"x" * 10_000) for number in range(30)])
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted()] * 30)
    await checkpointed(outbox)
    disk.room = 0
    taken = []
    for number in range(60):
        try:
            await outbox.put([record(100 + number, body=b"x" * 5_000)])
        except OutboxUnavailable:
            taken.append(False)
        else:
            taken.append(True)
    first_refused = taken.index(False)

    assert 1 < first_refused < 50
    assert taken[first_refused + 1]


async def test_a_lease_that_a_full_disk_undid_can_be_taken_again(open_outbox, record, clock, disk):
    """Burying a damaged event is a write, so a lease can fail for want of room."""
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(number) for number in range(3)])
    await outbox._do(lambda: outbox._database.run("UPDATE waiting SET checksum = 0 WHERE event_id = 'e1'"), writes=True)
    await outbox._do(outbox._database.checkpoint, writes=False)
    outbox._database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    disk.room = 0
    with pytest.raises(OutboxUnavailable):
        await lease_all(outbox, clock)
    before = await outbox.books()
    disk.room = None

    lease = await lease_all(outbox, clock)

    assert ({"shop": 3}, {}) == (before.waiting, before.dead)
    assert ["e0", "e2"] == [event.event_id for event in lease.events]


async def at_each_write(open_outbox, clock, disk, tmp_path, *, become=None):
    """Outboxes of many events of one person, one on its way, on a disk without room for one write, each at another."""
    for write in sorted({int(1.3**n) for n in range(36)}):  # fewer of the later ones, for they are alike
        path = tmp_path / f"{write}" / "outbox-000.db"
        path.parent.mkdir()
        outbox = await open_outbox(path, vfs="faulty")
        await outbox.put(records(MANY, body=f'{{"user":"{ANN}"}}'.encode()))
        await outbox.begin(await outbox.lease("shop", most=1, max_bytes=1, now=clock.now()))
        if become:
            lease = await lease_all(outbox, clock)
            await outbox.settle(lease, [become] * len(lease.events))
        disk.full_at(write, is_copy_on_write=True, once=True)
        yield outbox
        was_full = disk.writes_until_full is None
        disk.heal()
        await outbox.close()
        if not was_full:
            return


async def test_who_is_said_to_be_forgotten_is_whenever_the_disk_was_full(open_outbox, clock, disk, tmp_path):
    found = []
    async for outbox in at_each_write(open_outbox, clock, disk, tmp_path):
        done = await asyncio.gather(outbox.forget([ANN]), return_exceptions=True)
        if done == [Forgotten(waiting=MANY)]:
            books = await outbox.books()
            found.append((len(await outbox.find(Find(most=MANY))), books.waiting["shop"], balance(books)))

    assert len(found) > 10
    assert {(0, 0, (MANY, MANY))} == set(found)


async def test_what_is_said_to_be_shifted_is_shifted_once_whenever_the_disk_was_full(
    open_outbox, clock, disk, tmp_path
):
    found = []
    async for outbox in at_each_write(open_outbox, clock, disk, tmp_path):
        (before,) = {entry.received_at for entry in await outbox.find(Find(most=MANY))}
        if await asyncio.gather(outbox.shift(3600.0), return_exceptions=True) == [None]:
            moved = {entry.received_at - before for entry in await outbox.find(Find(most=MANY))}
            found.append((moved, outbox._memory.shifted))

    assert len(found) > 10
    assert all(({3600.0}, 3600.0) == one for one in found)


async def test_what_is_said_to_be_replayed_waits_again_whenever_the_disk_was_full(open_outbox, clock, disk, tmp_path):
    order = Replay(which=Find(most=MANY), destinations=("shop",))
    found = []
    async for outbox in at_each_write(open_outbox, clock, disk, tmp_path, become=Dead(reason=DeadReason.REFUSED)):
        (done,) = await asyncio.gather(outbox.replay(order), return_exceptions=True)
        said = done.replayed if isinstance(done, Replayed) else MANY - 1
        rest = await outbox.replay(order) if isinstance(done, OutboxUnavailable) else Replayed()
        books = await outbox.books()
        found.append((said, books.replayed["shop", "refused"], books.waiting["shop"], balance(books), rest.kept))

    assert len(found) > 10
    assert all((MANY - 1, MANY - 1, MANY, (MANY, MANY), {}) == one for one in found)


async def test_an_event_whose_forgetting_failed_is_still_in_its_senders_hands(open_outbox, record, clock, disk):
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(1, body=ANN.encode()), record(2)])
    lease = await lease_all(outbox, clock)
    disk.full_at(1, is_copy_on_write=True)
    with pytest.raises(OutboxUnavailable):
        await outbox.forget([ANN])
    disk.heal()
    another = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted()] * 2)

    assert () == another.events
    assert {"shop": 2} == (await outbox.books()).accepted


async def test_what_a_failed_transaction_counted_is_counted_once_also_on_disk(open_outbox, record, clock, disk):
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(number) for number in range(3)])
    lease = await lease_all(outbox, clock)
    disk.full_at(1, is_copy_on_write=True)
    with pytest.raises(OutboxUnavailable):
        await outbox.settle(lease, [Accepted()] * 3)
    disk.heal()
    await outbox.settle(lease, [Accepted()] * 3)
    await outbox.close()
    books = await (await open_outbox(vfs="faulty")).books()

    assert ({"shop": 3}, {("shop", "data", "purchase"): 3}) == (books.accepted, books.received)


async def test_a_note_that_a_full_disk_did_not_let_end_ends_with_the_lease(open_outbox, record, clock, disk):
    """Else an event that waits would be held for one whose outcome nobody knows, at the next start."""
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(1)])
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    disk.full_at(1, is_copy_on_write=True)
    with pytest.raises(OutboxUnavailable):
        await outbox.settle(lease, [RetryAt(at=0.0)])
    disk.heal()
    await outbox.settle(lease, [RetryAt(at=0.0)])
    await outbox.close()
    (event,) = (await lease_all(await open_outbox(vfs="faulty"), clock)).events

    assert (1, None) == (event.attempts, event.unknown_since)


async def test_the_note_of_a_lease_that_was_released_goes_although_the_next_write_failed(
    open_outbox, record, clock, disk
):
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(1)])
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    outbox.release(lease)
    disk.full_at(1, is_copy_on_write=True)
    with pytest.raises(OutboxUnavailable):
        await outbox.put([record(2)])
    disk.heal()
    await outbox.put([record(3)])
    await outbox.close()
    events = (await lease_all(await open_outbox(vfs="faulty"), clock)).events

    assert [("e1", 0, None), ("e3", 0, None)] == [(e.event_id, e.attempts, e.unknown_since) for e in events]


async def test_a_begin_that_a_full_disk_left_out_is_noted_the_next_time(open_outbox, record, clock, disk):
    outbox = await open_outbox(vfs="faulty")
    await outbox.put([record(1)])
    lease = await lease_all(outbox, clock)
    disk.full_at(1, is_copy_on_write=True)
    await outbox.begin(lease)
    disk.heal()
    await outbox.begin(lease)
    await outbox.close()
    (event,) = (await lease_all(await open_outbox(vfs="faulty"), clock)).events

    assert (1, clock.now()) == (event.attempts, event.unknown_since)


async def flipped(open_outbox, record, clock, tmp_path, *, files):
    """Flip one byte in each of many copies of an outbox; say what each showed."""
    whole = tmp_path / "whole" / "outbox-000.db"
    whole.parent.mkdir()
    outbox = await open_outbox(whole)
    sent = {f"e{number}": b"%d" % number * 300 for number in range(60)}
    for event_id, body in sent.items():
        await outbox.put([record(int(event_id[1:]), body=body)])
    shutil.copytree(whole.parent, tmp_path / "in use")
    await outbox.close()
    found = []
    rng = random.Random(5)
    for number in range(files):
        folder = tmp_path / str(number)
        shutil.copytree(rng.choice([whole.parent, tmp_path / "in use"]), folder)
        (folder / "outbox-000.db-shm").unlink(missing_ok=True)
        target = max(folder.glob("outbox-000.db*"), key=lambda file: file.stat().st_size)
        with target.open("r+b") as file:
            at = rng.randrange(target.stat().st_size)
            before = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([before[0] ^ (1 << rng.randrange(8))]), at)
        found.append(await shown(open_outbox, clock, folder / "outbox-000.db", sent))
        shutil.rmtree(folder)
    return found


async def shown(open_outbox, clock, path, sent):
    try:
        outbox = await open_outbox(path)
    except OutboxError:
        return "refused"
    try:
        lease = await lease_all(outbox, clock)
        letters = await outbox.find(Find(state="dead"))
    except OutboxError:
        return "unavailable"
    finally:
        await outbox.close()
    if any(sent.get(event.event_id) != event.body for event in lease.events):
        return "changed"
    if len(lease.events) == len(sent):
        return "whole"
    return "in the dead letters" if len(lease.events) + len(letters) == len(sent) else "fewer"


async def test_a_flipped_byte_anywhere_changes_no_event(open_outbox, record, clock, tmp_path):
    found = await flipped(open_outbox, record, clock, tmp_path, files=50)

    assert {"whole", "in the dead letters"} < set(found)
    assert "changed" not in found


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_thousands_of_flipped_bytes_change_no_event(open_outbox, record, clock, tmp_path):
    found = await flipped(open_outbox, record, clock, tmp_path, files=2000)

    assert "changed" not in found
