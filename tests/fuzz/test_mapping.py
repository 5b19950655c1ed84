"""Any event at all through mapping: it raises nothing, TikTok takes what comes out, and nobody's address is in it.

``FUZZ_INPUTS`` says how many events each property is tried with.
"""

import hashlib
import os
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tikrelay.event import Consent, Dropped, Event, HitKey, Visitor
from tikrelay.mapping.cleaning import Cleaner, Context, Left, Settings
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.explain import explain
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.numbers import read_number
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.times import read_time
from tikrelay.mapping.user import (
    hash_email,
    hash_external_id,
    hash_gaid,
    hash_idfa,
    hash_name,
    hash_phone,
    hash_zip,
    place,
    state,
)
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
    "1234567890123456789", "9" * 400, "-1", "eur", "€", "EURO1", "ann@shop.example", "Ann @ Shop.example", "a@b", "@",
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


def mapped(event: Event, rules: Rules) -> tuple[TikTokEvent | Dropped, ...]:
    return map_event(event, rules, fallback_id="made")


@thorough
@given(event=EVENTS, event_source=st.sampled_from(sorted(RULES)))
def test_any_event_becomes_one_that_tiktok_takes_or_is_dropped(event: Event, event_source: Any):
    outcomes = mapped(event, RULES[event_source])

    assert outcomes
    for outcome in outcomes:
        if isinstance(outcome, Dropped):
            continue
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
    first, second = (mapped(event, RULES["web"]) for _ in range(2))

    assert msgspec.json.encode(first) == msgspec.json.encode(second)


@thorough
@given(event=EVENTS)
def test_any_event_can_be_explained_and_the_explanation_is_what_is_sent(event: Event):
    outcomes = mapped(event, RULES["web"])
    explained = explain(event, RULES["web"], fallback_id="made")

    assert msgspec.json.encode(explained)
    assert [one.body if isinstance(one, TikTokEvent) else None for one in outcomes] == [one.tiktok for one in explained]


@thorough
@given(event=EVENTS)
def test_a_no_to_ad_user_data_leaves_nothing_of_the_person(event: Event):
    rules = Rules.of(MappingConfig(), PrivacyConfig(), MappedDestination(event_source_id="C0"))
    denied = msgspec.structs.replace(event, consent=Consent(sending="granted", user_data="denied"))
    (outcome,) = mapped(denied, rules)
    user = {} if isinstance(outcome, Dropped) else outcome.body.get("user", {})

    assert {"ttclid", "ttp", "ip", "user_agent", "locale"} >= set(user)


@thorough
@given(value=JSON)
def test_any_value_reads_as_a_number_and_a_time_or_as_none(value: Any):
    number, at = read_number(value), read_time(value)

    assert number is None or msgspec.json.decode(msgspec.json.encode(number)) == number
    assert at is None or 10**9 <= at < 10**10


# ---- hashed once -----------------------------------------------------------------------------------------------------

HASHED: dict[str, Cleaner] = {
    "email": hash_email, "phone": hash_phone, "external_id": hash_external_id, "first_name": hash_name,
    "zip_code": hash_zip, "idfa": hash_idfa, "gaid": hash_gaid,
}  # fmt: skip
IN_HEX: list[Callable[[str], str]] = [
    str.lower,
    str.upper,
    str.title,
    lambda text: f" {text}\t",
    lambda text: f"\u00a0{text}\n",
]
IN_BASE64: list[Callable[[bytes], bytes]] = [
    b64encode, urlsafe_b64encode,
    lambda raw: b64encode(raw).rstrip(b"="), lambda raw: urlsafe_b64encode(raw).rstrip(b"="),
]  # fmt: skip


def context_of(event: Event) -> Context:
    settings = Settings(phone_country="DE", external_id_lowercase=True, us_zip_first_five=True)
    return Context(event, name="ViewContent", fallback_id="", settings=settings)


def hashes(clean: Cleaner, value: Any) -> list[str]:
    found = clean(value, context_of(Event(name="a", source="data", received_at=NOW)))
    return [] if isinstance(found, Left) else found if isinstance(found, list) else [found]


@thorough
@given(value=TEXTS | st.integers() | st.emails(), field=st.sampled_from(sorted(HASHED)), spell=st.sampled_from(IN_HEX))
@example(value="+8613800000000", field="phone", spell=str.upper)
def test_the_hash_of_a_hash_is_the_hash(value: Any, field: str, spell: Callable[[str], str]):
    once = hashes(HASHED[field], value)

    assert [[digest] for digest in once] == [hashes(HASHED[field], spell(digest)) for digest in once]


@thorough
@given(raw=st.binary(min_size=20), field=st.sampled_from(["email", "phone"]), encode=st.sampled_from(IN_BASE64))
def test_a_hash_in_base64_is_the_same_hash(raw: bytes, field: str, encode: Callable[[bytes], bytes]):
    made = hashlib.sha256(raw)

    assert [made.hexdigest()] == hashes(HASHED[field], encode(made.digest()).decode())


@thorough
@given(value=TEXTS, clean=st.sampled_from([place, state]))
def test_a_place_written_twice_is_written_once(value: str, clean: Cleaner):
    once = hashes(clean, value)

    assert [[name] for name in once if "-" not in name] == [hashes(place, name) for name in once]


# ---- nobody's address ------------------------------------------------------------------------------------------------

