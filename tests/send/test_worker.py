"""The sender, a real outbox and the sandbox in a process of its own; time runs a hundred times as fast."""

import asyncio
import contextlib
import json
import math
import random
import socket
import time

import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import (
    BatchAnswered,
    DestinationPaused,
    DestinationResumed,
    EventsBuried,
    EventsDelivered,
)
from tikrelay.outbox.store import Find, RetryAt
from tikrelay.send.isolate import BUDGET
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.worker import _LOOK_FOR_RETRIES_EVERY_S

HOUR = 3600.0


def ids(count, *, first=0):
    return [f"e-{number:04}" for number in range(first, first + count)]


def delivered(sandbox):
    return sorted(event["event_id"] for event in sandbox.events())


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def test_events_are_delivered_and_the_books_say_so(shop, sandbox):
    await shop.put(*ids(20))
    async with shop.sending():
        await shop.all_settled()
    books = await shop.books()

    assert ids(20) == delivered(sandbox)
    assert books.accepted == {"shop": 20}
    assert {} == await shop.dead()


async def test_of_each_accepted_event_it_is_told_how_long_it_took_and_of_no_other(shop, sandbox):
    sandbox.fault("refuse", event_id="e-0003", indexed=False)
    await shop.put(*ids(5))
    shop.clock.skip(HOUR)
    await shop.put(*ids(2, first=10))
    async with shop.sending():
        await shop.all_settled()
    lags_s = sorted(lag for told in shop.happened(EventsDelivered) for lag in told.lags_s)

    assert 6 == len(lags_s)
    assert all(0 <= lag < HOUR for lag in lags_s[:2])
    assert all(HOUR <= lag < 2 * HOUR for lag in lags_s[2:])


# One bad event among good ones.


async def test_one_bad_event_in_a_thousand_is_singled_out_and_the_others_are_accepted(shop, sandbox):
    sandbox.fault("refuse", event_id="e-0417", indexed=False)
    await shop.put(*ids(1000))
    async with shop.sending():
        await shop.all_settled()
    letter = (await shop.outbox.find(Find(state="dead")))[0]

    assert [one for one in ids(1000) if one != "e-0417"] == delivered(sandbox)
    assert ("e-0417", "refused", 40002) == (letter.event_id, letter.reason, letter.code)
    assert "event_id" in letter.message
    assert len(letter.request_id) == 34
    assert sandbox.counts()["requests"] <= 1 + 2 * math.ceil(math.log2(1000)) + 2
    assert sum(one.count for one in shop.happened(EventsBuried)) == 1


async def test_an_event_whose_index_tiktok_names_costs_two_calls(shop, sandbox):
    sandbox.fault("refuse", event_id="e-0417")
    await shop.put(*ids(1000))
    async with shop.sending():
        await shop.all_settled()

    assert {"e-0417": "refused"} == await shop.dead()
    assert sandbox.counts()["requests"] == 3


async def test_more_bad_events_than_one_search_may_cost_are_all_found_in_the_end(shop, sandbox):
    bad = ids(200)[::5]
    for event_id in bad:
        sandbox.fault("refuse", event_id=event_id, indexed=False)
    await shop.put(*ids(200))
    async with shop.sending():
        await shop.all_settled()

    assert dict.fromkeys(bad, "refused") == await shop.dead()
    assert sorted(set(ids(200)) - set(bad)) == delivered(sandbox)
    assert sandbox.counts()["requests"] > BUDGET


async def test_a_partial_success_costs_the_refused_event_alone(shop, sandbox):
    sandbox.fault("partial", event_id="e-0003")
    await shop.put(*ids(16))
    async with shop.sending():
        await shop.all_settled()

    assert {"e-0003": "partial"} == await shop.dead()
    assert [one for one in ids(16) if one != "e-0003"] == delivered(sandbox)
    assert all(event["_"]["same_body"] for event in sandbox.events())


async def test_a_refusal_of_every_event_pauses_after_five_and_buries_none(shop, sandbox):
    sandbox.fault("refuse", event="Lead", indexed=False)
    await shop.put(*ids(64))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        calls = sandbox.counts()["requests"]
        state = (sender.reason, await shop.dead(), await shop.waiting())
        sandbox.heal()
        await shop.all_settled()

    assert ("systematic", {}, 64) == state
    assert calls <= 2 * math.log2(64) + 8
    assert ids(64) == delivered(sandbox)


async def test_events_refused_alike_are_buried_once_others_beside_them_are_accepted(shop, sandbox):
    for event_id in ids(12):
        sandbox.fault("refuse", event_id=event_id, indexed=False)
    await shop.put(*ids(12))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        reason = sender.reason
        await shop.put(*ids(12, first=12))
        await shop.all_settled()

    assert reason == "systematic"
    assert dict.fromkeys(ids(12), "refused") == await shop.dead()
    assert ids(12, first=12) == delivered(sandbox)


