"""What can be read of a damaged file is saved, each event once, with books that balance."""

import os
import random
import subprocess
import sys
from itertools import count

import apsw
import pytest
from msgspec.structs import replace

from harness import SEED
from outboxes import balance, drop, find_one, ids, lease_all, records, settle_all
from tikrelay.base.errors import OutboxBroken, OutboxInUse
from tikrelay.outbox.damage import is_marked, leave_mark
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.pages import Pages
from tikrelay.outbox.remains import BESIDE, Remains, Row
from tikrelay.outbox.salvage import salvage
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Find, RetryAt

LARGE = b"x" * 20_000  # over several pages
ENDINGS = ("", "-wal", "-shm")
EMPTY_LEAF = bytes([13, 0, 0, 0, 0, *PAGE_SIZE.to_bytes(2, "big"), 0]).ljust(PAGE_SIZE, b"\0")
LOG_HEADER = 32
FRAME_HEADER = 24
ONE_DAMAGED = """
import sys
from pathlib import Path
from tikrelay.outbox.remains import BESIDE, Remains, Row
from tikrelay.outbox.salvage import salvage
salvage(Path(sys.argv[1]), now=1_800_000_000.0)
"""


def marked(path):
    leave_mark(path, "malformed", at=0.0)
    return path


def overwrite(path, at, content):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def zero_page(path, number):
    overwrite(path, (number - 1) * PAGE_SIZE, bytes(PAGE_SIZE))


def root_of(path, table):
    return pages_of(path, table)[0]


def pages_of(path, table):
    with Pages(path, PAGE_SIZE) as pages:
        found, _ = pages.tables({table})
        return sorted(found[table].pages)


def page_of(path, number):
    return path.read_bytes()[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]


def put_page(path, number, content):
    overwrite(path, (number - 1) * PAGE_SIZE, content)


async def fill(open_outbox, clock):
    """Write a file with 60 events, of which 20 were delivered, 20 are dead and 20 wait, 5 of them begun."""
    outbox = await open_outbox()
    bodies = [LARGE if number % 7 == 0 else b'{"n":%d}' % number for number in range(60)]
    await outbox.put(
        [record for number, body in enumerate(bodies) for record in named(records(number + 1, body=body))],
        [drop()],
    )
    for outcome in (Accepted(), Dead(reason=DeadReason.REFUSED, code=40002, message="no", request_id="r1")):
        lease = await lease_all(outbox, clock, most=20, max_bytes=1 << 30)
        keys = tuple(event.key for event in lease.events)
        call = Call(began_at=1.0, keys=keys, outcome="accepted", request_id="r1")
        await outbox.settle(lease, [outcome] * 20, [call])
    lease = await lease_all(outbox, clock, most=5, max_bytes=1 << 30)
    await outbox.settle(lease, [RetryAt(at=clock.now(), unknown=True)] * 5)
    return outbox


def named(made):
    """The last of them alone: the one with the highest number."""
    return made[-1:]


async def state_of(outbox):
    """All that can be asked of an outbox."""
    found = await outbox.find(Find(most=1000))
    return await outbox.books(), [await outbox.show(entry.key) for entry in found]


async def test_of_a_file_whose_rows_are_whole_everything_is_saved(open_outbox, clock, path):
    outbox = await fill(open_outbox, clock)
    before = await state_of(outbox)
    await outbox.close()
    done = salvage(marked(path), now=clock.now())
    after = await state_of(await open_outbox())

    assert {"waiting": 20, "dead": 20, "delivered": 20} == done.saved
    assert done.is_all
    assert before == after
    assert not is_marked(path)


async def test_what_only_the_log_holds_is_saved_too(open_outbox, clock, path):
    outbox = await fill(open_outbox, clock)
    before = await state_of(outbox)
    copy = copy_of(path)
    done = salvage(marked(copy), now=clock.now())

    assert copy.with_name(f"{done.kept_as}-wal").exists()
    assert done.is_all
    assert before == await state_of(await open_outbox(copy))


