import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tikrelay.send.rate_limit import RateLimiter


async def calls_within(limiter, clock, seconds):
    """Call as fast as the limiter lets; the times of the calls."""
    end = clock.monotonic() + seconds
    times = []
    while True:
        await limiter.wait()
        if clock.monotonic() >= end:
            return times
        times.append(clock.monotonic())


@pytest.mark.parametrize("cap", [0.5, 3, 10, 1000])
async def test_no_more_calls_go_out_than_the_cap_and_hardly_fewer(hand_clock, cap):
    times = await calls_within(RateLimiter(cap, clock=hand_clock), hand_clock, 60)

    assert cap * 60 * 0.95 <= len(times) <= cap * 60 * 1.05 + 1


async def test_calls_are_spaced_also_after_a_long_silence(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    await limiter.wait()
    await hand_clock.sleep(3600)
    times = await calls_within(limiter, hand_clock, 1)

    assert len(times) <= 11


async def test_many_that_wait_at_once_are_let_through_one_by_one(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    began = hand_clock.monotonic()
    await asyncio.gather(*(limiter.wait() for _ in range(101)))

    assert 10.0 == pytest.approx(hand_clock.monotonic() - began)


async def test_one_that_stops_waiting_does_not_block_the_others(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    waits = [asyncio.ensure_future(limiter.wait()) for _ in range(5)]
    await asyncio.sleep(0)
    waits[1].cancel()
    done = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 1)

    assert [None, None, None] == done[2:]


async def test_slowing_down_halves_the_pace_and_ten_percent_come_back_each_minute(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    limiter.slow_down()
    paces = [limiter.pace]
    for _ in range(8):
        await hand_clock.sleep(60)
        paces.append(limiter.pace)

    assert paces[:3] == pytest.approx([5, 5.5, 6.05])
    assert paces[-1] == 10


async def test_however_often_it_is_slowed_it_goes_on_and_comes_back(hand_clock):
    limiter = RateLimiter(1000, clock=hand_clock)
    for _ in range(100):
        limiter.slow_down()
    slowest = limiter.pace
    await hand_clock.sleep(2 * 3600)

    assert slowest >= 0.1
    assert limiter.pace == 1000


async def test_after_weeks_without_a_refusal_the_pace_is_the_cap(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    await hand_clock.sleep(60 * 86400)
    await limiter.wait()

    assert limiter.pace == 10


@settings(max_examples=50, deadline=None)
@given(cap=st.floats(0.2, 1000), steps=st.lists(st.sampled_from(["call", "slow", "rest"]), max_size=40))
def test_the_pace_stays_between_nothing_and_the_cap_whatever_happens(hand_clocks, cap, steps):
    async def play():
        clock = hand_clocks()
        limiter = RateLimiter(cap, clock=clock)
        for step in steps:
            if step == "call":
                await limiter.wait()
            elif step == "slow":
                limiter.slow_down()
            else:
                await clock.sleep(600)
            assert 0 < limiter.pace <= cap

    asyncio.run(play())
