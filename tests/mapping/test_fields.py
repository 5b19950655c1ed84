"""The table of fields, read against the contract written down a second time, and each step of each precedence tried."""

from typing import Any

import pytest

from tikrelay.event import Dropped, DropReason, Event, Visitor
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.rules import Rules

# Parameters of travel and vehicle shops that are called the same on both sides.
BY_THEIR_OWN_NAMES = (
    "checkin_date", "checkout_date", "num_adults", "num_children", "num_infants", "suggested_hotels",
    "departing_departure_date", "returning_departure_date", "departing_arrival_date", "returning_arrival_date",
    "origin_airport", "destination_airport", "destination_ids", "travel_class", "user_score", "preferred_num_stops",
    "travel_start", "travel_end", "suggested_destinations", "make", "model", "year", "state_of_vehicle",
    "exterior_color", "interior_color", "transmission", "body_style", "fuel_type", "drivetrain",
    "preferred_price_range", "trim", "vin", "condition_of_vehicle", "viewcontent_type", "search_type",
    "registration_type",
)  # fmt: skip
# Field: its sources in order, as they were promised. A changed order, a lost or an added source is seen here.
PROMISED = {
    "event_time": "x-ttq-timestamp, timestamp_micros, request.timestamp_micros, event_time, timestamp, time of receipt",
    "event_id": "x-ttq-event-id, event_id, transaction_id (purchase only), order_id (purchase only), "
    "derived from tid: cid: _p: name: dl: _s and line, made when stored",
    "user.external_id": "x-ttq-ud-external-id, tt_external_id, external_id, user_id, user property id, "
    "user_data.external_id",
    "user.email": "x-ttq-ud-email, user_data.email_address, user_data.email, email, email_address, "
    "user_data.sha256_email_address, user property email, user_data.emailAddress, user_data.sha256_email",
    "user.phone": "x-ttq-ud-phone-number, user_data.phone_number, user_data.phone, phone_number, phone, "
    "user_data.sha256_phone_number, user property phone_number, user_data.phoneNumber, user_data.sha256_phone",
    "user.first_name": "user_data.address.first_name, user_data.address.sha256_first_name, user_data.first_name, "
    "user_data.sha256_first_name, first_name, user_data.address.firstName, user_data.firstName",
    "user.last_name": "user_data.address.last_name, user_data.address.sha256_last_name, user_data.last_name, "
    "user_data.sha256_last_name, last_name, user_data.address.lastName, user_data.lastName",
    "user.zip_code": "user_data.address.postal_code, user_data.address.sha256_postal_code, user_data.address.zip_code, "
    "user_data.postal_code, user_data.zip_code, postal_code, zip_code, zip",
    "user.city": "user_data.address.city, user_data.city, city",
    "user.state": "user_data.address.region, user_data.address.state, user_data.region, user_data.state, state, region",
    "user.country": "user_data.address.country, user_data.country, country",
    "user.ttclid": "ttclid in x-ttq-ct-page-url, ttclid in page_location, ttclid in page_url, x-ttq-ttclid, "
    "ttclid in page_referrer of the same host, cookie ttclid, ttclid, user_data.ttclid",
    "user.ttp": "cookie _ttp, ttp, _ttp, user_data.ttp",
    "user.ip": "x-ttq-ct-ip-adress, x-ttq-ct-ip-address, ip_override, X-Forwarded-For or peer, ip, ip_address",
    "user.user_agent": "x-ttq-ct-user-agent, user_agent, header User-Agent",
    "user.locale": "language, locale",
    "user.idfa": "idfa",
    "user.gaid": "gaid",
    "user.idfv": "idfv",
    "user.att_status": "att_status",
    "page.url": "x-ttq-ct-page-url, page_location, page_url",
    "page.referrer": "x-ttq-ct-page-referrer, x-ttq-ct-page-referer, page_referrer, referrer",
    "properties.contents": "x-ttq-pt-contents, items, tt_contents, contents",
    "properties.content_type": "the first content's",
    "properties.content_ids": "the contents' ids",
    "properties.num_items": "sum of quantities",
    "properties.currency": "x-ttq-pt-currency, currency, the first item's currency",
    "properties.value": "x-ttq-pt-value, value, sum of price x quantity",
    "properties.order_id": "order_id, transaction_id",
    "properties.shop_id": "shop_id",
    "properties.query": "x-ttq-pt-query, search_term, query, search_string",
    "properties.search_string": "x-ttq-pt-query, search_term, query, search_string",
    "properties.description": "x-ttq-pt-description, description",
    "properties.status": "status",
    "properties.delivery_category": "delivery_category",
    "properties.predicted_ltv": "predicted_ltv",
    "properties.city": "city (of a trip)",
    "properties.region": "region (of a trip)",
    "properties.country": "country (of a trip)",
    "properties.postal_code": "postal_code (of a vehicle)",
    **{f"properties.{name}": name for name in BY_THEIR_OWN_NAMES},
    "properties.mileage": "mileage, mileage.value and mileage.unit",
    "device.architecture": "client hint architecture",
    "device.bitness": "client hint bitness",
    "device.model": "client hint model",
    "device.platform": "client hint platform",
    "device.platform_version": "client hint platform_version",
    "device.browser_version_list": "client hint full_version_list",
    "device.mobile": "client hint mobile",
    "lead.lead_id": "lead_id",
    "lead.lead_event_source": "lead_event_source",
    "app.app_id": "app_id of the destination",
    "app.app_name": "app_name",
    "app.app_version": "app_version",
    "ad.callback": "callback",
    "ad.campaign_id": "campaign_id",
    "ad.ad_id": "ad_id",
    "ad.creative_id": "creative_id",
    "ad.is_retargeting": "is_retargeting",
    "ad.attributed": "attributed",
    "ad.attribution_type": "attribution_type",
    "ad.attribution_provider": "attribution_provider",
    "limited_data_use": "limited_data_use of the destination, place of the event: by privacy.limited_data_use_regions, "
    "x-ttq-limited-data-use, limited_data_use",
}
HASHED = {
    "user.external_id", "user.email", "user.phone", "user.first_name", "user.last_name", "user.zip_code", "user.idfa",
    "user.gaid",
}  # fmt: skip
PERSONAL = HASHED | {"user.city", "user.state", "user.country", "user.idfv"}
ONLY = {
    "device": "web", "app": "app", "ad": "app", "lead": "crm", "user.idfa": "app", "user.gaid": "app",
    "user.idfv": "app", "user.att_status": "app",
}  # fmt: skip
# What a promised source is given so that its field becomes text number n.
LETTERS = "abcdefghij"
# What fields are given that take no letter.
WORDS = {
    "idfa": "ABCDEF01-2345-6789-ABCD-EF0123456789", "gaid": "abcdef01-2345-6789-abcd-ef0123456789",
    "att_status": "DENIED",
    "travel_class": "eco", "state_of_vehicle": "Used", "transmission": "Manual", "body_style": "Van",
    "fuel_type": "Diesel", "drivetrain": "AWD", "condition_of_vehicle": "Good", "delivery_category": "curbside",
    "is_retargeting": True, "attributed": True, "limited_data_use": True, "preferred_price_range": [1, 2],
    "mileage": {"value": 5, "unit": "KM"}, "suggested_hotels": ["a"], "destination_ids": ["a"],
    "suggested_destinations": ["a"], "num_adults": 1, "num_children": 0, "num_infants": 2, "year": 2024,
    "user_score": 4.5, "preferred_num_stops": 0, "predicted_ltv": 99.5,
}  # fmt: skip


