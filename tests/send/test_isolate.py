"""The search for the bad events of a refused call, against a TikTok of a few lines that can also lie and break."""

import asyncio
import math
import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tikrelay.event import EventId
from tikrelay.outbox.store import Leased
from tikrelay.send.blame import SYSTEMATIC_AFTER, shape_of
from tikrelay.send.isolate import BUDGET, isolate, named, split
from tikrelay.tiktok.answers import Answer, Partial, Pause, Refused, Retry, TooLarge, judge

EXAMPLES = int(os.environ.get("FUZZ_INPUTS", "150"))


def events(count):
    return [
        Leased(key=number, event="Lead", event_id=EventId(str(number)), body=b"{}", received_at=0.0)
        for number in range(count)
    ]


def refusal(message="Invalid value for event_id: not a valid string.", code=40002):
    return Answer(status=200, code=code, message=message)


class Scripted:
    """Refuses a call that holds a bad event; ``instead`` maps the number of a call to another answer."""

    def __init__(self, bad, *, say=None, instead=None, code=40002):
        self.bad = set(bad)
        self.say = say or (lambda _part, _worst: "Invalid value for event_id: not a valid string.")
        self.instead = instead or {}
        self.code = code
        self.calls = []

    def answer(self, part):
        keys = [leased.key for leased in part]
        worst = next((key for key in keys if key in self.bad), None)
        if worst is None:
            return Answer(status=200, code=0)
        return refusal(self.say(keys, worst), self.code)

    async def __call__(self, part):
        self.calls.append([leased.key for leased in part])
        answer = self.instead.get(len(self.calls)) or self.answer(part)
        return answer, judge(answer)

    async def search(self, count, *, is_own_fault=lambda _shape: False):
        group = events(count)
        return await isolate(group, self.answer(group), call=self, is_own_fault=is_own_fault)


def keys(found):
    return [leased.key for leased in found]


def bad_keys(found):
    return sorted(leased.key for leased, _ in found.bad)


@pytest.mark.parametrize("place", [0, 1, 417, 998, 999])
async def test_one_bad_event_in_a_thousand_is_found_within_twice_the_logarithm(place):
    tiktok = Scripted({place})
    found = await tiktok.search(1000)

    assert [place] == bad_keys(found)
    assert sorted({*range(1000)} - {place}) == sorted(keys(found.accepted))
    assert len(tiktok.calls) <= 2 * math.ceil(math.log2(1000))
    assert found.open == []


@pytest.mark.parametrize("bad", [{3, 500}, {0, 1, 2}, {10, 300, 600}, {998, 999}])
async def test_a_few_bad_events_are_all_found_in_one_search(bad):
    found = await Scripted(bad).search(1000)

    assert sorted(bad) == bad_keys(found)
    assert found.open == []


async def test_an_event_the_message_names_is_tried_alone_at_once():
    tiktok = Scripted({417}, say=lambda part, worst: f"Batch.{part.index(worst)}.event_id: Not a valid string")
    found = await tiktok.search(1000)

    assert [417] == bad_keys(found)
    assert [999, 1] == [len(call) for call in tiktok.calls]


async def test_events_listed_as_failed_are_tried_alone_and_the_others_once():
    bad = {3, 500, 998}
    tiktok = Scripted(bad)
    listed = Answer(status=200, code=20001, failed=tuple(bad))
    found = await isolate(events(1000), listed, call=tiktok, is_own_fault=lambda _shape: False)

    assert sorted(bad) == bad_keys(found)
    assert [997, 1, 1, 1] == [len(call) for call in tiktok.calls]


async def test_an_event_wrongly_listed_as_failed_is_accepted_and_one_that_is_not_listed_is_found():
    tiktok = Scripted({4})
    listed = Answer(status=200, code=20001, failed=(5,))  # as if it counted from one
    found = await isolate(events(10), listed, call=tiktok, is_own_fault=lambda _shape: False)

    assert [4] == bad_keys(found)
    assert sorted({*range(10)} - {4}) == sorted(keys(found.accepted))


