"""The size of a call after one was too large."""

import pytest

from tikrelay.send.size import Bound

HOUR = 3600


def test_at_first_it_is_what_was_set(hand_clock):
    assert 1000 == Bound(1000, least=1, clock=hand_clock).now


def test_half_of_what_was_too_large_is_allowed(hand_clock):
    bound = Bound(1000, least=1, clock=hand_clock)
    bound.halve(400)

    assert 200 == bound.now


def test_calls_that_were_under_way_together_halve_it_once(hand_clock):
    bound = Bound(1000, least=1, clock=hand_clock)
    for _ in range(4):
        bound.halve(1000)

    assert 500 == bound.now


def test_a_small_call_that_was_too_large_lowers_it_and_a_large_one_does_not_raise_it(hand_clock):
    bound = Bound(1000, least=1, clock=hand_clock)
    bound.halve(100)
    bound.halve(1000)

    assert 50 == bound.now


async def test_it_comes_back_in_hours_and_not_in_minutes(hand_clock):
    bound = Bound(1000, least=1, clock=hand_clock)
    bound.halve(1000)
    await hand_clock.sleep(HOUR / 2)
    soon = bound.now
    await hand_clock.sleep(8 * HOUR)

    assert 500 <= soon < 550
    assert 1000 == bound.now


async def test_years_later_it_is_what_was_set(hand_clock):
    bound = Bound(1_000_000, least=16_000, clock=hand_clock)
    bound.halve(20_000)
    await hand_clock.sleep(10 * 365 * 24 * HOUR)

    assert 1_000_000 == bound.now


@pytest.mark.parametrize(("most", "floor"), [(1000, 100), (50, 50)])
def test_it_does_not_go_below_the_least(hand_clock, most, floor):
    bound = Bound(most, least=100, clock=hand_clock)
    bound.halve(2)

    assert floor == bound.now
