"""What every Outbox counts for its operator, hour by hour and day by day, and what it keeps beside its events."""

from collections import Counter

import msgspec
import pytest

from outboxes import drop, lease_all, record, settle_all
from tikrelay.event import DropReason
from tikrelay.outbox.figures import MARKS, SECONDS, Look
from tikrelay.outbox.store import Accepted, Dead, DeadReason, Find, Replay, RetryAt

HOUR, DAY = SECONDS["hour"], SECONDS["day"]
EMAIL, OWN_ID = 1 << MARKS.index("email"), 1 << MARKS.index("own_id")
REFUSED = Dead(reason=DeadReason.REFUSED, code=40002, message="Invalid value.")


def marked(number, marks=0, **others):
    return msgspec.structs.replace(record(number), marks=marks, **others)


async def look(outbox, clock, span="hour", *, hours=1, begin=0.0):
    return await outbox.figures(Look(span=span, begin=begin, end=clock.now() + hours * HOUR))


def carried(period):
    return {mark: n for mark, n in zip(MARKS, period.marks, strict=True) if n}


def tallied(figures, kind):
    found = Counter()
    for tally in figures.tallies:
        if tally.kind == kind:
            found[tally.event, tally.what] += tally.count
    return dict(found)


@pytest.mark.parametrize("span", ["hour", "day"])
async def test_what_came_and_what_was_taken_is_counted_in_its_hour_and_its_day(outbox, clock, span):
    await outbox.put([marked(1, EMAIL | OWN_ID), marked(2, OWN_ID), marked(3)])
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [Accepted(), Accepted(), RetryAt(at=clock.now())])

    (period,) = (await look(outbox, clock, span)).periods

    assert clock.now() // SECONDS[span] * SECONDS[span] == period.at
    assert ("shop", "Purchase", 3, 2) == (period.destination, period.event, period.received, period.accepted)
    assert {"email": 1, "own_id": 2} == carried(period)


async def test_hours_are_told_apart_and_days_hold_them_together(outbox, clock):
    clock.time = clock.time // DAY * DAY + 60
    for _ in range(3):
        await outbox.put([marked(1, EMAIL)])
        clock.time += HOUR
    begin = clock.time // DAY * DAY

    hours = await look(outbox, clock, "hour")
    days = await look(outbox, clock, "day")

    assert [(begin + hour * HOUR, 1) for hour in range(3)] == [(period.at, period.received) for period in hours.periods]
    assert [(begin, 3)] == [(period.at, period.received) for period in days.periods]


async def test_a_look_holds_the_hours_that_begin_in_it(outbox, clock):
    clock.time = first = clock.time // HOUR * HOUR
    for _ in range(60):
        await outbox.put([record(1)], [drop()])
        clock.time += HOUR

    figures = await outbox.figures(Look(begin=first + 1, end=first + 40 * HOUR))

    expected = [first + hour * HOUR for hour in range(1, 40)]
    assert expected == [period.at for period in figures.periods]
    assert expected == [tally.at for tally in figures.tallies if tally.kind == "dropped"]


async def test_figures_outlive_a_crash_with_the_events_they_count(home, clock):
    outbox = await home.open()
    await outbox.put([marked(1, EMAIL, warned=("unusable",))], [drop()])
    before = await look(outbox, clock)
    outbox = await home.crash(outbox)

    assert before == await look(outbox, clock)
    await outbox.close()


async def test_what_was_dropped_and_what_died_is_tallied_by_its_reason(outbox, clock):
    await outbox.put([record(1)], [drop(), drop(), drop(name="page_view", reason=DropReason.CONSENT_DENIED)])
    await settle_all(outbox, clock, REFUSED)
    figures = await look(outbox, clock)

    assert {("scroll", "no_mapping"): 2, ("page_view", "consent_denied"): 1} == tallied(figures, "dropped")
    assert {("Purchase", "refused"): 1} == tallied(figures, "dead")


async def test_what_was_erased_while_it_waited_is_dropped_and_what_had_ended_is_not(outbox, clock):
    digest = "ab" * 32
    for outcome in (Accepted(), REFUSED, None):
        await outbox.put([marked(1, body=digest.encode()), marked(2, event="Search")])
        if outcome:
            await settle_all(outbox, clock, outcome)
    await outbox.forget([digest])

    assert {("Purchase", "forgotten"): 1} == tallied(await look(outbox, clock), "dropped")


