"""What a rule changes in the event that goes out."""

import hashlib
import json

import pytest

from tikrelay.mapping.config import RuleConfig
from tikrelay.mapping.edits import edits_of

ALWAYS = {"event", "event_time", "event_id"}
PAGE = {"url": "https://shop.example/"}
OF_A_PERSON = ["user_data.email", "user_data.address.street", "first_name", "phone", "user_id", "user_properties.email"]
HIDDEN = ["ann@shop.example", "+49 151 55501234", "a%40b.example", ["x", "ann@shop.example"], "mailto:ann@shop.example"]


@pytest.fixture
def changed(body):
    """Map an event under one rule and give its JSON without what every event has."""

    def to(rule, data=None, **more):
        settings = {"rules": [rule], **more.pop("settings", {})}
        found = body(more.pop("name", "own_event"), data, settings=settings, **more)
        return {key: value for key, value in found.items() if key not in ALWAYS}

    return to


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("SPRING", "SPRING"), (5, 5), (5.5, 5.5), (True, True), (["a", "b"], ["a", "b"]), (["a"], ["a"]),
        ("write ann@shop.example", "write ***"), (" x ", "x"), ([1, {"a": 1}], [1]),
    ],
)  # fmt: skip
def test_a_property_of_the_operators_own_is_copied_and_cleared(changed, given, value):
    found = changed({"copy": {"properties.coupon": "coupon"}}, {"coupon": given})

    assert {"properties": {"coupon": value}} == found


@pytest.mark.parametrize("given", [None, "", {"a": 1}, [[1]], "undefined"])
def test_what_cannot_be_copied_leaves_nothing_behind(changed, given):
    assert {} == changed({"copy": {"properties.coupon": "coupon"}}, {"coupon": given})


def test_a_field_of_the_table_keeps_its_cleaning(changed):
    rule = {"copy": {"user.external_id": "customer", "properties.value": "total", "page.url": "where"}}
    data = {"customer": " C-7 ", "total": "1.299,50", "where": "https://shop.example/?email=a@b.example&x=1"}

    assert {
        "user": {"external_id": hashlib.sha256(b"C-7").hexdigest()},
        "properties": {"value": 1299.5},
        "page": {"url": "https://shop.example/?x=1"},
    } == changed(rule, data)


def test_several_copied_values_make_a_list_where_the_field_takes_one(changed):
    found = changed({"copy": {"user.email": "mails"}}, {"mails": ["a@b.example", "c@d.example", "a@b.example"]})

    assert 2 == len(found["user"]["email"])


def test_values_of_several_objects_make_a_list(changed):
    people = [{"mail": "a@b.example"}, {"mail": "c@d.example"}, {}]
    found = changed({"copy": {"user.email": "people.*.mail"}}, {"people": people})

    assert 2 == len(found["user"]["email"])


def test_what_was_worked_out_takes_no_unseen_text(changed):
    found = changed({"copy": {"properties.content_ids": "ids"}}, {"ids": ["A-1", "ann@shop.example"]})

    assert {"properties": {"content_ids": ["A-1", "***"]}} == found


@pytest.mark.parametrize(
    ("target", "value", "found"),
    [
        ("properties.status", "submitted", {"properties": {"status": "submitted"}}),
        ("properties.level", 3, {"properties": {"level": 3}}),
        ("properties.currency", "eur", {"properties": {"currency": "EUR"}}),
        ("limited_data_use", True, {"limited_data_use": True}),
        ("user.country", "DE", {"user": {"country": "de"}}),
    ],
)
def test_a_field_is_set_and_cleaned(changed, target, value, found):
    assert found == changed({"set": {target: value}})


def test_a_property_is_renamed_where_it_is(changed):
    rule = {"rename": {"properties.description": "properties.note"}}

    assert {"properties": {"note": "x"}} == changed(rule, {"description": "x"})
    assert {} == changed(rule)


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("user.country", {"page": PAGE, "properties": {"value": 5, "currency": "EUR"}}),
        ("page", {"user": {"country": "de"}, "properties": {"value": 5, "currency": "EUR"}}),
        ("properties.value", {"user": {"country": "de"}, "page": PAGE, "properties": {"currency": "EUR"}}),
    ],
)
def test_a_field_or_a_group_is_removed_and_no_empty_one_stays(changed, target, left):
    data = {"country": "DE", "page_location": "https://shop.example/", "value": 5, "currency": "EUR"}

    assert left == {k: v for k, v in changed({"remove": [target]}, data).items() if v}
    assert {} not in changed({"remove": [target]}, data).values()


