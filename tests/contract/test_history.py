"""What every Outbox tells of the events it has, and of the calls they were part of."""

import pytest

from outboxes import find_one, ids, lease_all, record, records, settle_all
from tikrelay.outbox.store import (
    MOST_CALLS_KEPT,
    Accepted,
    Call,
    Dead,
    DeadReason,
    Find,
    Lease,
    RetryAt,
)

REFUSED = Dead(reason=DeadReason.REFUSED, code=40002, message="bad", request_id="r-2")


def call(lease: Lease, *, began_at: float = 1.0, outcome: str = "retry", request_id: str = "r-1") -> Call:
    keys = tuple(event.key for event in lease.events)
    return Call(began_at=began_at, keys=keys, outcome=outcome, status=200, code=0, request_id=request_id, seconds=0.5)


# Calls.


async def test_a_call_is_told_in_the_history_of_each_of_its_events(outbox, clock):
    await outbox.put(records(2))
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted(), RetryAt(at=clock.now())], [call(lease, outcome="partial")])

    delivered, waiting = [await find_one(outbox, event_id) for event_id in ("e0", "e1")]

    told = Call(began_at=1.0, events=2, outcome="partial", status=200, code=0, request_id="r-1", seconds=0.5)
    assert ((told,), (told,)) == (delivered.calls, waiting.calls)
    assert ("r-1", "") == (delivered.request_id, waiting.request_id)


async def test_the_calls_of_an_event_come_in_order_and_follow_it_to_the_dead_letters(outbox, clock):
    await outbox.put([record()])
    for number in range(3):
        lease = await lease_all(outbox, clock)
        outcome = REFUSED if number == 2 else RetryAt(at=clock.now())
        await outbox.settle(lease, [outcome], [call(lease, began_at=float(number))])

    letter = await find_one(outbox, "e0")

    assert [0.0, 1.0, 2.0] == [one.began_at for one in letter.calls]
    assert ("dead", 3) == (letter.state, letter.attempts)


async def test_a_lease_that_took_several_calls_tells_each_event_its_own(outbox, clock):
    await outbox.put(records(4))
    lease = await lease_all(outbox, clock)
    halves = [call(Lease(lease.destination, lease.events[i : i + 2]), began_at=float(i)) for i in (0, 2)]
    await outbox.settle(lease, [Accepted()] * 4, [call(lease, began_at=-1.0), *halves])

    found = [await find_one(outbox, f"e{number}") for number in range(4)]

    assert [[-1.0, 0.0], [-1.0, 0.0], [-1.0, 2.0], [-1.0, 2.0]] == [[c.began_at for c in e.calls] for e in found]
    assert [[4, 2]] * 4 == [[c.events for c in e.calls] for e in found]


async def test_the_last_calls_are_remembered(outbox, clock):
    await outbox.put([record()])
    for number in range(MOST_CALLS_KEPT + 3):
        lease = await lease_all(outbox, clock)
        await outbox.settle(lease, [RetryAt(at=clock.now())], [call(lease, began_at=float(number))])

    event = await find_one(outbox, "e0")

    assert list(range(3, MOST_CALLS_KEPT + 3)) == [one.began_at for one in event.calls]


async def test_a_lease_settled_twice_tells_of_one_call(outbox, clock):
    await outbox.put([record()])
    lease = await lease_all(outbox, clock)
    for _ in range(2):
        await outbox.settle(lease, [RetryAt(at=clock.now())], [call(lease)])

    event = await find_one(outbox, "e0")

    assert (1, 1) == (len(event.calls), event.attempts)


async def test_calls_outlive_a_crash(home, clock):
    outbox = await home.open()
    await outbox.put([record()])
    for number in range(2):
        lease = await lease_all(outbox, clock)
        await outbox.settle(lease, [RetryAt(at=0.0)], [call(lease, began_at=float(number))])
        outbox = await home.crash(outbox)
        clock.time -= 100  # the numbers of calls go on, whatever the clock says
    event = await find_one(outbox, "e0")
    await outbox.close()

    assert [0.0, 1.0] == [one.began_at for one in event.calls]


# What was under way when the process ended.


