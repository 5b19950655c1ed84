"""What storing and settling events costs, by the size of a commit: one transaction and one sync each.

``make bench-one NAME=commit``. Times are the middle of many rounds, in milliseconds, on the disk of the temporary
folder (``TMPDIR`` chooses another); processor time is that of the whole process.
"""

import asyncio
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import NamedTuple

from tikrelay.base.clock import SystemClock
from tikrelay.base.happenings import silent
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Record

SIZES = (1, 10, 100, 1000)
ROUNDS = 150
BODY_BYTES = 700
EVENTS = ("PageView", "ViewContent", "AddToCart", "InitiateCheckout", "PlaceAnOrder")
SHOP = DestinationName("shop")


class Cost(NamedTuple):
    """Milliseconds, by the wall and of the processor."""

    wall: float
    processor: float


def record(number: int) -> Record:
    """Make an event as a shop sends it: some of every match key."""
    event = EVENTS[number % len(EVENTS)]
    body = (b'{"event":"%s","event_id":"e%d","x":"' % (event.encode(), number)).ljust(BODY_BYTES - 2, b"x") + b'"}'
    return Record(
        destination=SHOP,
        source="ga4_web",
        name=event.lower(),
        event=event,
        event_id=EventId(f"e{number}"),
        body=body,
        marks=number % 7 << 3,
        warned=("unusable",) if number % 10 == 0 else (),
        trace=b"t" * 600 if number % 400 == 0 else b"",
    )


async def timed(work: Awaitable[object]) -> Cost:
    """Measure one call."""
    wall, processor = time.perf_counter(), time.process_time()
    await work
    return Cost(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor))


async def measure(folder: Path, size: int) -> tuple[Cost, Cost]:
    """Put, lease and settle so many events at once, again and again."""
    outbox = await SqliteOutbox.open(folder / f"outbox-{size:03}.db", clock=SystemClock(), emit=silent)
    puts: list[Cost] = []
    settles: list[Cost] = []
    for turn in range(ROUNDS):
        puts.append(await timed(outbox.put([record(turn * size + number) for number in range(size)])))
        lease = await outbox.lease(SHOP, most=size, max_bytes=1 << 30, now=time.time())
        settles.append(await timed(outbox.settle(lease, [Accepted()] * len(lease.events))))
    await outbox.close()
    return middle(puts), middle(settles)


def middle(costs: list[Cost]) -> Cost:
    """The middle of each."""
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def main() -> int:
    """Print the table."""
    print(f"Python {platform.python_version()}, {platform.machine()}; ms a commit, middle of {ROUNDS}\n")
    print("| events | put | of it processor | settle | of it processor |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            put, settle = asyncio.run(measure(Path(folder), size))
            print(f"| {size} | {put.wall:.2f} | {put.processor:.2f} | {settle.wall:.2f} | {settle.processor:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