def test_within_a_rule_the_order_is_rename_copy_set_remove(changed):
    rule = {
        "remove": ["properties.c"],
        "set": {"properties.b": "set", "properties.c": "set"},
        "copy": {"properties.description": "coupon", "properties.b": "coupon"},
        "rename": {"properties.description": "properties.a"},
    }
    found = changed(rule, {"description": "was", "coupon": "SPRING"})

    assert {"a": "was", "description": "SPRING", "b": "set"} == found["properties"]


def test_of_two_rules_the_later_counts(body):
    rules = [{"set": {"properties.x": 1, "properties.y": 1}}, {"set": {"properties.x": 2}}]

    assert {"x": 2, "y": 1} == body(settings={"rules": rules})["properties"]


@pytest.mark.parametrize("source", OF_A_PERSON)
def test_what_tells_of_a_person_is_not_copied_into_a_property(source):
    mistakes = []
    edits_of(RuleConfig(copy={"properties.mail": source}), mistakes)

    assert ["copy"] == [key for key, _ in mistakes]
    assert "tells of a person" in mistakes[0][1]


def test_no_rule_brings_back_the_person_a_visitor_denied(changed):
    rule = {"copy": {"user.email": "mail", "properties.coupon": "coupon"}, "set": {"user.external_id": "C-7"}}
    denied = {"consent": {"sending": "granted", "user_data": "denied"}}

    assert {"properties": {"coupon": "X"}} == changed(rule, {"mail": "a@b.example", "coupon": "X"}, **denied)


def test_no_address_passes_through_any_copy(changed):
    rule = {"copy": {f"properties.p{n}": f"key{n}" for n in range(5)} | {"properties.description": "key0"}}
    text = json.dumps(changed(rule, {f"key{n}": value for n, value in enumerate(HIDDEN)}))

    assert [] == [part for part in ("ann@", "55501234", "%40b") if part in text]


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ({"set": {"event": "Purchase"}}, "set"), ({"set": {"nonsense": 1}}, "set"),
        ({"copy": {"user.mail": "x"}}, "copy"), ({"set": {"properties.": 1}}, "set"),
        ({"set": {"properties.a b": 1}}, "set"), ({"set": {"properties." + "a" * 65: 1}}, "set"),
        ({"rename": {"user.email": "properties.mail"}}, "rename"), ({"rename": {"properties.a": "b"}}, "rename"),
        ({"remove": ["event_id"]}, "remove"), ({"remove": ["event"]}, "remove"), ({"remove": ["event_time"]}, "remove"),
        ({"remove": ["nonsense"]}, "remove"), ({"set": {"event_id": "x"}}, "set"), ({"set": {"event_time": 5}}, "set"),
        ({"set": {"properties.value": "many"}}, "set"), ({"set": {"user.country": "Germany"}}, "set"),
        ({"copy": {"properties.contents": "bundle"}}, "copy"), ({"copy": {"properties.order_id": "user_id"}}, "copy"),
        ({"copy": {"properties.description": "user_data.address.first_name"}}, "copy"),
        ({"copy": {"user.city": "user_data.email"}}, "copy"), ({"copy": {"user.city": "phone"}}, "copy"),
        ({"copy": {"properties.uid": "user_properties.id"}}, "copy"), ({"copy": {"properties.x": "page.url"}}, "copy"),
        ({"rename": {"properties.order_id": "properties.value"}}, "rename"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_by_its_key(rule, key):
    mistakes = []
    edits_of(RuleConfig(**rule), mistakes)

    assert [key] == [found for found, _ in mistakes]


def test_a_copied_list_is_bounded(changed):
    found = changed({"copy": {"properties.tags": "tags"}}, {"tags": [f"t{number}" for number in range(150)]})

    assert [f"t{number}" for number in range(100)] == found["properties"]["tags"]