def only_for(path: str, otherwise: str) -> str:
    return ONLY.get(path) or ONLY.get(path.partition(".")[0], otherwise)


def test_the_table_is_the_one_that_was_promised():
    table = {field.path: [source.name.replace(", ", ": ") for source in field.sources] for field in FIELDS}

    assert {path: promised.split(", ") for path, promised in PROMISED.items()} == table


def test_each_field_is_for_the_kinds_of_destination_that_take_it():
    of_web = {f"properties.{name}" for name in (*BY_THEIR_OWN_NAMES, "mileage", "city", "region", "country")}
    web_only = of_web | {"properties.postal_code"}
    groups = {path: only_for(path, "web" if path in web_only else "") for path in PROMISED}

    assert {path: (only,) if only else () for path, only in groups.items()} == {one.path: one.only for one in FIELDS}


def test_what_is_hashed_is_marked_and_no_other():
    assert HASHED == {field.path for field in FIELDS if field.hashed}


def test_each_field_says_who_says_so_in_words_a_reader_can_look_up():
    assert [] == [field.path for field in FIELDS if not field.basis or ".md" in field.basis or "/" in field.basis]


def test_a_row_that_is_asked_for_every_event_is_rare():
    """Every other row is skipped where none of its keys is in the event."""
    always = [field.path for field in FIELDS if not all(source.place for source in field.sources)]

    assert [
        "event_time", "event_id", "user.ttclid", "user.ttp", "user.ip", "user.user_agent", "properties.content_type",
        "properties.content_ids", "properties.num_items", "properties.currency", "properties.value", "app.app_id",
        "limited_data_use",
    ] == always  # fmt: skip


