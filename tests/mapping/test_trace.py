"""What is kept of how an event came about: small, readable again, and with nobody in it."""

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.event import Event
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.explain import explain
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.trace import MOST_BYTES, Trace, TracedRule, TracedSource, read_trace, write_trace

DATA = {
    "page_location": "https://shop.example/thanks?ttclid=E.C.P.a&token=abc", "email": "ann@shop.example", "value": 19.5,
    "currency": "eur", "x-ttq-ud-email": "nobody", "coupon": "SPRING", "user_agent": "Shop/1", "ip": "8.8.8.8",
    "transaction_id": "R-1", "order_id": "R-2", "items": [{"item_id": "1", "greeting": "dear Ann"}],
}  # fmt: skip

RULES = Rules.of(MappingConfig(), PrivacyConfig(), MappedDestination(event_source_id="C0EXAMPLE"))


@pytest.fixture
def written(event, rules):
    def write(name="purchase", data=DATA, *, settings=None, **more):
        given = event(name, data, **more)
        (explained,) = explain(given, rules(**(settings or {})), fallback_id="made")
        return write_trace(given, explained)

    return write


@pytest.fixture
def traced(written):
    def trace(*given, **more) -> Trace:
        read = read_trace(written(*given, **more))
        assert read is not None
        return read

    return trace


def given_by(trace, field):
    return {one.source: (one.given, one.outcome) for one in trace.sources if one.field == field}


def test_a_trace_says_what_came_and_what_became_of_it(traced):
    trace = traced()

    assert ("purchase", "data", "shop.example", "19.5", "EUR") == (
        trace.name, trace.route, trace.site, trace.value, trace.currency,
    )  # fmt: skip
    assert ("email", "ttclid", "ip_and_agent") == trace.keys
    assert ("coupon",) == trace.not_sent
    assert not trace.cut


def test_a_trace_holds_each_source_that_the_explanation_names(traced):
    trace = traced()

    assert {"x-ttq-ud-email": ("n*** (6 characters)", "unusable"), "email": ("a*** (16 characters)", "taken")} == (
        given_by(trace, "user.email")
    )
    assert {"order_id": ("R-2", "taken"), "transaction_id": ("R-1", "not_asked")} == (
        given_by(trace, "properties.order_id")
    )
    assert ["unusable"] == [one.kind for one in trace.warnings if one.field == "user.email"]


def test_a_trace_says_what_rules_did(traced):
    rule = {"name": "coupons", "copy": {"properties.coupon": "coupon"}}

    assert (TracedRule("coupons", "properties.coupon copied from coupon"),) == traced(settings={"rules": [rule]}).rules


def test_of_a_page_nothing_is_kept_but_what_is_sent(traced):
    more = {"page_url": "https://shop.example/?token=def", "page_referrer": "https://a:b@c/?pin=1"}
    trace = traced(data={**DATA, **more})
    page = {
        "page_location": ("https://shop.example/thanks?ttclid=E.C.P.a", "taken"),
        "page_url": ("h*** (31 characters)", "not_asked"),
    }

    assert page == given_by(trace, "page.url")
    assert {"page_referrer": ("https://c/", "taken")} == given_by(trace, "page.referrer")
    assert {"ttclid in page_location": ("E.C.P.a", "taken")} == given_by(trace, "user.ttclid")


def test_of_strictly_cleaned_addresses_nothing_more_is_kept(traced):
    data = {
        "page_location": "https://shop.example/?size=9&ttclid=a",
        "x-ttq-ct-page-referrer": "https://b.example/?c=1",
    }
    kept = msgspec.json.encode(traced(data=data, settings={"strict_urls": True})).decode()

    assert [] == [word for word in ("size", "c=1") if word in kept]


def test_of_the_visitors_address_the_network_is_kept(traced):
    trace = traced(visitor={"ip": "8.8.4.4"}, data={"ip": "9.9.9.9", "ip_override": "soon"})
    masked = {
        "ip_override": ("x", "unusable"),
        "X-Forwarded-For or peer": ("8.8.4.x", "taken"),
        "ip": ("9.9.9.x", "not_asked"),
    }

    assert masked == given_by(trace, "user.ip")


def test_of_products_what_is_not_sent_is_not_kept(traced):
    trace = traced()

    assert {"items": ("{*** (40 characters)", "taken")} == given_by(trace, "properties.contents")


