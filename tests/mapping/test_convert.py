"""The walk over the table, from the request to TikTok's exact JSON."""

import json

import msgspec
import pytest

from tikrelay.event import Dropped, DropReason

PAGE = "dl=https%3A%2F%2Fshop.example%2Fp"


def test_an_event_without_anything_is_still_an_event(convert):
    outcome = convert("view_item")

    assert {"event": "ViewContent", "event_time": 1795312345, "event_id": "fallback"} == outcome.body
    assert ["no_event_id", "no_contents", "no_match_key"] == [notice.kind for notice in outcome.notices]


@pytest.mark.parametrize(
    ("user", "is_told"),
    [
        ({"ttclid": "E.C.P.a"}, False), ({"ttp": "a"}, False), ({"email": "a@s.example"}, False),
        ({"user_id": "7"}, False),
        ({"phone": "+12133734253"}, False), ({"user_agent": "UA", "ip_override": "8.8.4.4"}, False),
        ({"user_agent": "UA"}, True), ({"ip_override": "8.8.4.4"}, True), ({"first_name": "Ann"}, True),
    ],
)  # fmt: skip
def test_an_event_that_nobody_can_be_matched_by_is_told(kinds, user, is_told):
    assert is_told is (("no_match_key", "user") in kinds(data=user))


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("scroll", {}, DropReason.NO_MAPPING),
        ("click", {"events": {"click": ""}}, DropReason.BY_RULE),
        ("contact", {"consent_rule": "required"}, DropReason.CONSENT_MISSING),
    ],
)
def test_a_rule_drops_an_event_for_a_reason(convert, name, settings, reason):
    assert Dropped(reason) == convert(name, settings=settings)


def test_the_payloads_keys_have_their_order(web):
    (event,) = web(
        f"{PAGE}&dr=https%3A%2F%2Fa.example%2F&en=purchase&uid=7&ul=de&cu=EUR&epn.value=3&ep.transaction_id=R-1"
        "&pr1=idA~pr3&uap=Linux&uamb=0",
        headers={"User-Agent": "UA", "X-Forwarded-For": "8.8.4.4", "Cookie": "_ttp=t; ttclid=c"},
    )

    assert ["event", "event_time", "event_id", "user", "page", "properties", "device"] == list(event)
    assert ["external_id", "ttclid", "ttp", "ip", "user_agent", "locale"] == list(event["user"])
    assert ["contents", "content_type", "content_ids", "num_items", "currency", "value", "order_id"] == list(
        event["properties"]
    )


def test_mapping_the_same_event_again_gives_the_same_bytes(convert):
    given = {"data": {"items": [{"item_id": "1", "price": 0.1}], "email": ["a@s.example", "b@s.example"]}}

    assert msgspec.json.encode(convert(**given).body) == msgspec.json.encode(convert(**given).body)