def test_each_field_stands_once_and_knows_its_place():
    assert len(FIELDS) == len({field.path for field in FIELDS})
    assert [field.path for field in FIELDS] == [f"{field.group}.{field.key}".lstrip(".") for field in FIELDS]


def test_what_identifies_a_person_is_marked():
    assert PERSONAL == {field.path for field in FIELDS if field.person}


def test_several_values_are_taken_where_tiktok_takes_several():
    assert {"user.external_id", "user.email", "user.phone"} == {field.path for field in FIELDS if field.many}


def _value(path: str, number: int) -> tuple[Any, Any]:
    """What to give source ``number`` of a field, and what the field holds when it is taken."""
    letter = LETTERS[number]
    url = f"https://s.example/{letter}"
    match path.rpartition(".")[2]:
        case "event_time":
            return 1795312000 + number, 1795312000 + number
        case "email":
            return f"{letter}@s.example", f"{letter}@s.example"
        case "phone":
            return f"+1213373425{number}", f"+1213373425{number}"
        case "ip":
            return f"8.8.4.{number}", f"8.8.4.{number}"
        case "url" | "referrer":
            return url, url
        case "country" | "locale":
            return f"d{letter}", f"d{letter}"
        case "currency":
            return f"EU{letter.upper()}", f"EU{letter.upper()}"
        case "value":
            return number + 0.5, number + 0.5
        case key if key in WORDS:
            return WORDS[key], WORDS[key]
        case _:
            return letter, letter


def _given(names: list[str], values: list[Any]) -> Event:
    data: dict[str, Any] = {}
    people: dict[str, tuple[str, ...]] = {}
    properties: dict[str, Any] = {}
    cookies: dict[str, Any] = {}
    places = {
        "cookie ttclid": "ttclid_cookie", "cookie _ttp": "ttp_cookie", "X-Forwarded-For or peer": "ip",
        "header User-Agent": "user_agent",
    }  # fmt: skip
    for name, value in zip(names, values, strict=True):
        if name in places:
            cookies[places[name]] = value
        elif name.startswith("user_data."):
            people[name.removeprefix("user_data.")] = (value,)
        elif name.startswith("user property "):
            properties[name.removeprefix("user property ")] = value
        else:
            data[name] = value
    return Event(
        name="purchase", source="data", received_at=1795312345.0, data=data, user_data=people,
        user_properties=properties, visitor=Visitor(**cookies),
    )  # fmt: skip


