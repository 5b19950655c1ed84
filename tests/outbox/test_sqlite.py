"""The Outbox in one SQLite file: what the contract's suite does not ask of every store."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
import tracemalloc

import apsw
import pytest

from tikrelay.base.errors import OutboxBroken, OutboxInUse, OutboxUnavailable
from tikrelay.base.happenings import CommitDone, EventsBuried, StoreFailed
from tikrelay.event import DropReason
from tikrelay.outbox.memory import MOST_NAMES
from tikrelay.outbox.schema import FORMAT, VERSION
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Drop, Find, Record, Retention, RetryAt

NOTHING = Retention(delivered_events=0)
OPEN_IT = """
import asyncio, sys
from pathlib import Path
from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import OutboxInUse
from tikrelay.base.happenings import silent
from tikrelay.outbox.sqlite import SqliteOutbox
try:
    asyncio.run(SqliteOutbox.open(Path(sys.argv[1]), clock=SystemClock(), emit=silent))
except OutboxInUse as error:
    print(error.what)
"""


async def lease_all(outbox, clock, *, most=10_000):
    return await outbox.lease("shop", most=most, max_bytes=1_000_000_000, now=clock.now())


async def drain(outbox, clock):
    """Deliver all that waits."""
    while (lease := await lease_all(outbox, clock, most=200)).events:
        await outbox.settle(lease, [Accepted()] * len(lease.events))


@contextlib.contextmanager
def beside(path):
    """Another connection to the file, of the same library: with two in one process, neither sees the other's locks."""
    connection = apsw.Connection(str(path))
    try:
        yield connection
    finally:
        connection.close()


def commits(happenings):
    return [done for done in happenings if isinstance(done, CommitDone)]


# Group commit.


async def test_puts_that_wait_at_one_moment_share_commits(open_outbox, record, happenings):
    outbox = await open_outbox()
    await asyncio.gather(*(outbox.put([record(number)]) for number in range(500)))

    assert 500 == sum(done.events for done in commits(happenings))
    assert len(commits(happenings)) < 50


async def test_a_put_by_itself_is_committed_without_waiting_for_others(open_outbox, record, happenings):
    outbox = await open_outbox()
    await outbox.put([record(1), record(2)])

    assert [(1, 2)] == [(done.jobs, done.events) for done in commits(happenings)]


async def test_what_a_put_waited_for_can_be_seen_by_others(open_outbox, record, path):
    outbox = await open_outbox()
    await outbox.put([record(1)])

    with beside(path) as other:
        assert [("e1",)] == other.execute("SELECT event_id FROM waiting").fetchall()


async def test_a_job_that_cannot_be_done_harms_no_neighbour(open_outbox, record):
    outbox = await open_outbox()
    bad = Record(destination="shop", source="data", name="n", event="N", event_id="bad\ud800", body=b"{}")
    puts = [outbox.put([record(1)]), outbox.put([record(2), bad]), outbox.put([record(3)])]
    results = await asyncio.gather(*puts, return_exceptions=True)
    books = await outbox.books()

    assert [None, UnicodeEncodeError, None] == [r and type(r) for r in results]
    assert {"shop": 2} == books.waiting
    assert {("shop", "data", "purchase"): 2} == books.received


async def test_a_lease_taken_beside_a_job_that_cannot_be_done_is_not_lost(open_outbox, record, clock):
    outbox = await open_outbox()
    await outbox.put([record(1)])
    bad = Record(destination="shop", source="data", name="n", event="N", event_id="bad\ud800", body=b"{}")
    lease, error = await asyncio.gather(lease_all(outbox, clock), outbox.put([bad]), return_exceptions=True)

    assert ["e1"] == [event.event_id for event in lease.events]
    assert isinstance(error, UnicodeEncodeError)


async def test_a_call_whose_events_were_all_forgotten_on_their_way_leaves_no_note(open_outbox, record, clock):
    outbox = await open_outbox()
    digest = "a" * 64
    await outbox.put([record(1, body=digest.encode())])
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    await outbox.forget([digest])
    await outbox.settle(lease, [Accepted()])
    await outbox.close()
    outbox = await open_outbox()
    calls = await outbox._do(lambda: outbox._database.rows("SELECT outcome FROM calls"), writes=False)

    assert [] == calls


