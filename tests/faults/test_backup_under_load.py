"""A copy taken under load holds all that was acknowledged before it, and serves in the place of a lost outbox."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from faults.mint import GOOD, kind_of
from harness import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def acknowledged_before(oracle, moment: float) -> set[str]:
    """The events to be delivered that were acknowledged by then."""
    entries = [json.loads(line) for line in oracle.ledger.read_text().splitlines()]
    told = [entry for entry in entries if entry.get("end") == "acked" and entry["at"] < moment]
    return {event_id for entry in told for event_id in entry["ids"] if kind_of(event_id) == GOOD}


def test_what_was_acknowledged_before_a_backup_is_delivered_from_it(gateways, oracles, sandbox, record_property):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    sandbox.fault("http", status=503, times=1000)
    oracle.begin(senders=8, per_s=500)
    time.sleep(4)
    moment = time.time()
    copy = gateway.folder / "copy"
    command = [sys.executable, "-m", "tikrelay", "backup", str(copy), "--config", str(gateway.config)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    time.sleep(1)
    gateway.process.kill()
    oracle.ask("end")
    shutil.rmtree(gateway.outbox)
    copy.rename(gateway.outbox)
    sandbox.clear()
    gateway.start()

    books = gateway.wait_until_settled(within_s=60)

    before = acknowledged_before(oracle, moment)
    arrived = {event["event_id"] for event in sandbox.events()}
    record_property("acknowledged_before", len(before))
    assert len(before) > 500
    assert before - arrived == set()
    assert books["received"] == books["accepted"] + books["dead"] + books["dropped"]
    wait_for(lambda: gateway.hit("v=2&tid=G-1&cid=1.2&en=add_to_cart&dl=https://shop.example/") == 204)