ENCODED = b64encode(b"canary.ann@canary-shop.example").decode()
CANARIES = [
    "canary.ann@canary-shop.example", "CANARY.ANN@Canary-Shop.example", "canary.ann%40canary-shop.example",
    "canary.ann%2540canary-shop.example", "canary.ann@canary-shop.example,b@c.example",
    "canary.ann\uff20canary-shop.example", "canary.ann%EF%BC%A0canary-shop.example",
    "canary.ann&#64;canary-shop.example",
    "canary.ann%40canary-shop%2Eexample", "canary.ann@canary-shop\u3002example", r"canary.ann\u0040canary-shop.example",
    *(f"canary.ann{at}canary-shop.example" for at in (
        " @ ", "@ ", " @", "\t@\t", "  @  ", "\u00a0@\u00a0", "%20@%20", "%20%40%20", "+@+", " %40 ", " \uff20 ", "\n@",
    )),
    "canary.ann @ canary-shop.example, b@c.example", ENCODED, ENCODED.rstrip("="), f"b@c.example|{ENCODED}",
    "+49 151 55501234", "+4915155501234", "%2B4915155501234", "004915155501234", "0049 151 555-01234",
    "+49\u2013151\u201355501234", "+49\u00a0151\u00a055501234", "+(49) 151.555.01234",
    "+\u0664\u0669151555\u0660\u06611234", "\uff0b4915155501234",
    "+49\u200b151\u200b55501234",
    *(f"b@c.example{between}canary.ann@canary-shop.example" for between in ("|", "#", "%20", "%7C", "\u200b", "", "&")),
    *(f"b@c.example{between}0049 151 55501234" for between in ("|", "%7C", "%257C")),
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
    "https://s.example/{}?x", "https://s.example/a;b={}", "https://s.example/?a=1;b={}", "https://s.example/?a?b={}",
    "https://s.example/?a=%7B%22b%22%3A%22{}%22%7D", "https://s.example/?a=x&amp;b={}",
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
    *(("data", key) for key in ("x-ttq-event-id", "event_id", "order_id", "transaction_id", "shop_id")),
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
    if ENCODED.rstrip("=") in shown:
        return True
    for _ in range(4):
        lower = unicodedata.normalize("NFKC", shown).lower()
        lower = "".join(str(unicodedata.digit(sign, sign)) for sign in lower)
        if "canary.ann" in lower or "canaryann" in lower:
            return True
        if "15155501234" in re.sub(r"[ ()./+\-\u2013]", "", lower):
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
    text = url.format(canary) if place[0] == "url" else around.format(canary)
    assume(place not in ID_PLACES or not text.strip().isdigit())
    event = event_with(*place, text)
    rules = RULES[event_source]
    assert [] == [one for one in all_that_is_shown(event, rules) if gives_canary_away(one)]


# Words that people type or read; a number in them that names no country is somebody's all the same.
TYPED_PLACES = [
    *(("item", key) for key in ("item_name", "content_name", "item_category", "item_brand", "description")),
    *(("data", key) for key in ("search_term", "description")),
    ("json text", "item_name"), ("name", ""),
]  # fmt: skip


@thorough
@given(
    place=st.sampled_from(TYPED_PLACES),
    number=st.from_regex(
        r"(?:1[ .-])?[2-9][0-9]{2}[ ./-][2-9][0-9]{2}[ ./-][0-9]{4}"
        r"|0[1-9][0-9]{2,3}[ /-][3-9][0-9]{5,7}|0[1-9][0-9][ /-][3-9][0-9]{2,3} [0-9]{4}|0[1-9](?: [0-9]{2}){4}",
        fullmatch=True,
    ),
    around=st.sampled_from(["{}", "for {} now", "({})", "Tel.: {}, evenings", "01/02/2026 {}", "x" * 1010 + " {}"]),
    event_source=st.sampled_from(["web", "app", "offline"]),
)
def test_no_number_without_a_country_is_sent_in_words_people_type(
    place: tuple[str, str], number: str, around: str, event_source: str
):
    outcomes = mapped(event_with(*place, around.format(number)), RULES[event_source])
    sent = [msgspec.json.encode(outcome.body).decode() for outcome in outcomes if isinstance(outcome, TikTokEvent)]

    assert sent
    assert [] == [one for one in sent if number in one]


def all_that_is_shown(event: Event, rules: Rules) -> list[str]:
    """What is sent, the notices, and the explanation."""
    shown = [msgspec.json.encode(explain(event, rules, fallback_id="made")).decode()]
    for outcome in mapped(event, rules):
        if isinstance(outcome, TikTokEvent):
            shown += [msgspec.json.encode(outcome.body).decode(), *(notice.text for notice in outcome.notices)]
    return shown


@thorough
@given(
    place=st.sampled_from(PLACES),
    email=st.from_regex(
        r"[a-z][a-z0-9._+-]{3,20}[a-z0-9]@[a-z][a-z0-9-]{2,20}[a-z]\.(?:example|com|de)", fullmatch=True
    ),
    around=st.sampled_from(AROUND),
    url=st.sampled_from(URLS),
)
def test_no_email_comes_out_in_the_clear(place: tuple[str, str], email: str, around: str, url: str):
    event = event_with(*place, url.format(email) if place[0] == "url" else around.format(email))
    shown = all_that_is_shown(event, RULES["web"])

    assert [] == [one for one in shown if email in one.lower() or email in unquote(one).lower()]


@thorough
@given(
    place=st.sampled_from(PLACES),
    number=st.from_regex(r"\+(?:1[2-9][0-9]{9}|49[1-9][0-9]{8,10}|44[1-9][0-9]{9}|86[1-9][0-9]{10})", fullmatch=True),
    around=st.sampled_from(AROUND),
    url=st.sampled_from(URLS),
)
def test_no_phone_number_comes_out_in_the_clear(place: tuple[str, str], number: str, around: str, url: str):
    event = event_with(*place, url.format(number) if place[0] == "url" else around.format(number))
    shown = all_that_is_shown(event, RULES["web"])

    assert [] == [one for one in shown if number[1:] in one]
