"""What a cleaner is, and the reading of texts they share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.mapping.cleaning import Left, as_text, decoded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("R-1", "R-1"), (" R-1\n", "R-1"), ("a\tb\r\nc", "a\tb\r\nc"), ("a\x00b\x1bc", "a\x00b\x1bc"), ("\ud800a", "a"),
        ("a\u200bb", "a\u200bb"),
        (0, "0"), (-7, "-7"), (12.0, "12"), (12.5, "12.5"), (2**70, str(2**70)), ("0012", "0012"),
        ("nothing", "nothing"),
    ],
)  # fmt: skip
def test_a_text_is_trimmed_and_a_number_is_as_people_write_it(value, text):
    assert text == as_text(value)


@pytest.mark.parametrize(
    "value",
    [None, float("nan"), float("inf"), "", " ", "\n", "undefined", "Null", "NAN", "(not set)", "[object Object]"],
)
def test_what_means_nothing_is_nothing(value):
    assert Left.EMPTY == as_text(value)


@pytest.mark.parametrize("value", [True, False, [], {}, ["a"], {"a": 1}, 10**2000])
def test_what_is_no_text_is_unusable(value):
    assert Left.UNUSABLE == as_text(value)


@given(st.text())
def test_a_text_can_always_be_encoded(given):
    text = as_text(given)

    assert isinstance(text, Left) or (text.encode() and text == text.strip())


@pytest.mark.parametrize(
    ("value", "read"), [("[1]", [1]), ('{"a": 1}', {"a": 1}), ("x", "x"), ("", ""), (7, 7), ("[", "[")]
)
def test_json_text_is_read_and_other_text_stays(value, read):
    assert read == decoded(value)
