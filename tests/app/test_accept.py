"""The main path, through real processes: a hit goes in, TikTok accepts an event, the books balance."""

import json
from collections import Counter

import pytest

from harness import get, get_json, purchase, wait_for
from tikrelay.outbox.figures import MARKS


def test_a_purchase_is_accepted_by_tiktok(gateway, sandbox):
    assert gateway.hit(purchase(1)) == 204

    (event,) = sandbox.wait_for_events(1)

    assert (event["event"], event["event_id"], event["properties"]["value"]) == ("PlaceAnOrder", "R-1", 19)


def test_each_event_has_one_outcome_in_the_books(gateway, sandbox):
    sandbox.fault("refuse", event_id="R-2")
    for number in range(1, 5):
        gateway.hit(purchase(number))
    gateway.hit(purchase(9, en="scroll"))
    gateway.hit(purchase(9, gcs="G100"))

    books = gateway.wait_until_settled()

    assert books == {"received": 6, "accepted": 3, "waiting": 0, "dead": 1, "dropped": 2}
    (dead,) = gateway.dead()
    assert (dead["event_id"], dead["reason"], dead["code"]) == ("R-2", "refused", 40002)
    assert len(dead["request_id"]) == 34


def test_a_receipt_says_what_became_of_each_event(gateway):
    status, receipt = gateway.data([{"event_name": "purchase", "event_id": "a"}, {"event_name": "scroll"}, {"x": 1}])

    assert status == 200
    assert [event["outcome"] for event in receipt["events"]] == ["stored", "dropped", "refused"]
    assert receipt["events"][1]["reason"] == "no_mapping"


def test_a_receipt_holds_nobodys_address(gateway):
    _, receipt = gateway.data([{"event_name": "ann@shop.example"}, {"event_name": "call +49 151 55501234"}])

    assert ["***", "call ***"] == [event["event"] for event in receipt["events"]]


def test_a_stored_event_tells_where_its_fields_came_from(gateway):
    gateway.hit(purchase(1, **{"ep.user_data.email": "ann@shop.example"}))
    gateway.wait_until_settled()
    (row,) = get_json(f"{gateway.admin_url}/api/events")["events"]
    trace = get_json(f"{gateway.admin_url}/api/events/{row['ref']}")["trace"]

    assert ("purchase", "shop.example", "19", "EUR") == tuple(
        row[key] for key in ("given", "site", "value", "currency")
    )
    assert ("ga4_web", False) == (trace["route"], trace["cut"])
    assert [("user_data.email", "a*** (16 characters)", "taken")] == [
        (one["source"], one["given"], one["outcome"]) for one in trace["sources"] if one["field"] == "user.email"
    ]


def test_match_keys_ids_and_warnings_are_counted(gateway):
    gateway.data({"event_name": "contact", "event_id": 7, "email": "ann@shop.example", "value": "soon"})
    gateway.data({"event_name": "contact"})
    figures = get_json(f"{gateway.admin_url}/api/figures?begin=0")
    marks = Counter[str]()
    for _, _, event, *_, carried in figures["periods"]:
        marks.update({mark: count for mark, count in zip(MARKS, carried, strict=True) if event == "Contact"})
    warned = {what for _, _, _, kind, what, _ in figures["tallies"] if kind == "warned"}

    assert {"email": 1, "own_id": 1, "number_id": 1} == {mark: count for mark, count in marks.items() if count}
    assert {"unusable", "id_as_number", "no_event_id"} <= warned


def test_an_event_goes_to_every_destination_under_one_id(gateways, sandbox):
    two = [
        {"name": "a", "event_source_id": "C0AAAAAAAAAAAAAAAAAA"},
        {"name": "b", "event_source_id": "C0BBBBBBBBBBBBBBBBBB"},
    ]
    gateway = gateways(destinations=two).start()
    gateway.data({"event_name": "contact"})

    first, second = sandbox.wait_for_events(2)

    assert first["event_id"] == second["event_id"]
    assert {"C0AAAAAAAAAAAAAAAAAA", "C0BBBBBBBBBBBBBBBBBB"} == {e["_"]["event_source_id"] for e in (first, second)}


def test_the_debug_route_explains_and_stores_nothing(gateway):
    body = {"client_id": "1.2", "events": [{"name": "purchase", "params": {"transaction_id": "R-7", "value": 5}}]}

    status, _, answer = get(f"{gateway.url}/debug/mp/collect?measurement_id=G-1", data=json.dumps(body).encode())

    told = json.loads(answer)
    assert status == 200
    assert told["validationMessages"] == []
    assert told["tikrelay"][0]["tiktok"]["event_id"] == "R-7"
    assert gateway.books()["received"] == 0


