"""What becomes of a server's events when its files are spoilt or taken away, and it is killed with kill -9."""

import json

import pytest

from harness import purchase, wait_for
from tikrelay.outbox.log_tail import log_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
EVENTS = 200


@pytest.fixture
def filled(gateways, sandbox):
    """A server that holds events, most of them in the log."""
    gateway = gateways().start()
    sandbox.fault("http", status=503, times=1000)
    for number in range(EVENTS):
        assert 204 == gateway.hit(purchase(number))
    wait_for(lambda: gateway.books()["waiting"] == EVENTS)
    return gateway


def kinds(gateway):
    return {trouble["kind"] for trouble in gateway.status()["troubles"]}


def arrived(sandbox):
    return {event["event_id"] for event in sandbox.events()}


EXPECTED = {f"R-{number}" for number in range(EVENTS)}


def test_a_flipped_bit_in_the_log_of_a_killed_server_loses_nothing(filled, sandbox):
    filled.process.kill()
    log = log_of(filled.outbox / "outbox-000.db")
    data = bytearray(log.read_bytes())
    data[len(data) // 10] ^= 1
    log.write_bytes(data)
    sandbox.heal()
    filled.start()
    sandbox.wait_for_events(EVENTS - 1, within_s=60)
    books = filled.wait_until_settled(within_s=60)

    assert len(EXPECTED - arrived(sandbox)) <= 1  # the one the bit may have hit
    assert "log_kept" in kinds(filled)
    assert books["received"] == books["accepted"] + books["dead"] + books["dropped"], json.dumps(books)
    assert filled.said("log_kept")


def test_a_log_that_was_removed_under_a_running_server_loses_nothing(filled, sandbox):
    log_of(filled.outbox / "outbox-000.db").unlink()
    wait_for(lambda: filled.said("store_failed") or None, within_s=20)
    filled.process.kill()
    sandbox.heal()
    filled.start()
    filled.wait_until_settled(within_s=60)

    assert EXPECTED == arrived(sandbox)


def test_a_file_that_was_emptied_while_no_server_ran_is_told_of(filled, sandbox):
    filled.process.terminate()
    (filled.outbox / "outbox-000.db").write_bytes(b"")
    sandbox.heal()
    filled.start()

    assert filled.said("outbox_vanished")
    assert "file_vanished" in kinds(filled)
    assert 204 == filled.hit(purchase(EVENTS))


def test_a_log_whose_file_is_gone_comes_back_though_no_worker_has_its_number(gateways, sandbox):
    gateway = gateways().start()
    sandbox.fault("http", status=503, times=1000)
    assert 204 == gateway.hit(purchase(0))
    gateway.process.kill()
    lost = gateway.outbox / "outbox-003.db"
    log_of(gateway.outbox / "outbox-000.db").rename(log_of(lost))
    (gateway.outbox / "outbox-000.db").unlink()
    sandbox.heal()
    gateway.start()

    assert {"R-0"} == {event["event_id"] for event in sandbox.wait_for_events(1, within_s=30)}
    assert lost.exists()