async def test_what_an_older_log_left_behind_the_newer_is_not_read(open_outbox, clock, path):
    outbox = await open_outbox()
    for number in range(5):
        await outbox.put(named(records(number + 1)))
    await outbox._do(lambda: outbox._database.run("PRAGMA wal_checkpoint(RESTART)"), writes=False)
    await settle_all(outbox, clock, Accepted())
    copy = copy_of(path)
    done = salvage(marked(copy), now=clock.now())

    assert ({"waiting": 0, "dead": 0, "delivered": 5}, True) == (done.saved, done.is_all)


@pytest.mark.parametrize("at", [3, 8, 12, 16, FRAME_HEADER + PAGE_SIZE // 2], ids=str)
async def test_a_log_is_believed_as_far_as_sqlite_believes_it_and_the_rest_is_told(open_outbox, clock, path, at):
    """A byte is changed in a frame's page number, salts, checksum or the unused part of its page."""
    outbox = await open_outbox()
    for number in range(6):
        await outbox.put(named(records(number + 1)))
    copy, seen = copy_of(path), copy_of(path, "outbox-008.db")
    log = copy.with_name(f"{copy.name}-wal").read_bytes()
    begin = log.index(b"Purchasee3")
    frame = (begin - LOG_HEADER) // (FRAME_HEADER + PAGE_SIZE) * (FRAME_HEADER + PAGE_SIZE) + LOG_HEADER
    for file in (copy, seen):
        overwrite(file.with_name(f"{file.name}-wal"), frame + at, bytes([log[frame + at] ^ 64]))
    done = salvage(marked(copy), now=clock.now())
    as_sqlite_reads_it = apsw.Connection(str(seen)).execute("SELECT count(*) FROM waiting").get

    assert (3, 3) == (as_sqlite_reads_it, done.saved["waiting"])
    assert ("waiting", "dead", "delivered") == done.at_least


async def test_a_log_whose_head_is_damaged_is_told(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(3))
    copy = copy_of(path)
    log = copy.with_name(f"{copy.name}-wal")
    overwrite(log, LOG_HEADER - 1, bytes([log.read_bytes()[LOG_HEADER - 1] ^ 1]))
    done = salvage(marked(copy), now=clock.now())

    assert 0 == done.saved["waiting"]
    assert ("waiting", "dead", "delivered") == done.at_least


def copy_of(path, name="outbox-007.db"):
    """Copy a file that is open, with its log."""
    copy = path.with_name(name)
    for ending in ENDINGS[:2]:
        copy.with_name(copy.name + ending).write_bytes(path.with_name(path.name + ending).read_bytes())
    return copy


async def test_an_event_that_was_on_its_way_is_unknown_afterwards(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(2))
    lease = await lease_all(outbox, clock, most=1)
    await outbox.begin(lease)
    copy = copy_of(path)
    salvage(marked(copy), now=clock.now())
    salvaged = await open_outbox(copy)

    assert clock.now() == (await find_one(salvaged, "e0")).unknown_since
    assert (await find_one(salvaged, "e1")).unknown_since is None


async def test_the_loss_of_a_page_of_waiting_events_is_counted_as_damaged(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(100, body=b"x" * 3000))
    await outbox.close()
    zero_page(path, pages_of(path, "waiting")[-1])
    done = salvage(marked(path), now=clock.now())
    outbox = await open_outbox()
    books = await outbox.books()

    assert (98, 2) == (done.saved["waiting"], done.lost["waiting"])
    assert () == done.at_least
    assert {("shop", "damaged"): 2} == books.dead
    assert (100, 100) == balance(books)
    assert 98 == len((await settle_all(outbox, clock, Accepted())).events)


async def test_the_events_of_a_page_that_another_was_copied_over_are_counted_as_damaged(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(100, body=b"x" * 3000))
    await outbox.close()
    *_, one, other = pages_of(path, "waiting")
    put_page(path, other, page_of(path, one))
    done = salvage(marked(path), now=clock.now())
    books = await (await open_outbox()).books()

    assert (98, 2, ()) == (done.saved["waiting"], done.lost["waiting"], done.counts_made)
    assert {("shop", "damaged"): 2} == books.dead
    assert (100, 100) == balance(books)


async def test_the_events_of_a_page_that_is_as_it_once_was_are_counted_as_damaged(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(99, body=b"x" * 3000))
    await outbox.close()
    before = page_of(path, pages_of(path, "waiting")[-1])
    outbox = await open_outbox()
    lease = await lease_all(outbox, clock, most=1, newest=True)
    await outbox.put(named(records(100, body=b"x" * 3000)))
    await outbox.settle(lease, [Accepted()])
    await outbox.close()
    put_page(path, pages_of(path, "waiting")[-1], before)
    done = salvage(marked(path), now=clock.now())
    books = await (await open_outbox()).books()

    assert ({"waiting": 98, "dead": 0, "delivered": 1}, 1) == (done.saved, done.lost["waiting"])
    assert ({("shop", "damaged"): 1}, ()) == (books.dead, done.counts_made)


async def test_a_destination_lost_with_its_count_is_not_left_unsaid(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(98, body=b"x" * 3000) + records(2, to="kiosk", body=b"y" * 3000))
    await outbox.close()
    zero_page(path, pages_of(path, "waiting")[-1])
    counts = (root_of(path, "counts") - 1) * PAGE_SIZE
    overwrite(path, path.read_bytes().index(b"receivedkiosk", counts), b"x")
    done = salvage(marked(path), now=clock.now())

    assert ({"shop": 98}, ()) == ((await (await open_outbox()).books()).waiting, done.counts_made)
    assert ("waiting",) == done.at_least


async def test_an_event_lost_with_its_count_is_lost_all_the_same(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(1) + records(1, to="kiosk", body=b"needle"))
    await outbox.close()
    counts = (root_of(path, "counts") - 1) * PAGE_SIZE
    overwrite(path, path.read_bytes().index(b"receivedkiosk", counts), b"x")
    overwrite(path, path.read_bytes().index(b"needle"), b"noodle")
    done = salvage(marked(path), now=clock.now())

    assert 1 == done.lost["waiting"]


@pytest.mark.parametrize("what", ["calls", "delivered", "nothing", "no page", "no pointers"])
async def test_a_page_in_the_place_of_delivered_events_shows_that_some_are_lost(open_outbox, clock, path, what):
    outbox = await open_outbox()
    await outbox.put(records(100, body=b"x" * 3000))
    lease = await lease_all(outbox, clock)
    call = Call(began_at=1.0, keys=tuple(event.key for event in lease.events), outcome="accepted")
    await outbox.settle(lease, [Accepted()] * 100, [call])
    await outbox.close()
    *_, one, other = pages_of(path, "delivered")
    stray = {
        "calls": page_of(path, root_of(path, "calls")),
        "delivered": page_of(path, one),
        "nothing": EMPTY_LEAF,
        "no page": bytes(PAGE_SIZE),
        "no pointers": b"\x0d\0\0\0\2".ljust(32, b"\0") + page_of(path, other)[32:],
    }
    put_page(path, other, stray[what])
    done = salvage(marked(path), now=clock.now())

    assert 98 == done.saved["delivered"]
    assert ("delivered",) == done.at_least
    assert not done.is_all


@pytest.mark.parametrize("head", [bytes(8), b"\xff" * 8, b"\x0d\0\0\0\1", b"\x05"])
async def test_the_rows_of_a_page_whose_head_is_spoilt_are_found(open_outbox, clock, path, head):
    outbox = await open_outbox()
    await outbox.put(records(300))
    await outbox.close()
    overwrite(path, (pages_of(path, "waiting")[1] - 1) * PAGE_SIZE, head)
    done = salvage(marked(path), now=clock.now())

    assert (300, 0, True) == (done.saved["waiting"], done.lost["waiting"], done.is_all)
    assert 300 == len((await lease_all(await open_outbox(), clock)).events)


@pytest.mark.parametrize("page", [1, 2])
async def test_neither_the_list_of_tables_nor_the_map_of_pages_is_needed(open_outbox, clock, path, page):
    outbox = await fill(open_outbox, clock)
    before = await state_of(outbox)
    await outbox.close()
    zero_page(path, page)
    done = salvage(marked(path), now=clock.now())

    assert done.is_all
    assert before == await state_of(await open_outbox())


@pytest.mark.parametrize("table", ["waiting", "dead", "delivered"])
async def test_the_root_of_a_table_is_not_needed_where_its_leaves_are_whole(open_outbox, clock, path, table):
    outbox = await open_outbox()
    await outbox.put(records(200, body=b"x" * 3000))
    outcomes = {"waiting": RetryAt(at=0.0), "dead": Dead(reason=DeadReason.REFUSED), "delivered": Accepted()}
    await settle_all(outbox, clock, outcomes[table])
    before = ids(await outbox.find(Find(most=1000)))
    await outbox.close()
    zero_page(path, root_of(path, table))
    done = salvage(marked(path), now=clock.now())

    assert done.is_all
    assert 200 == done.saved[table]
    assert before == ids(await (await open_outbox()).find(Find(most=1000)))


async def test_counts_that_cannot_be_read_are_made_of_what_was_found(open_outbox, clock, path):
    await (await fill(open_outbox, clock)).close()
    zero_page(path, root_of(path, "counts"))
    done = salvage(marked(path), now=clock.now())
    books = await (await open_outbox()).books()

    assert ("shop",) == done.counts_made
    assert not done.is_all
    assert {("shop", "salvage", "other"): 60} == books.received
    assert (20, 20, 20) == (books.accepted["shop"], books.waiting["shop"], books.dead["shop", "refused"])
    assert (60, 60) == balance(books)


async def test_counts_that_do_not_fit_say_nothing_of_what_was_lost(open_outbox, clock, path):
    outbox = await fill(open_outbox, clock)
    raise_a_count = "UPDATE counts SET n = n + 1000 WHERE kind = 'received'"
    await outbox._do(lambda: outbox._database.run(raise_a_count), writes=True)
    await outbox.close()
    done = salvage(marked(path), now=clock.now())
    books = await (await open_outbox()).books()

    assert (("shop",), ("waiting", "dead", "delivered")) == (done.counts_made, done.at_least)
    assert {("shop", "refused"): 20} == books.dead
    assert (60, 60) == balance(books)


async def test_an_event_whose_bytes_were_changed_is_not_saved(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(1, body=b'{"a":"needle"}') + records(1, body=b'{"b":"other"}'))
    await outbox.close()
    overwrite(path, path.read_bytes().index(b"needle"), b"noodle")
    done = salvage(path, now=clock.now())  # a file without a mark, in which something is amiss
    outbox = await open_outbox()

    assert (1, 1) == (done.saved["waiting"], done.lost["waiting"])
    assert [b'{"b":"other"}'] == [event.body for event in (await lease_all(outbox, clock)).events]
    assert (2, 2) == balance(await outbox.books())


@pytest.mark.parametrize("table", ["waiting", "dead", "delivered"])
async def test_an_event_whose_destination_was_changed_is_not_saved(open_outbox, clock, path, table):
    outbox = await open_outbox()
    await outbox.put(records(2))
    outcomes = {"waiting": RetryAt(at=0.0), "dead": Dead(reason=DeadReason.REFUSED), "delivered": Accepted()}
    await settle_all(outbox, clock, outcomes[table])
    await outbox.close()
    overwrite(path, path.read_bytes().index(b"shopPurchasee1"), b"shoq")
    done = salvage(marked(path), now=clock.now())

    assert (1, 1) == (done.saved[table], done.lost[table])
    assert ["e0"] == ids(await (await open_outbox()).find(Find()))


async def test_an_event_that_was_settled_does_not_wait_again(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(3))
    await outbox._do(lambda: copy_into_settled(outbox._database), writes=True)
    await outbox.close()
    done = salvage(marked(path), now=clock.now())

    assert {"waiting": 1, "dead": 1, "delivered": 1} == done.saved
    assert ("shop",) == done.counts_made  # they know of nothing that was settled
    assert ["e2"] == ids((await lease_all(await open_outbox(), clock)).events)


def copy_into_settled(database):
    """Leave the first waiting event also among the delivered, and the second among the dead."""
    names = "id, destination, test_event_code, event, event_id, format, checksum, body, received_at, attempts, calls"
    first, second = (row[0] for row in database.rows("SELECT id FROM waiting ORDER BY id LIMIT 2"))
    database.run(
        f"INSERT INTO delivered (n, {names}, delivered_at, request_id) SELECT 1, {names}, 1.0, '' FROM waiting"
        " WHERE id = ?",
        (first,),
    )
    database.run(
        f"INSERT INTO dead ({names}, died_at, reason, message, request_id) SELECT {names}, 1.0, 'refused', '', ''"
        " FROM waiting WHERE id = ?",
        (second,),
    )


async def test_two_events_with_one_damaged_key_are_both_saved(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put(records(2))
    await outbox.close()
    first, second = (key.to_bytes(8, "big") for key in await keys_of(open_outbox, clock))
    content = path.read_bytes()
    assert first != second
    pages_with_keys = content.index(b'{"n":0}') // PAGE_SIZE * PAGE_SIZE
    copied = content[pages_with_keys : pages_with_keys + PAGE_SIZE].replace(varint(first), varint(second))
    overwrite(path, pages_with_keys, copied)
    done = salvage(marked(path), now=clock.now())

    assert 2 == done.saved["waiting"]
    assert {"e0", "e1"} == set(ids((await lease_all(await open_outbox(), clock)).events))


async def keys_of(open_outbox, clock):
    outbox = await open_outbox()
    lease = await lease_all(outbox, clock)
    await outbox.close()
    return [event.key for event in lease.events]


def varint(key):
    number = int.from_bytes(key, "big")
    groups = []
    while number:
        groups.append(number & 0x7F | (0x80 if groups else 0))
        number >>= 7
    return bytes(reversed(groups))


async def test_a_file_of_an_older_version_is_salvaged_as_a_newer_one(open_outbox, write_older, clock, path):
    write_older(path)
    outbox = await open_outbox()
    expected = await state_of(outbox)
    await outbox.close()
    for ending in ENDINGS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    write_older(path)
    done = salvage(marked(path), now=clock.now())

    assert done.is_all
    assert expected == await state_of(await open_outbox())


async def test_a_file_that_somebody_owns_is_left_to_him(path, clock):
    path.touch()
    owner = OutboxLock(path)
    owner.acquire()
    with pytest.raises(OutboxInUse, match=f"in use by process {os.getpid()}"):
        salvage(path, now=clock.now())
    owner.release()

    assert b"" == path.read_bytes()


async def test_a_sound_file_is_left_as_it_is(open_outbox, clock, path):
    await (await fill(open_outbox, clock)).close()
    before = path.read_bytes()
    with pytest.raises(OutboxBroken, match="is sound"):
        salvage(path, now=clock.now())

    assert before == path.read_bytes()
    assert {"outbox-000.db", "outbox-000.lock"} == {one.name for one in path.parent.iterdir()}


async def test_a_dry_run_changes_nothing(open_outbox, clock, path):
    await (await fill(open_outbox, clock)).close()
    zero_page(path, root_of(path, "counts"))
    before = path.read_bytes()
    done = salvage(marked(path), now=clock.now(), dry_run=True)

    assert (20, "") == (done.saved["waiting"], done.kept_as)
    assert before == path.read_bytes()
    assert is_marked(path)


@pytest.mark.parametrize("content", [b"", b"x", bytes(PAGE_SIZE), b"\xff" * 5 * PAGE_SIZE, b"\x0d" * 3 * PAGE_SIZE])
async def test_a_file_in_which_nothing_is_left_becomes_an_empty_one(open_outbox, clock, path, content):
    path.write_bytes(content)
    path.with_name("outbox-000.db-wal").write_bytes(content)
    done = salvage(marked(path), now=clock.now())

    assert {"waiting": 0, "dead": 0, "delivered": 0} == done.saved
    assert not done.is_all
    assert (await open_outbox()).ready


async def test_a_file_that_is_not_there_is_told(path, clock):
    with pytest.raises(OutboxBroken, match="there is no file"):
        salvage(path, now=clock.now())


async def test_a_second_damaged_file_does_not_take_the_name_of_the_first(open_outbox, clock, path):
    for _ in range(2):
        await (await open_outbox()).close()
        salvage(marked(path), now=clock.now())

    assert 2 == len(list(path.parent.glob("outbox-000.db.damaged-*Z")))


async def test_a_kill_at_any_step_leaves_the_old_file_or_the_whole_new_one(open_outbox, clock, path, tmp_path):
    outbox = await fill(open_outbox, clock)
    before = await state_of(outbox)
    files = {ending: path.with_name(path.name + ending).read_bytes() for ending in ENDINGS[:2]}
    await outbox.close()
    kills = 0
    for step in count(1):
        copy = tmp_path / f"killed-{step}" / "outbox-000.db"
        copy.parent.mkdir()
        for ending, content in files.items():
            copy.with_name(copy.name + ending).write_bytes(content)
        child = subprocess.run(
            [sys.executable, "-c", ONE_DAMAGED, str(marked(copy))],
            env={**os.environ, "TIKRELAY_FAILPOINTS": f"in_salvage:kill@{step}"},
            check=False,
        )
        if not child.returncode:
            break
        kills += 1
        assert is_marked(copy)
        for again in OutboxFolder(copy.parent).to_salvage():
            salvage(again, now=clock.now())
        assert before == await state_of(await open_outbox(copy)), step

    assert 5 == kills


async def test_no_bytes_whatsoever_break_the_reading(open_outbox, clock, path):
    outbox = await fill(open_outbox, clock)
    files = {ending: path.with_name(path.name + ending).read_bytes() for ending in ENDINGS[:2]}
    await outbox.close()
    rng = random.Random(SEED)
    for _ in range(60):
        for ending, content in files.items():
            spoilt = bytearray(content)
            for _ in range(rng.choice([5, 500])):
                spoilt[rng.randrange(len(spoilt))] = rng.choice([0, 1, 5, 13, 127, 128, 255])
            path.with_name(path.name + ending).write_bytes(spoilt)
        with Pages(path, PAGE_SIZE) as pages:
            rows = list(Remains(pages).rows())

        assert len({row.values["body"] for row in rows if isinstance(row, Row) and "body" in row.values}) <= 60, SEED


# What stands beside the events.


async def count_for_months(open_outbox, clock):
    """Figures over several pages, and a trace for each event."""
    outbox = await open_outbox()
    outbox._look_for_old_at = float("inf")
    for day in range(150):
        clock.time += 86400.0
        await outbox.put([replace(one, event=f"E{day % 40}", trace=b"how" * 100) for one in records(2)])
    await outbox.close()


def beside_of(path):
    connection = apsw.Connection(str(path))
    found = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in BESIDE}
    connection.close()
    return found


async def test_figures_and_traces_are_carried_over(open_outbox, clock, path):
    await count_for_months(open_outbox, clock)
    before = beside_of(path)
    done = salvage(marked(path), now=clock.now())

    assert min(map(len, before.values())) >= 150  # else it would prove little
    assert before == beside_of(path)
    assert (True, False) == (done.is_all, done.lost_beside)


@pytest.mark.parametrize("table", BESIDE)
async def test_a_damaged_page_of_figures_or_traces_costs_no_event(open_outbox, clock, path, table):
    await count_for_months(open_outbox, clock)
    before = beside_of(path)
    zero_page(path, pages_of(path, table)[-1])
    done = salvage(path, now=clock.now())  # without a mark, too
    after = beside_of(path)

    assert (300, True, True) == (done.saved["waiting"], done.is_all, done.lost_beside)
    assert 0 < len(after[table]) < len(before[table])
    assert set(after[table]) < set(before[table])
    assert [before[other] for other in BESIDE if other != table] == [after[other] for other in BESIDE if other != table]


async def test_a_trace_is_not_kept_longer_than_its_event(open_outbox, clock, path):
    await count_for_months(open_outbox, clock)
    zero_page(path, pages_of(path, "waiting")[-1])
    salvage(marked(path), now=clock.now())
    outbox = await open_outbox()
    left = {entry.key for entry in await outbox.find(Find(most=1000))}

    assert 0 < len(left) < 300
    assert left == {traced.key for traced in await outbox.traced(after=0, most=1000)}


async def test_a_row_of_figures_that_cannot_be_is_told(open_outbox, clock, path):
    await count_for_months(open_outbox, clock)
    before = beside_of(path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE figures SET span = 7 WHERE at = (SELECT max(at) FROM figures WHERE span = 86400)")
    connection.close()
    done = salvage(marked(path), now=clock.now())
    after = beside_of(path)

    assert (True, True) == (done.is_all, done.lost_beside)
    assert len(before["figures"]) - 1 == len(after["figures"])
