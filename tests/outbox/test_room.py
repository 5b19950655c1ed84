"""Whether an outbox takes more, and what it says of that."""

import pytest

from harness import purchase
from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import PutRefused, StoreResumed, StoreStopped
from tikrelay.outbox.store import Accepted


def told(happenings):
    return [what for what in happenings if isinstance(what, StoreStopped | StoreResumed)]


async def refused(outbox, record, *, times=1):
    for _ in range(times):
        with pytest.raises(OutboxUnavailable):
            await outbox.put([record()])


async def deliver_all(outbox, clock):
    lease = await outbox.lease("shop", most=10_000, max_bytes=1 << 30, now=clock.now())
    await outbox.settle(lease, [Accepted()] * len(lease.events))


@pytest.fixture
async def full(open_outbox, record):
    """An outbox that holds as much as it may."""
    outbox = await open_outbox(max_bytes=150_000)
    await outbox.put([record(number, body=b"x" * 10_000) for number in range(17)])
    return outbox


async def test_an_outbox_at_its_limit_says_once_how_much_of_how_much(full, record, happenings, path):
    await refused(full, record, times=5)

    (stopped,) = told(happenings)
    held = full._room.held_bytes
    assert (str(path), "max_bytes") == (stopped.path, stopped.reason)
    assert f"it holds {held} bytes, and outbox.max_bytes is 150000" == stopped.what
    assert "raise outbox.max_bytes" in stopped.hint
    assert held > 100_000


async def test_every_refused_put_is_counted_by_its_reason(full, record, happenings):
    await refused(full, record, times=5)

    assert [PutRefused(reason="max_bytes")] * 5 == [what for what in happenings if isinstance(what, PutRefused)]


async def test_a_full_disk_says_how_much_is_free_and_what_is_kept(open_outbox, record, happenings):
    outbox = await open_outbox(reserve_bytes=1 << 60)
    await refused(outbox, record)

    (stopped,) = told(happenings)
    assert "disk_reserve" == stopped.reason
    assert f"the last {1 << 60} ({1 << 40} MiB) are kept for deliveries" in stopped.what
    assert "free some room" in stopped.hint
    assert PutRefused(reason="disk_reserve") in happenings


async def test_it_is_said_again_every_minute_while_it_lasts(full, clock, happenings):
    for _ in range(121):
        assert not full.ready
        clock.time += 1

    assert [StoreStopped] * 3 == [type(what) for what in told(happenings)]


async def test_an_outbox_that_takes_again_says_so(full, record, clock, happenings, path):
    await refused(full, record)
    clock.time += 20
    await deliver_all(full, clock)
    await full.put([record()])
    await full.put([record()])

    assert StoreResumed(path=str(path)) == told(happenings)[-1]
    assert 2 == len(told(happenings))


async def test_a_change_is_noticed_when_nothing_is_put(open_outbox, clock, happenings):
    """A sender that asks for work is enough."""
    outbox = await open_outbox()
    await deliver_all(outbox, clock)
    outbox._room.reserve_bytes = 1 << 60
    clock.time += 1
    await deliver_all(outbox, clock)

    assert ["disk_reserve"] == [what.reason for what in told(happenings)]


async def test_an_outbox_at_its_very_limit_does_not_fill_the_log(full, record, clock, happenings):
    for number in range(100):
        await refused(full, record)
        await deliver_all(full, clock)
        await full.put([record(number, body=b"x" * 10_000) for number in range(17)])
        clock.time += 0.1

    assert len(told(happenings)) <= 2


async def test_an_outbox_with_room_says_nothing(open_outbox, record, clock, happenings):
    outbox = await open_outbox(max_bytes=1 << 30)
    for number in range(5):
        await outbox.put([record(number)])
        clock.time += 30

    assert [] == told(happenings)


def test_the_log_and_the_metrics_of_a_server_say_why_requests_get_503(gateways):
    gateway = gateways(outbox={"max_bytes": 1}).start()
    statuses = [gateway.hit(purchase(number)) for number in range(3)]

    (line,) = gateway.said("store_stopped")
    assert [503] * 3 == statuses
    assert ("error", "max_bytes") == (line["level"], line["reason"])
    assert "outbox.max_bytes is 1" in line["what"]
    assert 'tikrelay_store_failures_total{reason="max_bytes"} 3.0' in gateway.metrics()
