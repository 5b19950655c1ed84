"""Where each field of a TikTok event came from, shown with nobody's address in it."""

import json

import msgspec
import pytest

from tikrelay.event import DropReason
from tikrelay.mapping.explain import WHY_DROPPED, Ruled, explain, masked

DATA = {
    "x-ttq-ud-email": "nobody", "email": "ann@shop.example", "phone": "+12133734253", "first_name": "Ann",
    "search_term": "pen", "coupon": "SPRING", "page_location": "https://s.example/?email=ann@shop.example",
}  # fmt: skip


@pytest.fixture
def explained_all(event, rules):
    def make(name="purchase", data=DATA, *, settings=None, show=False, **more):
        return explain(
            event(name, data, **more), rules(**(settings or {})), fallback_id="made", show_personal_data=show
        )

    return make


@pytest.fixture
def explained(explained_all):
    return lambda *given, **more: explained_all(*given, **more)[0]


def origins_of(made, field):
    return [(origin.source, origin.outcome) for origin in made.origins if origin.field == field]


def test_each_taken_and_each_refused_source_is_named(explained):
    assert [("x-ttq-ud-email", "unusable"), ("email", "taken")] == origins_of(explained(), "user.email")


def test_a_source_below_the_one_taken_is_named_too(explained):
    made = explained(data={"x-ttq-pt-value": 1, "value": 2})

    assert [("x-ttq-pt-value", "taken"), ("value", "not_asked")] == origins_of(made, "properties.value")


def test_what_is_explained_is_what_is_sent(explained, body):
    assert {**body("purchase", DATA), "event_id": "made"} == explained().tiktok


def test_each_field_that_is_sent_has_one_origin(explained):
    made = explained()
    taken = [origin.field for origin in made.origins if origin.outcome == "taken"]
    sent = [f"{group}.{key}" for group in ("user", "page", "properties") for key in made.tiktok.get(group, {})]

    assert ["event_time", "event_id", *sent] == taken


def test_a_persons_value_is_shown_by_its_length_only(explained):
    shown = msgspec.json.encode(explained()).decode()

    assert [] == [word for word in ("ann@", "shop.example", "2133734253", '"Ann"', "nobody") if word in shown]
    assert "a*** (16 characters)" in shown


def test_a_person_may_be_shown_when_asked_for(explained):
    assert "ann@shop.example" in [origin.given for origin in explained(show=True).origins]


def test_a_parameter_that_goes_nowhere_is_named(explained):
    assert ("coupon",) == explained().not_sent


def test_a_parameter_that_a_rule_copies_is_not_told_as_unsent(explained):
    rule = {"name": "coupons", "copy": {"properties.coupon": "coupon"}}
    made = explained(settings={"rules": [rule]})

    assert ((), "SPRING") == (made.not_sent, made.tiktok["properties"]["coupon"])
    assert (Ruled("coupons", "properties.coupon copied from coupon", ("properties.coupon",), "coupon"),) == made.rules


def test_a_key_that_is_an_address_is_masked(explained):
    assert ("***",) == explained(data={"ann@shop.example": 1}).not_sent


def test_a_name_that_holds_an_address_is_masked(explained):
    assert "buy ***" == explained("buy ann@shop.example").name


def test_a_name_that_becomes_several_events_is_explained_for_each(explained_all):
    made = explained_all(settings={"events": {"purchase": ("Purchase", "Order")}})

    assert ["Purchase", "Order"] == [one.tiktok["event"] for one in made]
    assert all(one.origins for one in made)


@pytest.mark.parametrize(
    ("name", "settings", "more", "expected"),
    [
        ("scroll", {}, {}, ("no_mapping", "", 'events = { "scroll" = "YourName" }')),
        ("a", {"events": {"a": ""}}, {}, ("by_rule", "mapping.events", "mapping.events sends nothing")),
        ("a", {"rules": [{"name": "mine", "drop": True}]}, {}, ("by_rule", "mine", "mine sends nothing")),
        ("a", {"denied_events": ("a",)}, {}, ("deny_listed", "privacy.denied_events", "take that entry out")),
        ("a", {}, {"consent": {"sending": "denied"}}, ("consent_denied", "privacy.consent", '"ignore"')),
        ("a", {"consent_rule": "required"}, {}, ("consent_missing", "privacy.consent", '"required_or_unknown"')),
    ],
)
def test_a_dropped_event_says_why_and_what_would_send_it(explained, name, settings, more, expected):
    made = explained(name, settings=settings, **more)
    reason, by, words = expected

    assert (None, reason, by) == (made.tiktok, made.dropped, made.by)
    assert words in made.why


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_to_drop_has_words(reason):
    assert WHY_DROPPED[reason].format(by="it", name='"a"')


def test_an_event_that_is_sent_has_no_reason(explained):
    assert ("", "") == (explained("scroll buddy").dropped, explained("scroll buddy").why)


def test_a_warning_comes_with_what_was_given_masked(explained):
    (warned,) = [one for one in explained().warnings if one.field == "user.email"]

    assert ("x-ttq-ud-email", "n*** (6 characters)") == (warned.source, warned.given)


def test_a_warning_of_what_is_missing_shows_no_value(explained):
    found = {one.kind: one.given for one in explained(data={"value": 3}).warnings}

    assert "" == found["value_without_currency"]


def test_a_long_value_is_cut(explained):
    (origin,) = [one for one in explained(data={"search_term": "x" * 500}).origins if one.field == "properties.query"]

    assert (120, "…") == (len(origin.given), origin.given[-1])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ann", "a*** (3 characters)"),
        (" ann", "a*** (4 characters)"),
        (("ann",), "a*** (3 characters)"),
        (["a", "b"], "2 values"),
        ({"a": 1}, "1 value"),
        (7, "7*** (1 character)"),
    ],
)
def test_a_masked_value_tells_how_long_it_is(given, shown):
    assert shown == masked(given)


def test_a_hashed_field_says_that_it_is(explained):
    cleaning = {origin.field: origin.cleaning for origin in explained().origins if origin.outcome == "taken"}

    assert "SHA-256" in cleaning["user.email"]
    assert "`" not in "".join(cleaning.values())


def test_an_explanation_can_be_written_as_json(explained):
    made = explained(data={"items": [{"item_id": "1"}], "value": 3, "x-ttq-pt-value": [1]})

    assert "3" in [one["given"] for one in json.loads(msgspec.json.encode(made))["origins"]]
