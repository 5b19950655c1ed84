"""How many events get a trace, and what a trace costs them when it cannot be made."""

from typing import Any

import pytest

from clocks import HandTurnedClock
from tikrelay.app.traces import MOST_PER_S, Traces
from tikrelay.base.happenings import Happening, Unexpected
from tikrelay.event import Dropped, DropReason, Event
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.trace import read_trace

PURCHASE = Event(name="purchase", source="data", received_at=1795312345.0, data={"transaction_id": "R-1", "value": 5})


def rules_of(**mapping: Any) -> Rules:
    return Rules.of(MappingConfig(**mapping), PrivacyConfig(), MappedDestination(event_source_id="C0EXAMPLE"))


RULES = rules_of()


@pytest.fixture
def told() -> list[Happening]:
    return []


@pytest.fixture
def clock() -> HandTurnedClock:
    return HandTurnedClock()


@pytest.fixture
def traces(clock, told) -> Traces:
    return Traces(clock=clock, emit=told.append)


def made(traces: Traces, count: int, rules: Rules = RULES) -> int:
    """How many of so many events got a trace."""
    outcomes = map_event(PURCHASE, rules, fallback_id="made")
    return sum(bool(one) for _ in range(count) for one in traces.of(PURCHASE, rules, outcomes))


def test_a_trace_is_of_the_event_it_is_made_for(traces):
    (written,) = traces.of(PURCHASE, RULES, map_event(PURCHASE, RULES, fallback_id="made"))
    trace = read_trace(written)

    assert trace is not None
    assert ("purchase", "5", ["R-1"]) == (
        trace.name, trace.value, [one.given for one in trace.sources if one.field == "event_id"],
    )  # fmt: skip


def test_a_burst_gets_a_seconds_share_and_no_more(traces):
    assert MOST_PER_S == made(traces, 1000)
    assert 0 == made(traces, 1000)


@pytest.mark.parametrize(("after_s", "more"), [(0.2, 5), (1.0, 25), (3600.0, 25)])
def test_the_share_comes_back_with_time_and_does_not_add_up(traces, clock, after_s, more):
    made(traces, 1000)
    clock.time += after_s

    assert more == made(traces, 1000)


def test_each_trace_of_an_event_that_becomes_several_counts(traces):
    assert 24 == made(traces, 1000, rules_of(events={"purchase": ("Purchase", "Order")}))


def test_what_is_dropped_gets_no_trace_and_takes_nothing_of_the_share(traces):
    dropped = Dropped(DropReason.OVER_QUOTA)

    assert [[b""]] * 100 == [traces.of(PURCHASE, RULES, (dropped,)) for _ in range(100)]
    assert MOST_PER_S == made(traces, 1000)


def test_of_two_events_the_one_that_is_stored_gets_its_own_trace(traces):
    rules = rules_of(events={"purchase": ("Purchase", "Order")})
    first, second = map_event(PURCHASE, rules, fallback_id="made")
    written = traces.of(PURCHASE, rules, (Dropped(DropReason.OVER_QUOTA), second))

    assert [False, True] == [bool(one) for one in written]
    assert [True, False] == [bool(one) for one in traces.of(PURCHASE, rules, (first, Dropped(DropReason.OVER_QUOTA)))]


def test_a_trace_that_cannot_be_made_is_a_defect_and_costs_nothing_else(traces, told):
    """What is stored is another event than the one explained: as a defect of ours would make it."""
    stored = map_event(PURCHASE, RULES, fallback_id="made")

    assert [b"", b""] == traces.of(PURCHASE, RULES, stored * 2)
    assert ["trace"] == [one.where for one in told if isinstance(one, Unexpected)]
