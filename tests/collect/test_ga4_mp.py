"""Measurement Protocol bodies."""

import pytest

from tikrelay.base.errors import InputRefused
from tikrelay.collect.ga4_mp import validate
from tikrelay.collect.hit import Hit
from tikrelay.event import Consent, Visitor


def one(parsed):
    (event,) = parsed.events
    return event


def purchase(**more):
    return {"client_id": "1.2", "events": [{"name": "purchase", "params": {"value": 5}}], **more}


def test_parameters_keep_their_json_types(protocol):
    params = {
        "value": 9.5,
        "items": [{"item_id": "A", "quantity": 2}],
        "ok": True,
        "deep": {"a": [1]},
        "x-ttq-event-id": "e",
    }

    event = one(protocol({"client_id": "1.2", "events": [{"name": "purchase", "params": params}]}))

    assert {**params, "client_id": "1.2"} == event.data
    assert ("purchase", "ga4_mp") == (event.name, event.source)


def test_what_the_request_says_counts_for_all_its_events(protocol):
    body = {
        "client_id": "1.2", "user_id": "U", "user_agent": "UA", "ip_override": "8.8.8.8",
        "timestamp_micros": "1795312000000000",
        "user_data": {"email_address": ["a@b.example"], "address": [{"city": "Kiel"}]},
        "user_properties": {"tier": {"value": "gold"}, "bare": 5, "none": {}},
        "user_location": {"city": "Kiel"}, "device": {"language": "de"}, "session_id": 9,
        "events": [
            {"name": "a"}, {"name": "b", "params": {"user_agent": "own", "ip_override": "1.1.1.1", "session_id": 7}},
        ],
    }  # fmt: skip

    first, second = protocol(body, "measurement_id=G-SHOP").events

    assert {
        "client_id": "1.2", "user_id": "U", "user_agent": "UA", "ip_override": "8.8.8.8", "language": "de",
        "request.timestamp_micros": "1795312000000000", "event_location": {"city": "Kiel"}, "ga_session_id": 9,
    }.items() <= first.data.items()  # fmt: skip
    assert {"email_address": ("a@b.example",), "address.city": ("Kiel",)} == first.user_data == second.user_data
    assert {"tier": "gold", "bare": 5, "none": None} == first.user_properties
    assert ("UA", "8.8.8.8", 7) == (second.data["user_agent"], second.data["ip_override"], second.data["ga_session_id"])
    assert ("G-SHOP", "1.2") == (second.key.measurement_id, second.key.client_id)


def test_an_events_own_agent_counts_where_the_request_names_none(protocol):
    event = one(protocol({"events": [{"name": "a", "params": {"user_agent": "own", "ip_override": "8.8.8.8"}}]}))

    assert ("own", "8.8.8.8") == (event.data["user_agent"], event.data["ip_override"])


def test_the_senders_own_address_agent_and_cookies_are_nobodys(protocol):
    assert Visitor() == one(protocol(purchase(), ip="8.8.8.8", user_agent="Python", from_browser=False)).visitor


@pytest.mark.parametrize("when", [1795312000000000, "1795312000000000", "soon", 1.5])
def test_an_events_time_and_the_requests_are_told_apart(protocol, when):
    event = one(protocol({"timestamp_micros": 1, "events": [{"name": "a", "timestamp_micros": when}]}))

    assert (when, 1) == (event.data["timestamp_micros"], event.data["request.timestamp_micros"])


def test_a_single_event_may_be_an_object(protocol):
    assert "purchase" == one(protocol({"events": {"name": "purchase"}})).name


def test_an_app_is_known_by_its_instance(protocol):
    event = one(protocol({"app_instance_id": "ab" * 16, "events": [{"name": "a"}]}, "firebase_app_id=1:2:web:3"))

    assert ("1:2:web:3", "ab" * 16) == (event.key.measurement_id, event.key.client_id)


@pytest.mark.parametrize("count", [25, 26, 1000])
def test_more_events_are_taken_than_google_takes(protocol, count):
    assert count == len(protocol({"events": [{"name": "a" * 41}] * count}).events)


def test_an_event_without_a_name_costs_no_other(protocol):
    parsed = protocol(
        {"events": [{"name": "a"}, {"params": {}}, "odd", None, {"name": " "}, {"name": True}, {"name": 5}]}
    )

    assert ["a", "5"] == [event.name for event in parsed.events]
    assert [1, 2, 3, 4, 5] == [turned.place for turned in parsed.turned_away]


def test_an_x_ttq_name_counts_before_the_name(protocol):
    assert "Lead" == one(protocol({"events": [{"name": "a", "params": {"x-ttq-event-name": "Lead"}}]})).name
    assert "Lead" == one(protocol({"events": [{"params": {"x-ttq-event-name": "Lead"}}]})).name