async def test_a_refusal_of_every_event_that_comes_back_soon_pauses_again(shop, sandbox):
    sandbox.fault("refuse", event="Lead", indexed=False)
    await shop.put(*ids(10))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        sandbox.heal()
        await shop.all_settled()
        sandbox.fault("refuse", event="Lead", indexed=False)
        await shop.put(*ids(100, first=10))
        await shop.until(lambda: sender.state == "paused")
        sandbox.heal()
        await shop.all_settled()
    dead = await shop.dead()

    assert len(dead) <= BUDGET
    assert sorted([*dead, *delivered(sandbox)]) == ids(110)


async def test_a_quiet_shop_whose_every_call_is_refused_alike_pauses_at_the_fifth_event(shop, sandbox):
    sandbox.fault("refuse", event="Lead")
    await shop.put(*ids(12))
    async with shop.sending(max_batch=1) as sender:
        await shop.until(lambda: sender.state == "paused")
        await asyncio.sleep(0.1)
        state = (sender.reason, len(await shop.dead()), await shop.waiting())
        sandbox.heal()
        await shop.all_settled()
    dead = await shop.dead()

    assert ("systematic", 4, 8) == state
    assert sorted([*dead, *delivered(sandbox)]) == ids(12)
    assert len(dead) == 4


async def test_events_that_stand_alone_in_calls_of_several_are_counted_too(shop, sandbox):
    sandbox.fault("refuse", event="Lead", indexed=False)
    async with shop.sending() as sender:
        await shop.put(*ids(3))
        await shop.all_settled()
        await shop.put(*ids(3, first=3))
        await shop.until(lambda: sender.state == "paused")

    assert dict.fromkeys(ids(3), "refused") == await shop.dead()
    assert await shop.waiting() == 3


async def test_an_accepted_event_between_them_lets_refused_ones_be_buried(shop, sandbox):
    order = ids(12)
    good = {order[4], order[9]}
    async with shop.sending():
        for event_id in order:
            await shop.put(event_id, spoilt={*order} - good)
            await shop.all_settled()

    assert sorted(good) == delivered(sandbox)
    assert {*order} - good == {*await shop.dead()}
    assert [] == shop.happened(DestinationPaused)


async def test_events_refused_for_different_things_are_buried_one_by_one(shop, sandbox):
    for number, event_id in enumerate(ids(8)):
        words = ("Invalid value for value.", "Invalid value for currency.")[number % 2]
        sandbox.fault("refuse", event_id=event_id, message=words)
    async with shop.sending():
        for event_id in ids(8):
            await shop.put(event_id)
            await shop.all_settled()

    assert dict.fromkeys(ids(8), "refused") == await shop.dead()
    assert [] == shop.happened(DestinationPaused)


async def test_after_an_accepted_probe_the_event_that_made_the_pause_is_buried(shop, sandbox):
    async with shop.sending(max_batch=1) as sender:
        await shop.put(*ids(5), spoilt=ids(5))
        await shop.until(lambda: sender.state == "paused")
        waiting = await shop.waiting()
        await shop.put("good")
        await shop.all_settled()

    assert waiting == 1
    assert dict.fromkeys(ids(5), "refused") == await shop.dead()
    assert ["good"] == delivered(sandbox)


async def test_a_code_nobody_has_described_for_every_event_pauses_at_the_fifth(shop, sandbox):
    sandbox.fault("code", code=12345)
    await shop.put(*ids(8))
    async with shop.sending(max_batch=1) as sender:
        await shop.until(lambda: sender.state == "paused")
        reason = sender.reason
    dead = await shop.dead()

    assert reason == "systematic"
    assert ["unknown_answer"] * 4 == [*dead.values()]
    assert all(row.unknown_since is not None for row in await shop.rows() if row.attempts)


async def test_refused_probes_grow_rarer_like_any_other(shop, sandbox):
    sandbox.fault("revoke", times=1)
    sandbox.fault("refuse", event="Lead")
    await shop.put(*ids(3))
    async with shop.sending():
        await shop.until(lambda: shop.happened(DestinationPaused))
        await asyncio.sleep(0.3)

    assert sandbox.counts()["requests"] <= 7
    assert await shop.waiting() == 3


async def test_a_refusal_after_failures_shows_that_the_way_is_open(shop, sandbox):
    sandbox.fault("http", status=503, times=2)
    sandbox.fault("refuse", event="Lead")
    await shop.put("a")
    async with shop.sending() as sender:
        await shop.all_settled()
        state = sender.state

    assert {"a": "refused"} == await shop.dead()
    assert state == "flowing"


async def test_one_event_cannot_pause_the_others_by_a_message_about_the_pixel(shop, sandbox):
    sandbox.fault("refuse", event_id="e-0003", message="Invalid value for event_source_id: not a valid string.")
    await shop.put(*ids(10))
    async with shop.sending() as sender:
        await shop.all_settled()
        state = sender.state

    assert {"e-0003": "refused"} == await shop.dead()
    assert [one for one in ids(10) if one != "e-0003"] == delivered(sandbox)
    assert state == "flowing"


