"""Numbers as a hit writes them."""

import pytest

from tikrelay.collect.numbers import read_float, read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("-1.5", -1.5), ("1e2", 100.0), ("0", 0), ("1.001.900,00", "1.001.900,00"), ("12,5", "12,5"), ("NaN", "NaN"),
     ("1_0", "1_0"), ("\u0661", "\u0661"), ("9" * 400, "9" * 400), (" 1", " 1"), ("", "")],
)  # fmt: skip
def test_a_number_is_one_where_it_parses_and_text_elsewhere(text, value):
    assert (value, type(value)) == (read_number(text), type(read_number(text)))


@pytest.mark.parametrize(
    ("text", "number"),
    [("19", 19), ("-1.50", -1.5), ("1e+21", 1e21), ("1e3", 1000), (".5", 0.5), ("0", 0), ("9" * 20, float("9" * 20))],
)
def test_a_parameter_s_number_is_one_as_scripts_write_it(text, number):
    assert (number, type(number)) == (read_float(text), type(read_float(text)))


@pytest.mark.parametrize(
    "text", ["", "NaN", "Infinity", "-Infinity", "1_0", "0x1f", "1e9999", "9" * 60, "twelve", "1,5", "+4915155501234"]
)
def test_what_scripts_do_not_write_as_a_number_is_none(text):
    assert read_float(text) is None