async def test_more_failed_events_than_the_budget_has_calls_for_leave_the_others_accepted():
    bad = {*range(0, 1000, 4)}
    listed = Answer(status=200, code=20001, failed=tuple(sorted(bad)))
    tiktok = Scripted(bad)
    found = await isolate(events(1000), listed, call=tiktok, is_own_fault=lambda _shape: False)

    assert 750 == len(found.accepted)
    assert (BUDGET - 1, 250 - (BUDGET - 1)) == (len(found.bad), len(found.open))


async def test_a_message_that_names_the_wrong_event_buries_nobody_else():
    tiktok = Scripted({5}, say=lambda _part, _worst: "Batch.0.event_id: Not a valid string")
    found = await tiktok.search(40)

    assert [5] == bad_keys(found)
    assert found.systematic is None


async def test_what_is_not_found_within_the_budget_goes_back():
    bad = {*range(0, 1000, 3)}
    tiktok = Scripted(bad)
    found = await tiktok.search(1000, is_own_fault=lambda _shape: True)

    assert len(tiktok.calls) == BUDGET
    assert {*bad_keys(found)} <= bad
    assert found.open
    assert found.stopped_by is None
    assert len(found.accepted) + len(found.bad) + len(found.open) == 1000


async def test_one_event_alone_costs_no_further_call():
    tiktok = Scripted({0})
    found = await tiktok.search(1)

    assert [0] == bad_keys(found)
    assert tiktok.calls == []


# Systematic refusals.


async def test_five_equal_refusals_in_a_row_and_nothing_accepted_bury_nobody():
    tiktok = Scripted({*range(64)})
    found = await tiktok.search(64)

    assert shape_of(refusal()) == found.systematic
    assert found.bad == []
    assert sorted(keys(found.open)) == [*range(64)]
    assert sum(len(call) == 1 for call in tiktok.calls) == SYSTEMATIC_AFTER


async def test_refusals_that_differ_in_values_alone_are_equal():
    tiktok = Scripted(
        {*range(64)}, say=lambda _part, worst: f"Invalid value for event_time: {worst} is in 'the' future."
    )
    found = await tiktok.search(64)

    assert found.systematic is not None


async def test_fewer_than_five_are_not_systematic():
    found = await Scripted({*range(4)}).search(4)

    assert found.systematic is None
    assert [0, 1, 2, 3] == bad_keys(found)


async def test_different_refusals_are_not_systematic():
    tiktok = Scripted({*range(16)}, say=lambda _part, worst: f"Invalid value for {'ab'[worst % 2]}.")
    found = await tiktok.search(16)

    assert found.systematic is None
    assert [*range(16)] == bad_keys(found)


async def test_once_anything_is_accepted_equal_refusals_are_the_events_own():
    tiktok = Scripted({*range(8, 32)}, say=lambda _part, _worst: "Batch.0.event: Not a valid string")
    found = await tiktok.search(32)

    assert found.systematic is None
    assert {*range(8)} <= {*keys(found.accepted)}


async def test_a_refusal_known_to_be_the_events_own_is_not_systematic():
    found = await Scripted({*range(20)}).search(20, is_own_fault=lambda shape: shape == shape_of(refusal()))

    assert found.systematic is None
    assert [*range(20)] == bad_keys(found)


# Ends before the end.

LOST = Answer(failure="lost")


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (LOST, Retry(unknown=True)),
        (Answer(status=200, code=40100), Retry(rate=True)),
        (Answer(status=200, code=40105), Pause("token_invalid")),
    ],
)
async def test_a_fault_on_the_way_ends_the_search_and_keeps_what_was_found(number, answer, verdict):
    tiktok = Scripted({7}, instead={number: answer})
    found = await tiktok.search(64)

    assert found.stopped_by == (answer, verdict)
    assert len(tiktok.calls) == number
    assert sorted(keys(found.accepted) + bad_keys(found) + keys(found.open)) == [*range(64)]