async def test_a_call_that_is_too_large_is_cut_and_later_ones_are_smaller(shop, sandbox):
    sandbox.fault("http", status=413, times=1)
    await shop.put(*ids(40), size=2000)
    async with shop.sending():
        await shop.all_settled()
        first = len(sandbox.requests())
        await shop.put(*ids(40, first=40), size=2000)
        await shop.all_settled()
    sizes = [request["events"] for request in sandbox.requests()]

    assert ids(80) == delivered(sandbox)
    assert {} == await shop.dead()
    assert sizes[:first] == [40, 20, 20]
    assert max(sizes[first:]) < 20


async def test_an_event_too_large_by_itself_is_buried_and_does_not_make_other_calls_small(shop, sandbox):
    sandbox.fault("http", status=413, times=1)
    async with shop.sending():
        await shop.put("large", size=20_000)
        await shop.all_settled()
        await shop.put(*ids(40), size=2000)
        await shop.all_settled()

    assert {"large": "refused"} == await shop.dead()
    assert [request["events"] for request in sandbox.requests()] == [1, 40]


async def test_a_small_event_that_is_too_large_for_the_other_end_pauses_and_is_not_buried(shop, sandbox):
    sandbox.fault("http", status=413)
    await shop.put(*ids(4))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        await asyncio.sleep(0.1)
        state = (sender.reason, await shop.dead(), await shop.waiting())
        sandbox.heal()
        await shop.all_settled()
    (paused,) = shop.happened(DestinationPaused)

    assert ("http_413", {}, 4) == state
    assert "tiktok.base_url" in paused.hint
    assert ids(4) == delivered(sandbox)


async def test_a_small_event_that_alone_is_too_large_is_buried_once_another_is_accepted(shop, firewall):
    async with shop.sending(url=firewall, max_batch=1) as sender:
        await shop.put("odd")
        await shop.until(lambda: sender.state == "paused")
        await shop.put("other")
        await shop.all_settled()

    assert {"odd": "refused"} == await shop.dead()
    assert (await shop.books()).accepted == {"shop": 1}


async def test_what_a_partial_success_may_have_taken_counts_as_unknown(shop, sandbox):
    sandbox.fault("code", code=20001)
    await shop.put(*ids(64))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
    rows = await shop.rows()

    assert len(rows) == 64
    assert all(row.unknown_since is not None for row in rows)


async def test_a_lost_call_within_a_search_leaves_the_others_known(shop, sandbox):
    sandbox.fault("http", status=502, times=1, after=2, retry_after=600)
    sandbox.fault("refuse", event_id="e-0003", indexed=False)
    await shop.put(*ids(8))
    async with shop.sending():
        await shop.until_async(lambda: all_tried(shop, 8))
    rows = await shop.rows()

    assert [row.unknown_since is not None for row in rows] == [False] * 4 + [True] * 4


async def test_a_refused_call_does_not_make_its_events_unknown(shop, sandbox):
    sandbox.fault("refuse", event="Lead", indexed=False)
    await shop.put(*ids(64))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")

    assert {None} == {row.unknown_since for row in await shop.rows()}


# Faults of every event.


async def test_a_revoked_token_pauses_buries_nothing_and_resumes_by_itself(shop, sandbox):
    sandbox.fault("revoke")
    await shop.put(*ids(50))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        await asyncio.sleep(0.2)
        probes = sandbox.requests()
        state = (sender.reason, await shop.dead(), await shop.waiting())
        sandbox.heal()
        await shop.all_settled()
        after = sender.state

    assert ("token_invalid", {}, 50) == state
    assert [1] * (len(probes) - 1) == [request["events"] for request in probes[1:]]
    assert ids(50) == delivered(sandbox)
    assert after == "flowing"
    assert len(shop.happened(DestinationPaused)) == 1
    assert len(shop.happened(DestinationResumed)) == 1


async def test_several_calls_under_way_pause_once_and_the_first_probe_is_soon(shop, sandbox):
    sandbox.fault("slow", seconds=0.1)
    sandbox.fault("revoke", times=4)
    await shop.put(*ids(40))
    async with shop.sending(max_batch=10) as sender:
        await shop.until(lambda: sender.state == "paused")
        began = shop.clock.monotonic()
        await shop.until(lambda: sender.state != "paused")
        waited = shop.clock.monotonic() - began
        await shop.all_settled()

    assert len(shop.happened(DestinationPaused)) == 1
    assert waited < 2 * 1.2 + 50  # the probe's own 0.1 s are 10, and a busy machine adds some
    assert ids(40) == delivered(sandbox)


async def test_the_token_is_looked_up_for_each_call(shop, sandbox):
    shop.token = "first-token-1111"
    async with shop.sending():
        await shop.put("a")
        await shop.all_settled()
        shop.token = "second-token-2222"
        await shop.put("b")
        await shop.all_settled()

    assert [request["token_last4"] for request in sandbox.requests()] == ["1111", "2222"]


