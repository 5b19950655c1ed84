"""Figures and traces beside the events: how long they are kept, and that they are worth no event."""

import asyncio
import time

import apsw
import pytest
from msgspec.structs import replace

from outboxes import lease_all, record, settle_all
from tikrelay.base.happenings import OutboxDamaged
from tikrelay.outbox.counting import cut_figures, has_old
from tikrelay.outbox.damage import is_marked
from tikrelay.outbox.figures import SECONDS, Look
from tikrelay.outbox.pages import Pages
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Find, Retention
from tikrelay.outbox.traces import cut_traces

HOUR, DAY = SECONDS["hour"], SECONDS["day"]
TABLES = ("figures", "tallies", "traces")


def traced(number, trace=b"how"):
    return replace(record(number), trace=trace, warned=("unusable",))


async def times(outbox, span):
    figures = await outbox.figures(Look(span=span, begin=0, end=1e11))
    return sorted({one.at for one in (*figures.periods, *figures.tallies)})


async def traces(outbox):
    return [traced.trace for traced in await outbox.traced(after=0, most=1000)]


async def until(outbox, ask, expected):
    """Wait until the thread removed what it has to, and does not wait for the second between two looks."""
    deadline = time.monotonic() + 30
    while (found := await ask()) != expected and time.monotonic() < deadline:
        outbox._look_for_old_at = 0.0
        await asyncio.sleep(0.01)
    return found


async def test_hours_and_days_are_kept_for_their_time(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(figures_s=20 * DAY))
    clock.time = clock.time // DAY * DAY + 1
    for number in range(30):
        await outbox.put([traced(number)])
        clock.time += DAY
    now = clock.time - 1

    hours = [now - day * DAY for day in range(8, 0, -1)]
    assert hours == await until(outbox, lambda: times(outbox, "hour"), hours)
    days = [now - day * DAY for day in range(20, 0, -1)]
    assert days == await until(outbox, lambda: times(outbox, "day"), days)


async def test_figures_of_a_clock_that_was_far_ahead_are_not_kept_until_then(open_outbox, clock):
    outbox = await open_outbox()
    await outbox.put([traced(1)])
    here = await times(outbox, "hour")
    clock.time += 1000 * DAY
    await outbox.put([traced(2)])
    clock.time -= 1000 * DAY
    await outbox.shift(-1000.0 * DAY)

    assert here == await until(outbox, lambda: times(outbox, "hour"), here)


async def test_a_clock_set_forward_makes_no_figures_older(open_outbox, clock):
    outbox = await open_outbox()
    await outbox.put([traced(1)])
    before = await times(outbox, "day")
    clock.time += 1000 * DAY
    await outbox.shift(1000.0 * DAY)
    found = await outbox._do(lambda: has_old(outbox._memory), writes=False)

    assert not found
    assert before == await times(outbox, "day")


async def test_old_figures_go_in_bites(open_outbox, clock):
    outbox = await open_outbox()
    await outbox.put([replace(traced(number), event=f"E{number}") for number in range(40)])
    outbox._look_for_old_at = float("inf")
    clock.time += 9 * DAY

    more = [await outbox._do(lambda: cut_figures(outbox._memory, most=30), writes=True) for _ in range(4)]

    assert [True, True, False, False] == more
    assert [] == await times(outbox, "hour")
    assert 1 == len(await times(outbox, "day"))


async def test_the_oldest_traces_go_when_there_are_too_many(open_outbox):
    outbox = await open_outbox(retention=Retention(traces=3))
    await outbox.put([traced(number, b"how%d" % number) for number in range(8)])
    newest = [b"how5", b"how6", b"how7"]

    assert newest == await until(outbox, lambda: traces(outbox), newest)
    assert not await outbox._do(lambda: cut_traces(outbox._memory, most=1), writes=True)
    assert newest == await traces(outbox)


async def test_no_trace_is_kept_where_none_is_wanted(open_outbox):
    outbox = await open_outbox(retention=Retention(traces=0))
    await outbox.put([traced(1)])

    assert [] == await traces(outbox)


@pytest.mark.parametrize("outcome", [Accepted(), Dead(reason=DeadReason.REFUSED)])
async def test_a_trace_goes_when_its_event_was_kept_for_its_time(open_outbox, clock, outcome):
    outbox = await open_outbox(retention=Retention(delivered_s=HOUR, dead_s=HOUR))
    await outbox.put([traced(1, b"old")])
    await settle_all(outbox, clock, outcome)
    clock.time += HOUR + 1
    await outbox.put([traced(2, b"new")])

    assert [b"new"] == await until(outbox, lambda: traces(outbox), [b"new"])


