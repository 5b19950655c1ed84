"""TikTok is away for a day or a week: what waits on disk, and what becomes of it afterwards.

A day at 100 events a second is 8.64 million; the run takes a hundredth of that unless OUTAGE_EVENTS says otherwise.
"""

import asyncio
import json
import os
import random
import time
from contextlib import asynccontextmanager

import pytest

from tikrelay.base.secret import Secret
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Find, Record
from tikrelay.send.config import SendConfig
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.worker import Sender
from tikrelay.tiktok.api import TikTokApi
from tikrelay.tiktok.config import DestinationConfig, TikTokConfig

EVENTS = int(os.environ.get("OUTAGE_EVENTS", "86400"))
HOUR, DAY = 3600.0, 86400.0
AT_ONCE = 500
BYTES_PER_EVENT = 1500
DRAINED_PER_S = 500  # five times what comes in
PURCHASE = {
    "event": "PlaceAnOrder",
    "event_time": 1795312345,
    "user": {
        "external_id": "40fd5c25602295b01ebb05c30374cba70069fb8cdeb77457589c7d0a17eaedae",
        "email": "6a0bf011a1fc1e9a8add1728704b8ddb5d9d2701ae295a65452d9f1f1cf91be5",
        "phone": "5543d867344b41eaa65635bc815dfafede20ebc2931f9c6d86758974787e4b62",
        "ttclid": "E.C.P." + "x" * 90,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0",
    },
    "page": {"url": "https://shop.example/thanks", "referrer": "https://shop.example/checkout"},
    "properties": {
        "contents": [{"content_id": "SKU-1", "content_type": "product", "price": 9.5, "quantity": 2}],
        "content_type": "product",
        "currency": "EUR",
        "value": 19,
    },
}


class SkippingClock:
    """The machine's clock, and the time that was skipped; those who sleep through a skip wake."""

    def __init__(self):
        self.skipped = 0.0

    def now(self):
        return time.time() + self.skipped

    def monotonic(self):
        return time.monotonic() + self.skipped

    async def sleep(self, seconds):
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.01))


def record(event_id):
    body = json.dumps({**PURCHASE, "event_id": event_id}, separators=(",", ":")).encode()
    return Record(
        destination=DestinationName("shop"),
        source="ga4_web",
        name="purchase",
        event="PlaceAnOrder",
        event_id=EventId(event_id),
        body=body,
    )


@pytest.fixture
def clock():
    return SkippingClock()


@pytest.fixture
async def outbox(tmp_path, clock):
    outbox = await SqliteOutbox.open(tmp_path / "outbox-000.db", clock=clock, emit=lambda _: None, reserve_bytes=0)
    yield outbox
    await outbox.close()


@asynccontextmanager
async def sending(outbox, clock, url):
    """A sender with the settings of a new installation."""
    async with TikTokApi(TikTokConfig(base_url=url)) as api, asyncio.TaskGroup() as tasks:
        sender = Sender(
            outbox=outbox,
            destination=DestinationConfig(event_source_id="C0EXAMPLE"),
            token=lambda: Secret("token-of-the-test"),
            api=api,
            limiter=RateLimiter(SendConfig().max_requests_per_s, clock=clock),
            config=SendConfig(),
            clock=clock,
            rng=random.Random(3),
            emit=lambda _: None,
        )
        tasks.create_task(sender.run())
        try:
            yield sender
        finally:
            await sender.stop(5)


async def until(is_so, *, within_s):
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.02)


def bytes_on_disk(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.faults
@pytest.mark.timeout(120 + EVENTS // 200)
async def test_a_day_without_tiktok_waits_on_disk_and_drains_while_fresh_events_pass(
    tmp_path, sandbox, outbox, clock, record_property
):
    sandbox.fault("http", status=503)
    async with sending(outbox, clock, sandbox.url) as sender:
        for first in range(0, EVENTS, AT_ONCE):
            await outbox.put([record(f"R-{number}") for number in range(first, min(first + AT_ONCE, EVENTS))])
            clock.skipped += DAY * AT_ONCE / EVENTS
        probes = sandbox.counts()["requests"]
        waiting, size = outbox.waiting(DestinationName("shop")), bytes_on_disk(tmp_path)
        state = sender.state
        sandbox.heal()
        began = time.monotonic()
        clock.skipped += 60
        await until(
            lambda: outbox.waiting(DestinationName("shop")) < EVENTS * 0.9, within_s=60 + EVENTS / DRAINED_PER_S
        )
        await outbox.put([record("fresh")])
        behind = EVENTS
        while not await outbox.find(Find(state="delivered", event_id="fresh")):
            behind = outbox.waiting(DestinationName("shop"))
            await asyncio.sleep(0.05)
        await until(lambda: not outbox.waiting(DestinationName("shop")), within_s=60 + EVENTS / DRAINED_PER_S)
        took = time.monotonic() - began
    counts, books = sandbox.counts(), await outbox.books()
    record_property("events", EVENTS)
    record_property("bytes_per_event", round(size / EVENTS))
    record_property("probes", probes)
    record_property("drained_per_s", round(EVENTS / took))

    assert (EVENTS, "failing", True) == (waiting, state, probes >= 5)
    assert size <= BYTES_PER_EVENT * EVENTS
    assert behind > 0
    assert {"shop": EVENTS + 1} == books.accepted
    assert EVENTS + 1 == counts["unique_events"] == counts["accepted_events"]


async def a_week_and_a_day(outbox, clock, sandbox):
    """Put an event every eight hours while nothing gets through, then heal; the ids in order."""
    ids = [f"e-{number:03}" for number in range(8 * 3)]
    async with sending(outbox, clock, sandbox.url):
        for event_id in ids:
            tries = sandbox.counts()["requests"]
            await outbox.put([record(event_id)])
            clock.skipped += 8 * HOUR
            await until(lambda tries=tries: sandbox.counts()["requests"] > tries, within_s=20)
        sandbox.heal()
        clock.skipped += 60
        await until(lambda: not outbox.waiting(DestinationName("shop")), within_s=30)
    return ids


async def letters(outbox):
    return {entry.event_id: entry.reason for entry in await outbox.find(Find(state="dead", most=1000))}


@pytest.mark.parametrize("fault", [{"kind": "revoke"}, {"kind": "http", "status": 503}])
async def test_a_week_of_refusals_buries_only_what_is_older_than_max_age(sandbox, outbox, clock, fault):
    sandbox.fault(**fault)
    ids = await a_week_and_a_day(outbox, clock, sandbox)
    dead = await letters(outbox)
    delivered = {event["event_id"] for event in sandbox.events()}

    assert {"too_old"} == {*dead.values()}
    assert {*ids[:4]} == {*dead}  # those of the first day, and the one of a minute more than seven days ago
    assert {*ids[4:]} == delivered


async def test_a_week_of_lost_answers_buries_what_was_tried_more_than_36_hours_ago_as_maybe_delivered(
    sandbox, outbox, clock
):
    sandbox.fault("http", status=502, accept=True)
    ids = await a_week_and_a_day(outbox, clock, sandbox)
    dead = await letters(outbox)
    sent = {event["event_id"]: event["_"]["copies"] for event in sandbox.events()}

    assert {"maybe_delivered"} <= {*dead.values()} <= {"maybe_delivered", "too_old"}
    assert {*ids} == {*dead} | {*sent}
    assert {event_id for event_id, reason in dead.items() if reason == "maybe_delivered"} <= {*sent}
    assert {"shop": len(ids) - len(dead)} == (await outbox.books()).accepted
