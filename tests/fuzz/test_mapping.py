"""Any event at all through mapping: it raises nothing, TikTok takes what comes out, and nobody's address is in it.

``FUZZ_INPUTS`` says how many events each property is tried with.
"""

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tikrelay.event import Consent, Dropped, Event, HitKey, Visitor
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.explain import explain
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.numbers import read_number
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.times import read_time
from tikrelay.tiktok.payload import Envelope, TikTokEvent, call_body
from tikrelay.tools.sandbox.rules import HASHED_FIELDS, check

INPUTS = int(os.environ.get("FUZZ_INPUTS", "100"))
NOW = 1795312345.0
thorough = settings(
    max_examples=INPUTS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
SOURCE_NAMES = [source.name for field in FIELDS for source in field.sources]
DATA_KEYS = [
    *(name for name in SOURCE_NAMES if " " not in name and not name.startswith("user_data.")),
    "tt_content_type", "content_type", "coupon",
]  # fmt: skip
USER_DATA_KEYS = [name.removeprefix("user_data.") for name in SOURCE_NAMES if name.startswith("user_data.")]
ITEM_KEYS = [
    "content_id", "item_id", "id", "content_name", "item_name", "name", "content_category", "item_category", "category",
    "item_category2", "brand", "item_brand", "description", "price", "quantity", "content_type", "currency", "size",
]  # fmt: skip
HINT_KEYS = ["architecture", "bitness", "model", "platform", "platform_version", "full_version_list", "mobile"]
PROPERTY_KEYS = ["id", "email", "phone_number"]

# What people, templates and attackers write.
AWKWARD = st.sampled_from([
    "", " ", "undefined", "null", "NaN", "[object Object]", "(not set)", "0", "-0", "1e308", "1e400", "12,5",
    "1.234,56",
    "1234567890123456789", "9" * 400, "-1", "eur", "€", "XXX1", "ann@shop.example", "Ann @ Shop.example", "a@b", "@",
    "ü@ü.ü",
    "+49 151 55501234", "0049 151", "+" + "9" * 40, "tel:+12133734253", "abc", "D41D8CD98F00B204E9800998ECF8427E",
    "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "1795312001", "1795312001000", "1795312001000000", "2026-11-22T10:12:25Z", "0001-01-01", "9999-12-31",
    "99999-01-01",
    "javascript:alert(1)", "data:,x", "https://", "https://a:b@c/d?ttclid=1&ttclid=2#e", "https://[::1",
    "https://ä.ö/ü?ß",
    "https:\\\\a", "//a", "#a", "https://a/\r\nb", "https://a/?" + "b=c&" * 3000, "%", "%%%", "%00", "%ff%fe", "\x00",
    "\u2028",
    "\ud800", "İ", "🙂", "e\u0301", "\u202e", "[", "{", '["a","b"]', '{"item_id":1}', '[{"price":1e999}]', "[" * 5000,
    '[{"item_id":1' + "0" * 5000 + "}]", "::", "8.8.4.4:1", "[2001:4860::1]:2", "10.0.0.1", "en-US", "x" * 3000,
    "scroll",
    "purchase", "PURCHASE", "Checkout", "1st", "product_group", "?1",
])  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(max_size=30) | AWKWARD
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["0", "1", *ITEM_KEYS]) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
ITEMS = st.lists(st.dictionaries(st.sampled_from(ITEM_KEYS), JSON, max_size=8), max_size=4)
TEXTS = AWKWARD | st.text(max_size=30)
MAYBE = st.none() | TEXTS
SIGNALS = st.sampled_from([None, "granted", "denied"])


