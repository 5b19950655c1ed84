"""How long what is settled can still be looked at, and what goes first when there is no room."""

import asyncio
import contextlib
import time

import apsw
import pytest

from outboxes import find_one, lease_all, record, records, settle_all
from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import StoreStopped
from tikrelay.outbox import retention
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Find, Replay, Retention, RetryAt

HOUR = 3600.0
DAY = 24 * HOUR
REFUSED = Dead(reason=DeadReason.REFUSED)


async def deliver(outbox, clock, count, *, body=b"", first=0):
    await outbox.put([record(first + number, body=body) for number in range(count)])
    await settle_all(outbox, clock, Accepted())


async def kept(outbox, state):
    return [entry.event_id for entry in await outbox.find(Find(state=state, most=10_000, oldest_first=True))]


async def grow_old(outbox, state, expected):
    """Wait until the thread removed what it has to, and does not wait for the second between two looks."""
    deadline = time.monotonic() + 30
    while (found := await kept(outbox, state)) != expected and time.monotonic() < deadline:
        outbox._look_for_old_at = 0.0
        await asyncio.sleep(0.01)
    return found


async def test_what_was_delivered_is_kept_for_its_time_and_no_longer(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(delivered_s=DAY))
    await deliver(outbox, clock, 2)
    clock.time += DAY - 60
    await deliver(outbox, clock, 1, first=2)
    before = await kept(outbox, "delivered")
    clock.time += 61

    after = await grow_old(outbox, "delivered", ["e2"])
    books = await outbox.books()

    assert (["e0", "e1", "e2"], ["e2"]) == (before, after)
    assert {"shop": 3} == books.accepted


@pytest.mark.parametrize(("outcome", "state"), [(Accepted(), "delivered"), (REFUSED, "dead")])
async def test_what_went_after_its_time_is_in_no_byte_of_the_file(open_outbox, clock, path, outcome, state):
    outbox = await open_outbox(retention=Retention(delivered_s=DAY, dead_s=DAY))
    await outbox.put([record(0, body=b"all-of-a-person")])
    await settle_all(outbox, clock, outcome)
    await outbox._do(outbox._database.empty_log, writes=False)
    before = path.read_bytes()
    clock.time += DAY + 1
    await grow_old(outbox, state, [])
    await outbox._do(outbox._database.empty_log, writes=False)

    assert b"all-of-a-person" in before
    assert [] == [file.name for file in path.parent.iterdir() if b"all-of-a-person" in file.read_bytes()]


async def test_no_more_delivered_events_are_kept_than_are_wanted(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(delivered_events=250))
    for first in range(0, 1500, 500):
        await deliver(outbox, clock, 500, first=first)

    found = await grow_old(outbox, "delivered", [f"e{number}" for number in range(1250, 1500)])

    assert 250 == len(found)


async def test_an_idle_outbox_looks_for_what_is_old_by_itself(open_outbox, clock, path):
    outbox = await open_outbox(retention=Retention(delivered_s=DAY))
    await deliver(outbox, clock, 1)
    clock.time += DAY + 1
    other = apsw.Connection(str(path))
    deadline = time.monotonic() + 30
    while other.execute("SELECT count(*) FROM delivered").get and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    left = other.execute("SELECT count(*) FROM delivered").get
    other.close()

    assert 0 == left


@pytest.mark.parametrize("nothing", [Retention(delivered_events=0), Retention(delivered_s=0.0)])
async def test_nothing_is_kept_where_nothing_is_wanted(open_outbox, clock, nothing):
    outbox = await open_outbox(retention=nothing)
    await deliver(outbox, clock, 3)

    assert [] == await kept(outbox, "delivered")
    assert {"shop": 3} == (await outbox.books()).accepted


async def test_what_was_kept_goes_when_the_setting_changes(open_outbox, clock):
    outbox = await open_outbox()
    await deliver(outbox, clock, 500)
    await outbox.close()
    outbox = await open_outbox(retention=Retention(delivered_events=0))

    assert [] == await grow_old(outbox, "delivered", [])


async def test_dead_letters_go_after_their_time_and_stay_counted(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(dead_s=30 * DAY))
    await outbox.put(records(500))
    await settle_all(outbox, clock, REFUSED)
    clock.time += 30 * DAY - 60
    await outbox.put([record(500)])
    await settle_all(outbox, clock, REFUSED)
    before = await kept(outbox, "dead")
    clock.time += 61

    after = await grow_old(outbox, "dead", ["e500"])

    assert (501, ["e500"]) == (len(before), after)
    assert {("shop", "refused"): 501} == (await outbox.books()).dead


async def test_a_letter_that_died_late_is_kept_from_its_death_on(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(dead_s=DAY))
    await outbox.put(records(2))
    await settle_all(outbox, clock, RetryAt(at=0.0))
    clock.time += 3 * DAY
    await outbox.settle(await lease_all(outbox, clock, most=1), [REFUSED])
    clock.time += DAY + 1
    await outbox.settle(await lease_all(outbox, clock, most=1), [REFUSED])

    assert ["e1"] == await grow_old(outbox, "dead", ["e1"])