async def test_one_paused_destination_does_not_hold_up_another(shop, sandbox):
    sandbox.fault("revoke", event_source_id="C0LEFT")
    await shop.put(*ids(5), destination="left")
    await shop.put(*ids(5), destination="right")
    async with shop.sending(destination="left") as left, shop.sending(destination="right") as right:
        await shop.until(lambda: left.state == "paused")
        await shop.put(*ids(5, first=5), destination="right")
        await shop.until_async(lambda: nothing_waits(shop, "right"))
        states = (left.state, right.state)

    assert states == ("paused", "flowing")
    assert ids(10) == delivered(sandbox)
    assert await shop.waiting("left") == 5


async def all_tried(shop, count):
    return [1] * count == [row.attempts for row in await shop.rows()]


async def all_unknown(shop, count):
    return [True] * count == [row.unknown_since is not None for row in await shop.rows()]


async def nothing_waits(shop, destination):
    return not await shop.waiting(destination)


async def test_too_many_requests_slow_the_calls_down_and_nobody_dies(shop, sandbox):
    sandbox.fault("code", code=40100, times=4)
    await shop.put(*ids(30))
    async with shop.sending():
        await shop.all_settled()

    assert ids(30) == delivered(sandbox)
    assert {} == await shop.dead()
    assert 0 < shop.limiter.pace < 100


async def test_a_gateways_error_page_is_retried(shop, sandbox):
    sandbox.fault("http", status=502, times=3)
    await shop.put(*ids(10))
    async with shop.sending() as sender:
        await shop.all_settled()
        state = sender.state

    assert ids(10) == delivered(sandbox)
    assert [answer.outcome for answer in shop.happened(BatchAnswered)][:4] == ["retry", "retry", "retry", "accepted"]
    assert state == "flowing"


async def test_retry_after_is_obeyed(shop, sandbox):
    sandbox.fault("http", status=503, times=1, retry_after=60)
    await shop.put("a")
    async with shop.sending():
        began = shop.clock.monotonic()
        await shop.all_settled()
        waited = shop.clock.monotonic() - began

    assert waited >= 60
    assert sandbox.counts()["requests"] == 2


async def test_a_lost_answer_is_retried_with_the_same_bytes_under_the_same_id(shop, sandbox):
    sandbox.fault("reset_after_accepting", times=2)
    await shop.put(*ids(5))
    async with shop.sending():
        await shop.all_settled()
    events = sandbox.events()

    assert [(3, True)] * 5 == [(event["_"]["copies"], event["_"]["same_body"]) for event in events]
    assert [{**json.loads(shop.record(one).body), "_": None} for one in ids(5)] == [
        {**event, "_": None} for event in events
    ]
    assert (await shop.books()).accepted == {"shop": 5}


async def test_an_answer_that_is_no_json_is_retried(shop, sandbox):
    sandbox.fault("garbage", times=2)
    await shop.put(*ids(3))
    async with shop.sending():
        await shop.all_settled()

    assert ids(3) == delivered(sandbox)


async def test_a_redirect_pauses(shop, sandbox):
    sandbox.fault("redirect", location="http://127.0.0.1:9/")
    await shop.put("a")
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        reason = sender.reason

    assert reason == "http_301"


async def test_a_code_nobody_has_described_buries_after_three_tries(shop, sandbox):
    sandbox.fault("code", code=12345)
    await shop.put(*ids(3))
    async with shop.sending():
        await shop.all_settled()
    letters = await shop.outbox.find(Find(state="dead"))

    assert [(3, "unknown_answer", 12345)] * 3 == [(one.attempts, one.reason, one.code) for one in letters]


async def test_a_fresh_event_beside_old_ones_has_its_own_three_tries(shop, sandbox):
    sandbox.fault("code", code=12345)
    async with shop.sending():
        for number in range(4):
            await shop.put(f"e-{number}")
            await asyncio.sleep(0.015)
        await shop.all_settled()

    assert {3} == {one.attempts for one in await shop.outbox.find(Find(state="dead"))}


async def test_an_old_event_beside_a_fresh_one_is_not_buried_for_a_third(shop, sandbox):
    sandbox.fault("refuse", event_id="bad", code=12345, indexed=False)
    await shop.put("bad", "good")
    for _ in range(2):
        lease = await shop.outbox.lease("shop", most=2, max_bytes=10**6, now=shop.clock.now() + HOUR)
        await shop.outbox.settle(lease, [RetryAt(at=shop.clock.now())] * 2, [])
    shop.clock.set_back(100)  # so that the fresh one comes first in the lease
    await shop.put("fresh")
    shop.clock.skip(HOUR)
    async with shop.sending():
        await shop.all_settled()

    assert {"bad": "unknown_answer"} == await shop.dead()
    assert ["fresh", "good"] == delivered(sandbox)


async def test_while_a_destination_is_paused_no_probe_buries_its_event(shop, sandbox):
    sandbox.fault("revoke", times=1)
    sandbox.fault("code", code=12345, times=1)
    sandbox.fault("code", code=40002, message="Invalid value for event_time.", times=1)
    sandbox.fault("code", code=20001, times=1)
    await shop.put("a")
    async with shop.sending():
        await shop.all_settled(within_s=20)

    assert {} == await shop.dead()
    assert delivered(sandbox) == ["a"]


