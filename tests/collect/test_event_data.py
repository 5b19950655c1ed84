"""Event data in whatever dress it comes."""

import json
from urllib.parse import urlencode

import pytest

from tikrelay.base.errors import InputRefused
from tikrelay.collect.cookies import Cookies
from tikrelay.collect.event_data import parse
from tikrelay.collect.hit import Hit
from tikrelay.event import HitKey, Visitor

FORM = "application/x-www-form-urlencoded"
EVENT = {"event_name": "purchase", "value": 19, "x-ttq-event-id": "e-1"}
LEAD = {"x-ttq-event-name": "Lead"}


def names(parsed) -> list[str]:
    return [event.name for event in parsed.events]


def places(parsed) -> list[tuple[str, int]]:
    return [(turned.reason, turned.place) for turned in parsed.turned_away]


@pytest.mark.parametrize(
    ("query", "body", "content_type"),
    [
        (urlencode(EVENT), b"", ""),
        ("", urlencode(EVENT).encode(), FORM),
        ("", urlencode(EVENT).encode(), ""),
        ("", json.dumps(EVENT).encode(), "application/json"),
        ("", json.dumps(EVENT, indent=2).encode(), "text/plain"),
        ("", json.dumps([EVENT]).encode(), FORM),
        ("", b"\xef\xbb\xbf \r\n" + json.dumps(EVENT).encode() + b"\r\n", "application/x-ndjson"),
        ("value=19", b'{"event_name":"purchase","x-ttq-event-id":"e-1"}', ""),
        ("event_name=x&value=1&x-ttq-event-id=e-1", b'{"event_name":"purchase","value":19}', ""),
    ],
    ids=["query", "form", "form unnamed", "object", "indented", "array", "ndjson of one", "query and body", "override"],
)
def test_one_event_comes_in_every_dress(given, query, body, content_type):
    (event,) = given(query, body, content_type=content_type).events

    assert ("purchase", "data", "e-1") == (event.name, event.source, event.data["x-ttq-event-id"])
    assert "19" == str(event.data["value"])
    assert HitKey() == event.key


@pytest.mark.parametrize(
    "body",
    [
        b'{"event_name":"a"}\n{"event_name":"b"}\r\n\r\n{"event_name":"c"}\n',
        b'[{"event_name":"a"},{"event_name":"b"},{"event_name":"c"}]',
        b'[\n{"event_name":"a"},\n{"event_name":"b"},\n{"event_name":"c"}\n]',
    ],
)
@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json", ""])
def test_several_events_keep_their_order(given, body, content_type):
    assert ["a", "b", "c"] == names(given("", body, content_type=content_type))


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl", "text/plain"])
def test_a_line_that_is_broken_costs_no_other(given, content_type):
    parsed = given("", b'{"event_name":"a"\n{"event_name":"b"}\nodd\n7\n{"event_name":"c"}', content_type=content_type)

    assert ["b", "c"] == names(parsed)
    assert [("bad_line", 0), ("bad_line", 2), ("not_an_object", 3)] == places(parsed)


def test_a_first_line_that_is_no_json_costs_no_other_where_lines_are_announced(given):
    assert ["b"] == names(given("", b'odd\n{"event_name":"b"}', content_type="application/x-ndjson; charset=utf-8"))


def test_an_input_of_an_array_that_is_odd_costs_no_other(given):
    parsed = given("", [{"event_name": "a"}, {}, 5, None, [], {"event_name": ""}, LEAD])

    assert ["a", "Lead"] == names(parsed)
    assert [1, 2, 3, 4, 5] == [place for _, place in places(parsed)]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"event_name": "a", "x-ttq-event-name": "b"}, "b"),
        ({"event_name": "a", "x-ttq-event-name": ""}, "a"),
        ({"event_name": "a", "x-ttq-event-name": " "}, "a"),
        ({"event_name": "a", "x-ttq-event-name": None}, "a"),
        ({"event_name": "a", "x-ttq-event-name": ["x"]}, "a"),
        ({"event": "a"}, "a"),
        ({"event": "a", "event_name": " "}, "a"),
        ({"event": "a", "event_name": "b"}, "b"),
        ({"event": "a", "x-ttq-event-name": "b"}, "b"),
    ],
)
def test_an_x_ttq_name_counts_first_and_an_empty_one_is_not_given(given, data, name):
    assert [name] == names(given("", data))