async def test_a_clock_set_forward_makes_no_dead_letter_older(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(dead_s=DAY))
    await outbox.put([record()])
    await settle_all(outbox, clock, REFUSED)
    clock.time += 365 * DAY
    await outbox.shift(365 * DAY)
    is_due = await outbox._do(lambda: retention.is_due(outbox._memory), writes=False)
    clock.time += DAY + 1

    assert not is_due
    assert [] == await grow_old(outbox, "dead", [])


async def test_what_a_wrong_clock_delivered_in_the_future_is_not_kept_until_then(open_outbox, clock):
    outbox = await open_outbox()
    clock.time += 3650 * DAY
    await deliver(outbox, clock, 1)
    clock.time -= 3650 * DAY
    await deliver(outbox, clock, 1, first=1)

    assert ["e1"] == await grow_old(outbox, "delivered", ["e1"])


async def test_old_events_go_while_others_come_in_without_a_pause(open_outbox, clock):
    """A thread that is never idle removes them in bites between the groups."""
    outbox = await open_outbox(retention=Retention(delivered_s=DAY))
    await deliver(outbox, clock, 1000)
    clock.time += DAY + 1
    deadline = time.monotonic() + 30
    number = 1000
    while outbox._memory.delivered and time.monotonic() < deadline:
        await asyncio.gather(*(outbox.put([record(number + lane)]) for lane in range(4)))
        number += 4

    assert [] == await kept(outbox, "delivered")


async def test_the_history_of_calls_is_bounded(open_outbox, clock, path):
    outbox = await open_outbox()
    await outbox.put([record()])
    lease = await lease_all(outbox, clock)
    calls = [Call(began_at=float(number), keys=(lease.events[0].key,), outcome="retry") for number in range(3)]
    await outbox.settle(lease, [RetryAt(at=0.0)], calls)
    await outbox.close()
    other = apsw.Connection(str(path))
    other.execute(
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT ?)"
        " INSERT INTO calls SELECT n, 'shop', n, 1, 'retry', 200, 0, '', '', 0.1 FROM number",
        (retention.MOST_CALLS,),
    )
    other.close()
    outbox = await open_outbox()
    deadline = time.monotonic() + 30
    while outbox._memory.calls > retention.MOST_CALLS and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    found = await outbox._do(lambda: outbox._database.value("SELECT count(*) FROM calls"), writes=False)

    assert retention.MOST_CALLS == found
    assert [0.0, 1.0, 2.0] == [call.began_at for call in (await find_one(outbox, "e0")).calls]


# When there is no room.


async def test_what_was_delivered_goes_before_a_single_event_is_refused(open_outbox, clock, happenings):
    outbox = await open_outbox(max_bytes=1_000_000)
    for first in range(0, 400, 20):
        await deliver(outbox, clock, 20, body=b"x" * 10_000, first=first)  # four times what it may hold

    left = await kept(outbox, "delivered")
    await outbox.put([record(1000, body=b"x" * 10_000)])

    assert outbox.ready
    assert 0 < len(left) < 100
    assert {"shop": 400} == (await outbox.books()).accepted
    assert not [what for what in happenings if isinstance(what, StoreStopped)]


async def test_events_are_refused_when_nothing_is_left_that_could_go(open_outbox, clock, happenings):
    outbox = await open_outbox(max_bytes=1_000_000)
    await deliver(outbox, clock, 20, body=b"x" * 10_000)
    taken = 0
    with contextlib.suppress(OutboxUnavailable):
        for taken in range(1000):
            await outbox.put([record(100 + taken, body=b"x" * 10_000)])

    assert 80 < taken < 110
    assert [] == await kept(outbox, "delivered")
    assert not outbox.ready
    assert [what.reason for what in happenings if isinstance(what, StoreStopped)] == ["max_bytes"]


async def test_what_was_delivered_goes_when_the_disks_reserve_is_reached(open_outbox, clock):
    outbox = await open_outbox()
    await deliver(outbox, clock, 200)
    outbox._room.reserve_bytes = 1 << 60
    clock.time += 2
    await outbox.put([record(1000)])

    assert len(await kept(outbox, "delivered")) < 200


async def test_without_room_no_history_is_written(open_outbox, clock):
    outbox = await open_outbox()
    await outbox.put(records(2))
    outbox._room.reserve_bytes = 1 << 60
    clock.time += 2
    lease = await lease_all(outbox, clock)
    keys = tuple(event.key for event in lease.events)
    await outbox.settle(lease, [Accepted(), RetryAt(at=0.0)], [Call(began_at=1.0, keys=keys, outcome="retry")])
    event = await find_one(outbox, "e1")

    assert [] == await kept(outbox, "delivered")
    assert () == event.calls
    assert {"shop": 1} == (await outbox.books()).accepted


async def test_a_replay_brings_nothing_back_that_was_removed(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(dead_s=DAY))
    await outbox.put([record()])
    await settle_all(outbox, clock, REFUSED)
    clock.time += DAY + 1
    await grow_old(outbox, "dead", [])

    done = await outbox.replay(Replay(which=Find(), destinations=("shop",)))

    assert 0 == done.replayed
    assert {("shop", "refused"): 1} == (await outbox.books()).dead