# Time limits.


async def test_what_may_have_been_delivered_is_retried_for_36_hours_then_buried_as_such(shop, sandbox):
    sandbox.fault("garbage")
    await shop.put(*ids(3))
    async with shop.sending():
        await shop.until_async(lambda: all_unknown(shop, 3))
        shop.clock.skip(35 * HOUR)
        tries = len(shop.happened(BatchAnswered))
        await shop.until(lambda: len(shop.happened(BatchAnswered)) > tries + 1)
        still = await shop.waiting()
        shop.clock.skip(1.1 * HOUR)
        await shop.all_settled()

    assert still == 3
    assert dict.fromkeys(ids(3), "maybe_delivered") == await shop.dead()


async def test_what_surely_was_not_accepted_waits_max_age_and_no_longer(shop):
    await shop.put("a")
    async with shop.sending(url=f"http://127.0.0.1:{closed_port()}"):
        await shop.until(lambda: shop.happened(BatchAnswered))
        shop.clock.skip(6.9 * 24 * HOUR)
        tries = len(shop.happened(BatchAnswered))
        await shop.until(lambda: len(shop.happened(BatchAnswered)) > tries)
        still = await shop.waiting()
        shop.clock.skip(0.2 * 24 * HOUR)
        await shop.all_settled()

    assert still == 1
    assert {"a": "too_old"} == await shop.dead()


async def test_a_pause_does_not_make_36_hours_of_what_was_never_taken(shop, sandbox):
    sandbox.fault("revoke")
    await shop.put("a")
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        shop.clock.skip(60 * HOUR)
        sandbox.heal()
        await shop.all_settled()

    assert delivered(sandbox) == ["a"]


async def test_a_clock_set_back_holds_nothing_up(shop, sandbox):
    sandbox.fault("http", status=503, times=1, retry_after=40)
    await shop.put(*ids(3))
    async with shop.sending():
        await shop.until_async(lambda: all_tried(shop, 3))
        shop.clock.set_back(5 * HOUR)
        await shop.all_settled(within_s=20)

    assert ids(3) == delivered(sandbox)


# Sizes and waits.


async def test_a_call_holds_at_most_max_batch_events(shop, sandbox):
    await shop.put(*ids(25))
    async with shop.sending(max_batch=10):
        await shop.all_settled()

    assert sorted(request["events"] for request in sandbox.requests()) == [5, 10, 10]


async def test_a_call_holds_at_most_max_body_mb(shop, sandbox):
    await shop.put(*ids(40), size=1000)
    async with shop.sending(max_body_mb=0.01):
        await shop.all_settled()
    sizes = [len(json.dumps(request["body"])) for request in sandbox.requests()]

    assert max(sizes) <= 10_000
    assert ids(40) == delivered(sandbox)


async def test_an_event_larger_than_max_body_mb_still_goes_out_alone(shop, sandbox):
    await shop.put("large", "other", size=5000)
    async with shop.sending(max_body_mb=0.001):
        await shop.all_settled()

    assert [request["events"] for request in sandbox.requests()] == [1, 1]


async def test_a_batch_that_is_not_full_waits_for_more_events(shop, sandbox):
    async with shop.sending(max_wait_s=40):
        await shop.put("a")
        await asyncio.sleep(0.1)
        await shop.put("b")
        await shop.all_settled()

    assert [request["events"] for request in sandbox.requests()] == [2]


async def test_a_full_batch_does_not_wait(shop):
    async with shop.sending(max_wait_s=300, max_batch=5):
        began = shop.clock.monotonic()
        await shop.put(*ids(5))
        await shop.all_settled()

    assert shop.clock.monotonic() - began < 150


# Tests: events with a test code of their own.


def calls(sandbox):
    """Each call's test code, and the ids of its events."""
    bodies = [request["body"] for request in sandbox.requests()]
    return [(body.get("test_event_code", ""), [event["event_id"] for event in body["data"]]) for body in bodies]


async def test_events_of_two_test_codes_and_one_without_go_out_in_three_calls_with_their_codes(shop, sandbox):
    await shop.put("a", code="TEST1")
    await shop.put("b", code="TEST2")
    await shop.put("c")
    async with shop.sending():
        await shop.all_settled()
    books = await shop.books()

    assert [("", ["c"]), ("TEST1", ["a"]), ("TEST2", ["b"])] == sorted(calls(sandbox))
    assert {"a": "TEST1", "b": "TEST2", "c": ""} == {
        event["event_id"]: event["_"]["test_event_code"] for event in sandbox.events()
    }
    assert {"shop": 3} == books.accepted


async def test_the_destinations_test_code_is_for_events_without_one_of_their_own(shop, sandbox):
    await shop.put("a", code="TEST1")
    await shop.put("b")
    async with shop.sending(code="TEST9"):
        await shop.all_settled()

    assert [("TEST1", ["a"]), ("TEST9", ["b"])] == sorted(calls(sandbox))