# Who owns it.


async def test_a_second_process_is_refused_and_told_who_has_it(open_outbox, path):
    await open_outbox()
    child = subprocess.run([sys.executable, "-c", OPEN_IT, str(path)], capture_output=True, text=True, check=True)

    assert f"the outbox file {path} is in use by process {os.getpid()}\n" == child.stdout


async def test_a_file_that_was_closed_can_be_opened_again(open_outbox, path):
    first = await open_outbox()
    with pytest.raises(OutboxInUse):
        await open_outbox()
    await first.close()

    assert (await open_outbox()).ready


async def test_a_file_that_could_not_be_opened_is_not_kept_locked(open_outbox, path):
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(OutboxBroken):
        await open_outbox()
    path.unlink()

    assert (await open_outbox()).ready


async def test_files_are_for_their_owner_alone(open_outbox, record, path):
    before = os.umask(0o000)
    try:
        await (await open_outbox()).put([record()])
    finally:
        os.umask(before)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert dict.fromkeys(("outbox-000.db", "outbox-000.db-wal", "outbox-000.db-shm", "outbox-000.lock"), 0o600) == modes


# Files that cannot be used.


async def test_a_file_that_is_no_database_is_broken_and_says_what_to_do(open_outbox, path):
    path.write_bytes(b"not a database" * 1000)

    with pytest.raises(OutboxBroken, match=rf"{path} is damaged: .*not a database") as caught:
        await open_outbox()

    assert caught.value.hint.endswith("tikrelay doctor --salvage outbox-000.db")
    assert path.read_bytes() == b"not a database" * 1000


async def test_a_newer_file_is_refused_and_left_alone(open_outbox, record, path):
    await (await open_outbox()).put([record()])
    with beside(path) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 6}")
    outbox_path = path.with_name("outbox-001.db")
    outbox_path.write_bytes(b"")
    with beside(path) as other:
        other.execute("VACUUM INTO ?", (str(outbox_path),))
        other.execute(f"PRAGMA user_version = {VERSION}")

    with pytest.raises(OutboxBroken, match=rf"format {VERSION + 6}, this one knows {VERSION}"):
        await open_outbox(outbox_path)

    with beside(outbox_path) as other:
        assert [(1,)] == other.execute("SELECT count(*) FROM waiting").fetchall()


async def test_a_file_that_cannot_be_opened_is_unavailable(open_outbox, path):
    path.mkdir()

    with pytest.raises(OutboxUnavailable, match=f"cannot open {path}: ") as caught:
        await open_outbox()

    assert "permissions" in caught.value.hint


async def test_a_file_of_an_older_version_keeps_all_that_was_in_it(open_outbox, clock, path, write_older):
    write_older(path)
    clock.time = 1_795_312_410.25
    outbox = await open_outbox()
    before = await outbox.books()
    letters = await outbox.find(Find(state="dead"))
    leases = [await lease_all(outbox, clock) for _ in range(2)]  # in one of them there is a test
    for lease in leases:
        outcomes = [Dead(reason=DeadReason.REFUSED) if one.event_id == "R-1" else Accepted() for one in lease.events]
        await outbox.settle(lease, outcomes)
    after = await outbox.books()

    received = {
        ("shop", "ga4_web", "purchase"): 6,
        ("shop", "ga4_web", "scroll"): 1,
        ("other", "ga4_web", "purchase"): 1,
    }
    assert received == before.received
    assert {"shop": 3, "other": 1} == before.waiting
    assert [("R-3", "too_old", ""), ("R-2", "refused", "")] == [
        (letter.event_id, letter.reason, letter.test_event_code) for letter in letters
    ]
    assert [("R-1", 1, 1_795_312_350.25), ("R-4", 0, None), ("R-5", 0, None)] == sorted(
        (event.event_id, event.attempts, event.unknown_since) for lease in leases for event in lease.events
    )
    assert ({"shop": 3}, {"shop": 0, "other": 1}) == (after.accepted, after.waiting)
    assert {("shop", "refused"): 2, ("shop", "too_old"): 1} == after.dead


async def test_a_file_of_an_older_version_takes_tests(open_outbox, record, clock, path, write_older):
    write_older(path)
    outbox = await open_outbox()
    await outbox.put([record(1, code="TEST0")])
    leases = [await lease_all(outbox, clock) for _ in range(3)]

    assert ("e1", "TEST0") in {(event.event_id, event.test_event_code) for lease in leases for event in lease.events}


