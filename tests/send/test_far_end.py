"""What becomes of events when TikTok's end answers anything it can, or breaks in any way: over real HTTP."""

import asyncio

import pytest

from tikrelay.base.happenings import BatchAnswered
from tikrelay.outbox.store import Find
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.worker import NEWEST_EVERY
from tikrelay.tiktok.answers import CODES, STATUSES

HOUR = 3600.0


def ids(count, *, first=0):
    return [f"e-{number:04}" for number in range(first, first + count)]


def delivered(sandbox):
    return sorted(event["event_id"] for event in sandbox.events())


def calls_of(sandbox, *, pixel=""):
    """The ids of each call, in the order in which they came."""
    bodies = [request["body"] for request in sandbox.requests()]
    return [[e["event_id"] for e in body["data"]] for body in bodies if pixel in ("", body["event_source_id"])]


# Every answer there is, each to a call of one event. What becomes of it:
GONE = "delivered"
KNOWN = "waits"  # TikTok surely has not taken it
OPEN = "waits, may be delivered"

BY_CODE = {
    **dict.fromkeys((0, 40050), GONE),
    **dict.fromkeys((40000, 40002, 40061, 40062, 40063, 40700, 40999, 49999), "refused"),
    20001: "partial",
    **dict.fromkeys((10001, 30000, 70000, -1, 1), "unknown_answer"),
    **dict.fromkeys((40100, 40132, 40202, 50000, 51012, 51013, 52000, 53103, 60001, 61000, 69999), KNOWN),
    **dict.fromkeys((50002, 51010), OPEN),
    40001: "no_permission",
    40003: "forbidden",
    40006: "api_version",
    40007: "not_found",
    40051: "api_version",
    40102: "token_expired",
    40104: "token_missing",
    40105: "token_invalid",
    40113: "app_forbidden",
    40117: "method_forbidden",
    40118: "not_allow_listed",
    40130: "scope_missing",
    40300: "advertiser_missing",
    40301: "advertiser_role",
    40400: "route_not_found",
    41000: "blocked",
    41001: "api_offline",
    41002: "fields_offline",
}
BY_STATUS = {
    **dict.fromkeys((400, 405, 409, 410, 415, 422, 431, 451), "refused"),
    **dict.fromkeys((425, 429, 500, 501, 503, 505, 520, 529, 599), KNOWN),
    **dict.fromkeys((200, 201, 202, 206, 408, 502, 504), OPEN),
    **{status: f"http_{status}" for status in (300, 301, 302, 303, 307, 308, 401, 403, 404, 407, 413)},
}


async def fate(shop, sender):
    """What became of the one event that was put."""
    (entry,) = await shop.outbox.find(Find())
    if entry.state == "dead":
        return entry.reason
    if entry.state == "delivered" or sender.state == "flowing":
        return GONE if entry.state == "delivered" else ""
    if sender.state == "paused":
        return sender.reason
    return (OPEN if entry.unknown_since is not None else KNOWN) if entry.attempts else ""


async def fate_of_one(shop, *, until):
    await shop.put("a")
    async with shop.sending() as sender:
        async with asyncio.timeout(20):
            while (found := await fate(shop, sender)) != until and shop.clock.monotonic() < 1500:
                await asyncio.sleep(0.005)
    return found


@pytest.mark.parametrize("code", BY_CODE)
async def test_every_code_inside_http_200_has_its_consequence(shop, sandbox, code):
    sandbox.fault("code", code=code)

    assert BY_CODE[code] == await fate_of_one(shop, until=BY_CODE[code])


@pytest.mark.parametrize("status", BY_STATUS)
async def test_every_status_without_a_code_has_its_consequence(shop, sandbox, status):
    sandbox.fault("http", status=status)

    assert BY_STATUS[status] == await fate_of_one(shop, until=BY_STATUS[status])


def test_no_answer_of_the_tables_is_left_out():
    assert CODES.keys() <= BY_CODE.keys()
    assert STATUSES.keys() <= BY_STATUS.keys()


@pytest.mark.parametrize("fault", [{"kind": "code", "code": 40100}, {"kind": "http", "status": 429}, {"kind": "rate"}])
@pytest.mark.parametrize("after_s", [None, 90])
async def test_too_many_calls_are_waited_out_as_long_as_is_asked_and_slow_down(shop, sandbox, fault, after_s):
    limits = {"per_s": 0} if fault["kind"] == "rate" else {}
    sandbox.fault(**fault, **limits, retry_after=after_s, times=1)
    await shop.put(*ids(5))
    before = shop.limiter.pace
    async with shop.sending():
        began = shop.clock.monotonic()
        await shop.all_settled()
        waited = shop.clock.monotonic() - began

    assert ids(5) == delivered(sandbox)
    assert waited >= (after_s or 0)
    assert shop.limiter.pace < 0.6 * before


async def test_accepted_calls_raise_the_pace(shop, sandbox):
    limiter = RateLimiter(10, clock=shop.clock)
    before = limiter.pace
    async with shop.sending(limiter=limiter):
        for event_id in ids(3):
            shop.clock.skip(1)
            await shop.put(event_id)
            await shop.all_settled()

    assert limiter.pace > 1.2 * before