async def test_an_event_that_was_being_sent_at_a_crash_has_an_unknown_outcome(home, clock):
    outbox = await home.open()
    await outbox.put(records(3))
    began = clock.now()
    await outbox.begin(await lease_all(outbox, clock, most=2))
    await lease_all(outbox, clock, most=1)  # in a sender's hands, and not begun
    clock.time += 50

    outbox = await home.crash(outbox)
    lease = await lease_all(outbox, clock)
    event = await find_one(outbox, "e0")
    await outbox.close()

    assert ["e0", "e1", "e2"] == ids(lease.events)
    assert [(1, began), (1, began), (0, None)] == [(one.attempts, one.unknown_since) for one in lease.events]
    assert [Call(began_at=began, events=2, outcome="cut_off")] == list(event.calls)


async def test_the_first_unknown_outcome_counts_also_after_a_crash(home, clock):
    outbox = await home.open()
    await outbox.put([record()])
    first = clock.now()
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=first, unknown=True)])
    clock.time += 50
    await outbox.begin(await lease_all(outbox, clock))

    outbox = await home.crash(outbox)
    (event,) = (await lease_all(outbox, clock)).events
    await outbox.close()

    assert (2, first) == (event.attempts, event.unknown_since)


@pytest.mark.parametrize("end", ["settled", "released"])
async def test_a_lease_that_ended_before_a_crash_leaves_nothing_unknown(home, clock, end):
    outbox = await home.open()
    await outbox.put([record()])
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    if end == "settled":
        await outbox.settle(lease, [RetryAt(at=clock.now(), counts=False)])
    else:
        outbox.release(lease)
        await outbox.put([record(1)])  # the note goes with the next commit

    outbox = await home.crash(outbox)
    lease = await lease_all(outbox, clock)
    await outbox.close()

    assert {(0, None)} == {(one.attempts, one.unknown_since) for one in lease.events}


async def test_a_lease_begun_again_after_it_was_given_back_is_noted_anew(home, clock):
    outbox = await home.open()
    await outbox.put([record()])
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    outbox.release(lease)
    clock.time += 10
    again = await lease_all(outbox, clock)
    await outbox.begin(again)
    await outbox.begin(again)

    outbox = await home.crash(outbox)
    (event,) = (await lease_all(outbox, clock)).events
    await outbox.close()

    assert (1, clock.now()) == (event.attempts, event.unknown_since)


async def test_a_lease_that_has_ended_is_not_begun(home, clock):
    outbox = await home.open()
    await outbox.put([record()])
    lease = await lease_all(outbox, clock)
    outbox.release(lease)
    await outbox.begin(lease)

    outbox = await home.crash(outbox)
    (event,) = (await lease_all(outbox, clock)).events
    await outbox.close()

    assert (0, None) == (event.attempts, event.unknown_since)


# Finding.


async def one_of_each(outbox, clock):
    """e0 delivered, e1 dead, e2 put off, e3 leased, and a test and one for another destination that wait."""
    received_at = clock.now()
    await outbox.put(records(3))
    clock.time += 5
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted(), REFUSED, RetryAt(at=clock.now() + 60, unknown=True)])
    clock.time += 5
    await outbox.put([record(3)])
    await lease_all(outbox, clock)
    clock.time += 5
    await outbox.put([record(4, code="TEST1"), record(5, to="other")])
    return received_at


async def test_every_event_is_found_newest_first_with_where_it_is(outbox, clock):
    await one_of_each(outbox, clock)

    found = await outbox.find(Find())

    assert ["e5", "e4", "e3", "e2", "e1", "e0"] == ids(found)
    assert ["waiting"] * 4 + ["dead", "delivered"] == [entry.state for entry in found]
    assert [False, False, True, False, False, False] == [entry.leased for entry in found]
    assert {(b"", ())} == {(entry.body, entry.calls) for entry in found}


