"""Events for an outbox, and what a test does with them again and again."""

from collections.abc import Sequence

from clocks import HandTurnedClock
from tikrelay.event import DestinationName, DropReason, EventId
from tikrelay.outbox.store import Books, Drop, Entry, Find, Lease, Leased, Outbox, Outcome, Record


def record(number: int = 0, *, to: str = "shop", name: str = "purchase", body: bytes = b"", code: str = "") -> Record:
    return Record(
        destination=DestinationName(to),
        source="ga4_web",
        name=name,
        event="Purchase",
        event_id=EventId(f"e{number}"),
        body=body or b'{"n":%d}' % number,
        test_event_code=code,
    )


def records(count: int, *, to: str = "shop", body: bytes = b"", code: str = "") -> list[Record]:
    return [record(number, to=to, body=body, code=code) for number in range(count)]


def drop(*, to: str = "shop", name: str = "scroll", reason: DropReason = DropReason.NO_MAPPING) -> Drop:
    return Drop(destination=DestinationName(to), source="ga4_web", name=name, reason=reason)


async def lease_all(
    outbox: Outbox,
    clock: HandTurnedClock,
    *,
    to: str = "shop",
    most: int = 1000,
    max_bytes: int = 1_000_000,
    tests: bool = True,
    newest: bool = False,
) -> Lease:
    name, now = DestinationName(to), clock.now()
    return await outbox.lease(name, most=most, max_bytes=max_bytes, now=now, tests=tests, newest=newest)


async def settle_all(outbox: Outbox, clock: HandTurnedClock, outcome: Outcome, *, to: str = "shop") -> Lease:
    """Give every event that is due the same outcome."""
    lease = await lease_all(outbox, clock, to=to)
    await outbox.settle(lease, [outcome] * len(lease.events))
    return lease


async def find_one(outbox: Outbox, event_id: str) -> Entry:
    """One event with its body and its history."""
    (listed,) = await outbox.find(Find(event_id=event_id))
    found = await outbox.show(listed.key)
    assert found is not None
    return found


def ids(events: Sequence[Entry] | Sequence[Leased]) -> list[str]:
    return [event.event_id for event in events]


def balance(books: Books, destination: str = "shop") -> tuple[int, int]:
    """What was received, and what became of it."""
    received = sum(n for (to, _, _), n in books.received.items() if to == destination)
    dead = sum(n for (to, _), n in books.dead.items() if to == destination)
    dropped = sum(n for (to, _), n in books.dropped.items() if to == destination)
    return received, books.accepted.get(destination, 0) + books.waiting.get(destination, 0) + dead + dropped