async def test_only_what_was_in_a_lost_call_may_have_been_taken():
    tiktok = Scripted({7}, instead={2: LOST})
    found = await tiktok.search(64)

    assert found.maybe == set(tiktok.calls[1])
    assert 7 not in found.maybe


async def test_after_a_partial_success_any_event_may_have_been_taken():
    tiktok = Scripted({*range(0, 300, 2)}, code=20001)
    found = await tiktok.search(300)

    assert isinstance(judge(Answer(status=200, code=20001)), Partial)
    assert found.maybe == {*range(300)}


async def test_a_call_too_large_is_cut_like_a_refused_one():
    too_large = Answer(status=413)

    async def call(part):
        answer = too_large if len(part) > 3 else Answer(status=200, code=0)
        return answer, judge(answer)

    found = await isolate(events(50), too_large, call=call, is_own_fault=lambda _shape: False)

    assert isinstance(judge(too_large), TooLarge)
    assert sorted(keys(found.accepted)) == [*range(50)]


# Reading messages.


@pytest.mark.parametrize(
    ("message", "indexes"),
    [
        ("Batch.0.event_id: Not a valid string", (0,)),
        ("data[3].event_time", (3,)),
        ("events.9.user", (9,)),
        ("data.10.event", ()),
        ("data.99999.event", ()),
        ("user_data.3.email", ()),
        ("metadata.3", ()),
        ("Invalid value for event_id", ()),
        ("", ()),
    ],
)
def test_an_index_is_read_from_a_message_only_when_the_call_has_it(message, indexes):
    assert indexes == named(refusal(message), 10)


@pytest.mark.parametrize(
    ("failed", "indexes"), [((0, 9), (0, 9)), ((9, 10), ()), ((-1,), ()), ((2, 2), (2, 2)), ((), ())]
)
def test_a_list_of_failed_events_is_believed_only_when_the_call_has_them_all(failed, indexes):
    assert indexes == named(Answer(status=200, code=20001, failed=failed), 10)


@given(
    size=st.integers(2, 50),
    message=st.text(max_size=30) | st.integers(0, 60).map("data.{}.event".format),
    failed=st.lists(st.integers(-1, 50), max_size=60),
)
def test_a_cut_group_is_the_same_events_in_smaller_groups(size, message, failed):
    group = events(size)
    parts = split(group, msgspec.structs.replace(refusal(message), failed=tuple(failed)))

    assert [leased.key for leased in group] == sorted(leased.key for part in parts for leased in part)
    assert all(0 < len(part) < size for part in parts)


says = st.sampled_from(
    [
        lambda _part, _worst: "Invalid value.",
        lambda part, worst: f"Batch.{part.index(worst)}.event_id: Not a valid string",
        lambda _part, _worst: "Batch.0.event_id: Not a valid string",
        lambda _part, worst: f"Invalid value {'abc'[worst % 3]}.",
    ]
)
faults = st.dictionaries(
    st.integers(1, BUDGET + 1),
    st.sampled_from([LOST, *(Answer(status=200, code=code) for code in (40100, 40105, 40061, 20001, 12345, 50000))]),
    max_size=3,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    count=st.integers(1, 300),
    seeds=st.sets(st.integers(0, 299), max_size=60),
    say=says,
    instead=faults,
    own=st.booleans(),
)
def test_every_event_ends_as_exactly_one_of_accepted_bad_and_open(count, seeds, say, instead, own):
    bad = {seed % count for seed in seeds} or {0}
    tiktok = Scripted(bad, say=say, instead=instead)
    found = asyncio.run(tiktok.search(count, is_own_fault=lambda _shape: own))
    ends = [*keys(found.accepted), *bad_keys(found), *keys(found.open)]

    assert sorted(ends) == [*range(count)]
    assert not bad & set(keys(found.accepted))
    assert len(tiktok.calls) <= BUDGET
    assert all(isinstance(judge(said), Refused) <= (leased.key in bad) for leased, said in found.bad)
    assert found.systematic is None or not found.bad
    assert found.open or not (found.stopped_by or found.systematic)
    assert msgspec.json.encode(found)