def test_an_x_ttq_parameter_of_a_browsers_hit_wins_and_is_consumed(web, sha256):
    (event,) = web(
        f"{PAGE}&en=anything&cu=EUR&ul=de&ep.x-ttq-event-name=add_to_cart&epn.x-ttq-timestamp=1795312001"
        "&ep.x-ttq-event-id=e-9&ep.x-ttq-ct-ip-adress=8.8.4.4&ep.x-ttq-ct-user-agent=App%2F1"
        "&ep.x-ttq-ct-page-url=https%3A%2F%2Fs.example%2Fa&ep.x-ttq-ct-page-referrer=https%3A%2F%2Fs.example%2Fb"
        "&ep.x-ttq-ttclid=E.C.P.x&ep.x-ttq-ud-external-id=U&ep.x-ttq-ud-email=A%40s.example"
        "&ep.x-ttq-ud-phone-number=%2B12133734253&ep.x-ttq-pt-contents=%5B%7B%22content_id%22%3A%22S%22%7D%5D"
        "&ep.x-ttq-pt-currency=usd&ep.x-ttq-pt-value=1.299%2C00&ep.x-ttq-pt-description=d&ep.x-ttq-pt-query=q",
        headers={"User-Agent": "Seen/1", "X-Forwarded-For": "8.8.8.8"},
    )

    assert {
        "event": "AddToCart", "event_time": 1795312001, "event_id": "e-9",
        "user": {
            "external_id": sha256("U"), "email": sha256("a@s.example"), "phone": sha256("+12133734253"),
            "ttclid": "E.C.P.x", "ip": "8.8.4.4", "user_agent": "App/1", "locale": "de",
        },
        "page": {"url": "https://s.example/a", "referrer": "https://s.example/b"},
        "properties": {
            "contents": [{"content_id": "S", "content_type": "product", "quantity": 1}], "content_type": "product",
            "content_ids": ["S"], "num_items": 1, "currency": "USD", "value": 1299, "query": "q", "search_string": "q",
            "description": "d",
        },
    } == event  # fmt: skip


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("/mp/collect", {"client_id": "1", "events": [{"name": "x", "params": {"x-ttq-event-name": "Submitform"}}]}),
        ("/data", {"x-ttq-event-name": "Submitform", "event_name": "x"}),
        ("/data?x-ttq-event-name=Submitform", {"event_name": "x"}),
    ],
)
def test_an_x_ttq_parameter_comes_by_every_way(posted, url, text):
    assert ["SubmitForm"] == [event["event"] for event in posted(url, json.dumps(text))]


@pytest.mark.parametrize(
    ("event_time", "of_event", "of_request", "at"),
    [
        (1795312001, 1795312002000000, 1795312003000000, 1795312001),
        (None, 1795312002000000, 1795312003000000, 1795312002),
        (None, None, "1795312003000000", 1795312003),
        (None, None, None, 1795312345),
    ],
)
def test_a_measurement_protocol_events_time_is_the_nearest_said(posted, event_time, of_event, of_request, at):
    event = {"name": "contact", "timestamp_micros": of_event, "params": {"x-ttq-timestamp": event_time}}
    text = {"client_id": "1", "timestamp_micros": of_request, "events": [event]}

    assert at == posted("/mp/collect", json.dumps(text))[0]["event_time"]


def test_a_servers_own_address_and_agent_are_never_the_visitors(posted):
    headers = {"User-Agent": "python-requests/2", "X-Forwarded-For": "8.8.4.4"}

    for url, text in (
        ("/mp/collect", '{"client_id": "1", "events": [{"name": "contact"}]}'),
        ("/data", '{"event_name": "contact"}'),
    ):
        assert "user" not in posted(url, text, headers=headers)[0]


def test_the_visitors_address_and_agent_may_be_said(posted):
    text = {"ip_override": "8.8.8.8", "user_agent": "UA", "client_id": "1", "events": [{"name": "contact"}]}

    assert {"ip": "8.8.8.8", "user_agent": "UA"} == posted("/mp/collect", json.dumps(text))[0]["user"]


def test_user_data_of_a_measurement_protocol_body_is_taken_hashed(posted, sha256):
    address = {
        "sha256_first_name": sha256("ann"),
        "city": "Bonn",
        "region": "NW",
        "postal_code": "53111",
        "country": "DE",
    }
    people = {"sha256_email_address": [sha256("a@s.example").upper(), sha256("b@s.example")], "address": [address]}
    text = {"client_id": "1", "user_id": "U", "user_data": people, "events": [{"name": "contact"}]}

    assert {
        "external_id": sha256("U"), "email": [sha256("a@s.example"), sha256("b@s.example")],
        "first_name": sha256("ann"), "zip_code": sha256("53111"), "city": "bonn", "state": "nw", "country": "de",
    } == posted("/mp/collect", json.dumps(text))[0]["user"]  # fmt: skip


