"""User data in all its shapes."""

import hashlib
from base64 import b64encode, urlsafe_b64encode

import pytest

from tikrelay.collect.user_data import MOST_LEAVES, from_em, from_parameters

DIGEST = hashlib.sha256(b"ann@shop.example")


@pytest.mark.parametrize(
    ("parameters", "flat"),
    [
        ({"user_data.email": " A@b.example"}, {"email": (" A@b.example",)}),
        ({"user_data.address.first_name": "Ann"}, {"address.first_name": ("Ann",)}),
        ({"user_data.address.0.city": "Kiel", "user_data.address.1.city": "Ulm"}, {"address.city": ("Kiel",)}),
        ({"user_data.email.0": "a@b.c", "user_data.email.1": "d@e.f"}, {"email": ("a@b.c", "d@e.f")}),
        ({"user_data._tag_mode": "AUTO", "user_data._tag_metadata.x": "y"}, {}),
        ({"user_data": {"email": ["a@b.c", "d@e.f"]}}, {"email": ("a@b.c", "d@e.f")}),
        ({"user_data": {"email": {"0": "a@b.c", "1": "d@e.f"}}}, {"email": ("a@b.c", "d@e.f")}),
        ({"user_data": {"address": [{"city": "Kiel"}, {"city": "Ulm"}]}}, {"address.city": ("Kiel",)}),
        ({"user_data": {"address": {"0": {"city": "Kiel"}, "1": {"city": "Ulm"}}}}, {"address.city": ("Kiel",)}),
        ({"user_data.address": {"city": "Kiel"}}, {"address.city": ("Kiel",)}),
        ({"user_data": {"phone_number": 4915155501234}}, {"phone_number": ("4915155501234",)}),
        ({"user_data.phone": 4915155501234.0}, {"phone": ("4915155501234",)}),
        ({"user_data": {"email": "", "phone": None, "x": True, "y": 1.5}}, {}),
        ({"user_data": "a@b.c"}, {}),
        ({"user_data": ["a@b.c"]}, {}),
        (
            {"user_data": '{"email": "a@b.c", "address": [{"city": "Kiel"}, {"city": "Ulm"}]}'},
            {"email": ("a@b.c",), "address.city": ("Kiel",)},
        ),
        ({"user_data.address": ' {"city": "Kiel"}'}, {"address.city": ("Kiel",)}),
        ({"user_data.email": '["a@b.c", "d@e.f"]'}, {"email": ("a@b.c", "d@e.f")}),
        ({"user_data.email": "[object Object]"}, {"email": ("[object Object]",)}),
        ({"user_data": "{"}, {}),
        ({"user_data.email": "[" * 5000}, {"email": ("[" * 5000,)}),
        ({"user_data.email.0001": "a@b.c"}, {"email.0001": ("a@b.c",)}),
        ({"user_data.email.\u0661": "a@b.c"}, {"email.\u0661": ("a@b.c",)}),
        ({"user_datax": {"email": "a@b.c"}, "email": "a@b.c"}, {}),
    ],
)
def test_every_shape_becomes_one_flat_table(parameters, flat):
    assert flat == from_parameters(parameters)


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["=", ""])
@pytest.mark.parametrize(
    "key", ["sha256_email_address", "sha256_phone_number", "address.sha256_first_name", "address.0.sha256_last_name"]
)
def test_a_hash_in_base64_becomes_hex_where_the_key_says_it_is_one(encode, padding, key):
    hashed = encode(DIGEST.digest()).decode().rstrip("=") + padding

    assert [(DIGEST.hexdigest(),)] == [*from_parameters({f"user_data.{key}": f" {hashed} "}).values()]


@pytest.mark.parametrize("given", ["Ann", DIGEST.hexdigest().upper(), "x" * 42, "!" * 43, "sha256:abc"])
def test_what_is_no_hash_in_base64_stays(given):
    assert {"sha256_email_address": (given,)} == from_parameters({"user_data.sha256_email_address": given})


def test_a_name_that_could_be_base64_is_a_name():
    assert {"address.first_name": ("A" * 43,)} == from_parameters({"user_data.address.first_name": "A" * 43})


def test_of_endless_values_some_are_read():
    many = {f"key{number}": [[], {}, "x"] for number in range(50_000)}

    found = from_parameters({"user_data": many})

    assert 0 < len(found) <= MOST_LEAVES


def test_nesting_ends():
    deep: dict[str, object] = {"email": "a@b.c"}
    for _ in range(30):
        deep = {"a": deep}

    assert {} == from_parameters({"user_data": deep})


def test_the_compact_form_becomes_hex():
    hashed = urlsafe_b64encode(DIGEST.digest()).decode().rstrip("=")

    flat = from_em(f"tv.1~em.{hashed}~pn0.{DIGEST.hexdigest().upper()}~fn[1].{hashed}~ct.K%C3%B6ln~ec.e2~xx.y~em.short")

    assert {
        "sha256_email_address": (DIGEST.hexdigest(),),
        "sha256_phone_number": (DIGEST.hexdigest(),),
        "address.sha256_first_name": (DIGEST.hexdigest(),),
        "address.city": ("Köln",),
    } == flat


@pytest.mark.parametrize("em", ["", "tv.1", "tv.1~em", "tv.1~em.", "~~~", "tv.1~em." + "!" * 43, "tv.1~em." + "ü" * 64])
def test_a_compact_form_without_a_hash_holds_nothing(em):
    assert {} == from_em(em)