def _plain(source: str) -> bool:
    """A source that is simply given; the others are worked out and have tests of their own."""
    return not any(word in source for word in (" of ", " in ", "derived", "made", "the ", " x ", "hint", "(", " and "))


STEPS = [
    (path, sources, first)
    for path, promised in PROMISED.items()
    if (sources := [source for source in promised.split(", ") if _plain(source)]) and path != "properties.contents"
    for first in range(len(sources))
]


@pytest.mark.parametrize(
    ("path", "sources", "first"), STEPS, ids=[f"{path}-{sources[i]}" for path, sources, i in STEPS]
)
def test_a_source_counts_before_those_behind_it(path, sources, first, rules, sha256):
    kind = only_for(path, "web")
    made: Rules = rules(event_source=kind)
    values = [_value(path, number) for number in range(len(sources))]
    given, expected = [value for value, _ in values], values[first][1]
    (outcome,) = map_event(_given(sources[first:], given[first:]), made, fallback_id="made")
    group, _, key = path.rpartition(".")
    sent = outcome.body.get(group, {})[key] if group else outcome.body[key]

    assert (
        sha256(expected) if path in HASHED else expected if sources[first] != "time of receipt" else 1795312345
    ) == sent


@pytest.mark.parametrize("empty", ["", " ", None, "undefined", []])
def test_an_empty_source_is_passed_over(body, empty):
    data = {
        "x-ttq-ud-email": empty,
        "email": "a@s.example",
        "x-ttq-event-id": empty,
        "event_id": "e-1",
        "x-ttq-pt-value": empty,
        "value": 3,
    }
    found = body(data=data)

    assert ("e-1", 3) == (found["event_id"], found["properties"]["value"]) or empty == []
    assert 64 == len(found["user"]["email"])


def test_an_unreadable_source_is_passed_over_with_a_notice(body, kinds):
    data = {"x-ttq-ud-email": "nobody", "email": "a@s.example", "x-ttq-pt-value": "much", "value": 3}

    assert 3 == body(data=data)["properties"]["value"]
    assert 64 == len(body(data=data)["user"]["email"])
    assert {("unusable", "user.email"), ("unusable", "properties.value")} <= set(kinds(data=data))


def test_a_page_url_is_the_pages_address_for_all_that_ask_for_one(body, convert):
    data = {"page_url": "https://s.example/mug?ttclid=E.C.P.abc"}
    found = body(data=data)

    assert (data["page_url"], "E.C.P.abc") == (found["page"]["url"], found["user"]["ttclid"])
    assert Dropped(DropReason.DENY_LISTED) == convert(data=data, settings={"denied_hosts": ["s.example"]})


def test_a_referrer_is_the_referrer_for_the_click_id_too(body):
    data = {"page_location": "https://s.example/cart", "referrer": "https://s.example/?ttclid=E.C.P.abc"}
    found = body(data=data)

    assert (data["referrer"], "E.C.P.abc") == (found["page"]["referrer"], found["user"]["ttclid"])


@pytest.mark.parametrize("key", ["ip", "ip_address"])
def test_an_address_that_is_to_be_left_out_is_not_taken_from_elsewhere(body, key):
    assert "user" not in body(data={"ip_override": "::", key: "8.8.8.8"})


def test_no_x_ttq_key_and_no_other_parameter_reaches_tiktok(convert):
    data = {f"x-ttq-{key}": "1" for key in ("event-name", "made-up", "pt-shop", "ud-city", "ct-x", "timestamp")}
    outcome = convert(data={**data, "coupon": "SPRING", "ga_session_id": "7", "page_title": "Mugs", "tax": 3})

    assert {"event": "ViewContent", "event_time": 1795312345, "event_id": "fallback"} == outcome.body


# Ids.