# Every way to break.

BREAKS = [
    {"kind": "hang"},
    {"kind": "trickle", "seconds": 30},
    {"kind": "reset"},
    {"kind": "reset_amid"},
    {"kind": "half"},
    {"kind": "length", "length": 5},
    {"kind": "length", "length": 5000},
    {"kind": "large", "megabytes": 100},
    {"kind": "endless"},
    {"kind": "bomb", "megabytes": 200},
    {"kind": "garbage"},
    {"kind": "body", "body": ""},
    {"kind": "body", "body": "null"},
    {"kind": "body", "body": "[0]"},
    {"kind": "body", "body": '"OK"'},
    {"kind": "body", "body": '{"code":"zero","message":"OK"}'},
    {"kind": "body", "body": '{"code":[0],"message":{"OK":1},"data":[]}'},
    {"kind": "body", "body": '{"code":false}'},
    {"kind": "body", "body": '{"message":"OK"}'},
    {"kind": "body", "body": '{"code":0}{"code":0}'},
    {"kind": "body", "body": '{"data":' + "[" * 50_000},
    {"kind": "http", "status": 502},
]


@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: "-".join(str(value)[:12] for value in broken.values()))
async def test_whatever_breaks_the_events_come_again_unchanged_and_count_once(shop, sandbox, broken, accept):
    sandbox.fault(**broken, accept=accept, times=1)
    await shop.put(*ids(5))
    async with shop.sending(timeout_s=0.15):
        await shop.all_settled()
    events = sandbox.events()
    first = shop.happened(BatchAnswered)[0]

    assert ids(5) == delivered(sandbox)
    assert {1 + accept} == {event["_"]["copies"] for event in events}
    assert all(event["_"]["same_body"] for event in events)
    assert ("retry", {}, {"shop": 5}) == (first.outcome, await shop.dead(), (await shop.books()).accepted)


@pytest.mark.parametrize("broken", [*BREAKS[:7], BREAKS[-1]], ids=lambda broken: broken["kind"])
async def test_until_it_comes_again_the_outcome_of_what_broke_is_unknown(shop, sandbox, broken):
    sandbox.fault(**broken)
    await shop.put(*ids(3))
    async with shop.sending(timeout_s=0.1) as sender:
        await shop.until(lambda: sender.state == "failing")
    rows = await shop.rows()

    assert [True] * 3 == [row.unknown_since is not None for row in rows]


async def test_a_reset_before_the_call_is_read_costs_nothing_but_time(shop, sandbox):
    sandbox.fault("reset_early", times=2)
    await shop.put(*ids(5), size=300_000)
    async with shop.sending(max_body_mb=5):
        await shop.all_settled()

    assert ids(5) == delivered(sandbox)
    assert {} == await shop.dead()


# What was tried stands in each event's history.


async def test_an_event_remembers_the_calls_it_was_part_of(shop, sandbox):
    sandbox.fault("http", status=503, times=1)
    sandbox.fault("refuse", event_id="e-0001", indexed=False)
    await shop.put(*ids(2))
    async with shop.sending():
        await shop.all_settled()
    found = {entry.event_id: await shop.outbox.show(entry.key) for entry in await shop.outbox.find(Find())}
    told = {
        event_id: [(call.outcome, call.status, call.code) for call in entry.calls] for event_id, entry in found.items()
    }

    assert [("retry", 503, None), ("refused", 200, 40002), ("accepted", 200, 0)] == told["e-0000"]
    assert [("retry", 503, None), ("refused", 200, 40002), ("refused", 200, 40002)] == told["e-0001"]
    assert all(call.request_id for entry in found.values() for call in entry.calls[1:])


async def test_a_call_cut_off_by_the_stop_stands_in_the_history(shop, sandbox):
    sandbox.fault("hang")
    await shop.put("a")
    async with shop.sending(timeout_s=30):
        await shop.until(lambda: sandbox.counts()["requests"])
    (entry,) = await shop.outbox.find(Find())
    shown = await shop.outbox.show(entry.key)

    assert ["cut_off"] == [call.outcome for call in shown.calls]


# A partial success.


@pytest.mark.parametrize("bad", [1, 3])
async def test_the_failed_events_a_partial_success_lists_are_tried_alone_and_the_others_once_more(shop, sandbox, bad):
    sandbox.fault("partial", field="properties.description", value="x")
    await shop.put(*ids(bad), size=1)
    await shop.put(*ids(100 - bad, first=bad))
    async with shop.sending():
        await shop.all_settled()

    assert dict.fromkeys(ids(bad), "partial") == await shop.dead()
    assert ids(100 - bad, first=bad) == delivered(sandbox)
    assert [100, 100 - bad, *[1] * bad] == [request["events"] for request in sandbox.requests()]