def keyed(names: list[str], values: st.SearchStrategy[Any], most: int = 8) -> st.SearchStrategy[dict[str, Any]]:
    """A few known keys, now and then another."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=8), values, max_size=most)


EVENTS = st.builds(
    Event,
    name=TEXTS | st.sampled_from(["purchase", "page_view", "view_item", "Submitform"]),
    source=st.sampled_from(["ga4_web", "ga4_mp", "data"]),
    received_at=st.floats(1.7e9, 2e9),
    data=keyed(DATA_KEYS, JSON | ITEMS, 12),
    user_data=keyed(USER_DATA_KEYS, st.lists(TEXTS, max_size=3).map(tuple)),
    user_properties=keyed(PROPERTY_KEYS, JSON, 3),
    client_hints=keyed(HINT_KEYS, JSON),
    visitor=st.builds(Visitor, ip=MAYBE, user_agent=MAYBE, ttclid_cookie=MAYBE, ttp_cookie=MAYBE),
    consent=st.builds(Consent, sending=SIGNALS, user_data=SIGNALS, is_update=st.booleans()),
    key=st.builds(
        HitKey, measurement_id=MAYBE, client_id=MAYBE, page_id=MAYBE, page_location=MAYBE, request_count=MAYBE,
        line=st.integers(0, 1000),
    ),
)  # fmt: skip


def rules_for(event_source: Any, **more: Any) -> Rules:
    destination = MappedDestination(event_source_id="7000000000000000001", event_source=event_source, app_id="1")
    return Rules.of(MappingConfig(**more), PrivacyConfig(consent="ignore"), destination)


RULES = {
    "web": rules_for("web", default_phone_country="DE", custom_properties={"shop": "de"}),
    "app": rules_for("app", default_phone_country="ZZ"),
    "offline": rules_for("offline"),
    "crm": rules_for("crm", events={"purchase": ""}),
}


@thorough
@given(event=EVENTS, event_source=st.sampled_from(sorted(RULES)))
def test_any_event_becomes_one_that_tiktok_takes(event: Event, event_source: Any):
    (outcome,) = map_event(event, RULES[event_source], fallback_id="made")
    if isinstance(outcome, Dropped):
        return
    encoded = msgspec.json.encode(outcome.body)
    envelope = Envelope(event_source=event_source, event_source_id="7000000000000000001")
    verdict = check("t", call_body(envelope, [encoded]), profile="lenient", tokens=(), pixels=(), now=NOW)

    assert (0, "OK") == (verdict.code, verdict.message)
    assert outcome.body == msgspec.json.decode(encoded)
    assert_clean(outcome)


def assert_clean(outcome: TikTokEvent) -> None:
    """Hashes where hashes belong, the types TikTok names, nothing empty."""
    body: Mapping[str, Any] = outcome.body
    for key in HASHED_FIELDS:
        found = body.get("user", {}).get(key, [])
        for one in found if isinstance(found, list) else [found]:
            assert re.fullmatch(r"[0-9a-f]{64}", one)
            assert not one.startswith("e3b0c442")
    properties = body.get("properties", {})
    for content in properties.get("contents", []):
        assert content.get("content_type") in {"product", "product_group"}
        assert content.get("quantity", 1) >= 1
    assert [] == [group for group, value in body.items() if value in ({}, [], "", None)]
    assert [] == [key for key, value in body.get("user", {}).items() if value in ([], "", None)]
    assert "x-ttq" not in " ".join([*body.get("user", {}), *properties, *body])


@thorough
@given(event=EVENTS)
def test_the_same_event_always_becomes_the_same_bytes(event: Event):
    first, second = (map_event(event, RULES["web"], fallback_id="made") for _ in range(2))

    assert msgspec.json.encode(first) == msgspec.json.encode(second)


@thorough
@given(event=EVENTS)
def test_any_event_can_be_explained_and_the_explanation_is_what_is_sent(event: Event):
    (outcome,) = map_event(event, RULES["web"], fallback_id="made")
    explained = explain(event, RULES["web"], fallback_id="made")

    assert msgspec.json.encode(explained)
    assert (outcome.body if isinstance(outcome, TikTokEvent) else None) == explained.tiktok


@thorough
@given(event=EVENTS)
def test_a_no_to_ad_user_data_leaves_nothing_of_the_person(event: Event):
    rules = Rules.of(MappingConfig(), PrivacyConfig(), MappedDestination(event_source_id="C0"))
    denied = msgspec.structs.replace(event, consent=Consent(sending="granted", user_data="denied"))
    (outcome,) = map_event(denied, rules, fallback_id="made")
    user = {} if isinstance(outcome, Dropped) else outcome.body.get("user", {})

    assert {"ttclid", "ttp", "ip", "user_agent", "locale"} >= set(user)


@thorough
@given(value=JSON)
def test_any_value_reads_as_a_number_and_a_time_or_as_none(value: Any):
    number, at = read_number(value), read_time(value)

    assert number is None or msgspec.json.decode(msgspec.json.encode(number)) == number
    assert at is None or 10**9 <= at < 10**10


# ---- nobody's address ------------------------------------------------------------------------------------------------

CANARIES = [
    "canary.ann@canary-shop.example", "CANARY.ANN@Canary-Shop.example", "canary.ann%40canary-shop.example",
    "canary.ann%2540canary-shop.example", "canary.ann@canary-shop.example,b@c.example",
    "+49 151 55501234", "+4915155501234", "%2B4915155501234", "004915155501234", "0049 151 555-01234",
]  # fmt: skip
AROUND = [
    "{}",
    " {} ",
    "for {} now",
    "({})",
    "'{}'",
    "a={}",
    "x;{}",
    "<{}>",
    "id-{}",
    "{}-1",
    "n/{}",
    "x" * 1010 + " {}",
]
URLS = [
    "https://s.example/?a={}", "https://s.example/?{}", "https://s.example/?{}=1", "https://s.example/u/{}/x",
    "https://s.example/#{}", "https://s.example/#/a?b={}", "https://{}@s.example/", "https://{}/",
    "https://a:{}@s.example/",
    "https://s.example/?ttclid={}", "https://s.example/?a=1&next=https%3A%2F%2Fs.example%2F%3Fb%3D{}",
    "https://s.example/{}?x",
    "{}", "/a?b={}", "https://s.example/?a=b%20{}", "https://s.example/?utm_campaign={}&ttclid=E.C.P.a",
]  # fmt: skip
URL_KEYS = ["page_location", "page_referrer", "x-ttq-ct-page-url", "x-ttq-ct-page-referrer"]
# Where a text may stand in an event, and how to put it there.
PLACES = [
    *(("data", key) for key in DATA_KEYS),
    *(("url", key) for key in URL_KEYS),
    *(("user_data", key) for key in USER_DATA_KEYS),
    *(("property", key) for key in PROPERTY_KEYS),
    *(("hint", key) for key in HINT_KEYS),
    *(("brand", key) for key in ("brand", "version")),
    *(("item", key) for key in ITEM_KEYS),
    *(("json text", key) for key in ("item_id", "item_name")),
    *(("visitor", key) for key in ("ip", "user_agent", "ttclid_cookie", "ttp_cookie")),
    *(("hit", key) for key in ("measurement_id", "client_id", "page_id", "page_location", "request_count")),
    ("name", ""), ("key of data", ""), ("key of an item", ""), ("list", "x-ttq-ud-email"), ("list", "x-ttq-pt-query"),
]  # fmt: skip

# An id of nothing but digits stays: the pixel and the catalogue know it so.
ID_PLACES = [
    *(("data", key) for key in ("x-ttq-event-id", "event_id", "order_id", "transaction_id")),
    *((kind, key) for kind in ("item", "json text") for key in ("content_id", "item_id", "id")),
]


def event_with(kind: str, key: str, text: str) -> Event:
    data: dict[str, Any] = {"page_location": "https://s.example/", "items": [{"item_id": "1"}], "currency": "EUR"}
    parts: dict[str, Any] = {"name": "purchase"}
    match kind:
        case "name":
            parts["name"] = text
        case "data" | "url":
            data[key] = text
        case "key of data":
            data[text] = "1"
        case "item":
            data["items"] = [{"item_id": "1", key: text}]
        case "key of an item":
            data["items"] = [{"item_id": "1", text: "1"}]
        case "json text":
            data["tt_contents"] = msgspec.json.encode([{key: text}]).decode()
            del data["items"]
        case "list":
            data[key] = [text, {"a": text}]
        case "user_data":
            parts["user_data"] = {key: (text,)}
        case "property":
            parts["user_properties"] = {key: text, text: text}
        case "hint":
            parts["client_hints"] = {key: text}
        case "brand":
            parts["client_hints"] = {"full_version_list": [{"brand": "a", "version": "1", key: text}]}
        case "visitor":
            parts["visitor"] = Visitor(**{key: text})
        case _:
            parts["key"] = HitKey(**{"page_id": "1", key: text})
    return Event(source="data", received_at=NOW, data=data, **parts)


def gives_canary_away(shown: str) -> bool:
    """Look for a canary however it is written: in any case, percent-encoded, its digits spaced."""
    for _ in range(4):
        lower = shown.lower()
        if "canary.ann" in lower or "canaryann" in lower:
            return True
        if "15155501234" in re.sub(r"[ ()./+\-]", "", lower):
            return True
        shown = unquote(shown)
    return False


@settings(thorough, max_examples=max(INPUTS, 1500))
@given(
    place=st.sampled_from(PLACES), canary=st.sampled_from(CANARIES), around=st.sampled_from(AROUND),
    url=st.sampled_from(URLS),
    event_source=st.sampled_from(sorted(RULES)),
)  # fmt: skip
@example(place=("item", "item_id"), canary=CANARIES[0], around="{}", url=URLS[0], event_source="web")
@example(place=("data", "event_id"), canary=CANARIES[0], around="{}", url=URLS[0], event_source="web")
@example(place=("url", "page_location"), canary=CANARIES[2], around="{}", url="https://{}/", event_source="web")
@example(place=("url", "page_location"), canary="004915155501234", around="{}", url="https://{}/", event_source="app")
@example(
    place=("url", "page_location"),
    canary=CANARIES[0],
    around="{}",
    url="https://s.example/?ttclid={}",
    event_source="web",
)
def test_nobodys_address_comes_out_wherever_it_went_in(
    place: tuple[str, str], canary: str, around: str, url: str, event_source: str
):
    assume(place not in ID_PLACES or not canary.startswith("00"))
    text = url.format(canary) if place[0] == "url" else around.format(canary)
    event = event_with(*place, text)
    rules = RULES[event_source]
    (outcome,) = map_event(event, rules, fallback_id="made")
    shown = [msgspec.json.encode(explain(event, rules, fallback_id="made")).decode()]
    if isinstance(outcome, TikTokEvent):
        shown += [msgspec.json.encode(outcome.body).decode(), *(notice.text for notice in outcome.notices)]

    assert [] == [one for one in shown if gives_canary_away(one)]
