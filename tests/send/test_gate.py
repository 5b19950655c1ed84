import random

import pytest

from tikrelay.base.happenings import DestinationPaused, DestinationResumed
from tikrelay.send.gate import FAILURES_TO_SHRINK, LONGEST_BACK_OFF_S, LONGEST_PROBE_S, Gate


@pytest.fixture
def happenings():
    return []


@pytest.fixture
def gate(hand_clock, happenings):
    return Gate("shop", clock=hand_clock, rng=random.Random(3), emit=happenings.append)


def test_at_first_it_flows(gate):
    assert (gate.state, gate.probing, gate.wait_s()) == ("flowing", False, 0.0)


def test_each_failure_waits_longer_up_to_a_limit(gate, hand_clock):
    waits = []
    for _ in range(20):
        gate.failed(after_s=None, slow=False)
        waits.append(gate.wait_s())
        hand_clock.at += gate.wait_s()

    assert gate.state == "failing"
    assert 0.5 <= waits[0] <= 1
    assert 2 <= waits[2] <= 4
    assert LONGEST_BACK_OFF_S / 2 <= max(waits) <= LONGEST_BACK_OFF_S


def test_after_some_failures_one_event_at_a_time_goes_out(gate):
    for _ in range(FAILURES_TO_SHRINK - 1):
        gate.failed(after_s=None, slow=False)
    before = gate.probing
    gate.failed(after_s=None, slow=False)

    assert (before, gate.probing) == (False, True)


def test_what_tiktok_asks_to_wait_is_waited(gate):
    gate.failed(after_s=900.0, slow=False)
    gate.failed(after_s=None, slow=False)

    assert gate.wait_s() == pytest.approx(900)


def test_maintenance_is_waited_out_for_minutes(gate):
    gate.failed(after_s=None, slow=True)

    assert 120 <= gate.wait_s() <= 300


def test_the_wait_after_a_failure_of_tests_is_for_tests_alone(gate):
    gate.failed(after_s=900.0, slow=False, tests=True)

    assert gate.state == "failing"
    assert (0.0, pytest.approx(900)) == (gate.wait_s(), gate.wait_s(tests=True))


def test_the_wait_after_a_pause_that_tests_met_is_for_tests_alone(gate):
    gate.pause("token_invalid", tests=True)
    first = gate.wait_s(tests=True)
    gate.pause("token_invalid")

    assert gate.probing
    assert 0 < first < gate.wait_s()


def test_tests_wait_as_long_as_all_others(gate):
    gate.failed(after_s=900.0, slow=False)

    assert gate.wait_s(tests=True) == gate.wait_s() == pytest.approx(900)


def test_one_acceptance_opens_it_to_tests(gate):
    gate.failed(after_s=900.0, slow=False, tests=True)
    gate.accepted()

    assert gate.wait_s(tests=True) == 0


def test_one_acceptance_opens_it(gate, happenings):
    gate.failed(after_s=900.0, slow=False)
    gate.accepted()

    assert (gate.state, gate.probing, gate.wait_s()) == ("flowing", False, 0.0)
    assert happenings == []


def test_a_pause_is_told_once_with_what_to_do_and_its_end_too(gate, hand_clock, happenings):
    for _ in range(3):
        gate.pause("token_invalid")
        hand_clock.at += gate.wait_s()
    paused = (gate.state, gate.probing, gate.paused_for)
    gate.accepted()
    gate.accepted()

    assert paused == ("paused", True, "token_invalid")
    assert [DestinationPaused, DestinationResumed] == [type(one) for one in happenings]
    assert "Events Manager" in happenings[0].hint
    assert gate.state == "flowing"


def test_another_reason_is_told_too(gate, happenings):
    gate.pause("token_invalid")
    gate.pause("no_permission")

    assert [one.reason for one in happenings] == ["token_invalid", "no_permission"]


def test_probes_grow_rarer_up_to_one_a_minute(gate, hand_clock):
    waits = []
    for _ in range(12):
        gate.pause("token_invalid")
        waits.append(gate.wait_s())
        hand_clock.at += gate.wait_s()

    assert 1.6 <= waits[0] <= 2.4
    assert 3.2 <= waits[1] <= 4.8
    assert LONGEST_PROBE_S * 0.8 <= waits[-1] <= LONGEST_PROBE_S * 1.2


def test_calls_under_way_at_the_pause_do_not_put_its_first_probe_off(gate):
    for _ in range(4):
        gate.pause("token_invalid")

    assert gate.wait_s() <= 2.4


def test_a_failing_probe_keeps_the_pause(gate, hand_clock):
    gate.pause("token_invalid")
    hand_clock.at += gate.wait_s()
    gate.failed(after_s=None, slow=False)

    assert (gate.state, gate.paused_for) == ("paused", "token_invalid")
