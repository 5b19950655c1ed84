"""The table of fields, read against the contract written down a second time, and each step of each precedence tried."""

from typing import Any

import pytest

from tikrelay.event import Event, Visitor
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.rules import Rules

# Field: its sources in order, as they were promised. A changed order, a lost or an added source is seen here.
PROMISED = {
    "event_time": "x-ttq-timestamp, timestamp_micros, request.timestamp_micros, event_time, timestamp, time of receipt",
    "event_id": "x-ttq-event-id, event_id, transaction_id (purchase only), order_id (purchase only), "
    "derived from tid: cid: _p: name: dl: _s and line, made when stored",
    "user.external_id": "x-ttq-ud-external-id, tt_external_id, external_id, user_id, user property id",
    "user.email": "x-ttq-ud-email, user_data.email_address, user_data.email, email, email_address, "
    "user_data.sha256_email_address, user property email",
    "user.phone": "x-ttq-ud-phone-number, user_data.phone_number, user_data.phone, phone_number, phone, "
    "user_data.sha256_phone_number, user property phone_number",
    "user.first_name": "user_data.address.first_name, user_data.address.sha256_first_name, user_data.first_name, "
    "user_data.sha256_first_name, first_name",
    "user.last_name": "user_data.address.last_name, user_data.address.sha256_last_name, user_data.last_name, "
    "user_data.sha256_last_name, last_name",
    "user.zip_code": "user_data.address.postal_code, user_data.address.sha256_postal_code, user_data.address.zip_code, "
    "user_data.postal_code, user_data.zip_code, postal_code, zip_code, zip",
    "user.city": "user_data.address.city, user_data.city, city",
    "user.state": "user_data.address.region, user_data.address.state, user_data.region, user_data.state, state, region",
    "user.country": "user_data.address.country, user_data.country, country",
    "user.ttclid": "ttclid in x-ttq-ct-page-url, ttclid in page_location, x-ttq-ttclid, "
    "ttclid in page_referrer of the same host, cookie ttclid, ttclid",
    "user.ttp": "cookie _ttp, ttp, _ttp",
    "user.ip": "x-ttq-ct-ip-adress, x-ttq-ct-ip-address, ip_override, X-Forwarded-For or peer",
    "user.user_agent": "x-ttq-ct-user-agent, user_agent, header User-Agent",
    "user.locale": "language",
    "page.url": "x-ttq-ct-page-url, page_location",
    "page.referrer": "x-ttq-ct-page-referrer, x-ttq-ct-page-referer, page_referrer",
    "properties.contents": "x-ttq-pt-contents, items, tt_contents, contents",
    "properties.content_type": "the first content's",
    "properties.content_ids": "the contents' ids",
    "properties.num_items": "sum of quantities",
    "properties.currency": "x-ttq-pt-currency, currency, the first item's currency",
    "properties.value": "x-ttq-pt-value, value, sum of price x quantity",
    "properties.order_id": "order_id, transaction_id",
    "properties.query": "x-ttq-pt-query, search_term, query",
    "properties.search_string": "x-ttq-pt-query, search_term, query",
    "properties.description": "x-ttq-pt-description, description",
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
}
PERSONAL = {
    "user.external_id", "user.email", "user.phone", "user.first_name", "user.last_name", "user.zip_code", "user.city",
    "user.state", "user.country",
}  # fmt: skip
# What a promised source is given so that its field becomes text number n.
LETTERS = "abcdefghij"


def test_the_table_is_the_one_that_was_promised():
    table = {field.path: [source.name.replace(", ", ": ") for source in field.sources] for field in FIELDS}

    assert {path: promised.split(", ") for path, promised in PROMISED.items()} == table


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
        case "is_retargeting" | "attributed":
            return True, True
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
    return not any(word in source for word in (" of ", " in ", "derived", "made", "the ", " x ", "hint", "(purchase"))


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
    kind = {"app": "app", "ad": "app", "lead": "crm"}.get(path.partition(".")[0], "web")
    made: Rules = rules(event_source=kind)
    values = [_value(path, number) for number in range(len(sources))]
    given, expected = [value for value, _ in values], values[first][1]
    (outcome,) = map_event(_given(sources[first:], given[first:]), made, fallback_id="made")
    group, _, key = path.rpartition(".")
    sent = outcome.body.get(group, {})[key] if group else outcome.body[key]

    hashed = path in PERSONAL and key not in {"city", "state", "country"}
    assert (sha256(expected) if hashed else expected if sources[first] != "time of receipt" else 1795312345) == sent


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
    assert [("unusable", "user.email"), ("unusable", "properties.value")] == kinds(data=data)[:2]


def test_no_x_ttq_key_and_no_other_parameter_reaches_tiktok(convert):
    data = {f"x-ttq-{key}": "1" for key in ("event-name", "made-up", "pt-shop", "ud-city", "ct-x", "timestamp")}
    outcome = convert(data={**data, "coupon": "SPRING", "ga_session_id": "7", "page_title": "Mugs", "tax": 3})

    assert {"event": "ViewContent", "event_time": 1795312345, "event_id": "fallback"} == outcome.body
