"""A process that is killed between two answers, again and again, on one file."""

import random
import signal
import subprocess
import sys
import zlib
from collections import defaultdict

import pytest

WORKER = """
import asyncio, os, sys, zlib
from itertools import count
from pathlib import Path
from tikrelay.base.clock import SystemClock
from tikrelay.base.happenings import silent
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Record

def say(what, event_ids):
    os.write(1, "".join(f"{what} {event_id}\\n" for event_id in event_ids).encode())

def made(event_id):
    body = event_id.encode() * (1 + zlib.crc32(event_id.encode()) % 300)
    return Record(destination="shop", source="data", name="n", event="N", event_id=event_id, body=body)

async def put(outbox, lane):
    for number in count():
        event_ids = [f"{sys.argv[2]}-{lane}-{number}-{i}" for i in range(1 + number % 3)]
        await outbox.put([made(event_id) for event_id in event_ids])
        say("put", event_ids)

async def deliver(outbox, clock):
    while True:
        lease = await outbox.lease("shop", most=2, max_bytes=1 << 30, now=clock.now())
        event_ids = [event.event_id for event in lease.events]
        say("going", event_ids)
        await outbox.settle(lease, [Accepted()] * len(event_ids))
        say("gone", event_ids)
        await asyncio.sleep(0.002)

async def main():
    clock = SystemClock()
    outbox = await SqliteOutbox.open(Path(sys.argv[1]), clock=clock, emit=silent)
    async with asyncio.TaskGroup() as group:
        group.create_task(deliver(outbox, clock))
        for lane in range(4):
            group.create_task(put(outbox, lane))

asyncio.run(main())
"""


def kill_at_work(path, *, life, lines):
    """Let a process put and deliver, kill it after it said so much, and read all it had said: what to event ids."""
    command = [sys.executable, "-c", WORKER, str(path), str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
        assert -signal.SIGKILL == process.wait()
    found = defaultdict(set)
    for line in said:
        what, event_id = line.split()
        found[what].add(event_id)
    return found


async def kill_again_and_again(open_outbox, clock, path, *, kills):
    rng = random.Random(3)
    said = defaultdict(set)
    for life in range(kills):
        for what, event_ids in kill_at_work(path, life=life, lines=rng.randint(1, 400)).items():
            said[what] |= event_ids
        clock.time += 1
        outbox = await open_outbox()
        lease = await outbox.lease("shop", most=1_000_000, max_bytes=1 << 30, now=clock.now())
        books = await outbox.books()
        await outbox.close()
        there = {event.event_id for event in lease.events}
        damaged = [
            event.event_id
            for event in lease.events
            if event.event_id.encode() * (1 + zlib.crc32(event.event_id.encode()) % 300) != event.body
        ]

        assert set() == said["put"] - there - said["going"]
        assert set() == said["gone"] & there
        assert [] == damaged
        assert sum(books.received.values()) == books.accepted.get("shop", 0) + len(there)
    return said


async def test_no_acknowledged_event_is_lost_by_a_kill(open_outbox, clock, path):
    said = await kill_again_and_again(open_outbox, clock, path, kills=5)

    assert len(said["put"]) > 500
    assert said["gone"]


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_no_acknowledged_event_is_lost_by_many_kills(open_outbox, clock, path):
    said = await kill_again_and_again(open_outbox, clock, path, kills=50)

    assert len(said["put"]) > 5000
    assert said["gone"]