@pytest.mark.parametrize("own", [{}, {"value": "", "items": [], "currency": None}])
def test_a_push_to_the_datalayer_is_an_event(given, own):
    told = {"transaction_id": "R-1", "value": 19, "currency": "EUR", "items": [{"item_id": "A"}]}

    (event,) = given("", {"event": "purchase", "ecommerce": told, **own}).events

    assert ("purchase", {"event": "purchase", **told}) == (event.name, event.data)


def test_what_the_event_itself_says_counts_before_its_ecommerce(given):
    own = {"transaction_id": "R-1", "value": 0, "currency": "EUR", "items": [{"item_id": "A"}]}
    other = {"transaction_id": "R-2", "value": 5, "currency": "USD", "items": [{"item_id": "B"}]}

    (event,) = given("", {"event": "purchase", **own, "ecommerce": other}).events

    assert {"event": "purchase", **own} == event.data


def test_nothing_else_is_taken_from_ecommerce(given):
    (event,) = given("", {"event": "a", "ecommerce": {"email": "a@b.example", "event_id": "e-1", "value": None}}).events

    assert {"event": "a", "ecommerce": {"email": "a@b.example", "event_id": "e-1"}} == event.data


@pytest.mark.parametrize("odd", [None, "", "x", 5, [], {}, [{"value": 1}]])
def test_an_ecommerce_that_cannot_be_read_does_not_cost_the_event(given, odd):
    (event,) = given("", {"event": "purchase", "value": 3, "ecommerce": odd}).events

    assert ("purchase", 3) == (event.name, event.data["value"])


def test_a_query_holds_ecommerce_as_json_text(given):
    (event,) = given(urlencode({"event": "purchase", "ecommerce": '{"value":3,"items":[{"item_id":"A"}]}'})).events

    assert (3, [{"item_id": "A"}]) == (event.data["value"], event.data["items"])


@pytest.mark.parametrize(
    ("data", "measurement_id"),
    [
        ({"x-ga-measurement_id": "G-SHOP"}, "G-SHOP"),
        ({"measurement_id": "G-SHOP"}, "G-SHOP"),
        ({"measurement_id": "G-OTHER", "x-ga-measurement_id": "G-SHOP"}, "G-SHOP"),
        ({"measurement_id": ""}, None),
        ({"measurement_id": 5}, None),
        ({}, None),
    ],
)
def test_event_data_tells_whose_stream_it_is_and_nothing_else_that_an_id_is_derived_from(given, data, measurement_id):
    more = {"client_id": "1.2", "x-ga-page_id": 7, "x-ga-request_count": 4}

    (event,) = given("", {"event_name": "a", **more, **data}).events

    assert HitKey(measurement_id=measurement_id) == event.key


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("", b"", 400, "no_event"),
        ("", b" \r\n", 400, "no_event"),
        ("", b"[]", 400, "no_event"),
        ("", b"{", 400, "bad_json"),
        ("", b'{\n  "event_name": "a",\n  "b": {}\n', 400, "bad_json"),
        ("", b'[{"event_name":"a"},\n{"event_name":', 400, "bad_json"),
        ("&".join(["a=1"] * 1001), b"", 413, "too_many_parameters"),
        ("&".join(f"k{number}=1" for number in range(900)), b"[" + b"{}," * 200 + b"{}]", 413, "too_many_events"),
        ("", json.dumps([LEAD] * 1001).encode(), 413, "too_many_events"),
        ("", b'{"event_name":"a"}\n' * 1001, 413, "too_many_events"),
    ],
)
def test_what_holds_no_readable_event_is_refused(given, query, body, status, code):
    with pytest.raises(InputRefused) as refused:
        given(query, body)

    assert (status, code) == (refused.value.status, refused.value.code)


def test_text_that_calls_itself_json_is_told_what_is_wrong_with_it(given):
    with pytest.raises(InputRefused) as refused:
        given("", b"event_name=a", content_type="application/json")

    assert "bad_json" == refused.value.code


def test_1000_events_are_taken(given):
    assert 1000 == len(given("", [EVENT] * 1000).events)