async def test_a_trace_goes_with_an_event_that_is_not_kept_once_it_is_delivered(open_outbox, clock):
    outbox = await open_outbox(retention=Retention(delivered_events=0))
    await outbox.put([traced(1)])
    before = await traces(outbox)
    await settle_all(outbox, clock, Accepted())

    assert ([b"how"], []) == (before, await traces(outbox))


async def test_names_stay_few_after_the_file_was_opened_again(open_outbox, clock):
    outbox = await open_outbox()
    await outbox.put([replace(record(number), event=f"A{number}") for number in range(50)])
    await outbox.close()
    outbox = await open_outbox()
    await outbox.put([replace(record(number), event=f"B{number}") for number in range(50)])
    await outbox.put([replace(record(1), event="A7")])
    figures = await outbox.figures(Look(begin=0, end=1e11))

    assert {"other": 50, "A7": 2} == {one.event: one.received for one in figures.periods if one.received > 1}


async def test_without_room_figures_wait_in_memory_and_traces_are_not_written(open_outbox):
    outbox = await open_outbox(max_bytes=150_000)
    await outbox.put([traced(number) for number in range(2)])
    before = await times(outbox, "hour"), await traces(outbox)
    outbox._was_full_at = time.monotonic()
    outbox._memory.frugal = True
    await outbox.put([traced(3)])
    frugal = await outbox.figures(Look(begin=0, end=1e11))
    outbox._was_full_at = float("-inf")
    await outbox.put([traced(4)])
    after = await outbox.figures(Look(begin=0, end=1e11))

    assert (1, [b"how"] * 2) == (len(before[0]), before[1])
    assert [2, 4] == [frugal.periods[0].received, after.periods[0].received]
    assert [b"how"] * 3 == await traces(outbox)


# Damage.


def spoil(path, table):
    """Overwrite the pages of a table, on disk alone."""
    with Pages(path, PAGE_SIZE) as pages:
        found, _ = pages.tables({table})
    with path.open("r+b") as file:
        for number in found[table].pages:
            file.seek((number - 1) * PAGE_SIZE)
            file.write(bytes(PAGE_SIZE))


async def use(outbox, clock, number):
    """Everything that is done with events."""
    await outbox.put([traced(number), traced(number + 1)])
    lease = await lease_all(outbox, clock, most=1)
    await outbox.settle(lease, [Accepted()])
    assert await outbox.find(Find(text=f"e{number}"))
    await outbox.figures(Look(begin=0, end=1e11))
    await traces(outbox)
    await outbox.forget(["ab" * 32])


@pytest.mark.parametrize("table", TABLES)
async def test_damage_beside_the_events_keeps_no_file_from_being_opened_and_used(
    open_outbox, clock, path, happenings, table
):
    outbox = await open_outbox()
    await outbox.put([traced(1)])
    await outbox.close()
    spoil(path, table)
    outbox = await open_outbox()
    await use(outbox, clock, 2)
    books = await outbox.books()
    await asyncio.sleep(0)

    assert (2, 1) == (books.waiting["shop"], books.accepted["shop"])
    assert ["tikrelay doctor --salvage"] == [
        one.hint.rpartition(": ")[2] for one in happenings if isinstance(one, OutboxDamaged)
    ]
    assert not is_marked(path)


@pytest.mark.parametrize("table", TABLES)
async def test_damage_met_at_work_costs_nobody_his_commit(open_outbox, clock, path, table):
    outbox = await open_outbox()
    await outbox.put([traced(1)])
    await outbox._do(outbox._database.empty_log, writes=False)
    spoil(path, table)
    await outbox._do(outbox._database.forget_pages, writes=False)
    await asyncio.gather(*(outbox.put([traced(number)]) for number in range(2, 10)))
    await use(outbox, clock, 10)
    await outbox.close()

    outbox = await open_outbox()
    assert {"shop": 10} == (await outbox.books()).waiting
    assert not is_marked(path)


async def test_damaged_rows_of_figures_are_left_out(open_outbox, path):
    outbox = await open_outbox()
    await outbox.put([traced(1)])
    await outbox.close()
    other = apsw.Connection(str(path))
    other.execute("PRAGMA writable_schema = ON")
    for table in ("figures", "tallies"):
        other.execute("UPDATE sqlite_schema SET sql = replace(sql, 'STRICT, ', '') WHERE name = ?", (table,))
    other.close()
    other = apsw.Connection(str(path))
    other.execute("UPDATE figures SET received = x'00' WHERE span = 3600")
    other.execute("UPDATE tallies SET n = 'x' WHERE span = 3600")
    other.close()
    outbox = await open_outbox()
    hour = await outbox.figures(Look(begin=0, end=1e11))
    day = await outbox.figures(Look(span="day", begin=0, end=1e11))

    assert ([], []) == (hour.periods, hour.tallies)
    assert (1, 2) == (len(day.periods), len(day.tallies))