def test_the_first_of_several_addresses_counts(web, sha256):
    (event,) = web(
        f"{PAGE}&en=contact&ep.user_data.address.0.first_name=Ann&ep.user_data.address.0.city=Bonn"
        "&ep.user_data.address.1.first_name=Bob&ep.user_data.address.1.last_name=Lee&ep.user_data.address.1.city=Rom"
    )

    assert {"first_name": sha256("ann"), "city": "bonn"} == event["user"]


def test_a_plain_value_of_an_address_goes_before_its_hash(web, sha256):
    (event,) = web(
        f"{PAGE}&en=contact&ep.user_data.address.first_name=Ann&ep.user_data.address.sha256_first_name={sha256('bob')}"
        f"&ep.user_data.email=a%40s.example&ep.user_data.sha256_email_address={sha256('b@s.example')}"
    )

    assert {"first_name": sha256("ann"), "email": sha256("a@s.example")} == event["user"]


def test_a_batchs_second_event_has_nothing_of_the_firsts(web):
    first, second = web(PAGE, lines="en=view_item&cu=EUR&epn.value=3&pr1=idA\r\nen=custom_event")

    assert {"EUR"} == {first["properties"]["currency"]}
    assert "properties" not in second


def test_a_lines_own_page_wins_over_the_querys(web):
    first, second = web(PAGE, lines="en=page_view\r\nen=page_view&dl=https%3A%2F%2Fshop.example%2Fother")

    assert ["https://shop.example/p", "https://shop.example/other"] == [first["page"]["url"], second["page"]["url"]]


@pytest.mark.parametrize(
    ("cookie", "ttclid"), [("ttclid=a; ttclid=b", "a"), ("x; ttclid=a", "a"), ("ttclid=; _ttp=t", None)]
)
def test_of_a_cookie_that_comes_twice_the_first_counts(web, cookie, ttclid):
    (event,) = web(f"{PAGE}&en=contact", headers={"Cookie": cookie})

    assert ttclid == event.get("user", {}).get("ttclid")


def test_a_click_id_in_the_page_wins_over_the_parameter_and_the_cookie(web):
    (event,) = web(
        "dl=https%3A%2F%2Fs.example%2F%3Fttclid%3DE.C.P.page&en=contact&ep.x-ttq-ttclid=E.C.P.param",
        headers={"Cookie": "ttclid=E.C.P.cookie"},
    )

    assert "E.C.P.page" == event["user"]["ttclid"]


@pytest.mark.parametrize(
    "value", ["ep.value=7630", "epn.value=7630", "ep.value=7.630%2C00", "ep.value=7%2C630.00%20EUR"]
)
def test_a_value_that_comes_as_text_is_a_number(web, value):
    assert 7630 == web(f"{PAGE}&en=purchase&cu=EUR&{value}")[0]["properties"]["value"]