async def test_what_is_known_of_an_event_is_told(outbox, clock):
    at = await one_of_each(outbox, clock)

    delivered, dead, put_off = [await find_one(outbox, f"e{number}") for number in range(3)]

    assert ("delivered", at, at + 5, 1, b'{"n":0}') == (
        delivered.state,
        delivered.received_at,
        delivered.ended_at,
        delivered.attempts,
        delivered.body,
    )
    assert ("refused", 40002, "bad", "r-2", at + 5) == (
        dead.reason,
        dead.code,
        dead.message,
        dead.request_id,
        dead.ended_at,
    )
    assert (None, at + 65, at + 5, 1) == (put_off.ended_at, put_off.not_before, put_off.unknown_since, put_off.attempts)
    assert not any(entry.damaged for entry in (delivered, dead, put_off))


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"state": "waiting"}, ["e5", "e4", "e3", "e2"]),
        ({"state": "dead"}, ["e1"]),
        ({"state": "delivered"}, ["e0"]),
        ({"destination": "other"}, ["e5"]),
        ({"event_id": "e2"}, ["e2"]),
        ({"event": "Purchase", "most": 2}, ["e5", "e4"]),
        ({"event": "Lead"}, []),
        ({"reason": "refused"}, ["e1"]),
        ({"reason": "too_old"}, []),
        ({"test_event_code": "TEST1"}, ["e4"]),
        ({"test_event_code": "", "most": 3}, ["e5", "e3", "e2"]),
        ({"most": 0}, []),
        ({"oldest_first": True}, ["e0", "e1", "e2", "e3", "e4", "e5"]),
        ({"oldest_first": True, "most": 2}, ["e0", "e1"]),
        ({"oldest_first": True, "state": "waiting", "most": 1}, ["e2"]),
    ],
)
async def test_events_are_found_by_what_is_asked_for(outbox, clock, which, expected):
    await one_of_each(outbox, clock)

    assert expected == ids(await outbox.find(Find(**which)))


async def test_events_are_found_by_when_they_were_received(outbox, clock):
    at = await one_of_each(outbox, clock)

    found = await outbox.find(Find(received_from=at + 10, received_to=at + 15))

    assert ["e3"] == ids(found)


async def test_events_are_found_by_their_keys_wherever_they_are(outbox, clock):
    await one_of_each(outbox, clock)
    keys = {entry.event_id: entry.key for entry in await outbox.find(Find())}

    found = await outbox.find(Find(keys=(keys["e0"], keys["e1"], keys["e4"], 12345)))

    assert ["e4", "e1", "e0"] == ids(found)


async def test_the_newest_of_many_delivered_events_are_found_in_order(outbox, clock):
    """Those delivered last are not those received last."""
    await outbox.put([record(0), record(1)])
    late = await lease_all(outbox, clock)
    for number in range(2, 3000):
        if number % 300 == 2:
            clock.time += 1
            await outbox.put([record(n) for n in range(number, min(number + 300, 3000))])
    await settle_all(outbox, clock, Accepted())
    await settle_all(outbox, clock, Accepted())
    await settle_all(outbox, clock, Accepted())
    clock.time += 1
    await outbox.settle(late, [Accepted()] * 2)

    newest = await outbox.find(Find(most=3))
    oldest = await outbox.find(Find(most=3, oldest_first=True))

    assert ["e2999", "e2998", "e2997"] == ids(newest)
    assert ["e0", "e1", "e2"] == ids(oldest)


async def test_an_event_nobody_has_is_not_shown(outbox):
    assert None is await outbox.show(12345)


# The newest, and how many wait.


async def test_the_newest_that_were_never_tried_are_leased_in_their_order(outbox, clock):
    await outbox.put(records(6))
    await outbox.settle(await lease_all(outbox, clock, most=1), [RetryAt(at=clock.now())])

    leases = [await lease_all(outbox, clock, most=3, newest=True) for _ in range(3)]

    assert [["e3", "e4", "e5"], ["e1", "e2"], []] == [ids(lease.events) for lease in leases]


async def test_the_newest_are_taken_as_far_as_their_size_allows_and_without_tests(outbox, clock):
    await outbox.put([*records(4, body=b"0123456789"), record(9, code="TEST1")])

    lease = await lease_all(outbox, clock, max_bytes=25, newest=True)

    assert ["e2", "e3"] == ids(lease.events)


async def test_how_many_wait_is_known_without_asking_the_disk(home, clock):
    outbox = await home.open()
    await outbox.put([*records(3), record(4, to="other")])
    await settle_all(outbox, clock, Accepted(), to="other")
    before = [outbox.waiting(name) for name in ("shop", "other", "unheard of")]

    outbox = await home.crash(outbox)
    after = [outbox.waiting(name) for name in ("shop", "other", "unheard of")]
    await outbox.close()

    assert [3, 0, 0] == before == after
