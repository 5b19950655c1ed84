"""What viewers are told of what arrives, of real outbox files; the workers' half is ``test_lookout.py``."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from clocks import HandTurnedClock
from tikrelay.app.arrivals import LOOK_EVERY_S, MOST_AT_FIRST, MOST_NOTES, MOST_ROWS, Arrivals
from tikrelay.app.live import LiveOfWorker, LookLive
from tikrelay.app.lookout import Lookout
from tikrelay.base.errors import InputRefused
from tikrelay.base.happenings import EventDropped, InputTurnedAway, silent
from tikrelay.event import DestinationName, DropReason, EventId
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Drop, Find, Record, Replay, RetryAt

SHOP = DestinationName("shop")
PERSON = "ab" * 32


class Worker:
    """A worker with two files, as the parent knows it over a link; it counts how often it is asked."""

    def __init__(self, folder: Path, clock: HandTurnedClock) -> None:
        self._folder, self._clock = folder, clock
        self.lookout = Lookout(clock=clock)
        self.outboxes: dict[str, SqliteOutbox] = {}
        self.asked = 0
        self.is_frozen = False

    async def open(self, name: str) -> SqliteOutbox:
        self.outboxes[name] = await SqliteOutbox.open(
            self._folder / name, clock=self._clock, emit=silent, reserve_bytes=0
        )
        return self.outboxes[name]

    async def answer(self, look: LookLive) -> list[LiveOfWorker]:
        if self.is_frozen:
            return []
        self.asked += 1
        read = msgspec.convert(msgspec.json.decode(msgspec.json.encode(look)), LookLive)
        told = await self.lookout.tell(read, self.outboxes)
        return [msgspec.convert(msgspec.json.decode(msgspec.json.encode(told)), LiveOfWorker)]

    async def put(self, *ids: str, file: int = 0, is_traced: bool = True) -> None:
        """Store events of one request, later than those before."""
        self._clock.time += 0.001
        await self.outboxes[f"outbox-00{file}.db"].put([record(event_id, is_traced=is_traced) for event_id in ids])

    async def drop(self, count: int) -> None:
        """Keep so many events out, as a worker does: noted, and counted with the next commit."""
        happening = EventDropped(destination="shop", reason="no_mapping", name="scroll", site="shop.example")
        self._clock.time += 0.001
        for _ in range(count):
            self.lookout.listen(happening)
        kept_out = Drop(destination=SHOP, source="data", name="scroll", reason=DropReason.NO_MAPPING)
        await self.outboxes["outbox-000.db"].put([], [kept_out] * count)

    async def settle(self, **outcomes) -> None:
        """Give each event that waits the outcome its id has; the others go on waiting."""
        for outbox in self.outboxes.values():
            lease = await outbox.lease(SHOP, most=10_000, max_bytes=10**9, now=self._clock.now())
            as_before = RetryAt(at=0.0, counts=False)
            await outbox.settle(lease, [outcomes.get(one.event_id, as_before) for one in lease.events])


def record(event_id: str, *, is_traced: bool) -> Record:
    return Record(
        destination=SHOP,
        source="data",
        name="lead",
        event="Lead",
        event_id=EventId(event_id),
        body=PERSON.encode(),
        trace=b"none that can be read" if is_traced else b"",
    )


@pytest.fixture
def clock():
    return HandTurnedClock()


@pytest.fixture
async def worker(tmp_path: Path, clock):
    made = Worker(tmp_path, clock)
    for name in ("outbox-000.db", "outbox-001.db"):
        await made.open(name)
    yield made
    for outbox in made.outboxes.values():
        await outbox.close()


@pytest.fixture
def arrivals(worker, clock):
    return Arrivals(worker.answer, clock=clock)


async def look(arrivals: Arrivals, clock: HandTurnedClock, cursor: str = ""):
    """Ask when a look is due again."""
    clock.time += LOOK_EVERY_S
    return await arrivals.since(cursor)


def seen(told) -> list[tuple[str, str]]:
    return [(row.event_id or row.why, row.verdict) for row in told.rows]


async def test_who_has_just_come_sees_the_newest_in_order_of_time(arrivals, worker, clock):
    await worker.put("a")
    await worker.put("b", file=1)
    await worker.put("c")

    told = await look(arrivals, clock)

    assert [("a", "waiting"), ("b", "waiting"), ("c", "waiting")] == seen(told)
    assert ["000", "001", "000"] == [row.ref[:3] for row in told.rows]
    assert 0 == told.skipped


async def test_what_came_since_is_told_in_order_of_time(arrivals, worker, clock):
    first = await look(arrivals, clock)
    await worker.put("a", file=1)
    await worker.put("b")
    await worker.drop(1)
    await worker.put("c", file=1)

    assert ["a", "b", "no_mapping", "c"] == [name for name, _ in seen(await look(arrivals, clock, first.cursor))]


async def test_each_event_is_told_once(arrivals, worker, clock):
    await worker.put("a")
    first = await look(arrivals, clock)
    await worker.put("b", file=1)
    second = await look(arrivals, clock, first.cursor)
    third = await look(arrivals, clock, second.cursor)

    assert [("b", "waiting")] == seen(second)
    assert ([], 0) == (third.rows, third.skipped)


async def test_what_became_of_an_event_is_told_under_its_ref(arrivals, worker, clock):
    await worker.put("good", "bad", "slow")
    first = await look(arrivals, clock)
    refused = Dead(reason=DeadReason.REFUSED, code=40002)
    await worker.settle(good=Accepted(), bad=refused, slow=RetryAt(at=clock.now()))
    second = await look(arrivals, clock, first.cursor)
    third = await look(arrivals, clock, second.cursor)
    await worker.settle(slow=Accepted())
    fourth = await look(arrivals, clock, third.cursor)

    assert [("good", "delivered"), ("bad", "dead"), ("slow", "waiting")] == seen(second)
    assert {row.ref for row in first.rows} == {row.ref for row in second.rows}
    assert ["", "refused: a field has a value", "tried once"] == [row.why[:28] for row in second.rows]
    assert [] == third.rows
    assert [("slow", "delivered")] == seen(fourth)


async def test_a_dead_letter_that_is_sent_again_is_told_of_until_its_end(arrivals, worker, clock):
    await worker.put("a")
    await worker.settle(a=Dead(reason=DeadReason.REFUSED))
    first = await look(arrivals, clock)
    for outbox in worker.outboxes.values():
        await outbox.replay(Replay(which=Find(), destinations=("shop",)))
    second = await look(arrivals, clock, first.cursor)
    await worker.settle(a=Accepted())
    third = await look(arrivals, clock, second.cursor)

    assert [[("a", "dead")], [("a", "waiting")], [("a", "delivered")]] == [seen(first), seen(second), seen(third)]


async def test_what_is_erased_while_it_waits_or_is_dead_is_told_as_gone_once(arrivals, worker, clock):
    await worker.put("a", "b")
    await worker.settle(a=Dead(reason=DeadReason.REFUSED))
    first = await look(arrivals, clock)
    for outbox in worker.outboxes.values():
        await outbox.forget([PERSON])
    second = await look(arrivals, clock, first.cursor)

    assert [("a", "gone"), ("b", "gone")] == sorted(seen(second))
    assert [] == (await look(arrivals, clock, second.cursor)).rows


async def test_who_has_just_come_sees_each_event_once_as_it_is_now(arrivals, worker, clock):
    await worker.put("a", "b")
    await look(arrivals, clock)
    await worker.settle(a=Accepted())
    await look(arrivals, clock)

    assert [("a", "delivered"), ("b", "waiting")] == seen(await look(arrivals, clock))


async def test_what_never_became_a_stored_event_is_told_with_its_reason(arrivals, worker, clock):
    first = await look(arrivals, clock)
    await worker.drop(1)
    clock.time += 0.001
    worker.lookout.listen(InputTurnedAway(route="ga4", reason="foreign_measurement_id", count=3))
    told = await look(arrivals, clock, first.cursor)

    assert [("no_mapping", "dropped"), ("foreign_measurement_id", "turned_away")] == seen(told)
    assert [("", "shop", "scroll", "shop.example"), ("", "", "", "")] == [
        (row.ref, row.destination, row.given, row.site) for row in told.rows
    ]
    assert 0 == told.skipped


# What is left out is counted.


async def test_events_without_a_trace_are_counted_as_skipped(arrivals, worker, clock):
    first = await look(arrivals, clock)
    await worker.put("traced")
    await worker.put("1", "2", "3", is_traced=False)
    second = await look(arrivals, clock, first.cursor)
    third = await look(arrivals, clock, second.cursor)

    assert ([("traced", "waiting")], 3) == (seen(second), second.skipped)
    assert ([], 0) == (third.rows, third.skipped)


async def test_what_came_before_anybody_looked_is_history(arrivals, worker, clock):
    await worker.put("1", "2", is_traced=False)
    await worker.drop(2)
    first = await look(arrivals, clock)
    second = await look(arrivals, clock, first.cursor)

    assert (0, 0) == (first.skipped, second.skipped)


async def test_rows_told_and_skipped_make_up_all_that_came(arrivals, worker, clock):
    """However it falls: one file and the other, with a trace and without, drops before and after their count."""
    cursor = (await look(arrivals, clock)).cursor
    told = skipped = 0
    for turn in range(12):
        await worker.put(*(f"{turn}-{n}" for n in range(turn)), file=turn % 2, is_traced=bool(turn % 3))
        await worker.drop(turn % 4)
        worker.lookout.listen(InputTurnedAway(route="ga4", reason="no_event_name"))
        news = await look(arrivals, clock, cursor)
        cursor, told, skipped = news.cursor, told + len(news.rows), skipped + news.skipped

    assert sum(range(12)) + 3 * (1 + 2 + 3) + 12 == told + skipped


async def test_a_slow_viewer_is_told_how_many_events_it_missed(arrivals, worker, clock):
    first = await look(arrivals, clock)
    cursor = first.cursor
    for turn in range(7):
        await worker.put(*(f"{turn}-{n}" for n in range(MOST_AT_FIRST)))
        cursor = (await look(arrivals, clock, cursor)).cursor
    slow = await look(arrivals, clock, first.cursor)

    assert MOST_ROWS == len(slow.rows)
    assert "6-99" == slow.rows[-1].event_id
    assert 7 * MOST_AT_FIRST - MOST_ROWS == slow.skipped
    assert cursor == slow.cursor


async def test_more_than_a_look_shows_is_counted(arrivals, worker, clock):
    first = await look(arrivals, clock)
    await worker.put(*(str(n) for n in range(MOST_AT_FIRST + 20)))
    told = await look(arrivals, clock, first.cursor)

    assert (MOST_AT_FIRST, 20) == (len(told.rows), told.skipped)
    assert str(MOST_AT_FIRST + 19) == told.rows[-1].event_id


async def test_a_flood_of_dropped_events_does_not_hide_what_is_sent_on(arrivals, worker, clock):
    first = await look(arrivals, clock)
    await worker.put("a")
    await worker.drop(3 * MOST_NOTES)
    told = await look(arrivals, clock, first.cursor)

    assert [("a", "waiting"), *[("no_mapping", "dropped")] * MOST_NOTES] == seen(told)
    assert 2 * MOST_NOTES == told.skipped


async def test_a_file_that_is_taken_over_brings_its_newest_and_no_missed_ones(arrivals, worker, clock):
    first = await look(arrivals, clock)
    outbox = await worker.open("outbox-002.db")
    await outbox.put([record(str(n), is_traced=n == 4) for n in range(5)])
    told = await look(arrivals, clock, first.cursor)

    assert ([("4", "waiting")], 0) == (seen(told), told.skipped)


async def test_what_comes_while_a_worker_does_not_answer_is_told_afterwards(arrivals, worker, clock):
    await worker.put("a")
    first = await look(arrivals, clock)
    worker.is_frozen = True
    await worker.put("b")
    second = await look(arrivals, clock, first.cursor)
    worker.is_frozen = False
    third = await look(arrivals, clock, second.cursor)

    assert ([], [("b", "waiting")], 0) == (second.rows, seen(third), third.skipped)


# Who asks, and how often.


async def test_ten_viewers_cost_the_workers_what_one_costs(arrivals, worker, clock):
    await worker.put("a")
    clock.time += LOOK_EVERY_S

    answers = await asyncio.gather(*(arrivals.since("") for _ in range(10)))

    assert 1 == worker.asked
    assert [("a", "waiting")] * 10 == [one for told in answers for one in seen(told)]


async def test_nobody_is_asked_between_two_looks(arrivals, worker, clock):
    first = await look(arrivals, clock)
    await worker.put("a")
    at_once = await arrivals.since(first.cursor)

    assert (1, [], first.cursor) == (worker.asked, at_once.rows, at_once.cursor)


async def test_a_viewer_who_goes_away_in_the_middle_keeps_nobody_from_looking(worker, clock):
    began = asyncio.Event()

    async def slowly(asked: LookLive) -> list[LiveOfWorker]:
        if not began.is_set():
            began.set()
            await asyncio.sleep(60)
        return await worker.answer(asked)

    arrivals = Arrivals(slowly, clock=clock)
    await worker.put("a")
    gone = asyncio.create_task(arrivals.since(""))
    await began.wait()
    gone.cancel()

    assert [("a", "waiting")] == seen(await look(arrivals, clock))


async def test_the_cursor_of_an_older_server_begins_anew(worker, clock):
    await worker.put("a")
    older = await look(Arrivals(worker.answer, clock=clock), clock)

    assert [("a", "waiting")] == seen(await look(Arrivals(worker.answer, clock=clock), clock, older.cursor))


@pytest.mark.parametrize(
    "cursor", ["x", "1", "00000000.1", "00000000.1.x", "00000000.1.1.1", "0" * 500, "00000000.\u0661.1"]
)
async def test_what_is_no_cursor_is_refused(arrivals, cursor: str):
    with pytest.raises(InputRefused, match="cursor"):
        await arrivals.since(cursor)