async def test_every_call_of_a_search_among_tests_carries_their_code(shop, sandbox):
    sandbox.fault("refuse", event_id="e-0003", indexed=False)
    await shop.put(*ids(8), code="TEST1")
    await shop.put(*ids(2, first=8), code="TEST2")
    async with shop.sending():
        await shop.all_settled()
    (letter,) = await shop.outbox.find(Find(state="dead"))
    of_the_search = [code for code, found in calls(sandbox) if not {*found} & {*ids(2, first=8)}]

    assert ["TEST1"] * 7 == of_the_search
    assert ("e-0003", "refused", "TEST1") == (letter.event_id, letter.reason, letter.test_event_code)
    assert [one for one in ids(10) if one != "e-0003"] == delivered(sandbox)


async def test_a_test_that_is_tried_again_is_still_a_test(shop, sandbox):
    sandbox.fault("http", status=503, times=2)
    await shop.put("a", code="TEST1")
    async with shop.sending():
        await shop.all_settled()

    assert [("TEST1", ["a"])] * 3 == calls(sandbox)


async def test_no_test_is_sent_before_the_events_that_count(shop, sandbox):
    for number in range(2):
        await shop.put(f"t-{number}", code=f"TEST{number}")
    await shop.put(*ids(8))
    one_by_one = RateLimiter(0.1, clock=shop.clock)
    async with shop.sending(max_batch=4, limiter=one_by_one):
        await shop.all_settled()

    assert ["", "", "TEST0", "TEST1"] == [code for code, _ in calls(sandbox)]


async def test_an_event_that_counts_does_not_wait_for_the_answer_to_a_test(shop, sandbox):
    sandbox.fault("hang", times=1)
    for number in range(6):
        await shop.put(f"t-{number}", code=f"TEST{number}")
    async with shop.sending(timeout_s=30):
        await shop.until(lambda: sandbox.counts()["requests"])
        await shop.put("real")
        await shop.until(lambda: "real" in delivered(sandbox))
        await asyncio.sleep(0.1)

    assert ["real"] == delivered(sandbox)  # of tests, one call at a time is under way


async def test_an_event_that_counts_does_not_wait_for_a_test_that_probes(shop, sandbox):
    sandbox.fault("http", status=503, times=1)
    sandbox.fault("hang", times=1)
    await shop.put("test", code="TEST1")
    async with shop.sending(timeout_s=30) as sender:
        await shop.until(lambda: sandbox.counts()["requests"] == 2)
        state = sender.state
        await shop.put("real")
        await shop.until(lambda: delivered(sandbox))

    assert state == "failing"
    assert ["real"] == delivered(sandbox)


class NeverLooksAgain:
    """A clock by which the time to look for retries does not come."""

    def __init__(self, clock):
        self._clock = clock

    def __getattr__(self, name):
        return getattr(self._clock, name)

    async def sleep(self, seconds):
        await (asyncio.Event().wait() if seconds == _LOOK_FOR_RETRIES_EVERY_S else self._clock.sleep(seconds))


async def test_tests_follow_each_other_without_a_wait_between(shop, sandbox):
    shop.clock = NeverLooksAgain(shop.clock)
    for number in range(40):
        await shop.put(f"t-{number:02}", code=f"TEST{number}")
    async with shop.sending():
        await shop.all_settled()

    assert [(f"TEST{number}", [f"t-{number:02}"]) for number in range(40)] == calls(sandbox)


@pytest.mark.parametrize("max_batch", [1, 1000])
@pytest.mark.parametrize("words", ["Invalid value for test_event_code: no such code.", "Invalid value for value."])
async def test_tests_that_are_refused_are_buried_and_pause_nothing(shop, sandbox, max_batch, words):
    sandbox.fault("refuse", event="Lead", message=words, indexed=False)
    await shop.put(*ids(12), code="TEST1")
    async with shop.sending(max_batch=max_batch) as sender:
        await shop.all_settled()
        state = sender.state
        sandbox.heal()
        await shop.put("real")
        await shop.all_settled()

    assert dict.fromkeys(ids(12), "refused") == await shop.dead()
    assert (state, ["real"]) == ("flowing", delivered(sandbox))
    assert [] == shop.happened(DestinationPaused)


async def test_a_small_test_that_alone_is_too_large_pauses_nothing(shop, firewall):
    async with shop.sending(url=firewall) as sender:
        await shop.put("odd", code="TEST1")
        await shop.all_settled()
        state = sender.state

    assert {"odd": "refused"} == await shop.dead()
    assert ("flowing", []) == (state, shop.happened(DestinationPaused))