def test_the_debug_route_tells_strangers_nothing_of_the_operators_conditions(gateways):
    rule = {"name": "staff", "drop": True, "when": {"ip": "198.51.100.7"}}
    gateway = gateways(destinations=[{"rules": [rule]}]).start()
    body = {"client_id": "1.2", "events": [{"name": "contact"}]}

    _, _, answer = get(f"{gateway.url}/debug/mp/collect?measurement_id=G-1", data=json.dumps(body).encode())

    assert b"198.51.100.7" not in answer
    assert [None] == [told.get("not_applied") for told in json.loads(answer)["tikrelay"]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "http", "status": 502}, "HTTP 502"),
        ({"kind": "code", "code": 51012, "message": "busy"}, "code 51012 busy"),
    ],
)
def test_a_failing_destination_says_what_the_other_end_said(gateway, sandbox, fault, words):
    sandbox.fault(**fault)
    gateway.hit(purchase(1))

    shop = wait_for(lambda: (row := gateway.status()["destinations"]["shop"])["state"] == "failing" and row)

    assert shop["reason"] == words


def test_each_destination_takes_its_own_and_one_event_becomes_two(gateways, sandbox):
    two = [
        {"name": "a", "event_source_id": "C0AAAAAAAAAAAAAAAAAA", "hosts": ["a.example"]},
        {
            "name": "b",
            "event_source_id": "C0BBBBBBBBBBBBBBBBBB",
            "measurement_ids": ["G-B"],
            "events": {"contact": ["Contact", "Called"]},
        },
    ]
    gateway = gateways(destinations=two).start()
    gateway.hit(purchase(1, en="contact", tid="G-B", dl="https://a.example/"))
    gateway.hit(purchase(2, en="contact", tid="G-C", dl="https://a.example/"))
    gateway.hit(purchase(3, en="contact", tid="G-C", dl="https://c.example/"))

    found = sandbox.wait_for_events(4)

    books = gateway.wait_until_settled()
    assert {("C0A", "Contact"): 2, ("C0B", "Contact"): 1, ("C0B", "Called"): 1} == Counter(
        (event["_"]["event_source_id"][:3], event["event"]) for event in found
    )
    assert (7, 4, 3) == (books["received"], books["accepted"], books["dropped"])


def test_a_test_of_one_event_goes_out_as_one_and_others_do_not(gateway, sandbox):
    gateway.hit(purchase(1, **{"ep.x-ttq-test-event-code": "TEST111"}))
    gateway.hit(purchase(2))

    found = sandbox.wait_for_events(2)

    codes = {event["event_id"]: event["_"].get("test_event_code") or "" for event in found}
    assert {"R-1": "TEST111", "R-2": ""} == codes


def test_what_a_destination_has_no_room_for_is_dropped_and_the_others_get_it(gateways, sandbox):
    two = [
        {"name": "full", "event_source_id": "C0AAAAAAAAAAAAAAAAAA", "max_waiting": 3},
        {"name": "free", "event_source_id": "C0BBBBBBBBBBBBBBBBBB"},
    ]
    sandbox.fault("http", status=500)
    gateway = gateways(destinations=two).start()
    gateway.data([{"event_name": "contact"}] * 2)
    _, receipt = gateway.data([{"event_name": "contact"}] * 4)
    status = gateway.status()["destinations"]

    assert ["stored"] * 4 == [event["outcome"] for event in receipt["events"]]
    assert [()] + [("not for destination full: dropped, over_quota",)] * 3 == [
        tuple(warning for warning in event.get("warnings", ()) if "over_quota" in warning)
        for event in receipt["events"]
    ]
    assert (6, 3, 3) == tuple(status["full"][column] for column in ("received", "waiting", "dropped"))
    assert {"over_quota": 3} == status["full"]["drop_reasons"]
    assert (6, 6, 0) == tuple(status["free"][column] for column in ("received", "waiting", "dropped"))


def test_an_event_no_destination_has_room_for_is_told_as_dropped(gateways, sandbox):
    sandbox.fault("http", status=500)
    gateway = gateways(destinations=[{"max_waiting": 1}]).start()
    _, receipt = gateway.data([{"event_name": "contact"}, {"event_name": "search"}])

    assert [("stored", ""), ("dropped", "over_quota")] == [
        (event["outcome"], event.get("reason", "")) for event in receipt["events"]
    ]
    sandbox.heal()
    assert {"received": 2, "accepted": 1, "waiting": 0, "dead": 0, "dropped": 1} == gateway.wait_until_settled()


def test_an_address_has_the_same_rate_however_many_workers_it_meets(gateways):
    once_in_s = 50
    gateway = gateways(
        server={"workers": 2, "trusted_proxies": ["127.0.0.1"]},
        limits={"requests_per_address_per_s": 1 / once_in_s},
    ).start()
    visitor = {"X-Forwarded-For": "8.8.8.8"}
    tries = (get(f"{gateway.url}/g/collect?{purchase(number)}", headers=visitor) for number in range(100))

    held_up = next(headers for status, headers, _ in tries if status == 429)

    assert once_in_s < int(held_up["Retry-After"]) <= 2 * once_in_s
