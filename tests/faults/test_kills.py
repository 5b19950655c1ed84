"""Kills under load, twenty of the server and twenty of single workers, while TikTok's end fails in its own ways.

The oracle is ``shoppers.py``: what was answered 2xx must arrive, unchanged, under its id.
"""

import asyncio
import contextlib
import os
import random
import signal
import urllib.error

import pytest

from faults.shoppers import Shoppers, arrived, expected

KILLS = 20
SEED = 20261123
FAULTS = [
    {"kind": "http", "status": 502},
    {"kind": "reset_after_accepting"},
    {"kind": "reset"},
    {"kind": "code", "code": 40100},
    {"kind": "code", "code": 51012},
    {"kind": "slow", "seconds": 1.0},
    {"kind": "garbage"},
]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


async def kill(gateway, victim: str, rng: random.Random) -> None:
    if victim == "server":
        await asyncio.to_thread(gateway.process.kill)
        await asyncio.to_thread(gateway.start)
        return
    with contextlib.suppress(urllib.error.URLError, ProcessLookupError, IndexError):
        os.kill(rng.choice(await asyncio.to_thread(gateway.worker_pids)), signal.SIGKILL)


@pytest.mark.parametrize("victim", ["server", "worker"])
async def test_no_acknowledged_event_is_lost_invented_or_changed(gateways, sandbox, victim: str):
    rng = random.Random(SEED)
    gateway = gateways(server={"workers": 2}).start()
    shoppers = Shoppers(gateway.url, seed=SEED)
    shopping = asyncio.create_task(shoppers.shop(seconds=KILLS * 2.2, shoppers=8))
    for _ in range(KILLS):
        await asyncio.to_thread(sandbox.fault, **rng.choice(FAULTS), times=2)
        await asyncio.sleep(rng.uniform(0.4, 1.6))
        await kill(gateway, victim, rng)
    await shopping
    await asyncio.to_thread(sandbox.heal)

    books = await asyncio.to_thread(gateway.wait_until_settled, within_s=180)

    at_tiktok = {event["event_id"]: event for event in await asyncio.to_thread(sandbox.events)}
    assert shoppers.acknowledged - at_tiktok.keys() == set()
    assert at_tiktok.keys() - shoppers.acknowledged - shoppers.unsure == set()
    assert [event_id for event_id, event in at_tiktok.items() if arrived(event) != expected(event_id)] == []
    assert [event["event_id"] for event in at_tiktok.values() if not event["_"]["same_body"]] == []
    assert books["dead"] == 0
    assert books["received"] == books["accepted"] + books["waiting"] + books["dead"] + books["dropped"]
    # Else nothing was tried: many acknowledged events, and repeats of which TikTok keeps one.
    assert len(shoppers.acknowledged) > 500
    assert sandbox.counts()["accepted_events"] > len(at_tiktok)