@pytest.mark.parametrize(
    "data", ["", ',"data":{"failed_events":["e-0007"]}', ',"data":{"failed_events":[{"index":"7"}]}', ',"data":[7]']
)
async def test_a_partial_success_that_does_not_say_which_in_a_known_shape_is_searched(shop, sandbox, data):
    sandbox.fault("body", body='{"code":20001,"message":"Partially succeeded."' + data + "}", times=1)
    await shop.put(*ids(16))
    async with shop.sending():
        await shop.all_settled()

    assert ids(16) == delivered(sandbox)
    assert {} == await shop.dead()
    assert [16, 8, 8] == [request["events"] for request in sandbox.requests()]


# Sizes.


async def test_too_many_events_in_a_call_halve_their_number_which_comes_back_within_hours(shop, sandbox):
    sandbox.fault("code", code=40061, times=1)
    sizes = []
    async with shop.sending() as sender:
        for number, hours in enumerate((0, 0, 12)):
            shop.clock.skip(hours * HOUR)
            await shop.put(*ids(40, first=40 * number))
            await shop.all_settled()
            sizes.append([request["events"] for request in sandbox.requests()])
            assert sender.state == "flowing"

    assert [40, 20, 20] == sizes[0]
    assert [20, 20] == sizes[1][3:]
    assert [40] == sizes[2][5:]


async def test_one_event_too_large_among_others_does_not_make_later_calls_tiny(shop, firewall):
    await shop.put(*ids(20), "odd", *ids(19, first=20), size=20_000)
    async with shop.sending(url=firewall):
        await shop.all_settled()
        searched = len(shop.happened(BatchAnswered))
        await shop.put(*ids(40, first=40), size=20_000)
        await shop.all_settled()
    later = [answer.events for answer in shop.happened(BatchAnswered)[searched:]]

    assert {"odd": "refused"} == await shop.dead()
    assert len(later) <= 3


# After an outage.


async def test_after_an_outage_the_oldest_go_first_and_every_fifth_call_takes_the_newest(shop, sandbox):
    await shop.put(*ids(300))
    await shop.put("fresh")
    slowly = RateLimiter(1.0, clock=shop.clock)
    async with shop.sending(max_batch=10, limiter=slowly):
        await shop.all_settled()
    calls = calls_of(sandbox)
    newest = [place for place, call in enumerate(calls[:20]) if call[-1] > "e-0200"]
    place_of_fresh = next(place for place, call in enumerate(calls) if "fresh" in call)

    assert ids(10) == calls[0]
    assert 4 - 3 <= place_of_fresh <= 4 + 3  # four calls are under way at once, in any order
    assert 3 <= len(newest) <= 5
    assert [*ids(300), "fresh"] == delivered(sandbox)
    assert {1} == {event["_"]["copies"] for event in sandbox.events()}


async def test_when_all_that_waits_was_tried_before_the_newests_turn_takes_the_oldest_too(shop, sandbox):
    sandbox.fault("http", status=503, times=1)
    await shop.put(*ids(60))
    async with shop.sending() as sender:
        await shop.until(lambda: sender.state == "failing")
    shop.clock.skip(HOUR)
    async with shop.sending(max_batch=5) as sender:
        await sender.stop(1)
        sender._leases = NEWEST_EVERY - 1
        lease = await sender._lease()
        shop.outbox.release(lease)

    assert 5 == len(lease.events)
    assert NEWEST_EVERY == sender._leases


# Several destinations.


@pytest.mark.parametrize(
    "broken", [{"kind": "hang"}, {"kind": "trickle", "seconds": 30}, {"kind": "code", "code": 40105}]
)
async def test_a_destination_that_breaks_keeps_no_other_with_its_token_waiting(shop, sandbox, broken):
    sandbox.fault(**broken, event_source_id="C0LEFT")
    await shop.put(*ids(50), destination="left")
    async with shop.sending(destination="left", timeout_s=30, max_batch=5), shop.sending(destination="right"):
        await shop.until(lambda: sandbox.counts()["requests"])
        for event_id in ids(5, first=100):
            await shop.put(event_id, destination="right")
            await shop.until(lambda one=event_id: one in delivered(sandbox), within_s=15)
        left = await shop.waiting("left")

    assert (50, ids(5, first=100)) == (left, delivered(sandbox))


async def test_a_search_of_one_destination_leaves_another_with_its_token_every_second_turn(shop, sandbox):
    for event_id in ids(400)[::3]:
        sandbox.fault("refuse", event_id=event_id, indexed=False)
    await shop.put(*ids(400), destination="left")
    shared = RateLimiter(0.5, clock=shop.clock)
    between: list[int] = []
    async with (
        shop.sending(destination="left", limiter=shared, max_batch=100),
        shop.sending(destination="right", limiter=shared),
    ):
        await shop.until(lambda: sandbox.counts()["requests"] > 8)
        for event_id in ids(12, first=1000):
            before = sandbox.counts()["requests"]
            await shop.put(event_id, destination="right")
            await shop.until(lambda one=event_id: [one] in calls_of(sandbox, pixel="C0RIGHT"))
            calls = [request["body"]["event_source_id"] for request in sandbox.requests()]
            between.append(calls[before:].index("C0RIGHT"))

    # Were it first come, first served, each would wait for four and more. On a busy machine some calls are made before
    # the other sender even knows of its event.
    assert sorted(between)[4] <= 3, between