@pytest.mark.parametrize(
    ("name", "data", "key", "told"),
    [
        ("view_item", {}, {}, True),
        ("view_item", {}, {"page_id": "1", "request_count": "2"}, True),
        ("view_item", {"order_id": "R-1", "transaction_id": "R-1"}, {}, True),
        ("view_item", {"event_id": "e-1"}, {}, False),
        ("view_item", {"x-ttq-event-id": "e-1"}, {"page_id": "1"}, False),
        ("purchase", {"transaction_id": "R-1"}, {}, False),
        ("purchase", {"order_id": "R-1"}, {}, False),
        ("purchase", {"transaction_id": "(not set)"}, {}, True),
        ("page_view", {}, {"page_id": "1"}, False),
        ("Pageview", {}, {}, False),
    ],
)
def test_an_event_whose_id_the_pixel_cannot_have_is_told(kinds, name, data, key, told):
    assert told == (("no_event_id", "event_id") in kinds(name, data, key=key))


@pytest.mark.parametrize("event_source", ["app", "offline", "crm"])
def test_where_there_is_no_pixel_a_missing_id_is_not_told(kinds, event_source):
    assert ("no_event_id", "event_id") not in kinds("purchase", settings={"event_source": event_source})


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"event_id": 17}, "event_id"),
        ({"x-ttq-event-id": 17.5}, "event_id"),
        ({"order_id": 1001}, "properties.order_id"),
        ({"transaction_id": 1001}, "properties.order_id"),
        ({"shop_id": 5}, "properties.shop_id"),
        ({"user_id": 12345678901234567890}, "user.external_id"),
        ({"external_id": ["a", 7]}, "user.external_id"),
        ({"items": [{"item_id": 1}, {"item_id": 2}]}, "properties.contents"),
    ],
)
def test_an_id_that_came_as_a_number_is_told_once(kinds, data, field):
    as_texts = {key: "1001" if not isinstance(value, list) else [] for key, value in data.items()}

    assert [("id_as_number", field)] == [one for one in kinds(data=data) if one[0] == "id_as_number"]
    assert [] == [one for one in kinds(data=as_texts) if one[0] == "id_as_number"]


def test_an_order_number_that_is_the_events_id_too_is_told_of_both(kinds):
    told = [field for kind, field in kinds("purchase", {"transaction_id": 1001}) if kind == "id_as_number"]

    assert ["event_id", "properties.order_id"] == told


# Limited data use.


@pytest.mark.parametrize(
    ("data", "limited", "sent"),
    [
        ({}, False, None),
        ({}, True, True),
        ({"limited_data_use": True}, False, True),
        ({"limited_data_use": "true"}, False, True),
        ({"x-ttq-limited-data-use": "1"}, False, True),
        ({"limited_data_use": False}, False, False),
        ({"limited_data_use": "0"}, False, False),
        ({"limited_data_use": False}, True, True),
        ({"x-ttq-limited-data-use": "false", "limited_data_use": True}, False, False),
        ({"limited_data_use": ""}, True, True),
        ({"limited_data_use": "perhaps"}, True, True),
        ({"limited_data_use": "perhaps"}, False, None),
    ],
)
def test_limited_data_use_is_what_the_destination_says_else_the_event(body, data, limited, sent):
    assert sent is body(data=data, settings={"limited_data_use": limited}).get("limited_data_use")


