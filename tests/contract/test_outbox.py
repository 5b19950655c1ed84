"""What every Outbox promises (``outbox/store.py``), whichever store is behind it."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from outboxes import balance, drop, ids, lease_all, record, records
from tikrelay.event import DropReason
from tikrelay.outbox.store import (
    LONGEST_WAIT_S,
    Accepted,
    Books,
    Dead,
    DeadReason,
    Find,
    Leased,
    Outcome,
    RetryAt,
)


def bodies(events: Sequence[Leased]):
    return [event.body for event in events]


def codes(lease):
    return {event.test_event_code for event in lease.events}


async def test_what_was_put_is_there_after_a_crash(home, clock):
    outbox = await home.open()
    await outbox.put(records(3))

    outbox = await home.crash(outbox)
    lease = await lease_all(outbox, clock)

    assert [b'{"n":0}', b'{"n":1}', b'{"n":2}'] == bodies(lease.events)
    assert ["e0", "e1", "e2"] == [event.event_id for event in lease.events]
    assert ["Purchase"] * 3 == [event.event for event in lease.events]
    await outbox.close()


async def test_what_was_put_is_counted(outbox):
    await outbox.put([record(1), record(2), record(3, to="other", name="refund")])

    books = await outbox.books()

    assert {("shop", "ga4_web", "purchase"): 2, ("other", "ga4_web", "refund"): 1} == books.received
    assert {"shop": 2, "other": 1} == books.waiting


async def test_the_books_know_every_destination_there_ever_was(home, clock):
    outbox = await home.open()
    await outbox.put([record(1, to="waits"), record(2, to="accepts"), record(3, to="refuses")], [drop(to="drops")])
    await outbox.settle(await lease_all(outbox, clock, to="accepts"), [Accepted()])
    await outbox.settle(await lease_all(outbox, clock, to="refuses"), [Dead(reason=DeadReason.REFUSED)])

    outbox = await home.crash(outbox)
    books = await outbox.books()
    await outbox.close()

    assert {"waits", "accepts", "refuses", "drops"} == books.destinations()
    assert {"waits"} == set(books.oldest_waiting)


async def test_events_are_leased_in_the_order_they_were_put(outbox, clock):
    for number in range(30):
        await outbox.put([record(number), record(number + 100)])

    lease = await lease_all(outbox, clock)

    assert [n for number in range(30) for n in (f"e{number}", f"e{number + 100}")] == [e.event_id for e in lease.events]
    assert sorted(e.key for e in lease.events) == [e.key for e in lease.events]


async def test_the_order_outlives_a_clock_set_back(outbox, clock):
    await outbox.put([record(1)])
    clock.time -= 86_400
    await outbox.put([record(2)])

    lease = await lease_all(outbox, clock)

    assert ["e1", "e2"] == [event.event_id for event in lease.events]


async def test_a_leased_event_is_not_leased_twice(outbox, clock):
    await outbox.put(records(3))

    first = await lease_all(outbox, clock, most=2)
    second = await lease_all(outbox, clock)
    third = await lease_all(outbox, clock)

    assert ["e0", "e1"] == [event.event_id for event in first.events]
    assert ["e2"] == [event.event_id for event in second.events]
    assert () == third.events


async def test_leases_asked_for_at_one_moment_share_nothing(outbox, clock):
    await outbox.put(records(10))

    leases = await asyncio.gather(*(lease_all(outbox, clock, most=3) for _ in range(5)))

    assert [f"e{number}" for number in range(10)] == [event.event_id for lease in leases for event in lease.events]


async def test_a_released_lease_leaves_its_events_as_they_were(outbox, clock):
    await outbox.put(records(2))
    lease = await lease_all(outbox, clock)
    outbox.release(lease)

    again = await lease_all(outbox, clock)

    assert lease == again


async def test_a_lease_whose_asker_has_gone_away_is_given_back(outbox, clock):
    await outbox.put(records(2))
    asking = asyncio.ensure_future(lease_all(outbox, clock))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    async with asyncio.timeout(10):
        while not (lease := await lease_all(outbox, clock)).events:  # it is given back once it was taken
            await asyncio.sleep(0.001)

    assert 2 == len(lease.events)


async def test_a_crash_ends_every_lease(home, clock):
    outbox = await home.open()
    await outbox.put(records(2))
    await lease_all(outbox, clock)

    outbox = await home.crash(outbox)
    lease = await lease_all(outbox, clock)

    assert 2 == len(lease.events)
    await outbox.close()


async def test_each_event_of_a_lease_has_its_own_outcome(outbox, clock):
    await outbox.put(records(3))
    lease = await lease_all(outbox, clock)
    clock.time += 5
    outcomes: list[Outcome] = [Accepted(), RetryAt(at=clock.now() + 60), Dead(reason=DeadReason.REFUSED)]
    await outbox.settle(lease, outcomes)

    books = await outbox.books()
    clock.time += 60
    waiting = await lease_all(outbox, clock)

    assert {"shop": 1} == books.accepted
    assert {"shop": 1} == books.waiting
    assert {("shop", "refused"): 1} == books.dead
    assert [("e1", 1)] == [(event.event_id, event.attempts) for event in waiting.events]


async def test_outcomes_outlive_a_crash(home, clock):
    outbox = await home.open()
    await outbox.put(records(4))
    lease = await lease_all(outbox, clock, most=3)
    await outbox.settle(lease, [Accepted(), RetryAt(at=clock.now() + 60), Dead(reason=DeadReason.REFUSED)])
    before = await outbox.books()

    outbox = await home.crash(outbox)
    now = await lease_all(outbox, clock)
    clock.time += 60
    later = await lease_all(outbox, clock)

    assert before == await outbox.books()
    assert ["e3"] == [event.event_id for event in now.events]
    assert [("e1", 1)] == [(event.event_id, event.attempts) for event in later.events]
    await outbox.close()


async def test_a_lease_is_settled_once(outbox, clock):
    await outbox.put(records(2))
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted(), Accepted()])
    await outbox.settle(lease, [Accepted(), Dead(reason=DeadReason.REFUSED)])

    books = await outbox.books()

    assert {"shop": 2} == books.accepted
    assert {} == books.dead


async def test_a_lease_settled_twice_at_one_moment_counts_once(outbox, clock):
    await outbox.put(records(2))
    lease = await lease_all(outbox, clock)
    await asyncio.gather(*(outbox.settle(lease, [Accepted(), Accepted()]) for _ in range(2)))

    books = await outbox.books()

    assert {"shop": 2} == books.accepted
    assert 0 == books.waiting["shop"]


async def test_every_event_of_a_lease_needs_an_outcome(outbox, clock):
    await outbox.put(records(2))
    lease = await lease_all(outbox, clock)

    with pytest.raises(ValueError, match="1 outcomes for a lease of 2"):
        await outbox.settle(lease, [Accepted()])


async def test_an_event_put_off_is_not_leased_before_its_time(outbox, clock):
    await outbox.put([record()])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + 300)])
    clock.time += 299.9
    before = await lease_all(outbox, clock)
    clock.time += 0.2

    lease = await lease_all(outbox, clock)

    assert () == before.events
    assert 1 == len(lease.events)


async def test_an_event_put_off_as_long_as_any_answer_may_ask_for_waits_that_long(outbox, clock):
    await outbox.put([record()])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + LONGEST_WAIT_S)])
    before = await lease_all(outbox, clock)
    clock.time += LONGEST_WAIT_S

    lease = await lease_all(outbox, clock)

    assert () == before.events
    assert 1 == len(lease.events)


async def test_no_event_is_put_off_for_longer_than_that(outbox, clock):
    await outbox.put([record()])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + 100 * LONGEST_WAIT_S)])
    before = await lease_all(outbox, clock)
    clock.time += LONGEST_WAIT_S

    lease = await lease_all(outbox, clock)

    assert () == before.events
    assert 1 == len(lease.events)


@pytest.mark.parametrize("back_s", [2 * LONGEST_WAIT_S, 1_700_000_000.0], ids=["hours", "to 1970"])
async def test_a_clock_set_back_keeps_no_event_waiting(outbox, clock, back_s):
    await outbox.put([record()])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + 60)])
    clock.time -= back_s

    lease = await lease_all(outbox, clock)

    assert 1 == len(lease.events)


async def test_a_lease_of_nothing_sent_leaves_the_attempts_as_they_were(outbox, clock):
    await outbox.put([record()])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now(), counts=False)])

    lease = await lease_all(outbox, clock)

    assert 0 == lease.events[0].attempts


async def test_the_first_unknown_outcome_is_remembered(outbox, clock):
    await outbox.put([record()])
    first = clock.now()
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=first, unknown=True)])
    clock.time += 50
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=first, unknown=True)])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=first)])

    lease = await lease_all(outbox, clock)

    assert first == lease.events[0].unknown_since
    assert 3 == lease.events[0].attempts


@pytest.mark.parametrize(
    ("most", "max_bytes", "expected"),
    [(2, 1000, 2), (100, 30, 3), (100, 29, 2), (100, 1, 1), (1, 1000, 1), (100, 1000, 5)],
)
async def test_a_lease_holds_no_more_than_was_asked_for_but_at_least_one(outbox, clock, most, max_bytes, expected):
    await outbox.put(records(5, body=b"0123456789"))

    lease = await lease_all(outbox, clock, most=most, max_bytes=max_bytes)

    assert expected == len(lease.events)


async def test_a_lease_holds_events_of_one_test_code_those_without_one_first(outbox, clock):
    put = [record(1, code="TEST2"), record(2), record(3, code="TEST1"), record(4, code="TEST2"), record(5)]
    await outbox.put(put)

    leases = [await lease_all(outbox, clock) for _ in range(4)]

    assert [["e2", "e5"], ["e1", "e4"], ["e3"], []] == [ids(lease.events) for lease in leases]
    assert [{""}, {"TEST2"}, {"TEST1"}, set()] == [codes(lease) for lease in leases]


async def test_no_test_is_leased_while_another_event_is_due(outbox, clock):
    await outbox.put([record(number, code=f"TEST{number}") for number in range(20)])
    clock.time += 60
    await outbox.put([record(number) for number in range(20, 26)])

    leases = [await lease_all(outbox, clock, most=2) for _ in range(4)]

    assert [{""}, {""}, {""}, {"TEST0"}] == [codes(lease) for lease in leases]


async def test_an_event_put_off_does_not_hold_up_tests(outbox, clock):
    await outbox.put([record(1)])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + 60)])
    await outbox.put([record(2, code="TEST1")])
    at_once = await lease_all(outbox, clock)
    outbox.release(at_once)
    clock.time += 60

    lease = await lease_all(outbox, clock)

    assert ["e2"] == ids(at_once.events)
    assert ["e1"] == ids(lease.events)


async def test_a_test_put_off_does_not_hold_up_another_code(outbox, clock):
    await outbox.put([record(1, code="TEST1"), record(2, code="TEST1")])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + 60)] * 2)
    await outbox.put([record(3, code="TEST2")])
    at_once = await lease_all(outbox, clock)
    clock.time += 60

    lease = await lease_all(outbox, clock)

    assert ["e3"] == ids(at_once.events)
    assert ["e1", "e2"] == ids(lease.events)


async def test_tests_held_by_another_are_passed_over(outbox, clock):
    await outbox.put([record(1, code="TEST1"), record(2, code="TEST1"), record(3, code="TEST2"), record(4)])
    others = [await lease_all(outbox, clock, most=1) for _ in range(2)]

    leases = [await lease_all(outbox, clock, most=1) for _ in range(3)]

    assert [["e4"], ["e1"]] == [ids(lease.events) for lease in others]
    assert [["e2"], ["e3"], []] == [ids(lease.events) for lease in leases]


async def test_a_lease_without_tests_leaves_them_where_they_are(outbox, clock):
    await outbox.put([record(1, code="TEST1"), record(2)])

    leases = [await lease_all(outbox, clock, tests=tests) for tests in (False, False, True)]

    assert [["e2"], [], ["e1"]] == [ids(lease.events) for lease in leases]


@pytest.mark.parametrize(
    ("most", "max_bytes", "expected"), [(2, 1000, 2), (100, 30, 3), (100, 1, 1), (1, 1000, 1), (100, 1000, 5)]
)
async def test_a_lease_of_tests_holds_no_more_than_was_asked_for(outbox, clock, most, max_bytes, expected):
    await outbox.put(records(5, body=b"0123456789", code="TEST1"))

    lease = await lease_all(outbox, clock, most=most, max_bytes=max_bytes)

    assert expected == len(lease.events)


async def test_tests_of_one_destination_wait_for_no_other(outbox, clock):
    await outbox.put([record(1), record(2, to="other", code="TEST1")])

    lease = await lease_all(outbox, clock, to="other")

    assert ["e2"] == ids(lease.events)


async def test_a_clock_set_back_holds_up_no_test(outbox, clock):
    await outbox.put([record(code="TEST1")])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now() + 60)])
    clock.time -= 86_400

    lease = await lease_all(outbox, clock)

    assert ["e0"] == ids(lease.events)


async def test_a_test_code_outlives_a_crash_a_retry_and_a_reopening(home, clock):
    outbox = await home.open()
    await outbox.put([record(1, code="TEST1"), record(2, code="Größe \N{SNOWMAN}")])
    outbox = await home.crash(outbox)
    for _ in range(2):
        lease = await lease_all(outbox, clock)
        await outbox.settle(lease, [RetryAt(at=clock.now() + 1)])
    clock.time += 1
    await outbox.close()

    outbox = await home.open()
    leases = [await lease_all(outbox, clock) for _ in range(2)]
    await outbox.close()

    found = [(event.event_id, event.test_event_code, event.attempts) for lease in leases for event in lease.events]
    assert [("e1", "TEST1", 1), ("e2", "Größe \N{SNOWMAN}", 1)] == found


async def test_a_dead_letter_keeps_its_test_code(home, clock):
    outbox = await home.open()
    await outbox.put([record(1, code="TEST1"), record(2)])
    for _ in range(2):
        await outbox.settle(await lease_all(outbox, clock), [Dead(reason=DeadReason.REFUSED)])

    outbox = await home.crash(outbox)
    letters = await outbox.find(Find(state="dead"))
    await outbox.close()

    assert {"e1": "TEST1", "e2": ""} == {letter.event_id: letter.test_event_code for letter in letters}


async def test_tests_are_counted_like_any_other_event(outbox, clock):
    await outbox.put([record(1, code="TEST1"), record(2, code="TEST2"), record(3)])
    await outbox.settle(await lease_all(outbox, clock), [Accepted()])
    await outbox.settle(await lease_all(outbox, clock), [Accepted()])

    books = await outbox.books()

    assert ({"shop": 2}, {"shop": 1}) == (books.accepted, books.waiting)
    assert (3, 3) == balance(books, "shop")


async def test_two_destinations_do_not_disturb_each_other(outbox, clock):
    await outbox.put([record(1), record(2, to="other"), record(3)])
    shop = await lease_all(outbox, clock)
    other = await lease_all(outbox, clock, to="other")
    await outbox.settle(other, [Dead(reason=DeadReason.REFUSED)])
    outbox.release(shop)

    books = await outbox.books()
    again = await lease_all(outbox, clock)

    assert ["e2"] == [event.event_id for event in other.events]
    assert shop == again
    assert {"shop": 2, "other": 0} == books.waiting


async def test_a_put_of_nothing_but_drops_is_counted_and_kept(home, outbox):
    await outbox.put([], [drop(), drop(), drop(reason=DropReason.CONSENT_DENIED)])
    at_once = await outbox.books()
    await outbox.close()

    reopened = await home.open()
    later = await reopened.books()
    await reopened.close()

    assert {("shop", "no_mapping"): 2, ("shop", "consent_denied"): 1} == at_once.dropped
    assert {("shop", "ga4_web", "scroll"): 3} == at_once.received
    assert at_once == later


async def test_drops_beside_events_are_as_durable_as_they(home):
    outbox = await home.open()
    await outbox.put([record()], [drop()])

    outbox = await home.crash(outbox)
    books = await outbox.books()

    assert {("shop", "no_mapping"): 1} == books.dropped
    assert (2, 2) == balance(books, "shop")
    await outbox.close()


async def test_a_put_of_nothing_at_all_is_nothing(outbox):
    await outbox.put([])

    assert Books() == await outbox.books()


async def test_a_dead_letter_shows_the_event_and_what_tiktok_said(outbox, clock):
    received_at = clock.now()
    await outbox.put([record(7)])
    await outbox.settle(await lease_all(outbox, clock), [RetryAt(at=clock.now())])
    clock.time += 10
    dead = Dead(reason=DeadReason.REFUSED, code=40002, message="event is required", request_id="r-1")
    await outbox.settle(await lease_all(outbox, clock), [dead])

    (listed,) = await outbox.find(Find(state="dead"))
    letter = await outbox.show(listed.key)

    assert b"" == listed.body
    assert ("shop", "Purchase", "e7", b'{"n":7}') == (letter.destination, letter.event, letter.event_id, letter.body)
    assert (received_at, received_at + 10, 2) == (letter.received_at, letter.ended_at, letter.attempts)
    assert (DeadReason.REFUSED, 40002, "event is required", "r-1") == (
        letter.reason,
        letter.code,
        letter.message,
        letter.request_id,
    )


@pytest.mark.parametrize(
    ("reason", "calls"),
    [
        (DeadReason.REFUSED, 1),
        (DeadReason.PARTIAL, 1),
        (DeadReason.UNKNOWN_ANSWER, 1),
        (DeadReason.MAYBE_DELIVERED, 0),
        (DeadReason.TOO_OLD, 0),
        (DeadReason.DAMAGED, 0),
    ],
)
async def test_a_dead_letter_counts_the_calls_that_were_made(outbox, clock, reason, calls):
    await outbox.put([record()])
    await outbox.settle(await lease_all(outbox, clock), [Dead(reason=reason)])

    (letter,) = await outbox.find(Find(state="dead"))

    assert calls == letter.attempts


async def test_the_newest_dead_letters_come_first(outbox, clock):
    await outbox.put(records(5))
    for _ in range(5):
        await outbox.settle(await lease_all(outbox, clock, most=1), [Dead(reason=DeadReason.REFUSED)])
        clock.time += 1

    letters = await outbox.find(Find(state="dead", most=3))

    assert ["e4", "e3", "e2"] == [letter.event_id for letter in letters]


async def test_the_oldest_waiting_event_of_each_destination_is_known(outbox, clock):
    began = clock.now()
    await outbox.put([record(1)])
    clock.time += 30
    await outbox.put([record(2), record(3, to="other")])

    books = await outbox.books()

    assert {"shop": began, "other": began + 30} == books.oldest_waiting


async def test_the_books_balance_at_every_step(outbox, clock):
    found = []

    async def look():
        books = await outbox.books()
        found.append((balance(books, "shop"), balance(books, "other")))

    await outbox.put(records(4), [drop()])
    await look()
    lease = await lease_all(outbox, clock)
    await look()
    await outbox.settle(lease, [Accepted(), RetryAt(at=clock.now()), Dead(reason=DeadReason.REFUSED), Accepted()])
    await look()
    await outbox.put([], [drop(to="other"), drop()])
    await look()
    outbox.release(await lease_all(outbox, clock))
    await look()

    assert [((5, 5), (0, 0))] * 3 + [((6, 6), (1, 1))] * 2 == found


async def test_waiting_for_work_ends_when_events_come(outbox):
    waiting = asyncio.ensure_future(outbox.wait_for_work("shop", timeout_s=60))
    await outbox.put([record(to="other")])
    await asyncio.sleep(0)
    others = waiting.done()
    await outbox.put([record()])
    await asyncio.wait_for(waiting, 5)

    assert not others


async def test_events_put_since_the_last_wait_end_the_next_at_once(outbox):
    await outbox.put([record()])

    await asyncio.wait_for(outbox.wait_for_work("shop", timeout_s=60), 5)


async def test_waiting_for_work_ends_after_the_time(outbox):
    began = time.monotonic()
    await outbox.wait_for_work("shop", timeout_s=0.02)

    assert 0.01 < time.monotonic() - began
