"""GA4's compact item strings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.collect.items import KEYS, items_of, read_item


def test_every_key_of_the_protocol_has_its_name():
    item = read_item("~".join(f"{key}1" for key in KEYS))

    assert set(KEYS.values()) == set(item)
    assert {"price": 1, "quantity": 1, "discount": 1, "index": 1, "item_id": "1"}.items() <= item.items()


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("idSKU~~1~nmTee ~~ Shirt", {"item_id": "SKU~1", "item_name": "Tee ~ Shirt"}),
        ("ida~~~~b", {"item_id": "a~~b"}),
        ("ida~~~nmB", {"item_id": "a~", "item_name": "B"}),
        ("idA~b~nmn", {"item_id": "A~b", "item_name": "n"}),
        ("id00123~qt0", {"item_id": "00123", "quantity": 0}),
        ("nm~id", {"item_name": "", "item_id": ""}),
        ("idline\nbreak", {"item_id": "line\nbreak"}),
    ],
)
def test_a_tilde_is_read_as_it_was_meant(text, item):
    assert item == read_item(text)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("k0size~v0L~idA", {"size": "L", "item_id": "A"}),
        ("k12x~v1y", {"2x": "y"}),
        ("kAcolor~vAred~kQlast~vQz", {"color": "red", "last": "z"}),
        ("k1a~v1x~k10color~v10red", {"a": "x", "color": "red"}),
        ("k1a~k10b~v1x~v10y", {"a": "x", "b": "y"}),
        ("v0L~k0size", {}),
        ("k0size", {}),
    ],
)
def test_custom_keys_are_numbered_by_one_character(text, item):
    assert item == read_item(text)


@pytest.mark.parametrize("text", ["", "~", "x", "x~y", "~~", "k", "v", "k~v", "junk", "\0", "i"])
def test_what_is_no_item_is_none(text):
    assert {} == read_item(text)


def test_what_stands_before_the_first_key_is_passed_over():
    assert {"item_id": "A"} == read_item("x~~~junk~idA")


def test_items_come_in_the_order_of_their_numbers():
    parameters = {"pr10": "idJ", "pr2": "idB", "pr1": "idA", "pr200": "idZ", "pr201": "idNo", "pr0": "idNo",
                  "pr01": "idNo", "prx": "idNo", "pr3": "", "pr": "idNo", "pr\u0663": "idNo"}  # fmt: skip

    assert ["A", "B", "J", "Z"] == [item["item_id"] for item in items_of(parameters)]


FIELDS = st.dictionaries(st.sampled_from(["id", "nm", "br", "va", "cp"]), st.text(min_size=1), min_size=1)


@given(FIELDS.filter(lambda fields: not any("\0" in value for value in fields.values())))
def test_what_gtag_wrote_comes_back(fields):
    text = "~".join(key + value.replace("~", "~~") for key, value in fields.items())

    assert {KEYS[key]: value for key, value in fields.items()} == read_item(text)