async def test_refused_tests_leave_the_doubt_about_other_events_as_it_was(shop, sandbox):
    sandbox.fault("refuse", event="Lead")
    async with shop.sending(max_batch=1) as sender:
        await shop.put(*ids(3))
        await shop.all_settled()
        await shop.put(*ids(6, first=3), code="TEST1")
        await shop.all_settled()
        before = sender.state
        await shop.put("e-0009")
        await shop.all_settled()
        await shop.put("e-0010")
        await shop.until(lambda: sender.state == "paused")

    assert before == "flowing"
    assert dict.fromkeys([*ids(10)], "refused") == await shop.dead()
    assert await shop.waiting() == 1


async def test_an_accepted_test_is_no_proof_that_a_refusal_was_another_events_own_fault(shop, sandbox):
    sandbox.fault("refuse", event_id="real", message="Invalid value for event_source_id: not a valid string.")
    await shop.put("real")
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        far = shop.clock.now() + HOUR
        held = await shop.outbox.lease("shop", most=1, max_bytes=10**6, now=far, tests=False)
        while not held.events:  # its call is still being settled
            await asyncio.sleep(0.005)
            held = await shop.outbox.lease("shop", most=1, max_bytes=10**6, now=far, tests=False)
        await shop.put("test", code="TEST1")
        await shop.until(lambda: delivered(sandbox))
        await shop.until(lambda: shop.happened(DestinationResumed))
        shop.outbox.release(held)
        await shop.until(lambda: len(shop.happened(DestinationPaused)) == 2)

    assert ["test"] == delivered(sandbox)
    assert ({}, 1) == (await shop.dead(), await shop.waiting())


async def test_the_wait_after_a_failed_test_is_for_tests_alone(shop, sandbox):
    sandbox.fault("http", status=503, times=1, retry_after=3000)
    await shop.put("test", code="TEST1")
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "failing")
        await shop.put("other test", code="TEST2")
        await asyncio.sleep(0.1)
        before = delivered(sandbox)
        await shop.put("real")
        await shop.until(lambda: "real" in delivered(sandbox), within_s=15)

    assert [] == before


@pytest.mark.parametrize("refused_first", [False, True])
async def test_a_pause_that_a_test_met_holds_up_no_event_that_counts(shop, sandbox, refused_first):
    sandbox.fault("revoke", times=1 if refused_first else None)
    sandbox.fault("refuse", event="Lead")
    waits = set()
    await shop.put("test", code="TEST1")
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "paused")
        for _ in range(30):
            waits.add(sender._gate.wait_s())
            await asyncio.sleep(0.01)
        state = (sender.state, sender.reason)
        sandbox.heal()
        await shop.put("real")
        await shop.all_settled()

    assert ("paused", "token_invalid") == state
    assert {0.0} == waits
    assert ["real", "test"] == delivered(sandbox)


async def test_a_pause_ends_with_a_test_when_nothing_else_waits(shop, sandbox):
    sandbox.fault("revoke", times=2)
    await shop.put("test", code="TEST1")
    async with shop.sending() as sender:
        await shop.until(lambda: shop.happened(DestinationPaused))
        await shop.all_settled()
        state = sender.state

    assert state == "flowing"
    assert ["test"] == delivered(sandbox)


# A store that fails.


class Failing:
    """A real outbox whose writes fail for a while, as they do on a full disk."""

    def __init__(self, outbox, *, leases=0, begins=0, settles=0):
        self._outbox = outbox
        self._begins = begins
        self._leases = leases
        self._settles = settles

    def __getattr__(self, name):
        return getattr(self._outbox, name)

    async def lease(self, destination, **how_much):
        self._leases -= 1
        if self._leases >= 0:
            raise OutboxUnavailable("disk full")
        return await self._outbox.lease(destination, **how_much)

    async def begin(self, lease):
        self._begins -= 1
        if self._begins >= 0:
            raise OutboxUnavailable("disk full")
        await self._outbox.begin(lease)

    async def settle(self, lease, outcomes, calls):
        self._settles -= 1
        if self._settles >= 0:
            raise OutboxUnavailable("disk full")
        await self._outbox.settle(lease, outcomes, calls)


async def test_outcomes_that_cannot_be_written_are_written_later_and_nothing_is_sent_twice(shop, sandbox):
    outbox = shop.outbox
    shop.outbox = Failing(outbox, leases=2, begins=2, settles=3)
    await shop.put(*ids(5))
    async with shop.sending():
        await shop.all_settled()

    assert [1] * 5 == [event["_"]["copies"] for event in sandbox.events()]
    assert (await shop.books()).accepted == {"shop": 5}


class FallsAtTheSecondAnswer(list):
    """A listener with a defect."""

    def append(self, happening):
        super().append(happening)
        if 2 == sum(isinstance(one, BatchAnswered) for one in self):
            raise RuntimeError("a defect")


async def test_a_defect_while_outcomes_cannot_be_written_ends_the_sender(shop, sandbox):
    shop.outbox = Failing(shop.outbox, settles=10**6)
    shop.happenings = FallsAtTheSecondAnswer()
    await shop.put(*ids(2))
    has_ended = True
    with contextlib.suppress(ExceptionGroup):
        async with shop.sending(max_batch=1):
            await asyncio.sleep(10)  # until the end of the sender ends this, too
            has_ended = False

    assert has_ended