async def test_warnings_and_the_names_that_were_given_are_tallied(outbox, clock):
    await outbox.put(
        [marked(1, warned=("unusable", "unusable", "coerced")), marked(2, warned=("unusable",), name="buy")]
    )
    figures = await look(outbox, clock)

    assert {("Purchase", "unusable"): 2, ("Purchase", "coerced"): 1} == tallied(figures, "warned")
    assert {("Purchase", "purchase"): 1, ("Purchase", "buy"): 1} == tallied(figures, "given")


async def test_names_anybody_can_make_up_are_few_rows(outbox, clock):
    await outbox.put([marked(n, event=f"Made{n}", name=f"made{n}") for n in range(80)], [drop(name="scroll")])
    figures = await look(outbox, clock)

    assert 51 == len(figures.periods)
    assert {"other": 30} == {period.event: period.received for period in figures.periods if period.received > 1}
    assert ("other", "other") in tallied(figures, "given")
    assert 51 == len(tallied(figures, "given"))
    assert {("other", "no_mapping"): 1} == tallied(figures, "dropped")


async def test_a_replay_takes_nothing_back_of_the_time_of_a_death(outbox, clock):
    await outbox.put([record(1)])
    await settle_all(outbox, clock, REFUSED)
    died_at = clock.now() // HOUR * HOUR
    clock.time += HOUR
    await outbox.replay(Replay(which=Find(), destinations=("shop",)))
    await settle_all(outbox, clock, Accepted())

    first, second = (await look(outbox, clock)).periods

    assert (died_at, 1, 0) == (first.at, first.received, first.accepted)
    assert (died_at + HOUR, 0, 1) == (second.at, second.received, second.accepted)
    assert {("Purchase", "refused"): 1} == tallied(await look(outbox, clock), "dead")


async def test_a_copy_of_a_letter_made_as_a_test_is_no_event_that_came(outbox, clock):
    await outbox.put([marked(1, EMAIL)])
    await settle_all(outbox, clock, REFUSED)
    await outbox.replay(Replay(which=Find(), destinations=("shop",), test_event_code="TEST1"))

    (period,) = (await look(outbox, clock)).periods

    assert (1, {"email": 1}) == (period.received, carried(period))


async def test_a_clock_set_back_counts_in_the_hours_it_shows(outbox, clock):
    await outbox.put([record(1)])
    clock.time -= 2 * HOUR
    await outbox.put([record(2)])

    assert [1, 1] == [period.received for period in (await look(outbox, clock, hours=3)).periods]


async def test_what_was_not_stored_is_not_counted(outbox, clock):
    with pytest.raises(Exception, match="surrogates"):
        await outbox.put([marked(1, event="\ud800")])
    await outbox.put([record(2)])

    assert [("Purchase", 1)] == [(period.event, period.received) for period in (await look(outbox, clock)).periods]


# Traces.


async def test_the_newest_traces_come_in_order_of_their_events(outbox):
    await outbox.put([marked(n, trace=b"" if n == 3 else b"how%d" % n) for n in range(6)])
    keys = {entry.event_id: entry.key for entry in await outbox.find(Find())}

    assert [(keys["e4"], b"how4"), (keys["e5"], b"how5")] == [
        (traced.key, traced.trace) for traced in await outbox.traced(after=0, most=2)
    ]
    assert [b"how4", b"how5"] == [traced.trace for traced in await outbox.traced(after=keys["e2"], most=10)]
    assert [] == await outbox.traced(after=keys["e5"], most=10)


async def test_a_trace_stays_with_its_event_wherever_that_goes(home, clock):
    outbox = await home.open()
    await outbox.put([marked(n, trace=b"how%d" % n) for n in range(3)])
    lease = await lease_all(outbox, clock, most=2)
    await outbox.settle(lease, [Accepted(), REFUSED])
    outbox = await home.crash(outbox)
    found = await outbox.find(Find(oldest_first=True))
    shown = [await outbox.show(entry.key) for entry in found]

    assert [("delivered", b"how0"), ("dead", b"how1"), ("waiting", b"how2")] == [(e.state, e.trace) for e in found]
    assert [b"how0", b"how1", b"how2"] == [entry.trace for entry in shown]
    await outbox.close()


async def test_a_forgotten_event_takes_its_trace_along(outbox, clock):
    digest = "ab" * 32
    for outcome in (Accepted(), REFUSED, None):
        await outbox.put([marked(1, body=digest.encode(), trace=b"of the person"), marked(2, trace=b"of another")])
        if outcome:
            await settle_all(outbox, clock, outcome)
    await outbox.forget([digest])

    assert [b"of another"] * 3 == [traced.trace for traced in await outbox.traced(after=0, most=10)]


# Dead letters and ids.


