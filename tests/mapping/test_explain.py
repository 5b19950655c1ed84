"""Where each field of a TikTok event came from, shown with nobody's address in it."""

import json

import msgspec
import pytest

from tikrelay.mapping.explain import explain, masked

DATA = {
    "x-ttq-ud-email": "nobody", "email": "ann@shop.example", "phone": "+12133734253", "first_name": "Ann",
    "search_term": "pen", "coupon": "SPRING", "page_location": "https://s.example/?email=ann@shop.example",
}  # fmt: skip


@pytest.fixture
def explained(event, rules):
    return lambda name="purchase", data=DATA, **more: explain(event(name, data), rules(), fallback_id="made", **more)


def test_each_taken_and_each_refused_source_is_named(explained):
    origins = [(origin.source, origin.outcome) for origin in explained().origins if origin.field == "user.email"]

    assert [("x-ttq-ud-email", "unusable"), ("email", "taken")] == origins


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
    assert "ann@shop.example" in [origin.given for origin in explained(show_personal_data=True).origins]


def test_a_parameter_that_goes_nowhere_is_named(explained):
    assert ("coupon",) == explained().not_sent


def test_a_key_that_is_an_address_is_masked(explained):
    assert ("***",) == explained(data={"ann@shop.example": 1}).not_sent


def test_a_name_that_holds_an_address_is_masked(explained):
    assert "buy ***" == explained("buy ann@shop.example").name


def test_a_dropped_event_has_its_reason(explained):
    made = explained("scroll buddy")

    assert ("", "no_mapping") == (made.dropped, explained("scroll").dropped)


def test_a_long_value_is_cut(explained):
    (origin,) = [one for one in explained(data={"search_term": "x" * 500}).origins if one.field == "properties.query"]

    assert (120, "…") == (len(origin.given), origin.given[-1])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ann", "a*** (3 characters)"),
        (("ann",), "a*** (3 characters)"),
        (["a", "b"], "2 values"),
        ({"a": 1}, "1 values"),
        (7, "7*** (1 characters)"),
    ],
)
def test_a_masked_value_tells_how_long_it_is(given, shown):
    assert shown == masked(given)


def test_an_explanation_can_be_written_as_json(explained):
    made = explained(data={"items": [{"item_id": "1"}], "value": 3, "x-ttq-pt-value": [1]})

    assert "3" in [one["given"] for one in json.loads(msgspec.json.encode(made))["origins"]]