async def test_a_stop_while_outcomes_cannot_be_written_gives_the_events_back(shop, sandbox):
    outbox = shop.outbox
    shop.outbox = Failing(outbox, settles=10**6)
    await shop.put(*ids(5))
    async with shop.sending() as sender:
        await shop.until(lambda: sandbox.counts()["requests"])
        began = time.monotonic()
        await sender.stop(0.1)
        took = time.monotonic() - began

    assert took < 10  # the hang is longer
    assert len(await shop.rows()) == 5


# All of it at once.

# Faults that are no event's own: none of them may bury anything.
FAULTS = [
    ("http", {"status": 502}),
    ("http", {"status": 503, "retry_after": 2}),
    ("http", {"status": 429}),
    ("code", {"code": 40100}),
    ("code", {"code": 50000}),
    ("code", {"code": 51010}),
    ("garbage", {}),
    ("reset", {}),
    ("reset_after_accepting", {}),
    ("redirect", {"location": "http://127.0.0.1:9/"}),
    ("revoke", {}),
    ("hang", {}),
    ("slow", {"seconds": 0.05}),
]


async def outlast(shop, sandbox, *, seed, rounds):
    """Put events while faults come and go; the ids of the good ones and the bad ones."""
    rng = random.Random(seed)
    good, bad = [], []
    for number in range(rounds):
        async with shop.sending(timeout_s=0.1, max_batch=rng.choice([1, 7, 1000])):
            for _ in range(5):
                names = ids(rng.randint(1, 30), first=10_000 * number + 100 * rng.randint(0, 99))
                names = [name for name in names if name not in {*good, *bad}]
                spoilt = [name for name in names if rng.random() < 0.05]
                kind, options = rng.choice(FAULTS)
                sandbox.fault(kind, times=rng.randint(1, 3), after=rng.randint(0, 3), **options)
                await shop.put(*names, spoilt=spoilt)
                good += [name for name in names if name not in spoilt]
                bad += spoilt
                await asyncio.sleep(rng.random() * 0.05)
    async with shop.sending(timeout_s=0.1):
        await shop.all_settled(within_s=60)
    return good, bad


async def judged(shop, sandbox, good, bad):
    """Hold what became of the events against what was put."""
    dead = await shop.dead()
    books = await shop.books()

    assert {*good} == {*delivered(sandbox)}
    assert {*dead} == {*bad}
    assert {*dead.values()} <= {"refused", "partial"}
    assert all(event["_"]["same_body"] for event in sandbox.events())
    assert sum(books.received.values()) == len(good) + len(bad)
    assert books.accepted["shop"] + sum(books.dead.values()) == len(good) + len(bad)


async def test_whatever_fails_the_good_are_delivered_and_the_bad_buried(shop, sandbox):
    good, bad = await outlast(shop, sandbox, seed=11, rounds=1)

    await judged(shop, sandbox, good, bad)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_fails_for_long_the_good_are_delivered_and_the_bad_buried(shop, sandbox, seed):
    good, bad = await outlast(shop, sandbox, seed=seed, rounds=6)

    await judged(shop, sandbox, good, bad)


# The end.


async def test_a_stop_lets_begun_calls_end_and_settles_them(shop, sandbox):
    sandbox.fault("slow", seconds=0.3)
    await shop.put(*ids(5))
    async with shop.sending() as sender:
        await asyncio.sleep(0.1)
        await sender.stop(2.0)
        left = await shop.waiting()

    assert left == 0
    assert ids(5) == delivered(sandbox)


async def test_a_stop_during_a_hang_returns_in_time_and_the_outcome_is_unknown(shop, sandbox):
    sandbox.fault("hang")
    await shop.put(*ids(5))
    async with shop.sending(timeout_s=30) as sender:
        await shop.until(lambda: sandbox.counts()["requests"])
        began = time.monotonic()
        await sender.stop(0.1)
        took = time.monotonic() - began
    rows = await shop.rows()

    assert took < 10
    assert [(1, True)] * 5 == [(row.attempts, row.unknown_since is not None) for row in rows]


async def test_a_stop_before_a_call_began_leaves_its_events_as_they_were(shop, sandbox):
    limiter = RateLimiter(0.001, clock=shop.clock)
    await shop.put("a")
    async with shop.sending(limiter=limiter, max_batch=1):
        await shop.all_settled()
        await shop.put("b")
        await asyncio.sleep(0.1)
    rows = await shop.rows()

    assert [("b", 0, None)] == [(row.event_id, row.attempts, row.unknown_since) for row in rows]
    assert sandbox.counts()["requests"] == 1


async def test_a_stop_begins_nothing_new(shop, sandbox):
    await shop.put("a")
    async with shop.sending(max_wait_s=300) as sender:
        await asyncio.sleep(0.1)
        await sender.stop(0.5)

    assert sandbox.counts()["requests"] == 0
    assert await shop.waiting() == 1
