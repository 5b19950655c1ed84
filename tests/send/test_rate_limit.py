import asyncio
import bisect

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


async def at_full_pace(cap, clock):
    """A limiter whose calls were all accepted for long enough."""
    limiter = RateLimiter(cap, clock=clock)
    for _ in range(10):
        await clock.sleep(1)
        limiter.speed_up()
    return limiter


def most_within(times, seconds):
    """The most of these times that any span of so many seconds holds."""
    return max(bisect.bisect_left(times, begin + seconds) - place for place, begin in enumerate(times))


@pytest.mark.parametrize("cap", [0.5, 3, 10, 1000])
async def test_no_more_calls_go_out_than_the_cap_and_hardly_fewer(hand_clock, cap):
    times = await calls_within(await at_full_pace(cap, hand_clock), hand_clock, 60)

    assert cap * 60 * 0.95 <= len(times) <= cap * 60 * 1.05 + 1


@pytest.mark.parametrize("cap", [0.5, 2, 10, 1000])
async def test_the_pace_begins_at_a_fifth_and_is_at_the_cap_after_ten_seconds_of_accepted_calls(hand_clock, cap):
    limiter = RateLimiter(cap, clock=hand_clock)
    first = limiter.pace
    times = []
    while hand_clock.at < 1030:
        await limiter.wait()
        limiter.speed_up()
        times.append(hand_clock.at)

    assert first == min(cap, max(1, cap / 5))
    assert limiter.pace == cap
    assert len([at for at in times if 1012 <= at < 1022]) >= 0.95 * cap * 10
    assert most_within(times, 10) <= 1.05 * cap * 10
    assert most_within(times, 1) <= cap + 1


async def test_a_call_now_and_then_does_not_raise_the_pace_to_the_cap_at_once(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    paces = []
    for _ in range(8):
        await hand_clock.sleep(3600)
        limiter.speed_up()
        paces.append(limiter.pace)

    assert paces[0] < 3
    assert paces[-1] == pytest.approx(10)


async def test_after_a_call_too_many_the_pace_does_not_rise_by_accepted_calls_any_more(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    limiter.slow_down(called_at=hand_clock.monotonic())
    for _ in range(30):
        await hand_clock.sleep(1)
        limiter.speed_up()

    assert limiter.pace == pytest.approx(1.0 * 1.1**0.5)


async def test_calls_under_way_together_halve_the_pace_once(hand_clock):
    limiter = await at_full_pace(10, hand_clock)
    began = hand_clock.monotonic()
    await hand_clock.sleep(1)
    for _ in range(4):
        limiter.slow_down(called_at=began)
    once = limiter.pace
    await hand_clock.sleep(1)
    limiter.slow_down(called_at=hand_clock.monotonic())

    assert (5, True) == (once, 2.5 <= limiter.pace < 2.6)


async def test_another_share_of_the_cap_changes_the_pace_alike(hand_clock):
    limiter = await at_full_pace(10, hand_clock)
    limiter.allow(5)

    assert 5 == limiter.pace


async def test_those_who_share_a_token_take_turns(hand_clock):
    limiter = await at_full_pace(10, hand_clock)
    order = []

    async def call(who):
        await limiter.wait(who)
        order.append(who)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(call("busy"))
        for _ in range(3):
            tasks.create_task(call("quiet"))

    assert (23, 3) == (len(order), order[:7].count("quiet"))


async def test_calls_are_spaced_also_after_a_long_silence(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    await limiter.wait()
    await hand_clock.sleep(3600)
    times = await calls_within(limiter, hand_clock, 1)

    assert len(times) <= 11


async def test_many_that_wait_at_once_are_let_through_one_by_one(hand_clock):
    limiter = await at_full_pace(10, hand_clock)
    await limiter.wait()
    began = hand_clock.monotonic()
    await asyncio.gather(*(limiter.wait() for _ in range(100)))

    assert 10.0 == pytest.approx(hand_clock.monotonic() - began)


async def test_one_that_stops_waiting_does_not_block_the_others(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    waits = [asyncio.ensure_future(limiter.wait()) for _ in range(5)]
    await asyncio.sleep(0)
    waits[1].cancel()
    done = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 1)

    assert [None, None, None] == done[2:]


async def test_slowing_down_halves_the_pace_and_ten_percent_come_back_each_minute(hand_clock):
    limiter = await at_full_pace(10, hand_clock)
    limiter.slow_down(called_at=hand_clock.monotonic())
    paces = [limiter.pace]
    for _ in range(8):
        await hand_clock.sleep(60)
        paces.append(limiter.pace)

    assert paces[:3] == pytest.approx([5, 5.5, 6.05])
    assert paces[-1] == 10


async def test_however_often_it_is_slowed_it_goes_on_and_comes_back(hand_clock):
    limiter = RateLimiter(1000, clock=hand_clock)
    for _ in range(100):
        await hand_clock.sleep(0.01)
        limiter.slow_down(called_at=hand_clock.monotonic())
    slowest = limiter.pace
    await hand_clock.sleep(2 * 3600)

    assert slowest >= 0.1
    assert limiter.pace == 1000


async def test_weeks_after_a_call_too_many_the_pace_is_the_cap(hand_clock):
    limiter = RateLimiter(10, clock=hand_clock)
    limiter.slow_down(called_at=hand_clock.monotonic())
    await hand_clock.sleep(60 * 86400)
    await limiter.wait()

    assert limiter.pace == 10


@settings(max_examples=50, deadline=None)
@given(cap=st.floats(0.2, 1000), steps=st.lists(st.sampled_from(["call", "taken", "slow", "rest"]), max_size=40))
def test_the_pace_stays_between_nothing_and_the_cap_whatever_happens(hand_clocks, cap, steps):
    async def play():
        clock = hand_clocks()
        limiter = RateLimiter(cap, clock=clock)
        for step in steps:
            if step == "call":
                await limiter.wait()
            elif step == "slow":
                limiter.slow_down(called_at=clock.monotonic())
            elif step == "taken":
                limiter.speed_up()
            else:
                await clock.sleep(600)
            assert 0 < limiter.pace <= cap

    asyncio.run(play())
