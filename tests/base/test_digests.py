"""The forms of a SHA-256."""

import hashlib
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.base.digests import of_base64, of_hex


@given(st.binary())
def test_a_hash_is_the_same_in_every_form(data: bytes):
    made = hashlib.sha256(data)
    padded = [b64encode(made.digest()).decode(), urlsafe_b64encode(made.digest()).decode()]

    assert [made.hexdigest()] * 2 == [of_hex(made.hexdigest()), of_hex(made.hexdigest().upper())]
    assert [made.hexdigest()] * 4 == [of_base64(form) for form in (*padded, *(one.rstrip("=") for one in padded))]


@pytest.mark.parametrize(
    "text",
    ["", "a" * 63, "g" * 64, "a" * 65, "\u0661" * 64, "A" * 42, "A" * 44, "A" * 43 + "==", "=" + "A" * 43, "ä" * 43],
)
def test_another_text_is_none(text):
    assert (None, None) == (of_hex(text), of_base64(text))