# Damage.


@pytest.mark.parametrize("column", ["body", "event_id", "event"])
async def test_a_flipped_byte_costs_its_event_alone(  # noqa: PLR0917
    open_outbox, record, clock, happenings, path, column
):
    outbox = await open_outbox()
    await outbox.put([record(number) for number in range(3)])
    await outbox.close()
    with beside(path) as other:
        ((key, value),) = other.execute(f"SELECT id, CAST({column} AS BLOB) FROM waiting WHERE event_id = 'e1'")
        kind = "BLOB" if column == "body" else "TEXT"
        other.execute(
            f"UPDATE waiting SET {column} = CAST(? AS {kind}) WHERE id = ?", (value[:-1] + bytes([value[-1] ^ 4]), key)
        )

    outbox = await open_outbox()
    lease = await lease_all(outbox, clock)
    (letter,) = await outbox.find(Find(state="dead"))
    books = await outbox.books()

    assert ["e0", "e2"] == [event.event_id for event in lease.events]
    assert (key, DeadReason.DAMAGED) == (letter.key, letter.reason)
    assert ({"shop": 2}, {("shop", "damaged"): 1}) == (books.waiting, books.dead)
    assert [EventsBuried(destination="shop", reason="damaged", count=1)] == [
        happening for happening in happenings if isinstance(happening, EventsBuried)
    ]


@pytest.mark.parametrize("column", ["event_id", "event"])
async def test_a_text_that_is_no_text_any_more_costs_its_event_alone(open_outbox, record, clock, path, column):
    outbox = await open_outbox()
    await outbox.put([record(number) for number in range(3)])
    with beside(path) as other:
        other.execute(f"UPDATE waiting SET {column} = CAST(x'65ff' AS TEXT) WHERE event_id = 'e1'")

    lease = await lease_all(outbox, clock)
    (letter,) = await outbox.find(Find(state="dead"))

    assert ["e0", "e2"] == [event.event_id for event in lease.events]
    assert "e\N{REPLACEMENT CHARACTER}" == getattr(letter, column)


@pytest.mark.parametrize("code", ["TEST5", "", b"TE\xffT4"], ids=["another", "none", "no text"])
async def test_an_event_whose_test_code_was_changed_on_disk_is_not_sent(open_outbox, record, clock, path, code):
    outbox = await open_outbox()
    await outbox.put([record(1, code="TEST4"), record(2, code="TEST3")])
    with beside(path) as other:
        other.execute("UPDATE waiting SET test_event_code = CAST(? AS TEXT) WHERE event_id = 'e1'", (code,))

    leases = [await lease_all(outbox, clock) for _ in range(2)]
    (letter,) = await outbox.find(Find(state="dead"))

    assert ["e2"] == [event.event_id for lease in leases for event in lease.events]
    assert ("e1", DeadReason.DAMAGED) == (letter.event_id, letter.reason)


async def test_an_event_without_a_test_code_that_got_one_on_disk_is_not_sent(open_outbox, record, clock, path):
    outbox = await open_outbox()
    await outbox.put([record(1)])
    with beside(path) as other:
        other.execute("UPDATE waiting SET test_event_code = 'TEST1'")

    lease = await lease_all(outbox, clock)

    assert () == lease.events
    assert [DeadReason.DAMAGED] == [letter.reason for letter in await outbox.find(Find(state="dead"))]


@contextlib.contextmanager
def without_types(path):
    """A connection by which the columns of what waits take values of any type."""
    with beside(path) as other:
        ((typed,),) = other.execute("SELECT sql FROM sqlite_schema WHERE name = 'waiting'").fetchall()
    loose = re.sub(r" NOT NULL|\bREAL\b|\bTEXT\b|STRICT", "", typed)
    write = "UPDATE sqlite_schema SET sql = ? WHERE name = 'waiting'"
    with beside(path) as other:
        other.execute("PRAGMA writable_schema = ON")
        other.execute(write, (loose,))
    with beside(path) as other:  # a connection reads the schema once
        yield other
        other.execute("PRAGMA writable_schema = ON")
        other.execute(write, (typed,))