@pytest.mark.parametrize(
    "wrong",
    [
        "ep.x-ttq-pt-value=abc", "ep.x-ttq-timestamp=soon", "ep.email=nobody", "cu=%E2%82%AC", "dl=javascript%3A1",
        "ul=%3F", "ep.items=x", "pr1=~~~", "ep.phone=12", "ep.x-ttq-pt-contents=%5B", "ep.x-ttq-ct-ip-adress=x",
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_read_never_costs_the_event(web, wrong):
    (event,) = web(f"en=purchase&ep.transaction_id=R-1&{wrong}")

    assert ("PlaceAnOrder", "R-1", 1795312345) == (event["event"], event["event_id"], event["event_time"])


# One event, none or several.


def test_one_event_becomes_several_under_one_id(outcomes):
    found = outcomes("purchase", {"transaction_id": "R-1"}, settings={"events": {"purchase": ["Purchase", "BigOrder"]}})

    assert [("Purchase", "R-1"), ("BigOrder", "R-1")] == [(one.body["event"], one.body["event_id"]) for one in found]


@pytest.mark.parametrize("nothing", ["", [], [""]])
def test_one_event_becomes_none(outcomes, nothing):
    assert [Dropped(DropReason.BY_RULE)] == outcomes("click", settings={"events": {"click": nothing}})


# What is doubtful.


@pytest.mark.parametrize(
    ("name", "data", "settings", "notice"),
    [
        ("purchase", {}, {}, ("name_ends", "event")),
        ("click", {}, {}, ("name_ends", "event")),
        ("Checkout", {}, {}, ("reserved_name", "event")),
        ("my event", {}, {}, ("custom_name", "event")),
        ("view_item", {}, {}, ("no_contents", "properties.contents")),
        ("Purchase", {}, {}, ("no_contents", "properties.contents")),
        ("contact", {"value": 5}, {}, ("value_without_currency", "properties.currency")),
        ("contact", {}, {"event_source": "crm"}, ("lead_without_id", "lead.lead_id")),
        ("contact", {"ttclid": "E.C.P.a"}, {"event_source": "offline"}, ("no_match_key", "user")),
        ("contact", {"x-ttq-test-event-code": "TEST1"}, {}, ("test_event", "test_event_code")),
        ("contact", {"x-ttq-test-event-code": {"a": 1}}, {}, ("unusable", "test_event_code")),
        ("contact", {"x-ttq-test-event-code": "a b"}, {}, ("unusable", "test_event_code")),
        ("contact", {"x-ttq-ud-emial": "x"}, {}, ("unknown_parameter", "x-ttq-*")),
        ("contact", {"ip_override": "10.0.0.1"}, {}, ("unusable", "user.ip")),
    ],
)
def test_what_is_doubtful_about_an_event_is_told(kinds, name, data, settings, notice):
    assert notice in kinds(name, data, settings=settings)


@pytest.mark.parametrize(
    ("name", "data", "settings", "kind"),
    [
        ("purchase", {}, {"purchase_event": "Purchase"}, "name_ends"),
        ("purchase", {}, {"event_source": "app", "app_id": "1"}, "name_ends"),
        ("my event", {}, {"event_source": "crm"}, "custom_name"),
        ("view_item", {}, {"event_source": "offline"}, "no_contents"),
        ("contact", {}, {}, "no_contents"),
        ("contact", {"value": 0}, {}, "value_without_currency"),
        ("contact", {"lead_id": "7"}, {"event_source": "crm"}, "lead_without_id"),
        ("contact", {}, {"event_source": "crm"}, "no_match_key"),
        ("contact", {"x-ttq-test-event-code": ""}, {}, "test_event"),
    ],
)
def test_what_is_not_doubtful_is_not_told(kinds, name, data, settings, kind):
    assert kind not in [found for found, _ in kinds(name, data, settings=settings)]


def test_a_slip_of_the_pen_is_told_with_what_was_meant(convert):
    (told,) = [one.text for one in convert(data={"x-ttq-ud-emial": "x"}).notices if one.kind == "unknown_parameter"]

    assert told.startswith("x-ttq-*: x-ttq-ud-emial is no parameter that is known")
    assert told.endswith("did you mean x-ttq-ud-email?")


# Tests of one event.


@pytest.mark.parametrize(
    ("given", "rule", "code"),
    [
        ("TEST12345", None, "TEST12345"), (" TEST1 ", None, "TEST1"), (None, "TEST2", "TEST2"),
        ("TEST1", "TEST2", "TEST2"),
        ("TEST1", "", ""), (None, None, ""), ("no code", None, ""), (12, None, ""), ("4915155501234", None, ""),
    ],
)  # fmt: skip
def test_a_test_event_code_is_the_rules_else_the_hits(outcomes, given, rule, code):
    data = {} if given is None else {"x-ttq-test-event-code": given}
    rules = [] if rule is None else [{"test_event_code": rule}]
    (found,) = outcomes("contact", data, settings={"rules": rules})

    assert code == found.test_event_code
    assert "TEST" not in json.dumps(found.body)