@pytest.mark.parametrize(
    ("more", "site"),
    [
        ({"data": {"page_location": "https://WWW.Shop.example:8443/a"}}, "www.shop.example"),
        ({"data": {}, "key": {"measurement_id": "G-1"}}, "G-1"),
        ({"data": {}, "key": {"measurement_id": "ann@shop.example"}}, "***"),
        ({"data": {"page_location": "soon"}}, ""),
    ],
)
def test_the_site_is_the_pages_host_or_what_the_hit_is_measured_for(traced, more, site):
    assert site == traced(**more).site


def test_an_address_with_hidden_signs_in_it_is_no_site(traced):
    """The signs are shown only after the mask: spaces in their place would break up what it looks for."""
    trace = traced(data={}, key={"measurement_id": "ann\u200dlee@shop\u2060.example"})

    assert "***" == trace.site


def test_the_sender_of_no_consent_leaves_no_person_in_a_trace(traced):
    trace = traced(data={"email": "ann@shop.example"}, consent={"sending": "granted", "user_data": "denied"})

    assert {} == given_by(trace, "user.email")
    assert () == trace.keys


def test_what_is_dropped_has_no_trace(event, rules):
    given = event("scroll")
    (explained,) = explain(given, rules(), fallback_id="made")

    assert b"" == write_trace(given, explained)


def test_sources_that_were_not_asked_go_first_when_there_is_no_room(traced, sha256):
    noise = {sha256(str(number)): 1 for number in range(12)}
    trace = traced(data={**DATA, **noise})

    assert trace.cut
    assert [] == [one for one in trace.sources if one.outcome == "not_asked"]
    assert "a*** (16 characters)" in [one.given for one in trace.sources]


@pytest.mark.parametrize(
    "more",
    [
        {"data": {f"{'€' * 60}{number}": 1 for number in range(200)}},
        {"name": "😀" * 300},
        {"data": {"page_location": f"https://{'ü' * 2000}.example/{'😀' * 5000}"}},
        {"settings": {"rules": [{"name": f"{one}" * 50, "set": {f"properties.a{one}": 1}} for one in range(60)]}},
        {"data": {f"x-ttq-{'€' * 90}{number}": "\ud800" for number in range(20)}},
        {"data": {"value": "1" * 400, "currency": "€" * 400, "description": "\ud83d\ude00" * 400}},
    ],
)  # fmt: skip
def test_a_trace_is_small_whatever_came(written, more):
    packed = written(**more)

    assert len(packed) <= MOST_BYTES
    assert read_trace(packed) is not None


words = st.text(st.characters(min_codepoint=1), max_size=300)


@given(data=st.dictionaries(words | st.sampled_from(sorted(DATA)), words | st.floats() | st.lists(words), max_size=40))
def test_a_trace_of_anything_is_small_and_can_be_read(data):
    made = Event(name="purchase", source="data", received_at=1795312345.0, data=data)
    (explained,) = explain(made, RULES, fallback_id="made")
    packed = write_trace(made, explained)

    assert len(packed) <= MOST_BYTES
    assert read_trace(packed) is not None


@given(st.binary(max_size=200), st.booleans())
def test_bytes_that_are_no_trace_are_read_as_none(damaged, is_like_one):
    assert read_trace(b"\x01" + damaged if is_like_one else damaged) is None


def test_a_flipped_bit_raises_nothing(written):
    whole = written()
    spoilt = (
        bytes([*whole[:at], whole[at] ^ 1 << bit, *whole[at + 1 :]]) for at in range(len(whole)) for bit in (0, 7)
    )

    assert all(isinstance(read_trace(one), Trace | None) for one in spoilt)


def test_a_trace_of_more_than_anybody_writes_is_not_unpacked():
    large = Trace(name="a" * 10**7, route="data", site="", value="", currency="", keys=())

    assert read_trace(b"\x01" + zlib.compress(msgspec.msgpack.encode(large))) is None


def test_what_was_given_is_cut_between_signs(traced):
    trace = traced(data={"description": "😀" * 500})

    assert [TracedSource("properties.description", "description", "😀" * 119 + "…", "taken")] == [
        one for one in trace.sources if one.field == "properties.description"
    ]