DAMAGED_TYPES = [
    ("body", 1),
    ("body", None),
    ("body", "a text"),
    ("event", None),
    ("event_id", 7),
    ("format", None),
    ("checksum", "a text"),
    ("received_at", None),
    ("received_at", b"bytes"),
    ("attempts", None),
    ("attempts", 0.5),
    ("unknown_since", "a text"),
]


@pytest.mark.parametrize(("column", "value"), DAMAGED_TYPES)
async def test_a_value_of_another_type_costs_its_event_alone(  # noqa: PLR0917
    open_outbox, record, clock, path, column, value
):
    """One flipped bit in the head of a row does that."""
    outbox = await open_outbox()
    await outbox.put([record(number) for number in range(3)])
    await outbox.close()
    with without_types(path) as other:
        other.execute(f"UPDATE waiting SET {column} = ? WHERE event_id = 'e2'", (value,))

    outbox = await open_outbox()
    lease = await lease_all(outbox, clock)
    letters = await outbox.find(Find(state="dead"))
    books = await outbox.books()

    assert ["e0", "e1"] == [event.event_id for event in lease.events]
    assert [DeadReason.DAMAGED] == [letter.reason for letter in letters]
    assert ({"shop": 2}, {("shop", "damaged"): 1}) == (books.waiting, books.dead)


async def test_a_destination_that_is_no_text_any_more_is_told_at_the_start(open_outbox, record, path):
    outbox = await open_outbox()
    await outbox.put([record()])
    await outbox.close()
    with beside(path) as other:
        other.execute("UPDATE waiting SET destination = CAST(x'65ff' AS TEXT)")

    with pytest.raises(OutboxBroken, match="is damaged"):
        await open_outbox()


async def test_an_event_in_a_format_of_another_version_is_not_sent(open_outbox, record, clock, path):
    outbox = await open_outbox()
    await outbox.put([record()])
    with beside(path) as other:
        other.execute("UPDATE waiting SET format = ?", (FORMAT + 1,))

    lease = await lease_all(outbox, clock)

    assert () == lease.events
    assert [DeadReason.DAMAGED] == [letter.reason for letter in await outbox.find(Find(state="dead"))]


# Room.


async def test_an_outbox_that_holds_as_much_as_it_may_takes_no_more_until_it_is_drained(open_outbox, record, clock):
    outbox = await open_outbox(max_bytes=300_000)
    stored = 0
    while outbox.ready and stored < 1000:
        await outbox.put([record(stored, body=b"x" * 10_000)])
        stored += 1
    with pytest.raises(OutboxUnavailable, match=r"outbox.max_bytes is 300000") as caught:
        await outbox.put([record()])
    while_full = outbox.ready
    await drain(outbox, clock)

    await outbox.put([record()])

    assert 15 < stored < 30
    assert "free some room" in caught.value.hint
    assert (False, True) == (while_full, outbox.ready)


async def test_nothing_is_taken_when_the_disk_is_nearly_full_and_what_waits_is_still_delivered(
    open_outbox, record, clock
):
    outbox = await open_outbox()
    await outbox.put([record()])
    outbox._room.reserve_bytes = 1 << 60
    clock.time += 1

    with pytest.raises(OutboxUnavailable, match=r"\d+ bytes are free on its disk, and the last"):
        await outbox.put([record()])

    await drain(outbox, clock)
    assert {"shop": 1} == (await outbox.books()).accepted


async def test_free_room_inside_the_file_counts_as_free(open_outbox, record, clock):
    outbox = await open_outbox()
    await outbox.put([record(number, body=b"x" * 50_000) for number in range(20)])
    await drain(outbox, clock)
    inside = outbox._room.free_bytes_inside
    outbox._room.free_bytes_inside, outbox._room.reserve_bytes = (
        1 << 61,
        1 << 60,
    )  # no real disk stands still for a test
    clock.time += 1
    await outbox.put([record()])

    assert 900_000 < inside


async def test_a_put_is_refused_when_the_file_has_gone(open_outbox, record, clock, path):
    outbox = await open_outbox()
    path.unlink()
    clock.time += 1

    with pytest.raises(OutboxUnavailable, match="cannot be looked at: No such file"):
        await outbox.put([record()])


