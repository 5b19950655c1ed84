"""Queries and forms, with the standard library as the yardstick."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.collect.query import last_of_each, pairs, unquote

PIECES = st.sampled_from(
    ["&", "=", "%", "+", "%41", "%c3%bc", "%C3", "%zz", "%2", "%00", "%26", "%3D", ";", "ü", "a", "~"]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join))
def test_a_query_is_read_as_the_standard_library_reads_it(text):
    expected = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=None)

    assert expected == pairs(text)


@given(st.text(max_size=40))
def test_what_is_encoded_comes_back(text):
    encoded = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))

    assert text.encode("utf-8", "replace").decode() == unquote(encoded)


def test_a_key_without_an_equals_sign_is_seen():
    assert {"en": "purchase", "richsstsse": ""} == last_of_each("en=purchase&richsstsse")


def test_the_last_of_a_repeated_key_counts():
    assert {"en": "b"} == last_of_each("en=a&en=b")


@pytest.mark.parametrize(
    ("text", "value"), [("%FF", "\ufffd"), ("100%", "100%"), ("%C3%BC+%2B", "ü +"), ("%2541", "%41")]
)
def test_a_broken_sequence_costs_nothing_but_itself_and_decoding_happens_once(text, value):
    assert value == unquote(text)
