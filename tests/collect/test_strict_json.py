"""JSON from strangers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.base.errors import InputRefused
from tikrelay.collect.strict_json import fit_text, read_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_what_is_json_comes_back(value):
    assert value == read_json(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":NaN,"b":-Infinity,"c":1}', {"a": None, "b": None, "c": 1}),
        (b'{"a":1e400,"b":-1e400,"c":1e-400}', {"a": "1e400", "b": "-1e400", "c": 0.0}),
        (b"[99999999999999999999,-9223372036854775809]", ["99999999999999999999", "-9223372036854775809"]),
        (b"[9223372036854775807,1795312000000000]", [9223372036854775807, 1795312000000000]),
        (b'["\\ud800x","\\udc00\\ud800"]', ["\ufffdx", "\ufffd\ufffd"]),
        (b'{"\\ud83d\\ude00":"\\ud83d\\ude00"}', {"\U0001f600": "\U0001f600"}),
        (b'"\xff"', "\ufffd"),
        (b'"a\\u0000b"', "a\0b"),
        (b"-0.0", 0.0),
    ],
)
def test_one_odd_value_does_not_cost_the_rest(raw, value):
    assert value == read_json(raw)


def test_a_number_of_5000_digits_is_cut():
    assert "1" * 400 == read_json(b"1" * 5000)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"a":1,}',
        b"{'a':1}",
        b"1 2",
        b'"a\nb"',
        b"01",
        b"nope",
        b'{"a":1}x',
        b"\0",
        b'{"a":NaN,}',
        b"-",
        b"{1:2}",
    ],
)
def test_what_is_no_json_is_refused_without_repeating_it(raw):
    with pytest.raises(InputRefused) as refused:
        read_json(raw)

    assert (400, "bad_json") == (refused.value.status, refused.value.code)


@pytest.mark.parametrize("raw", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_told_as_such(raw):
    with pytest.raises(InputRefused) as refused:
        read_json(raw)

    assert "empty_body" == refused.value.code


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 34 + b"]" * 34, b"[NaN," * 50_000, b"[" + b"1," * 100_000 + b"1]"],
    ids=["lists", "objects", "deep", "odd", "long"],
)
def test_too_deep_or_too_much_is_refused(raw):
    with pytest.raises(InputRefused) as refused:
        read_json(raw)

    assert 400 == refused.value.status


def test_what_was_in_a_broken_body_is_not_told():
    with pytest.raises(InputRefused) as refused:
        read_json(b'{"email": jane@shop.example}')

    assert "jane" not in str(refused.value)


@given(st.text(st.characters(exclude_categories=())))
def test_a_fit_text_is_utf_8(text):
    assert len(text) == len(fit_text(text).encode().decode())
