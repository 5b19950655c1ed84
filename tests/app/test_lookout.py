"""What a worker tells those who watch, of real outbox files."""

import os
from pathlib import Path

import pytest

from clocks import HandTurnedClock
from tikrelay.app.live import MOST_NOTES, LookLive
from tikrelay.app.lookout import Lookout
from tikrelay.base.happenings import EventDropped, InputTurnedAway, silent
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Record, RetryAt

SHOP = DestinationName("shop")
FILE = "outbox-000.db"
PID = str(os.getpid())


@pytest.fixture
def clock():
    return HandTurnedClock()


@pytest.fixture
def lookout(clock):
    return Lookout(clock=clock)


@pytest.fixture
async def outbox(tmp_path: Path, clock):
    opened = await SqliteOutbox.open(tmp_path / FILE, clock=clock, emit=silent, reserve_bytes=0)
    yield opened
    await opened.close()


def record(event_id: str, trace: bytes = b"trace") -> Record:
    return Record(
        destination=SHOP, source="data", name="lead", event="Lead", event_id=EventId(event_id), body=b"{}", trace=trace
    )


async def settle(outbox, clock, outcomes):
    """Give each event that waits the outcome its id has, or let it wait."""
    lease = await outbox.lease(SHOP, most=100, max_bytes=10**6, now=clock.now())
    await outbox.settle(lease, [outcomes.get(one.event_id, RetryAt(at=0.0, counts=False)) for one in lease.events])


def seen(found):
    return [(entry.event_id, entry.state) for entry in found]


async def test_what_came_is_told_once_with_its_trace(lookout, outbox):
    await outbox.put([record("a"), record("not traced", trace=b""), record("b", trace=b"other")])
    first = (await lookout.tell(LookLive(), {FILE: outbox})).files[FILE]
    after = {FILE: first.came[-1].key}
    second = (await lookout.tell(LookLive(after=after), {FILE: outbox})).files[FILE]

    assert [("a", b"trace"), ("b", b"other")] == [(entry.event_id, entry.trace) for entry in first.came]
    assert (3, []) == (second.received, second.came)


async def test_of_many_the_newest_are_told(lookout, outbox):
    await outbox.put([record(f"{number}") for number in range(9)])
    told = (await lookout.tell(LookLive(most=2), {FILE: outbox})).files[FILE]

    assert (9, ["7", "8"]) == (told.received, [entry.event_id for entry in told.came])


async def test_what_came_and_was_settled_at_once_is_told_as_it_is(lookout, outbox, clock):
    await outbox.put([record("a"), record("b"), record("c")])
    await settle(outbox, clock, {"a": Accepted(), "b": Dead(DeadReason.REFUSED, code=40002)})
    told = (await lookout.tell(LookLive(), {FILE: outbox})).files[FILE]

    assert [("a", "delivered"), ("b", "dead"), ("c", "waiting")] == seen(told.came)


async def test_of_watched_events_those_are_told_that_changed(lookout, outbox, clock):
    await outbox.put([record(one) for one in "abcd"])
    came = (await lookout.tell(LookLive(), {FILE: outbox})).files[FILE].came
    look = LookLive(after={FILE: came[-1].key}, watched={FILE: tuple(one.key for one in came)})
    unchanged = (await lookout.tell(look, {FILE: outbox})).files[FILE].changed
    await settle(outbox, clock, {"a": Accepted(), "b": Dead(DeadReason.REFUSED), "c": RetryAt(at=clock.now() + 60)})
    told = (await lookout.tell(look, {FILE: outbox})).files[FILE]

    assert ([], []) == (unchanged, told.came)
    assert [("a", "delivered"), ("b", "dead"), ("c", "waiting")] == seen(told.changed)
    assert [b""] * 3 == [entry.trace for entry in told.changed]


async def test_a_file_that_cannot_be_read_keeps_no_other_from_being_told_of(lookout, outbox, tmp_path, clock):
    closed = await SqliteOutbox.open(tmp_path / "outbox-001.db", clock=clock, emit=silent, reserve_bytes=0)
    await closed.close()
    told = await lookout.tell(LookLive(), {"outbox-001.db": closed, FILE: outbox})

    assert [FILE] == list(told.files)


async def test_what_was_kept_out_is_told_once_and_in_order(lookout, clock):
    lookout.listen(EventDropped(destination="shop", reason="no_mapping", name="scroll", site="shop.example"))
    clock.time += 5
    lookout.listen(InputTurnedAway(route="ga4", reason="rate", count=3))
    told = await lookout.tell(LookLive(), {})
    lookout.listen(InputTurnedAway(route="ga4", reason="not_ga4"))
    later = await lookout.tell(LookLive(notes_after={PID: told.noted}), {})

    assert [("dropped", "no_mapping", 1, "shop", "scroll", "shop.example"), ("turned_away", "rate", 3, "", "", "")] == [
        (note.verdict, note.why, note.count, note.destination, note.given, note.site) for note in told.notes
    ]
    assert 5.0 == told.notes[1].at - told.notes[0].at
    assert (2, 3) == (told.noted, told.turned_away)
    assert ["not_ga4"] == [note.why for note in later.notes]


async def test_notes_are_bounded_and_counted_all_the_same(lookout):
    for number in range(MOST_NOTES * 2):
        lookout.listen(InputTurnedAway(route="ga4", reason=f"{number}"))
    few = await lookout.tell(LookLive(most=3), {})
    all_of_them = await lookout.tell(LookLive(most=10 * MOST_NOTES), {})

    assert (["997", "998", "999"], 1000) == ([note.why for note in few.notes], few.noted)
    assert MOST_NOTES == len(all_of_them.notes)


@pytest.mark.parametrize("seen_before", [1, 7, 10**9])
async def test_who_has_heard_it_all_is_told_nothing(lookout, seen_before):
    lookout.listen(InputTurnedAway(route="ga4", reason="rate"))

    assert [] == (await lookout.tell(LookLive(notes_after={PID: seen_before}), {})).notes