@pytest.mark.parametrize(
    "odd", [{"params": "x"}, {"params": [1]}, {"params": None}, {"params": {"user_data": "x", "items": {}, "": 1}}]
)
def test_a_part_that_cannot_be_read_does_not_cost_the_event(protocol, odd):
    body = {
        "user_properties": [1],
        "user_data": 5,
        "consent": "x",
        "device": [],
        "client_id": {},
        "timestamp_micros": {},
    }

    assert "purchase" == one(protocol({**body, "events": [{"name": "purchase", **odd}]})).name


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, "no_object"), (5, 400, "no_object"), ("", 400, "empty_body"), ("{", 400, "bad_json"),
        ({}, 400, "no_event"), ({"events": []}, 400, "no_event"), ({"events": "x"}, 400, "no_event"),
        ({"events": [{"name": "a"}] * 1001}, 413, "too_many_events"),
    ],
)  # fmt: skip
def test_a_body_without_events_is_refused(protocol, body, status, code):
    with pytest.raises(InputRefused) as refused:
        protocol(body)

    assert (status, code) == (refused.value.status, refused.value.code)


def test_consent_is_the_requests(protocol):
    assert (
        Consent(sending="denied", user_data="denied")
        == one(protocol(purchase(consent={"ad_user_data": "DENIED"}))).consent
    )


@pytest.mark.parametrize(
    "params",
    [
        {"consent_state": {"ad_storage": False}}, {"consent_state.ad_storage": "denied"}, {"consent": "denied"},
        {"x-ga-gcs": "G100"}, {"x-ga-gcd": "13p3p3p3p5l1"}, {"ad_storage": "denied"}, {"ad_user_data": 0},
        {"privacy_info": {"ads_storage": "No"}},
    ],
)  # fmt: skip
def test_a_no_in_an_event_is_heard_as_at_data_and_for_that_event_alone(protocol, params):
    first, second = protocol({"consent": {"ad_user_data": "GRANTED"}, "events": [
        {"name": "a", "params": params}, {"name": "b"},
    ]}).events  # fmt: skip

    assert ("denied", "granted") == (first.consent.sending, second.consent.sending)


def test_what_an_event_does_not_say_itself_is_taken_from_its_ecommerce(protocol):
    ecommerce = {"value": 5, "currency": "EUR", "transaction_id": "R-1", "items": [{"item_id": "A"}]}

    event = one(protocol({"events": [{"name": "purchase", "params": {"value": 7, "ecommerce": ecommerce}}]}))

    assert {**ecommerce, "value": 7} == event.data


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b'{"client_id":"1.2","events":[{"name":"purchase","params":{}}]}', []),
        (b'{"app_instance_id":"x","events":{"name":"a"}}', []),
        (b"{", [("", "VALUE_INVALID")]),
        (b"{}", [("client_id", "VALUE_REQUIRED"), ("events", "VALUE_REQUIRED")]),
        (b'{"client_id":"1","events":[{},5]}', [("events[0].name", "VALUE_REQUIRED"), ("events[1]", "VALUE_INVALID")]),
        (b'{"client_id":"1","events":[{"name":"1a"}]}', [("events[0].name", "NAME_INVALID")]),
        (b'{"client_id":"1","events":[{"name":"first_visit"}]}', [("events[0].name", "NAME_RESERVED")]),
        (b'{"client_id":"1","events":[{"name":"a","params":[]}]}', [("events[0].params", "VALUE_INVALID")]),
        (
            b'{"client_id":"1","events":[{"name":"a","params":{"ga_x":1,"1":2}}]}',
            [("events[0].params.ga_x", "NAME_RESERVED"), ("events[0].params.1", "NAME_INVALID")],
        ),
        (
            b'{"client_id":"1","events":[' + b",".join([b'{"name":"a"}'] * 26) + b"]}",
            [("events", "EXCEEDED_MAX_ENTITIES")],
        ),
    ],
)
def test_a_body_is_validated_in_googles_shape(body, messages):
    found = validate(Hit(query="", body=body, received_at=0.0))

    assert messages == [(message["fieldPath"], message["validationCode"]) for message in found]
    assert all(message["description"] for message in found)


def test_too_many_parameters_are_told():
    params = ",".join(f'"p{number}":1' for number in range(26))
    body = f'{{"client_id":"1","events":[{{"name":"a","params":{{{params}}}}}]}}'

    (message,) = validate(Hit(query="", body=body.encode(), received_at=0.0))

    assert ("events[0].params", "EXCEEDED_MAX_ENTITIES") == (message["fieldPath"], message["validationCode"])
