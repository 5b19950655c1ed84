"""An outbox with a million waiting events: brought to the newest version, killed, ready again, and emptied."""

import json
import sqlite3
import time

import pytest

from faults.old_file import write_old_file
from harness import get, wait_for

ROWS = 1_000_000
MIGRATED_WITHIN_S, READY_WITHIN_S = 30.0, 5.0
NEWER = 999


def event(number: int) -> tuple[str, str, bytes]:
    """One waiting event: its name, its id, and its JSON."""
    body = {
        "event": "AddToCart",
        "event_time": int(time.time()),
        "event_id": f"w-{number}",
        "user": {"email": f"{number:064x}", "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
        "page": {"url": f"https://shop.example/products/{number}?utm_source=newsletter&utm_medium=email"},
        "properties": {"contents": [{"content_id": f"SKU-{number}", "price": 9.5, "quantity": 1}], "currency": "EUR"},
    }
    return "AddToCart", body["event_id"], json.dumps(body, separators=(",", ":")).encode()


def seconds_until_ready(gateway) -> float:
    began = time.monotonic()
    gateway.start(ready=False)
    wait_for(lambda: get(f"{gateway.url}/readyz")[0] == 200, within_s=120)
    return time.monotonic() - began


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_million_waiting_events_are_migrated_survive_a_kill_and_are_delivered(gateways, sandbox, record_property):
    gateway = gateways(send={"max_body_mb": 8})
    gateway.outbox.mkdir(mode=0o700)
    assert write_old_file(gateway.outbox / "outbox-000.db", map(event, range(ROWS))) == ROWS
    sandbox.fault("http", status=503)
    migrated_s = seconds_until_ready(gateway)
    gateway.process.kill()
    ready_s = seconds_until_ready(gateway)
    wait_for(lambda: gateway.books()["waiting"] == ROWS, within_s=60)  # until it is counted
    sandbox.heal()
    began = time.monotonic()
    books = gateway.wait_until_settled(within_s=600)

    record_property("migrated_and_ready_s", round(migrated_s, 2))
    record_property("ready_after_kill_s", round(ready_s, 2))
    record_property("delivered_s", round(time.monotonic() - began))
    record_property("books", books)
    assert books == {"received": ROWS, "accepted": ROWS, "waiting": 0, "dead": 0, "dropped": 0}
    assert sandbox.counts()["unique_events"] == ROWS
    assert migrated_s < MIGRATED_WITHIN_S
    assert ready_s < READY_WITHIN_S


def test_a_file_of_a_newer_version_is_refused_with_both_versions_named(gateways):
    gateway = gateways()
    gateway.start()
    assert gateway.process.terminate() == 0
    database = sqlite3.connect(gateway.outbox / "outbox-000.db", isolation_level=None)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {NEWER}")
    database.close()
    gateway.start(ready=False)

    code = gateway.process.popen.wait(30)

    assert code != 0
    assert f"format {NEWER}, this one knows {version}" in gateway.log.read_text()
