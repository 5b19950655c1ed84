"""Nothing of a forgotten person is left in the bytes of the file or its log."""

import asyncio
import hashlib
import random
import time

import apsw
import pytest

from outboxes import lease_all, record, settle_all
from tikrelay.outbox.forget import Erasure
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.outbox.scrub import Scrubbing, unused
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Retention, RetryAt

PERSONS = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(12)]


def traces(folder, digest):
    return {file.name: n for file in folder.iterdir() if (n := file.read_bytes().count(digest.encode()))}


async def live(outbox, clock, rng, *, steps=150):
    """Put, deliver, bury and retry events of all sizes, so that SQLite moves rows from page to page."""
    for step in range(steps):
        await outbox.put(
            [
                record(
                    100 * step + i, body=rng.choice(PERSONS).encode() + b"y" * rng.choice([10, 300, 1200, 5000, 20_000])
                )
                for i in range(rng.randint(1, 12))
            ]
        )
        clock.time += 1
        if rng.random() < 0.7:
            lease = await lease_all(outbox, clock, most=rng.randint(1, 15))
            table = [Accepted(), Accepted(), RetryAt(at=clock.now() + 5), Dead(reason=DeadReason.REFUSED)]
            await outbox.settle(lease, [rng.choice(table) for _ in lease.events])
        if rng.random() < 0.1:
            await outbox._do(outbox._database.checkpoint, writes=False)


@pytest.mark.parametrize(("seed", "kept"), [(0, 0), (3, 50), (5, 100_000), (6, 100_000)])
async def test_a_forgotten_person_is_in_no_byte_of_the_file_or_its_log(open_outbox, clock, path, seed, kept):
    outbox = await open_outbox(retention=Retention(delivered_events=kept))
    await live(outbox, clock, random.Random(seed))
    found = {digest: traces(path.parent, digest) for digest in PERSONS}

    for digest in PERSONS:
        await outbox.forget([digest])
        found[digest] = traces(path.parent, digest)

    assert not any(found.values())
    assert "ok" == await outbox._do(lambda: outbox._database.pragma("integrity_check"), writes=False)


async def test_deleting_alone_leaves_traces(open_outbox, clock, path):
    """Else the test above would prove nothing."""
    left: dict[str, int] = {}
    for seed in range(20):
        at = path.parent / str(seed) / "outbox-000.db"
        at.parent.mkdir()
        outbox = await open_outbox(at)
        await live(outbox, clock, random.Random(seed), steps=80)
        for digest in PERSONS:
            await outbox._go_through(Erasure.of([digest]), writes=True)
            await outbox._do(outbox._database.empty_log, writes=False)
            left |= traces(at.parent, digest)
        if left:
            break

    assert {"outbox-000.db"} == left.keys()


async def test_a_file_of_many_pages_stays_whole_and_keeps_what_is_in_it(open_outbox, clock, path):
    """Also those pages that hold no rows: SQLite's own maps come every 1,639 pages."""
    outbox = await open_outbox()
    bodies = {f"e{number}": b"%04d" % number * 5000 for number in range(1500)}
    await outbox.put([record(number, body=bodies[f"e{number}"]) for number in range(1500)])
    await settle_all(outbox, clock, Dead(reason=DeadReason.REFUSED))
    await outbox.forget(PERSONS[:1])
    await outbox.close()
    other = apsw.Connection(str(path))
    rows = other.execute("SELECT event_id, body FROM waiting UNION ALL SELECT event_id, body FROM dead").fetchall()
    whole, pages = other.pragma("integrity_check"), other.pragma("page_count")
    other.close()

    assert ("ok", True) == (whole, pages > 2 * 1639)
    assert bodies == dict(rows)


async def test_pages_that_were_scrubbed_are_read_anew(open_outbox, clock, path):
    """A copy in memory would bring the traces back with the next write."""
    found = {}
    for seed in range(4):
        at = path.parent / str(seed) / "outbox-000.db"
        at.parent.mkdir()
        outbox = await open_outbox(at)
        await live(outbox, clock, random.Random(seed), steps=80)
        await outbox.forget(PERSONS[:6])
        lease = await lease_all(outbox, clock, max_bytes=1 << 30)
        await outbox.settle(lease, [RetryAt(at=0.0)] * len(lease.events))  # a write to every page of what waits
        await outbox.close()
        found |= {digest: left for digest in PERSONS[:6] if (left := traces(at.parent, digest))}

    assert {} == found


def hold_up(seconds):
    """Keep this thread, and the event loop with it, from going on."""
    time.sleep(seconds)


async def test_no_page_is_moved_while_all_are_gone_through(open_outbox, clock):
    """A page that moves to where the scrub has been keeps its traces."""
    outbox = await open_outbox(retention=Retention(delivered_events=0))
    await outbox.put([record(number, body=b"x" * 500_000) for number in range(24)])
    lease = await lease_all(outbox, clock, max_bytes=1 << 30)
    settling = asyncio.create_task(outbox.settle(lease, [Accepted()] * len(lease.events)))
    scrubbing = asyncio.create_task(outbox._scrub())  # begins before there is room, and nobody can give it back yet
    await settling
    to_give_back = outbox._room.free_bytes_inside
    hold_up(1.0)  # longer than it rests before it gives room back
    meanwhile = outbox._room.free_bytes_inside
    await scrubbing
    deadline = time.monotonic() + 20
    while outbox._room.free_bytes_inside == to_give_back and time.monotonic() < deadline:
        await asyncio.sleep(0.7)
        await outbox.books()  # the thread looks again after a job

    assert to_give_back == meanwhile
    assert outbox._room.free_bytes_inside < meanwhile


def test_only_pages_of_trees_have_an_unused_part():
    leaf = bytearray(PAGE_SIZE)
    leaf[0], leaf[3:5], leaf[5:7] = 13, (1).to_bytes(2, "big"), (8000).to_bytes(2, "big")
    leaf[8:10] = (8000).to_bytes(2, "big")
    map_of_pages = bytes([5, 0, 0, 0, 1] * (PAGE_SIZE // 5)) + bytes(2)

    assert slice(10, 8000) == unused(bytes(leaf), 3)
    assert slice(0, 0) == unused(bytes(leaf), 2) == unused(bytes(leaf), 2 + 1639)
    assert slice(0, 0) == unused(map_of_pages, 2)
    assert slice(0, 0) == unused(map_of_pages, 2 + 1639)
    assert slice(0, 0) == unused(bytes(PAGE_SIZE), 3)


def test_a_page_whose_cells_begin_before_their_place_is_left_alone():
    page = bytearray(PAGE_SIZE)
    page[0], page[3:5], page[5:7] = 13, (1).to_bytes(2, "big"), (8000).to_bytes(2, "big")
    page[8:10] = (500).to_bytes(2, "big")

    assert slice(0, 0) == unused(bytes(page), 3)


async def test_a_scrub_that_finds_nothing_writes_nothing(open_outbox, record, path):
    outbox = await open_outbox()
    await outbox.put([record(1)])
    await outbox.forget(PERSONS[:1])
    before = path.stat().st_mtime_ns
    await outbox._do(lambda: Scrubbing().step(outbox._database), writes=False)

    assert before == path.stat().st_mtime_ns
