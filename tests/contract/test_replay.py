"""What every Outbox does when somebody sends dead letters again, erases a person, or sets the clock."""

import asyncio
import hashlib

import msgspec
import pytest

from outboxes import balance, find_one, ids, lease_all, record, records, settle_all
from tikrelay.event import DropReason
from tikrelay.outbox.store import (
    LONGEST_WAIT_S,
    UNKNOWN_FOR_S,
    Accepted,
    Dead,
    DeadReason,
    Find,
    Forgotten,
    Replay,
    Replayed,
    RetryAt,
)

ALL = Replay(which=Find(), destinations=("shop",))
REFUSED = Dead(reason=DeadReason.REFUSED)


def of_person(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def mentioning(number: int, *names: str, **what: str):
    body = ",".join(f'"{of_person(name)}"' for name in names)
    return record(number, body=f'{{"user":[{body}]}}'.encode(), **what)


# Sending dead letters again.


async def test_a_replayed_letter_waits_again_as_it_was(outbox, clock):
    received_at = clock.now()
    await outbox.put(records(2, body=b"as it was", code="TEST1"))
    await settle_all(outbox, clock, RetryAt(at=clock.now()))
    await settle_all(outbox, clock, REFUSED)
    keys = [entry.key for entry in await outbox.find(Find(oldest_first=True))]
    clock.time += 50

    done = await outbox.replay(ALL)
    lease = await lease_all(outbox, clock)

    assert Replayed(replayed=2) == done
    assert keys == [event.key for event in lease.events]
    (event, _) = lease.events
    assert ("e0", b"as it was", "TEST1") == (event.event_id, event.body, event.test_event_code)
    assert (received_at, received_at + 50, received_at + 50) == (
        event.received_at,
        event.replayed_at,
        event.waits_since,
    )
    assert (0, None) == (event.attempts, event.unknown_since)  # it has all its tries again


async def test_a_replayed_letter_is_dead_no_more_and_the_books_balance(home, clock):
    outbox = await home.open()
    await outbox.put(records(3))
    await settle_all(outbox, clock, REFUSED)
    await outbox.replay(Replay(which=Find(event_id="e1"), destinations=("shop",)))

    outbox = await home.crash(outbox)
    books = await outbox.books()
    await outbox.close()

    assert ({("shop", "refused"): 2}, {("shop", "refused"): 1}, {"shop": 1}) == (
        books.dead,
        books.replayed,
        books.waiting,
    )
    assert (3, 3) == balance(books)


async def test_a_letter_can_die_and_be_replayed_again(outbox, clock):
    await outbox.put([record()])
    for _ in range(3):
        await settle_all(outbox, clock, REFUSED)
        await outbox.replay(ALL)
    await settle_all(outbox, clock, Accepted())

    books = await outbox.books()

    assert ({("shop", "refused"): 0}, {("shop", "refused"): 3}, {"shop": 1}) == (
        books.dead,
        books.replayed,
        books.accepted,
    )


async def test_a_dry_run_counts_and_changes_nothing(outbox, clock):
    await outbox.put(records(3))
    await settle_all(outbox, clock, REFUSED)
    before = await outbox.books()

    done = await outbox.replay(Replay(which=Find(), destinations=("shop",), dry_run=True))

    assert Replayed(replayed=3) == done
    assert before == await outbox.books()


async def test_what_is_to_be_replayed_is_chosen_as_in_a_search(outbox, clock):
    await outbox.put(records(6))
    await settle_all(outbox, clock, REFUSED)

    newest = await outbox.replay(Replay(which=Find(most=2), destinations=("shop",)))
    oldest = await outbox.replay(Replay(which=Find(most=1, oldest_first=True), destinations=("shop",)))
    waiting = await outbox.find(Find(state="waiting"))

    assert (2, 1) == (newest.replayed, oldest.replayed)
    assert ["e5", "e4", "e0"] == ids(waiting)


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_many_letters_are_replayed_in_the_order_asked_for_as_far_as_asked_for(outbox, clock, oldest_first):
    await outbox.put(records(900))
    await settle_all(outbox, clock, REFUSED)
    which = Find(most=650, oldest_first=oldest_first)
    looked = await outbox.replay(Replay(which=which, destinations=("shop",), dry_run=True))
    done = await outbox.replay(Replay(which=which, destinations=("shop",)))
    waiting = await outbox.find(Find(state="waiting", most=1000, oldest_first=True))

    assert Replayed(replayed=650) == looked == done
    first = 0 if oldest_first else 250
    assert [f"e{number}" for number in range(first, first + 650)] == ids(waiting)
    assert (900, 900) == balance(await outbox.books())


async def test_many_letters_are_replayed_by_their_keys_and_by_what_few_of_them_are(outbox, clock):
    await outbox.put([record(number, name="Lead") for number in range(900)])
    await settle_all(outbox, clock, REFUSED)
    keys = tuple(entry.key for entry in await outbox.find(Find(most=1000)))[::3]

    by_keys = await outbox.replay(Replay(which=Find(keys=keys, most=299), destinations=("shop",)))
    by_id = await outbox.replay(Replay(which=Find(event_id="e1", most=1), destinations=("shop",)))
    rest = await outbox.replay(Replay(which=Find(most=1 << 31), destinations=("shop",)))

    assert (299, 1, 600) == (by_keys.replayed, by_id.replayed, rest.replayed)


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_an_order_that_was_done_in_part_sends_the_rest_when_it_is_given_again(outbox, clock, oldest_first):
    await outbox.put(records(500))
    await settle_all(outbox, clock, REFUSED)
    keys = tuple(entry.key for entry in await outbox.find(Find(most=1000, oldest_first=oldest_first)))
    which = Find(keys=keys, most=1000, oldest_first=oldest_first)
    await outbox.replay(Replay(which=msgspec.structs.replace(which, keys=keys[:250]), destinations=("shop",)))

    rest = await outbox.replay(Replay(which=which, destinations=("shop",)))

    assert Replayed(replayed=250) == rest


async def test_a_put_need_not_wait_until_many_letters_are_replayed(outbox, clock):
    await outbox.put(records(1000) + records(1000))
    for _ in range(2):
        await settle_all(outbox, clock, REFUSED)
    replaying = asyncio.ensure_future(outbox.replay(Replay(which=Find(most=2000), destinations=("shop",))))
    await asyncio.sleep(0)
    await outbox.put([record()])
    was_done = replaying.done()

    assert not was_done
    assert Replayed(replayed=2000) == await replaying


async def test_a_replay_ends_although_letters_die_meanwhile(outbox, clock):
    await outbox.put(records(900))
    await settle_all(outbox, clock, REFUSED)
    which = Find(most=1 << 31, oldest_first=True)
    replaying = asyncio.ensure_future(outbox.replay(Replay(which=which, destinations=("shop",))))
    while not replaying.done():
        await outbox.put([record()])
        await settle_all(outbox, clock, REFUSED)
    done = await replaying

    assert Replayed(replayed=900) == done


async def test_only_dead_letters_are_replayed_whatever_state_is_asked_for(outbox, clock):
    await outbox.put(records(2))
    await outbox.settle(await lease_all(outbox, clock), [Accepted(), REFUSED])
    await outbox.put([record(2)])

    done = await outbox.replay(Replay(which=Find(state="delivered"), destinations=("shop",)))

    assert 1 == done.replayed
    assert {"shop": 2} == (await outbox.books()).waiting


async def test_letters_of_a_destination_the_settings_do_not_know_stay(outbox, clock):
    await outbox.put([record(0), record(1, to="other")])
    for to in ("shop", "other"):
        await settle_all(outbox, clock, REFUSED, to=to)

    done = await outbox.replay(ALL)

    assert Replayed(replayed=1, kept={"no_destination": 1}) == done
    assert ["e1"] == ids(await outbox.find(Find(state="dead")))


async def test_a_sender_hears_of_replayed_letters(outbox, clock):
    await outbox.put([record()])
    await outbox.wait_for_work("shop", timeout_s=5)
    await settle_all(outbox, clock, REFUSED)
    await outbox.replay(ALL)

    await outbox.wait_for_work("shop", timeout_s=60)  # ends at once, or the test takes a minute

    assert 1 == outbox.waiting("shop")


async def die(outbox, clock, *, reason, unknown_s_before=None, ago_s=0.0):
    """Let one event die, so long ago, after an attempt nobody knows the outcome of."""
    await outbox.put([record()])
    if unknown_s_before is not None:
        await settle_all(outbox, clock, RetryAt(at=clock.now(), unknown=True))
        clock.time += unknown_s_before
    await settle_all(outbox, clock, Dead(reason=reason))
    clock.time += ago_s


@pytest.mark.parametrize(
    ("reason", "unknown_s_before", "ago_s"),
    [
        (DeadReason.MAYBE_DELIVERED, None, 0.0),
        (DeadReason.MAYBE_DELIVERED, 100.0, 0.0),
        (DeadReason.TOO_OLD, 10.0, UNKNOWN_FOR_S),
        (DeadReason.REFUSED, UNKNOWN_FOR_S, 1.0),
        (DeadReason.PARTIAL, None, UNKNOWN_FOR_S + 1),
        (DeadReason.UNKNOWN_ANSWER, None, UNKNOWN_FOR_S + 1),
    ],
)
async def test_what_may_have_been_delivered_is_sent_again_only_on_demand(
    outbox, clock, reason, unknown_s_before, ago_s
):
    await die(outbox, clock, reason=reason, unknown_s_before=unknown_s_before, ago_s=ago_s)

    stays = await outbox.replay(ALL)
    goes = await outbox.replay(Replay(which=Find(), destinations=("shop",), accept_duplicates=True))
    (event,) = (await lease_all(outbox, clock)).events

    assert Replayed(replayed=0, kept={"may_be_delivered": 1}) == stays
    assert Replayed(replayed=1) == goes
    assert None is event.unknown_since  # or it would be given up at once


@pytest.mark.parametrize(
    ("reason", "unknown_s_before", "ago_s", "since"),
    [
        (DeadReason.REFUSED, None, 2 * UNKNOWN_FOR_S, None),
        (DeadReason.TOO_OLD, None, 0.0, None),
        (DeadReason.REFUSED, 10.0, 20.0, 30.0),
        (DeadReason.PARTIAL, None, 20.0, 20.0),
        (DeadReason.PARTIAL, 10.0, 20.0, 30.0),
        (DeadReason.UNKNOWN_ANSWER, None, 20.0, 20.0),
    ],
)
async def test_what_tiktok_would_still_know_for_a_repeat_keeps_the_time_of_its_unknown_attempt(  # noqa: PLR0917
    outbox, clock, reason, unknown_s_before, ago_s, since
):
    await die(outbox, clock, reason=reason, unknown_s_before=unknown_s_before, ago_s=ago_s)
    await outbox.replay(ALL)
    (event,) = (await lease_all(outbox, clock)).events

    assert since == (None if event.unknown_since is None else clock.now() - event.unknown_since)


async def test_a_letter_sent_as_a_test_stays_dead_and_its_copy_is_an_event_of_its_own(outbox, clock):
    await outbox.put([record(7, body=b"as it was")])
    await settle_all(outbox, clock, Dead(reason=DeadReason.MAYBE_DELIVERED))

    done = await outbox.replay(Replay(which=Find(), destinations=("shop",), test_event_code="TEST9"))
    (copy,) = (await lease_all(outbox, clock)).events
    books = await outbox.books()

    assert Replayed(replayed=1) == done
    assert ("e7", b"as it was", "TEST9") == (copy.event_id, copy.body, copy.test_event_code)
    assert ["dead", "waiting"] == sorted(entry.state for entry in await outbox.find(Find(event_id="e7")))
    assert {("shop", "ga4_web", "purchase"): 1, ("shop", "replay", "Purchase"): 1} == books.received
    assert ({("shop", "maybe_delivered"): 1}, {}) == (books.dead, books.replayed)
    assert (2, 2) == balance(books)


async def test_an_event_of_any_state_is_copied_as_a_test_by_its_key_and_stays_as_it_is(outbox, clock):
    await outbox.put(records(3))
    await outbox.settle(await lease_all(outbox, clock), [Accepted(), REFUSED, RetryAt(at=clock.now() + 60)])
    before = await outbox.find(Find())
    which = Find(keys=(*(entry.key for entry in before), 7))

    done = await outbox.replay(Replay(which=which, destinations=("shop",), test_event_code="TEST9"))
    copies = (await lease_all(outbox, clock)).events
    books = await outbox.books()

    assert Replayed(replayed=3) == done
    assert [("e0", b'{"n":0}', "TEST9"), ("e1", b'{"n":1}', "TEST9"), ("e2", b'{"n":2}', "TEST9")] == sorted(
        (copy.event_id, copy.body, copy.test_event_code) for copy in copies
    )
    assert before == await outbox.find(Find(keys=which.keys))
    assert (6, 6) == balance(books)
    assert {("shop", "ga4_web", "purchase"): 3, ("shop", "replay", "Purchase"): 3} == books.received


async def test_what_would_be_copied_is_only_counted_in_a_dry_run(outbox, clock):
    await outbox.put(records(2))
    await settle_all(outbox, clock, Accepted())
    which = Find(keys=tuple(entry.key for entry in await outbox.find(Find())))
    order = Replay(which=which, destinations=("shop",), test_event_code="TEST9", dry_run=True)

    assert Replayed(replayed=2) == await outbox.replay(order)
    assert [] == await outbox.find(Find(state="waiting"))


@pytest.mark.parametrize("more", [{"test_event_code": "TEST9"}, {}], ids=["as a test", "again"])
async def test_without_keys_or_without_a_test_code_dead_letters_alone_are_meant(outbox, clock, more):
    await outbox.put(records(3))
    await outbox.settle(await lease_all(outbox, clock), [Accepted(), REFUSED, RetryAt(at=clock.now() + 60)])
    keys = () if more else tuple(entry.key for entry in await outbox.find(Find()))

    done = await outbox.replay(Replay(which=Find(keys=keys), destinations=("shop",), **more))

    assert Replayed(replayed=1) == done
    assert ["e1"] == ids((await lease_all(outbox, clock)).events)


async def test_letters_without_a_code_are_chosen_apart_from_those_with_one(outbox, clock):
    await outbox.put(records(3))
    coded = Dead(reason=DeadReason.REFUSED, code=40002)
    await outbox.settle(await lease_all(outbox, clock), [REFUSED, coded, Accepted()])
    listed = await outbox.find(Find(code="none"))

    done = await outbox.replay(Replay(which=Find(code="none"), destinations=("shop",)))

    assert (["e0"], Replayed(replayed=1)) == (ids(listed), done)
    assert ["e1"] == ids(await outbox.find(Find(state="dead")))


# Forgetting a person.


async def test_a_persons_events_are_erased_wherever_they_are(home, clock):
    outbox = await home.open()
    await outbox.put([mentioning(number, "ann") for number in range(3)])
    await outbox.settle(await lease_all(outbox, clock), [Accepted(), REFUSED, RetryAt(at=clock.now() + 60)])
    await outbox.put([mentioning(3, "ann", "bob"), mentioning(4, "bob", to="other"), mentioning(5, "ann", to="other")])
    await lease_all(outbox, clock)

    done = await outbox.forget([of_person("ann")])
    outbox = await home.crash(outbox)
    left = await outbox.find(Find())
    books = await outbox.books()
    await outbox.close()

    assert Forgotten(waiting=3, dead=1, delivered=1) == done
    assert ["e4"] == ids(left)
    assert {("shop", DropReason.FORGOTTEN): 2, ("other", DropReason.FORGOTTEN): 1} == books.dropped
    assert ({"shop": 1}, {("shop", "refused"): 1}, {"shop": 0, "other": 1}) == (
        books.accepted,
        books.dead,
        {"shop": books.waiting.get("shop", 0), "other": books.waiting["other"]},
    )
    assert ((4, 4), (2, 2)) == (balance(books), balance(books, "other"))


async def test_an_event_forgotten_on_its_way_is_not_settled(outbox, clock):
    await outbox.put([mentioning(0, "ann"), mentioning(1, "bob")])
    lease = await lease_all(outbox, clock)
    await outbox.begin(lease)
    await outbox.forget([of_person("ann")])
    await outbox.settle(lease, [Accepted(), Accepted()])

    books = await outbox.books()

    assert ({"shop": 1}, {"shop": 0}) == (books.accepted, books.waiting)
    assert ["e1"] == ids(await outbox.find(Find()))
    assert (2, 2) == balance(books)


async def test_all_digests_of_a_person_are_looked_for(outbox):
    await outbox.put([mentioning(0, "ann"), mentioning(1, "ann@shop.example"), mentioning(2, "bob")])

    done = await outbox.forget([of_person("ann"), of_person("ann@shop.example"), of_person("nobody")])

    assert 2 == done.waiting
    assert ["e2"] == ids(await outbox.find(Find()))


async def test_nothing_is_forgotten_without_a_digest(outbox):
    await outbox.put(records(2))

    assert Forgotten() == await outbox.forget([])
    assert 2 == outbox.waiting("shop")


@pytest.mark.parametrize("digest", ["", "{", "n", of_person("ann").upper(), of_person("ann")[:63]])
async def test_what_is_no_digest_erases_nothing(outbox, digest):
    await outbox.put(records(2))
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        await outbox.forget([digest])

    assert 2 == outbox.waiting("shop")


# Setting the clock.


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 1_000_000.0])
async def test_what_waits_keeps_its_age_when_the_clock_is_set(outbox, clock, seconds):
    await outbox.put(records(2))
    await outbox.settle(await lease_all(outbox, clock), [REFUSED, RetryAt(at=clock.now() + 60, unknown=True)])
    await outbox.replay(ALL)
    before = [await find_one(outbox, f"e{number}") for number in range(2)]
    clock.time += seconds
    await outbox.shift(seconds)

    after = [await find_one(outbox, f"e{number}") for number in range(2)]
    at_once = await lease_all(outbox, clock)
    clock.time += 60
    later = await lease_all(outbox, clock)

    assert [entry.received_at + seconds for entry in before] == [entry.received_at for entry in after]
    assert [before[0].replayed_at + seconds, None] == [entry.replayed_at for entry in after]
    assert [None, before[1].unknown_since + seconds] == [entry.unknown_since for entry in after]
    assert (["e0"], ["e1"]) == (ids(at_once.events), ids(later.events))


async def test_what_comes_after_the_clock_was_set_is_as_old_as_it_is(outbox, clock):
    await outbox.put([record(0)])
    clock.time += LONGEST_WAIT_S
    await outbox.shift(LONGEST_WAIT_S)
    await outbox.put([record(1)])

    entries = await outbox.find(Find())

    assert {clock.now()} == {entry.received_at for entry in entries}


async def test_what_was_begun_before_the_clock_was_set_keeps_its_age_too(home, clock):
    outbox = await home.open()
    await outbox.put([record()])
    began = clock.now()
    await outbox.begin(await lease_all(outbox, clock))
    clock.time += 500
    await outbox.shift(500)

    outbox = await home.crash(outbox)
    (event,) = (await lease_all(outbox, clock)).events
    await outbox.close()

    assert began + 500 == event.unknown_since