@pytest.mark.parametrize(
    ("given", "limited"),
    [
        ({"data": {"event_location": {"country": "US", "region": "CA"}}}, True),
        ({"data": {"event_location": {"country": "us", "region": "US-CA"}}}, True),
        ({"data": {"event_location": {"country_id": "US", "region_id": "US-CA"}}}, True),
        ({"data": {"event_location": {"region": "US-CA"}}}, True),
        ({"data": {"event_location": {"country": "US", "region": "NV"}}}, False),
        ({"data": {"event_location": {"country": "MX", "region": "CA"}}}, False),
        ({"data": {"event_location": {"country": "US"}}}, False),
        ({"data": {"event_location": {"country": "CA"}}}, True),
        ({"data": {"event_location": {"country": "CA", "region": "QC"}}}, True),
        ({"data": {"event_location": "US-CA"}}, False),
        ({"user_data": {"address.country": "US", "address.region": "CA"}}, True),
        ({"user_data": {"address.country": "us", "address.state": "ca"}}, True),
        ({"user_data": {"address.country": "US", "address.region": "NV"}}, False),
        (
            {
                "data": {"event_location": {"country": "DE"}},
                "user_data": {"address.country": "US", "address.region": "CA"},
            },
            True,
        ),
        (
            {
                "data": {"event_location": {"country": "US", "region": "CA"}},
                "user_data": {"address.country": "DE", "address.region": "BE"},
            },
            True,
        ),
        ({"data": {"event_location": {"country": "US", "region": "CA"}, "limited_data_use": "0"}}, True),
        ({"user_data": {"country": "US", "region": "CA"}}, True),
        ({"data": {"country": "US", "state": "CA"}}, True),
        ({"data": {"country": "US", "state": "CA", "checkin_date": "2026-12-01"}}, False),
        ({"data": {"limited_data_use": "0"}}, None),
        ({}, False),
    ],
)
def test_limited_data_use_follows_the_place_of_the_event(body, given, limited):
    regions = {"limited_data_use_regions": ("us-ca", "CA")}
    sent = {True: {"limited_data_use": True}, False: {}, None: {"limited_data_use": False}}[limited]

    assert sent == {key: value for key, value in body(settings=regions, **given).items() if key == "limited_data_use"}


@pytest.mark.parametrize("event_source", ["web", "app", "offline", "crm"])
def test_every_kind_of_destination_may_limit_the_use_of_data(body, event_source):
    assert body(data={"limited_data_use": True}, settings={"event_source": event_source})["limited_data_use"]


def test_a_browsers_hit_names_its_place(web):
    settings = {"limited_data_use_regions": ("US-CA",)}

    assert [True, None] == [web(f"en=purchase&ur={ur}", settings=settings)[0].get("limited_data_use")
                            for ur in ("US-CA", "US-NV")]  # fmt: skip
    assert "limited_data_use" not in web("en=purchase", settings=settings)[0]


def test_the_measurement_protocol_names_its_place(posted):
    text = '{"client_id": "1", "user_location": {"country_id": "US", "region_id": "US-CA"}, "events": [{"name": "x"}]}'
    sent = posted("/mp/collect?measurement_id=G-SHOP", text, settings={"limited_data_use_regions": ("US-CA",)})

    assert sent[0]["limited_data_use"]


# Apps.

IDFA = "ABCDEF01-2345-6789-ABCD-EF0123456789"


def test_an_app_event_tells_of_the_device(body, sha256):
    data = {"idfa": IDFA.lower(), "gaid": IDFA, "idfv": IDFA, "att_status": "notDetermined"}
    user = body(data=data, settings={"event_source": "app", "app_id": "1"})["user"]

    assert {
        "idfa": sha256(IDFA), "gaid": sha256(IDFA.lower()), "idfv": IDFA, "att_status": "NOT_DETERMINED",
    } == user  # fmt: skip


def test_who_says_no_to_ads_gives_no_id_of_the_device(body):
    data = {"idfa": IDFA, "gaid": IDFA, "idfv": IDFA, "att_status": "DENIED"}
    settings = {"event_source": "app", "app_id": "1"}

    assert {"att_status": "DENIED"} == body(data=data, consent={"user_data": "denied"}, settings=settings)["user"]


@pytest.mark.parametrize("event_source", ["web", "offline", "crm"])
def test_only_apps_have_an_id_of_the_device(body, event_source):
    data = {"idfa": IDFA, "gaid": IDFA, "idfv": IDFA, "att_status": "DENIED"}

    assert "user" not in body(data=data, settings={"event_source": event_source})
