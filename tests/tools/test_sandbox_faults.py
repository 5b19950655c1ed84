"""Which fault a call meets."""

import json
from typing import Any

import msgspec
import pytest

from tikrelay.tools.sandbox.faults import Faults, read_fault, reply_to
from tikrelay.tools.sandbox.rules import Verdict, check


def judged(*events: dict[str, Any], source: str = "C0") -> Verdict:
    data = [{"event": "Lead", "event_time": 1795312345, "event_id": "1", **event} for event in events or ({},)]
    body = json.dumps({"event_source": "web", "event_source_id": source, "data": data}).encode()
    return check("t", body, profile="lenient", tokens=(), pixels=(), now=1795312345)


def switched(*faults: dict[str, Any]) -> Faults:
    switches = Faults()
    for fault in faults:
        switches.add(read_fault(json.dumps(fault).encode()))
    return switches


def codes(faults: Faults, *verdicts: Verdict) -> list[int]:
    return [reply_to(verdict, faults.choose(verdict, now=0.0).hit).code for verdict in verdicts]


def test_without_a_fault_the_rules_answer():
    assert [0] == codes(switched(), judged())


def test_a_code_is_answered_instead_and_nothing_is_accepted():
    verdict = judged()
    reply = reply_to(verdict, switched({"kind": "code", "code": 50000}).choose(verdict, now=0.0).hit)

    assert (50000, ()) == (reply.code, reply.accepted)


def test_a_fault_skips_the_first_requests_and_fires_so_often():
    faults = switched({"kind": "code", "code": 50000, "after": 1, "times": 2})

    assert [0, 50000, 50000, 0] == codes(faults, *[judged()] * 4)
    assert [2] == [view.fired for view in faults.list()]


def test_a_fault_of_one_pixel_leaves_the_others_alone():
    faults = switched({"kind": "revoke", "event_source_id": "C1", "after": 1})

    assert [0, 0, 40105, 0] == codes(faults, judged(), judged(source="C1"), judged(source="C1"), judged())


def test_a_reset_before_a_call_is_read_is_asked_for_apart_and_does_not_fire_later():
    faults = switched({"kind": "reset_early", "after": 1, "times": 1}, {"kind": "code", "code": 50000})
    early = [faults.comes_early(now=0.0) for _ in range(3)]

    assert [False, True, False] == early
    assert [50000] == codes(faults, judged())


def test_the_first_fault_added_that_fires_decides():
    faults = switched({"kind": "code", "code": 51012, "times": 1}, {"kind": "code", "code": 50000})

    assert [51012, 50000] == codes(faults, *[judged()] * 2)


def test_a_slow_answer_waits_and_meets_the_next_fault_too():
    faults = switched({"kind": "slow", "seconds": 2.5}, {"kind": "slow", "seconds": 0.5}, {"kind": "reset"})
    chosen = faults.choose(judged(), now=0.0)

    assert (3.0, "reset") == (chosen.wait_s, chosen.hit and chosen.hit.fault.kind)


def test_more_calls_than_allowed_in_a_second_are_too_frequent():
    faults = switched({"kind": "rate", "per_s": 2})
    times = [0.0, 0.1, 0.2, 0.9, 1.05, 1.06, 1.2]
    answers = [reply_to(judged(), faults.choose(judged(), now=now).hit).code for now in times]

    assert [0, 0, 40100, 40100, 0, 40100, 0] == answers


@pytest.mark.parametrize(
    ("matcher", "message"),
    [
        ({"field": "properties.value", "value": -1}, "Batch.1.properties.value: Not a valid value"),
        ({"field": "properties.value"}, "Batch.1.properties.value: Not a valid value"),
        (
            {"field": "properties.contents.0.price", "value": 2.0},
            "Batch.1.properties.contents.0.price: Not a valid value",
        ),
        ({"event_id": "bad"}, "Batch.1.event_id: Not a valid value"),
        ({"event": "Contact"}, "Batch.1.event: Not a valid value"),
        ({"event_id": "bad", "indexed": False}, "Invalid value for event_id: not a valid value."),
        ({"event_id": "bad", "message": "Nope."}, "Nope."),
    ],
)
def test_a_refusal_names_the_event_that_matches(matcher: dict[str, Any], message: str):
    properties = {"value": -1, "contents": [{"price": 2}]}
    verdict = judged({}, {"event": "Contact", "event_id": "bad", "properties": properties}, {})
    reply = reply_to(verdict, switched({"kind": "refuse", **matcher}).choose(verdict, now=0.0).hit)

    assert (40002, message, ()) == (reply.code, reply.message, reply.accepted)


@pytest.mark.parametrize(
    "matcher",
    [
        {"field": "limited_data_use", "value": 1},
        {"field": "properties.value.deeper"},
        {"field": "properties.contents.1"},
        {"field": "properties.contents.x"},
        {"field": "event", "value": "L"},
        {"event_id": "other"},
        {"event": "Lead", "event_id": "other"},
    ],
)
def test_a_call_without_a_matching_event_is_not_refused(matcher: dict[str, Any]):
    verdict = judged({"limited_data_use": True, "properties": {"value": 1, "contents": [{}]}})

    assert [0] == codes(switched({"kind": "refuse", **matcher}), verdict)


def test_a_refusal_that_does_not_match_does_not_use_itself_up():
    faults = switched({"kind": "refuse", "event_id": "bad", "times": 1})

    assert [0, 40002, 0] == codes(faults, judged(), *[judged({"event_id": "bad"})] * 2)


def test_a_partial_success_takes_the_others():
    verdict = judged({"event_id": "a"}, {"event_id": "b"}, {"event_id": "c"})
    reply = reply_to(verdict, switched({"kind": "partial", "event_id": "b"}).choose(verdict, now=0.0).hit)

    assert (20001, ["a", "c"]) == (reply.code, [event.event_id for event in reply.accepted])
    assert [1] == [failed["index"] for failed in reply.data["failed_events"]]


def test_a_call_the_rules_refuse_is_not_half_accepted():
    verdict = judged({"event_id": "b"}, {"event_id": 7})

    assert [40002] == codes(switched({"kind": "partial", "event_id": "b"}), verdict)


def test_clearing_turns_all_off():
    faults = switched({"kind": "revoke"})
    faults.clear()

    assert [0] == codes(faults, judged())


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "fire"},
        {"kind": "code"},
        {"kind": "http"},
        {"kind": "http", "status": 99},
        {"kind": "http", "status": 204},
        {"kind": "slow"},
        {"kind": "slow", "seconds": -1},
        {"kind": "rate"},
        {"kind": "refuse"},
        {"kind": "partial", "value": 1},
        {"kind": "redirect"},
        {"kind": "redirect", "location": "/\r\nx: y"},
        {"kind": "trickle"},
        {"kind": "length", "length": -1},
        {"kind": "bomb", "megabytes": 10**6},
        {"kind": "hang", "times": 0},
        {"kind": "hang", "often": 1},
    ],
)
def test_a_switch_that_makes_no_sense_is_not_turned_on(wrong: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        read_fault(json.dumps(wrong).encode())
