"""How items and contents become TikTok's products, and what follows from them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.mapping.cleaning import Basket, Left
from tikrelay.mapping.contents import MOST_CONTENTS, read_contents, total_of

MUG = {
    "item_id": "SKU-1",
    "item_name": "Mug",
    "item_brand": "Acme",
    "item_category": "Kitchen",
    "price": 9.5,
    "quantity": 2,
}
MUG_SENT = {
    "content_id": "SKU-1", "content_type": "product", "content_name": "Mug", "content_category": "Kitchen",
    "brand": "Acme", "price": 9.5, "quantity": 2,
}  # fmt: skip


def test_an_item_of_ga4_becomes_a_content(context):
    assert [MUG_SENT] == read_contents([MUG], context())


def test_a_content_in_tiktoks_names_is_taken_as_it_is(context):
    assert [MUG_SENT] == read_contents([MUG_SENT], context())


def test_tiktoks_names_win_over_ga4s_in_one_item(context):
    item = {"content_id": "T", "item_id": "G", "content_name": "t", "item_name": "g", "brand": "tb", "item_brand": "gb"}
    (content,) = read_contents([item], context())

    assert {"content_id": "T", "content_name": "t", "brand": "tb"}.items() <= content.items()


@pytest.mark.parametrize(
    "given", [[MUG], MUG, json.dumps([MUG]), json.dumps(MUG), f" {json.dumps([MUG])} ", {"0": MUG}]
)
@pytest.mark.parametrize("key", ["x-ttq-pt-contents", "items", "tt_contents", "contents"])
def test_products_come_as_a_list_one_object_or_json_text(body, key, given):
    assert [MUG_SENT] == body(data={key: given})["properties"]["contents"]


@pytest.mark.parametrize("first", range(4))
def test_the_first_source_with_products_counts(body, first):
    keys = ("x-ttq-pt-contents", "items", "tt_contents", "contents")
    data = {key: [{"item_id": key}] if number >= first else [] for number, key in enumerate(keys)}

    assert [keys[first]] == body(data=data)["properties"]["content_ids"]


@pytest.mark.parametrize("given", [[], {}, "", " ", "[]", None, [{}], [{"price": 3}], [None], ["SKU-1"], [[]]])
def test_without_a_product_there_are_no_contents(body, given):
    assert "properties" not in body(data={"items": given})


@pytest.mark.parametrize("given", ["SKU-1", "[", 7, True, "7", '"SKU"', "[" * 100_000])
def test_what_is_no_product_is_left_out_with_a_notice(body, kinds, given):
    assert "properties" not in body(data={"items": given})
    assert ("unusable", "properties.contents") in kinds(data={"items": given})


def test_a_broken_product_costs_its_neighbours_nothing(body, kinds):
    data = {"items": [None, MUG, {"price": "x"}, 7]}

    assert [MUG_SENT] == body(data=data)["properties"]["contents"]
    assert {("unusable", "properties.contents")} == {one for one in kinds(data=data) if one[1] == "properties.contents"}


@pytest.mark.parametrize(
    ("item", "identifier"),
    [
        ({"item_id": "00123"}, "00123"),
        ({"item_id": 123}, "123"),
        ({"item_id": 12.0}, "12"),
        ({"item_id": 0}, "0"),
        ({"id": "A"}, "A"),
        ({"item_id": "", "id": "A"}, "A"),
        ({"item_id": None, "id": "A"}, "A"),
        ({"item_id": "G", "id": "A"}, "G"),
        ({"item_id": "0012345678901234"}, "0012345678901234"),
        ({"item_id": 12345678901234567890}, "12345678901234567890"),
    ],
)
def test_an_id_is_a_text_character_for_character(context, item, identifier):
    assert identifier == read_contents([item], context())[0]["content_id"]


@pytest.mark.parametrize("identifier", ["ann@shop.example", "x-ann%40shop.example", "+4915155501234"])
def test_an_id_that_is_somebodys_address_is_hashed(body, sha256, identifier):
    properties = body(data={"items": [{"item_id": identifier}]})["properties"]

    assert [sha256(identifier)] == properties["content_ids"] == [properties["contents"][0]["content_id"]]


@pytest.mark.parametrize("field", ["item_name", "item_brand", "item_category", "description", "category"])
def test_a_text_of_a_product_holds_nobodys_address(body, field):
    sent = json.dumps(body(data={"items": [{"item_id": "1", field: "for ann@shop.example"}]}))

    assert "for ***" in sent
    assert "ann@" not in sent


@pytest.mark.parametrize("empty", range(5))
def test_the_category_is_the_first_that_is_not_empty(context, empty):
    keys = ["item_category", "item_category2", "item_category3", "item_category4", "item_category5"]
    item = {"item_id": "1"} | {key: "" if number < empty else key for number, key in enumerate(keys)}

    assert keys[empty] == read_contents([item], context())[0]["content_category"]


@pytest.mark.parametrize(
    ("data", "item", "kind"),
    [
        ({}, {}, "product"),
        ({"content_type": "product_group"}, {}, "product_group"),
        ({"tt_content_type": "product_group"}, {}, "product_group"),
        ({"tt_content_type": " Product_Group "}, {}, "product_group"),
        ({"tt_content_type": "product", "content_type": "product_group"}, {}, "product"),
        ({"content_type": "article"}, {}, "product"),
        ({"content_type": ["product_group"]}, {}, "product"),
        ({}, {"content_type": "product_group"}, "product_group"),
        ({}, {"content_type": "Kitchen"}, "product"),
        ({}, {"content_type": []}, "product"),
        ({"content_type": "product_group"}, {"content_type": "product"}, "product"),
    ],
)
def test_a_content_is_a_product_unless_a_group_is_said(body, data, item, kind):
    properties = body(data={**data, "items": [{"item_id": "1", **item}]})["properties"]

    assert (kind, kind) == (properties["content_type"], properties["contents"][0]["content_type"])


@pytest.mark.parametrize(
    ("given", "price"), [("9.50", 9.5), ("9,50", 9.5), ("1.299,00", 1299), (0, 0), ("0", 0), ("5 €", 5)]
)
def test_a_price_is_a_number(context, given, price):
    assert price == read_contents([{"item_id": "1", "price": given}], context())[0]["price"]


@pytest.mark.parametrize("given", ["free", True, [], "NaN", math.nan, math.inf])
def test_a_price_that_is_none_is_left_out_with_a_notice(context, given):
    made = context()

    assert "price" not in read_contents([{"item_id": "1", "price": given}], made)[0]
    assert ["unusable"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(
    ("given", "quantity"), [(None, 1), ("", 1), (2, 2), ("3", 3), (4.0, 4), ("5.0", 5), (10**9, 10**9)]
)
def test_a_quantity_is_a_whole_number_and_one_when_missing(context, given, quantity):
    assert quantity == read_contents([{"item_id": "1", "quantity": given}], context())[0]["quantity"]


@pytest.mark.parametrize("given", [0, -1, 1.5, 10**9 + 1])
def test_another_quantity_is_left_out_with_a_notice(context, given):
    made = context()

    assert "quantity" not in read_contents([{"item_id": "1", "quantity": given}], made)[0]
    assert ["unusable"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize("given", ["many", True, "1e400", []])
def test_a_quantity_that_cannot_be_read_counts_as_missing_with_a_notice(context, given):
    made = context()

    assert read_contents([{"item_id": "1", "quantity": given}], made)[0]["quantity"] == 1
    assert ["unusable"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(
    ("items", "count", "total"),
    [
        ([(9.5, 2), (1, 1)], 3, 20),
        ([(0.1, 3)], 3, 0.3),
        ([(19.99, 3)], 3, 59.97),
        ([(1.1, 1), (2.2, 1)], 2, 3.3),
        ([("1.299,00", "2")], 2, 2598),
        ([(0, 1)], 1, 0),
        ([(5, None)], 1, 5),
        ([(None, 2), (5, 1)], 3, 5),
        ([(None, 2)], 2, None),
        ([(5, 0)], None, 0),
        ([(10, 1.5)], None, 15),
        ([(10, "some"), (5, 1)], 2, None),
        ([(10, "2 Stk")], 1, None),
        ([(10, -1), (5, 1)], 1, None),
        ([(10, -1)], None, None),
        ([("free", 1), (5, 1)], 2, None),
        ([(1e308, 10)], 10, None),
    ],
)
def test_the_value_is_the_exact_sum_of_price_and_quantity(body, items, count, total):
    data = {"items": [{"item_id": "1", "price": price, "quantity": quantity} for price, quantity in items]}
    properties = body(data=data)["properties"]

    assert (count, total) == (properties.get("num_items"), properties.get("value"))


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 99)), min_size=1, max_size=20))
def test_a_sum_of_cents_is_right_to_the_cent(lines):
    basket = Basket([], 1, [(cents / 100, count) for cents, count in lines], None)

    assert sum(cents * count for cents, count in lines) / 100 == total_of(basket)


@pytest.mark.parametrize(
    ("items", "total"),
    [
        ([{"item_id": "A", "price": 9.5}, {"price": 5, "quantity": 2}], 19.5),
        ([{"item_id": "A", "price": 9.5}, {"item_id": "B", "price": "abc"}], None),
        ([{"item_id": "A", "price": 9.5}, {"price": "abc"}], None),
        ([{"item_id": "A", "price": 9.5}, {"item_id": "B", "price": ""}, {"item_id": "C"}], 9.5),
        ([{"item_id": "A", "price": 9, "currency": "EUR"}, {"item_id": "B", "price": 1, "currency": "eur"}], 10),
        ([{"item_id": "A", "price": 9, "currency": "EUR"}, {"item_id": "B", "price": 1, "currency": "JPY"}], None),
    ],
)
def test_a_sum_is_of_all_that_was_bought_or_there_is_none(body, items, total):
    assert total == body(data={"items": items})["properties"].get("value")


def test_prices_in_another_currency_than_the_events_are_not_added_up(body):
    properties = body(data={"currency": "EUR", "items": [{"item_id": "A", "price": 10, "currency": "JPY"}]})[
        "properties"
    ]

    assert ("EUR", None) == (properties["currency"], properties.get("value"))


def test_the_first_currency_among_the_products_counts_also_of_one_without_a_name(body):
    items = [{"price": 5, "currency": "EUR"}, {"item_id": "A", "price": 1, "currency": "USD"}]

    assert "EUR" == body(data={"items": items})["properties"]["currency"]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"x-ttq-pt-value": "3", "value": 4}, 3),
        ({"value": 4}, 4),
        ({"value": "7630"}, 7630),
        ({"value": "1,299.00"}, 1299),
        ({"value": "42.50 EUR"}, 42.5),
        ({"value": 0}, 0),
        ({"value": "0"}, 0),
        ({"x-ttq-pt-value": 0, "value": 4}, 0),
        ({"value": -5}, -5),
        ({"value": "soon"}, 19),
        ({"value": ""}, 19),
        ({}, 19),
    ],
)
def test_a_stated_value_wins_over_the_sum(body, data, value):
    assert value == body(data={**data, "items": [MUG]})["properties"]["value"]


@pytest.mark.parametrize(
    ("data", "items", "currency"),
    [
        ({"x-ttq-pt-currency": "gbp", "currency": "EUR"}, ["USD"], "GBP"),
        ({"currency": "eur"}, ["USD"], "EUR"),
        ({"currency": ""}, ["usd"], "USD"),
        ({}, [None, "usd", "EUR"], "USD"),
        ({"currency": "€"}, ["usd"], "USD"),
        ({"currency": "€"}, [None], None),
        ({}, [None], None),
        ({"currency": "XOF"}, [None], "XOF"),
    ],
)
def test_a_currency_is_never_invented(body, data, items, currency):
    listed = [{"item_id": "1", "currency": one} for one in items]

    assert currency == body(data={**data, "items": listed})["properties"].get("currency")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"currency": "XOF", "value": 1}, ("unlisted_currency", "properties.currency")),
        ({"currency": "€", "value": 0}, ("unusable", "properties.currency")),
        ({"value": 3}, ("value_without_currency", "properties.currency")),
    ],
)
def test_a_doubtful_currency_is_noticed(kinds, data, kind):
    assert kind in kinds(data=data)


def test_a_value_of_nothing_needs_no_currency(kinds):
    assert ("value_without_currency", "properties.currency") not in kinds(data={"value": 0})


def test_more_products_than_anybody_buys_are_cut_in_all_that_follows(body, kinds):
    data = {"items": [{"item_id": number, "price": 1} for number in range(MOST_CONTENTS + 5)]}
    properties = body(data=data)["properties"]

    assert {MOST_CONTENTS} == {
        len(properties["contents"]), len(properties["content_ids"]), properties["num_items"],
    }  # fmt: skip
    assert "value" not in properties
    assert ("cut", "properties.contents") in kinds(data=data)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([{"item_id": "1", "price": "14,90"}], "price 14,90 read as 14.9"),
        ([{"item_id": "1", "price": "14,90"}, {"item_id": "2", "price": "5,00"}], "price 14,90 read as 14.9"),
        ([{"item_id": "1", "price": "EUR 1.299,00"}], "price 1.299,00 read as 1299"),
        ([{"item_id": "1", "price": 1, "quantity": "2,0"}], "quantity 2,0 read as 2"),
        ([{"item_id": "1", "price": "14.90", "quantity": "2"}], None),
        ([{"item_id": "1", "price": 14.9, "quantity": 2}], None),
    ],
)
def test_a_price_written_as_people_do_is_told_with_how_it_was_read(convert, items, told):
    found = [one.text for one in convert(data={"items": items}).notices if one.kind == "number_read"]

    assert ([] if told is None else [f"properties.contents: {told}"]) == found


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([{"item_name": "Mug"}], True),
        ([{"item_name": "Mug"}, {"item_name": "Pot"}], True),
        ([{"item_id": "1"}, {"item_name": "Pot"}], True),
        ([{"item_id": "1"}], False),
        ([{"item_id": 0}], False),
        ([{"price": 3}], False),
    ],
)
def test_a_product_without_id_is_told_once(kinds, items, told):
    found = [one for one in kinds(data={"items": items}) if one[0] == "content_without_id"]

    assert [("content_without_id", "properties.contents")] * told == found


def test_what_is_doubtful_in_many_products_is_told_once_for_each_kind(kinds):
    items = [{"item_id": number, "price": "free", "quantity": "some"} for number in range(50)]
    found = [kind for kind, field in kinds(data={"items": items}) if field == "properties.contents"]

    assert ["unusable", "unusable", "id_as_number"] == found


def test_a_product_without_id_has_no_place_among_the_ids(body):
    properties = body(data={"items": [{"item_name": "Mug"}, {"item_id": "1"}]})["properties"]

    assert ["1"] == properties["content_ids"]
    assert 2 == len(properties["contents"])


def test_products_named_only_have_no_ids_at_all(body):
    assert "content_ids" not in body(data={"items": [{"item_name": "Mug"}]})["properties"]


def test_what_json_has_no_number_for_costs_its_field_only(context):
    (content,) = read_contents('[{"item_id": "1", "price": NaN, "quantity": 2}]', context())

    assert {"content_id": "1", "content_type": "product", "quantity": 2} == content


def test_unset_fields_of_an_export_count_as_missing(context):
    (content,) = read_contents([{"item_id": "1", "item_brand": "(not set)", "item_category": "(not set)"}], context())

    assert {"content_id": "1", "content_type": "product", "quantity": 1} == content


def test_a_text_too_long_is_cut(context):
    (content,) = read_contents([{"item_id": "x" * 2000, "item_name": "y" * 2000}], context())

    assert (1024, 1024) == (len(content["content_id"]), len(content["content_name"]))


@pytest.mark.parametrize(
    "text", ['{"item_id": 1' + "0" * 5000 + "}", '[{"item_id": "1", "price": 1' + "0" * 400 + "}]"]
)
def test_a_number_longer_than_any_in_json_text_harms_nothing(context, text):
    found = read_contents(text, context())

    assert isinstance(found, Left) or "price" not in found[0]
