"""The server's health, as its status tells and as somebody is told."""

import http.server
import json
import threading

import pytest

from clocks import HandTurnedClock
from harness import purchase, wait_for
from tikrelay.app.health import NewlyDead
from tikrelay.outbox.store import Books


@pytest.fixture
def hook():
    """An address for alarms, and what was posted to it."""
    posted: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/s3cret-hook", posted
        server.shutdown()
        thread.join()


def test_a_pause_is_posted_when_it_begins_and_when_it_is_over(gateways, sandbox, hook):
    address, posted = hook
    gateway = gateways(alarms={"webhook": address, "after": "1s", "repeat": "1h"}).start()
    sandbox.fault("code", code=40105)
    gateway.hit(purchase(1))
    wait_for(lambda: posted, within_s=20)
    sandbox.heal()
    wait_for(lambda: len(posted) == 2, within_s=20)

    assert [(one["kind"], one["about"], one["level"], one["state"]) for one in posted] == [
        ("destination_paused", "shop", "now", "begun"),
        ("destination_paused", "shop", "now", "ended"),
    ]
    assert "token" in posted[0]["text"]
    assert [line["state"] for line in gateway.said("alarm")] == ["begun", "ended"]
    assert 'tikrelay_alarms_total{outcome="sent"} 2.0' in gateway.metrics()
    assert "s3cret-hook" not in gateway.log.read_text()


def test_status_tells_what_is_well_and_what_is_not(gateway, sandbox):
    sandbox.fault("refuse", event_id="R-1")
    gateway.hit(purchase(1))
    gateway.hit(purchase(2, **{"ep.event_id": "own", "dl": "https://shop.example/?ttclid=E.C.P.abc"}))
    wait_for(lambda: gateway.books()["dead"] == 1 and gateway.books()["accepted"] == 1)
    status = gateway.status()

    assert [trouble["kind"] for trouble in status["troubles"]] == ["dead_letters"]
    shop = status["destinations"]["shop"]
    assert (shop["new_dead"], shop["dead_reasons"]) == (1, {"refused": 1})
    assert shop["traits"] == {"all": 2, "no_event_id": 0, "no_click_id": 1}
    assert [(store["outbox"], store["ready"]) for store in status["stores"]] == [("outbox-000.db", True)]
    assert (status["accepting"], status["deaths"], status["clock"]) == (True, 0, None)
    assert status["free_bytes"] > 0
    assert 'tikrelay_event_traits_total{destination="shop",trait="no_click_id"} 1.0' in gateway.metrics()


def dead(count: int, *, replayed: int = 0) -> Books:
    return Books(dead={("shop", "refused"): count}, replayed={("shop", "refused"): replayed})


def test_only_what_died_within_the_hour_is_new():
    clock = HandTurnedClock()
    newly = NewlyDead(clock.monotonic)
    seen = [newly.note({"a": dead(7)})["shop"]]
    for count in (8, 8):
        clock.time += 1800
        seen.append(newly.note({"a": dead(count)})["shop"])
    for _ in range(60):
        clock.time += 60
        newly.note({"a": dead(8)})

    assert [0, 1, 1] == seen
    assert 0 == newly.note({"a": dead(8)})["shop"]


def test_a_letter_that_was_replayed_is_no_new_one():
    newly = NewlyDead(HandTurnedClock().monotonic)
    newly.note({"a": dead(7)})

    assert 0 == newly.note({"a": dead(2, replayed=5)})["shop"]


def test_the_letters_of_a_file_that_comes_back_are_not_new_and_those_of_the_others_are():
    newly = NewlyDead(HandTurnedClock().monotonic)
    newly.note({"a": dead(1)})

    assert 2 == newly.note({"a": dead(3), "repaired": dead(40)})["shop"]
    assert 3 == newly.note({"a": dead(3), "repaired": dead(41)})["shop"]


def test_a_damaged_file_hides_no_dead_letters(gateway, sandbox):
    (gateway.outbox / "outbox-007.db").touch()
    (gateway.outbox / "outbox-007.damaged").touch()
    sandbox.fault("refuse", event_id="R-1")
    gateway.hit(purchase(1))
    wait_for(lambda: gateway.books()["dead"] == 1)
    troubles = gateway.status()["troubles"]

    assert ["file_damaged", "dead_letters"] == [trouble["kind"] for trouble in troubles]