def test_a_form_holds_objects_as_json_text(given):
    form = urlencode(
        {
            "event_name": "purchase",
            "items": '[{"item_id":"A","price":9.5}]',
            "user_data": '{"email_address":"a@b.example"}',
            "consent_state": '{"ad_storage":false}',
            "user_properties": '{"tier":{"value":"gold"}}',
            "client_hints": '{"platform":"Linux"}',
            "x-ttq-pt-contents": '[{"content_id":"A"}]',
        }
    )

    (event,) = given("", form).events

    assert [{"item_id": "A", "price": 9.5}] == event.data["items"]
    assert {"email_address": ("a@b.example",)} == event.user_data
    assert "user_data" not in event.data
    assert "denied" == event.consent.sending
    assert {"tier": "gold"} == event.user_properties
    assert {"platform": "Linux"} == event.client_hints
    assert '[{"content_id":"A"}]' == event.data["x-ttq-pt-contents"]


def test_an_object_in_a_form_that_is_broken_does_not_cost_the_event(given):
    (event,) = given("event_name=purchase&user_data={&items=[&user_properties={}x").events

    assert ({}, {}) == (event.user_data, event.user_properties)
    assert not event.data["items"]


@pytest.mark.parametrize(
    "data",
    [
        {"user_properties": {"tier": "gold"}},
        {"user_properties": {"tier": {"value": "gold"}}},
        {"x-ga-mp2-user_properties": {"tier": "gold"}},
        {"x-ga-mp2-user_properties.tier": "gold"},
        {"user_properties.tier": "gold"},
    ],
)
def test_user_properties_come_in_every_spelling(given, data):
    (event,) = given("", {"event_name": "a", **data}).events

    assert {"tier": "gold"} == event.user_properties


def test_dotted_user_data_comes_as_from_gtag(given):
    (event,) = given("event_name=a&user_data.email=a%40b.example&user_data.address.0.city=Kiel").events

    assert {"email": ("a@b.example",), "address.city": ("Kiel",)} == event.user_data


def test_only_a_browsers_call_tells_of_the_visitor(given):
    more = {"ip": "8.8.8.8", "user_agent": "UA", "cookies": Cookies(ttclid="C", ttp="P")}

    (browser,) = given("event_name=a", from_browser=True, **more).events
    (server,) = given("event_name=a", from_browser=False, **more).events

    assert Visitor(ip="8.8.8.8", user_agent="UA", ttclid_cookie="C", ttp_cookie="P") == browser.visitor
    assert Visitor() == server.visitor


def test_what_all_events_share_stands_in_the_query(given):
    events = given("currency=EUR&event_name=purchase", [{"value": 1}, {"value": 2, "currency": "CHF"}]).events

    assert [("purchase", "EUR"), ("purchase", "CHF")] == [(event.name, event.data["currency"]) for event in events]


@pytest.mark.parametrize(
    "query",
    [
        "consent_state.ad_storage=denied",
        "consent_state.ad_storage=false",
        "consent.ad_storage=denied",
        "consent=denied",
        "ad_storage=denied",
        'consent_state={"ad_storage":"denied"}',
    ],
)
def test_a_no_is_heard_however_it_is_written(query):
    (event,) = parse(Hit(query=f"event_name=a&{query}", received_at=0)).events

    assert event.consent.sending == "denied"


def test_a_consent_state_that_says_nothing_is_told():
    parsed = parse(Hit(query="event_name=a&consent_state.ad_storage=maybe", received_at=0))

    assert [(place, notice.field) for place, notice in parsed.notices] == [(0, "consent_state")]


@pytest.mark.parametrize(
    "data",
    [
        {"consent_state": {"ad_storage": True}, "x-ga-gcd": "13r3r3p3r5l1"},
        {"consent_state": {"ad_storage": "granted"}, "ad_user_data": "denied"},
        {"x-ga-gcs": "G111", "consent": {"ad_user_data": False}},
    ],
)
def test_each_purpose_is_read_from_its_own_first_source(data):
    (event,) = parse(Hit(query="", body=json.dumps({"event_name": "a", **data}).encode(), received_at=0)).events

    assert (event.consent.sending, event.consent.user_data) == ("granted", "denied")
