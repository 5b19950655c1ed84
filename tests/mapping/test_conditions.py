"""When a rule applies: what a condition may look at, and how it compares."""

import time

import pytest

from tikrelay.mapping.conditions import COMPARISONS, FIELDS_OF_THEIR_OWN, conditions_of, reader_of


@pytest.fixture
def met(event):
    """Say whether all conditions of a table are met by an event."""

    def ask(table, data=None, **more):
        mistakes = []
        found = conditions_of(table, mistakes)
        assert [] == mistakes
        return all(one.is_met(event(data=data, **more)) for one in found)

    return ask


@pytest.fixture
def mistakes():
    """Give what is wrong with a table."""

    def ask(table):
        found = []
        conditions_of(table, found)
        return [what for _, what in found]

    return ask


@pytest.mark.parametrize(
    ("comparison", "given", "holds"),
    [
        ("card", "card", True), ("card", " card ", True), ("card", "Card", False), ("card", None, False),
        (5, 5, True), (5, "5", True), (5, "5,00", True), (5, 5.5, False), (5, "five", False), (5, True, False),
        (True, True, True), (True, "true", True), (True, "false", False), (False, "False", True), (True, 1, False),
        ("5", 5, True), ("", None, False),
        ({"equals": "a"}, "a", True), ({"not": "a"}, "a", False), ({"not": "a"}, "b", True), ({"not": "a"}, None, True),
        ({"in": ["a", 2]}, "2", True), ({"in": ["a", 2]}, "b", False), ({"in": ["a"]}, None, False),
        ({"not_in": ["a", "b"]}, "c", True), ({"not_in": ["a", "b"]}, "a", False), ({"not_in": ["a"]}, None, True),
        ({"exists": True}, 0, True), ({"exists": True}, "", False), ({"exists": True}, None, False),
        ({"exists": False}, None, True), ({"exists": False}, "x", False),
        ({"above": 5}, 5, False), ({"above": 5}, "5,01", True),
        ({"at_least": 5}, 5, True), ({"at_least": 5}, 4.9, False),
        ({"below": 5}, 4, True), ({"below": 5}, 5, False),
        ({"at_most": 5}, 5, True), ({"at_most": 5}, "1.299,00", False),
        ({"at_least": 5}, "many", False), ({"below": 5}, None, False),
        ({"starts_with": "SKU-"}, "SKU-1", True), ({"starts_with": "SKU-"}, "xSKU-1", False),
        ({"ends_with": "-1"}, "SKU-1", True), ({"contains": "KU"}, "SKU-1", True), ({"contains": "KU"}, None, False),
        ({"contains": "1"}, 512, True),
        ({"matches": "^SKU-[0-9]+$"}, "SKU-12", True), ({"matches": "^SKU"}, "xSKU", False),
        ({"matches": "U-1"}, "SKU-1", True), ({"matches": "(?i)sku"}, "SKU", True),
        ({"not_matches": "SKU"}, "SKU-1", False), ({"not_matches": "SKU"}, None, True),
        ({"at_least": 1, "below": 10}, 5, True), ({"at_least": 1, "below": 10}, 10, False),
    ],
)  # fmt: skip
def test_a_comparison_holds_as_its_word_says(met, comparison, given, holds):
    assert holds is met({"key": comparison}, {} if given is None else {"key": given})