async def test_dead_letters_are_grouped_by_what_they_died_of(outbox, clock):
    for number, message in enumerate(("first", "second", "third")):
        await outbox.put([record(number), marked(10 + number, event="Search")])
        await settle_all(outbox, clock, msgspec.structs.replace(REFUSED, message=message))
        clock.time += 60
    await outbox.put([record(20)])
    await settle_all(outbox, clock, Dead(reason=DeadReason.TOO_OLD))
    newest = {entry.event_id: entry.key for entry in await outbox.find(Find())}

    search, purchase, too_old = sorted(
        await outbox.letters(), key=lambda group: (-group.count, group.event != "Search")
    )

    assert ("Search", "refused", 40002, 3, newest["e12"]) == (
        search.event, search.reason, search.code, search.count, search.newest,
    )  # fmt: skip
    assert ("third", clock.now() - 180, clock.now() - 60) == (purchase.message, purchase.oldest_at, purchase.newest_at)
    assert ("too_old", None, "", 1) == (too_old.reason, too_old.code, too_old.message, too_old.count)


async def test_the_largest_groups_of_letters_are_told(outbox, clock):
    await outbox.put([marked(n, event=f"Made{n // 2}") for n in range(402)] + [marked(500, event="Made0")])
    await settle_all(outbox, clock, REFUSED)
    groups = await outbox.letters()

    assert 200 == len(groups)
    assert ("Made0", 3) == (groups[0].event, groups[0].count)


async def test_the_ids_of_the_newest_events_are_told_wherever_they_are(outbox, clock):
    for outcome in (Accepted(), REFUSED, None):
        await outbox.put([record(number) for number in range(3)])
        if outcome:
            await settle_all(outbox, clock, outcome)
        clock.time += 1
    newest = [entry.key for entry in await outbox.find(Find())]

    assert newest == [found.key for found in await outbox.ids(most=100)]
    assert newest[:4] == [found.key for found in await outbox.ids(most=4)]
    assert ("shop", "Purchase", "e2") == tuple(msgspec.to_builtins((await outbox.ids(most=1))[0]))[1:]


async def test_more_letters_and_ids_than_one_step_looks_at_are_told_once(outbox, clock):
    await outbox.put([record(number) for number in range(2500)])
    for _ in range(2):
        lease = await lease_all(outbox, clock, most=1250)
        await outbox.settle(lease, [REFUSED] * 1250)
        clock.time += 60

    (group,) = await outbox.letters()

    assert (2500, clock.now() - 120, clock.now() - 60) == (group.count, group.oldest_at, group.newest_at)
    assert [f"e{number}" for number in range(2499, 99, -1)] == [one.event_id for one in await outbox.ids(most=2400)]
    assert ["e3"] == [entry.event_id for entry in await outbox.find(Find(text="e3"))]


async def test_the_newest_are_found_though_older_ones_were_met_first(outbox, clock):
    await outbox.put([record(number) for number in range(3)])
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [RetryAt(at=clock.now()), Accepted(), RetryAt(at=clock.now())])

    assert ["e2", "e1"] == [entry.event_id for entry in await outbox.find(Find(most=2))]


# Finding.

BODY = (
    b'{"event":"Purchase","properties":{"order_id":"R-1","value":19.99,"note":"Gr\xc3\xb6\xc3\x9fe \\"4\\"",'
    b'"ids":["a","b"]}}'
)


@pytest.mark.parametrize("text", ["R-1", "19.99", 'Größe "4"', "a", "b", "e1", "Purchase"])
async def test_an_event_is_found_by_its_id_or_a_value_in_its_body(outbox, text):
    await outbox.put([record(1, body=BODY), record(2, body=b'{"value":119.995,"order_id":"R-10"}')])
    found = [entry.event_id for entry in await outbox.find(Find(text=text))]

    assert ["e1"] == found


@pytest.mark.parametrize("text", ["order_id", "R-", "9.99", "19.9", "R", "4", "properties", '"', "r-1"])
async def test_a_part_of_a_value_or_the_name_of_one_finds_nothing(outbox, text):
    await outbox.put([record(1, body=BODY)])

    assert [] == await outbox.find(Find(text=text))


async def test_a_code_finds_dead_letters_alone(outbox, clock):
    await outbox.put([record(1), record(2)])
    lease = await lease_all(outbox, clock)
    await outbox.settle(lease, [REFUSED, msgspec.structs.replace(REFUSED, code=40105)])
    await outbox.put([record(3)])

    assert ["e1"] == [entry.event_id for entry in await outbox.find(Find(code=40002))]