async def test_drops_are_counted_when_nothing_can_be_stored(open_outbox):
    outbox = await open_outbox(reserve_bytes=1 << 60)
    await outbox.put([], [Drop(destination="shop", source="data", name="scroll", reason=DropReason.NO_MAPPING)])

    assert {("shop", "no_mapping"): 1} == (await outbox.books()).dropped


async def test_room_goes_back_to_the_disk_when_an_outbox_has_been_drained(open_outbox, record, clock, path):
    outbox = await open_outbox(retention=NOTHING)
    for number in range(40):
        await outbox.put([record(number, body=b"x" * 500_000)])
    held = path.stat().st_size
    await drain(outbox, clock)
    deadline = time.monotonic() + 20
    while path.stat().st_size > held / 2 and time.monotonic() < deadline:
        await asyncio.sleep(1.0)  # it waits until nothing has happened for a while
        # The file itself shrinks with a checkpoint, which follows by itself only when the log has grown long.
        await outbox._do(outbox._database.checkpoint, writes=False)

    assert held > 16_000_000
    assert path.stat().st_size < held / 2


async def test_a_little_free_room_stays_for_the_next_events(open_outbox, record, clock, path):
    outbox = await open_outbox()
    for number in range(10):
        await outbox.put([record(number, body=b"x" * 500_000)])
    held = path.stat().st_size
    await drain(outbox, clock)
    await asyncio.sleep(0.8)

    assert held <= path.stat().st_size


async def test_the_log_is_carried_into_the_file_as_it_grows(open_outbox, record, path):
    outbox = await open_outbox()
    for number in range(100):
        await outbox.put([record(number, body=b"x" * 100_000)])

    assert 8_000_000 < path.stat().st_size
    assert path.with_name("outbox-000.db-wal").stat().st_size < 4_000_000


async def test_what_was_delivered_is_not_left_in_the_file_when_nothing_is_kept(open_outbox, record, clock, path):
    outbox = await open_outbox(retention=NOTHING)
    await outbox.put([record(number, body=b"a-mark-to-look-for" * 10) for number in range(50)])
    await drain(outbox, clock)
    await outbox.close()

    assert b"a-mark-to-look-for" not in path.read_bytes()


# Others, and the end.


async def test_another_program_that_holds_the_file_makes_it_unavailable_for_that_time(open_outbox, record, path):
    outbox = await open_outbox()
    outbox._database.wait_for_others(seconds=0.05)
    with beside(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxUnavailable, match="another program has the file open"):
            await outbox.put([record(1)])
    await outbox.put([record(2)])

    assert not outbox.failed.is_set()
    assert {"shop": 1} == (await outbox.books()).waiting


async def test_closing_finishes_what_was_begun(open_outbox, record, clock):
    outbox = await open_outbox()
    puts = [asyncio.ensure_future(outbox.put([record(number)])) for number in range(20)]
    await asyncio.sleep(0)
    await outbox.close()
    await asyncio.gather(*puts)

    assert 20 == len((await lease_all(await open_outbox(), clock)).events)


async def test_nothing_is_taken_after_the_close(open_outbox, record):
    outbox = await open_outbox()
    await outbox.close()
    await outbox.close()

    with pytest.raises(OutboxUnavailable, match="is being closed"):
        await outbox.put([record()])

    assert not outbox.ready


async def test_a_closed_outbox_leaves_one_file_and_its_lock(open_outbox, record, path):
    outbox = await open_outbox()
    await outbox.put([record()])
    await outbox.close()

    assert {"outbox-000.db", "outbox-000.lock"} == {file.name for file in path.parent.iterdir()}


async def test_drops_alone_are_written_within_about_a_second(open_outbox, path):
    outbox = await open_outbox()
    await outbox.put([], [Drop(destination="shop", source="data", name="scroll", reason=DropReason.NO_MAPPING)])
    found: list[tuple[int]] = []
    deadline = time.monotonic() + 20
    while not found and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        with beside(path) as other:
            found = other.execute("SELECT n FROM counts WHERE kind = 'dropped'").fetchall()

    assert [(1,)] == found