@pytest.mark.parametrize("word", COMPARISONS)
def test_a_comparison_with_the_wrong_kind_of_value_is_told(mistakes, word):
    wrong = {"equals": ["a"], "not": ["a"], "exists": "yes"}.get(word, "" if "match" in word or "with" in word else "x")
    wrong = 5 if word == "contains" else wrong

    (said,) = mistakes({"key": {word: wrong}})
    assert said.startswith(f"key: {word} takes")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"value": {"bigger": 5}}, "value: bigger is no comparison; there are equals, not, in"),
        ({"value": {}}, "value: write a value or one of equals"),
        ({"a": {"matches": "(?<=x)y"}}, "a: matches cannot be read as a regular expression of RE2: invalid perl"),
        ({"a": {"matches": "x" * 501}}, "a: matches takes a regular expression of at most 500 characters"),
        ({"a": {"matches": "(a{1000}){1000}"}}, "a: matches cannot be read as a regular expression"),
        ({"a": {"at_least": True}}, "a: at_least takes a number"),
        ({"page.url": "x"}, "page.url: equals is a field of TikTok's event; a condition sees the event as it came in"),
        ({"properties.value": 5}, "properties.value: equals is a field of TikTok's event"),
        ({"consent.analytics_storage": "x"}, "consent.analytics_storage: equals is nothing that can be asked"),
        ({"user_data": {"exists": True}}, "user_data: exists is a table; name a key of it, such as user_data.email"),
        ({"a": {"at_least": "5"}}, "a: at_least takes a number"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(mistakes, table, said):
    (found,) = mistakes(table)

    assert found.startswith(said)


def test_every_mistake_of_a_table_is_told(mistakes):
    assert 3 == len(mistakes({"a": {"in": "x", "no": 1}, "b": {"exists": 1}}))


@pytest.mark.parametrize(
    ("field", "given", "values"),
    [
        ("event_name", {"name": "purchase"}, ["purchase"]),
        ("source", {"source": "ga4_mp"}, ["ga4_mp"]),
        ("measurement_id", {"key": {"measurement_id": "G-1"}}, ["G-1"]),
        ("page.host", {"data": {"page_location": "https://Shop.example:8443/a/b?c"}}, ["shop.example"]),
        ("page.path", {"data": {"page_location": "https://shop.example/a/b?c"}}, ["/a/b"]),
        ("page.path", {"data": {"page_location": "http://[::1"}}, []),
        ("consent.ad_storage", {"consent": {"sending": "denied"}}, ["denied"]),
        ("consent.ad_user_data", {"consent": {"user_data": "granted"}}, ["granted"]),
        ("user_agent", {"visitor": {"user_agent": "curl/8"}}, ["curl/8"]),
        ("ip", {"visitor": {"ip": "8.8.8.8"}}, ["8.8.8.8"]),
        ("ip", {"data": {"ip_override": "9.9.9.9"}, "visitor": {"ip": "8.8.8.8"}}, ["9.9.9.9"]),
        ("user_data.email", {"user_data": {"email": ["a@b.example", "c@d.example"]}}, ["a@b.example", "c@d.example"]),
        ("user_data.address.country", {"user_data": {"address.country": "DE"}}, ["DE"]),
        ("user_properties.plan", {"user_properties": {"plan": "gold"}}, ["gold"]),
        ("client_hints.mobile", {"client_hints": {"mobile": False}}, [False]),
        ("items.0.item_id", {"data": {"items": [{"item_id": "A"}, {"item_id": "B"}]}}, ["A"]),
        ("items.*.item_id", {"data": {"items": [{"item_id": "A"}, {"item_id": "B"}, {}]}}, ["A", "B"]),
        ("items.7.item_id", {"data": {"items": [{"item_id": "A"}]}}, []),
        ("items.x.item_id", {"data": {"items": [{"item_id": "A"}]}}, []),
        ("deal.owner.team", {"data": {"deal": {"owner": {"team": "north"}}}}, ["north"]),
        ("deal.*.team", {"data": {"deal": {"owner": {"team": "north"}}}}, ["north"]),
        ("dotted.key", {"data": {"dotted.key": "x"}}, ["x"]),
        ("nothing", {"data": {}}, []),
        ("nothing.deeper", {"data": {"nothing": "text"}}, []),
    ],
)  # fmt: skip
def test_a_field_is_read_wherever_it_stands(event, field, given, values):
    assert values == list(reader_of(field)(event(**{"name": "view_item", **given})))


def test_each_field_of_its_own_can_be_read_of_a_bare_event(event):
    assert [1, 1] == [len(reader_of(field)(event())) for field in ("event_name", "source")]
    assert [] == [v for field in FIELDS_OF_THEIR_OWN[2:] for v in reader_of(field)(event())]


def test_one_of_several_values_is_enough_and_none_may_be_what_is_forbidden(met):
    people = {"user_data": {"email": ["a@b.example", "c@shop.example"]}}

    assert met({"user_data.email": {"ends_with": "@shop.example"}}, **people)
    assert not met({"user_data.email": {"not": "a@b.example"}}, **people)


def test_a_list_is_several_values(met):
    data = {"f": ["x", "q"]}

    assert [True, False, False] == [
        met({"f": how}, data) for how in ({"in": ["x", "y"]}, {"not_in": ["x"]}, {"not": "q"})
    ]


def test_a_pattern_made_to_take_for_ever_takes_no_time(met):
    began = time.monotonic()

    assert not met({"key": {"matches": "(a+)+$"}}, {"key": "a" * 4000 + "b"})
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("length", "is_found"), [(4095, True), (4096, False)])
def test_a_text_is_searched_up_to_a_bound(met, length, is_found):
    assert is_found is met({"key": {"matches": "b"}}, {"key": "a" * length + "b"})