async def test_names_beyond_the_first_fifty_are_counted_as_other(open_outbox):
    outbox = await open_outbox()
    for number in range(MOST_NAMES + 10):
        name = f"n{number}"
        await outbox.put([Record(destination="shop", source="data", name=name, event="N", event_id=name, body=b"{}")])
    await outbox.close()
    outbox = await open_outbox()
    await outbox.put([Record(destination="shop", source="data", name="late", event="N", event_id="late", body=b"{}")])
    books = await outbox.books()

    assert MOST_NAMES + 1 == len(books.received)
    assert 11 == books.received["shop", "data", "other"]
    assert 1 == books.received["shop", "data", "n0"]


async def test_a_key_is_never_used_twice_while_its_event_is_kept(open_outbox, record, clock):
    outbox = await open_outbox()
    await outbox.put([record(1)])
    await outbox.settle(await lease_all(outbox, clock), [Dead(reason=DeadReason.REFUSED)])
    await outbox.close()
    outbox = await open_outbox()
    await outbox.put([record(2)])  # at the same microsecond, as a clock set back has it
    await outbox.settle(await lease_all(outbox, clock), [Dead(reason=DeadReason.REFUSED)])

    assert 2 == len({letter.key for letter in await outbox.find(Find(state="dead"))})


async def test_a_retry_carries_the_same_bytes(open_outbox, record, clock):
    outbox = await open_outbox()
    body = bytes(range(256)) * 10
    await outbox.put([record(1, body=body)])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now())])

    (event,) = (await lease_all(outbox, clock)).events

    assert (body, 1) == (event.body, event.attempts)


async def test_a_write_that_fails_is_reported_with_the_file_and_sqlites_words(open_outbox, record, happenings, path):
    outbox = await open_outbox()
    await outbox._do(lambda: outbox._database.pragma("max_page_count", 1), writes=False)

    with pytest.raises(OutboxUnavailable, match="free some room on its disk"):
        await outbox.put([record(1, body=b"x" * 100_000)])

    what, hint = "database or disk is full (SQLITE_FULL)", "free some room on its disk"
    assert [StoreFailed(path=str(path), reason="FullError", what=what, hint=hint)] == [
        failed for failed in happenings if isinstance(failed, StoreFailed)
    ]


async def test_a_full_disk_keeps_nobody_from_sending(open_outbox, record, clock, happenings):
    """The note of a large lease needs a page of its own."""
    outbox = await open_outbox()
    await outbox.put([record(number) for number in range(2000)])
    await outbox._do(
        lambda: outbox._database.pragma("max_page_count", outbox._database.pragma("page_count")), writes=False
    )
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    await outbox.settle(lease, [Accepted()] * 2000)

    assert {"shop": 2000} == (await outbox.books()).accepted
    assert [] == [failed for failed in happenings if isinstance(failed, StoreFailed)]


async def test_on_a_full_disk_what_was_delivered_goes_before_an_event_is_refused(
    open_outbox, record, clock, happenings
):
    outbox = await open_outbox()
    await outbox.put([record(number, body=b"x" * 6_000) for number in range(300)])
    await drain(outbox, clock)
    await outbox._do(
        lambda: outbox._database.pragma("max_page_count", outbox._database.pragma("page_count")), writes=False
    )
    for number in range(400):
        await outbox.put([record(1000 + number, body=b"y" * 6_000)])
    left = await outbox.find(Find(state="delivered", most=1000))

    assert len(left) < 200
    assert [] == [failed for failed in happenings if isinstance(failed, StoreFailed)]


async def test_a_lease_reads_no_more_bodies_than_it_takes(open_outbox, record, path):
    """Large events wait on disk, not in memory."""
    outbox = await open_outbox()
    await outbox.put([record(number, body=b'{"x":"%s"}' % (b"x" * 200_000)) for number in range(50)])
    tracemalloc.start()

    lease = await outbox.lease("shop", most=1000, max_bytes=500_000, now=2e9)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(lease.events) == 2
    assert peak < 3_000_000


async def test_a_lease_that_comes_in_the_moment_its_asker_goes_is_given_back(open_outbox, record, clock):
    outbox = await open_outbox()
    await outbox.put([record(1), record(2)])
    asking = asyncio.ensure_future(lease_all(outbox, clock))
    while not (asking._fut_waiter and asking._fut_waiter.done()):  # its answer is there, and it has not seen it
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    lease = await lease_all(outbox, clock)

    assert asking.cancelled()
    assert 2 == len(lease.events)
