"""Numbers as shops' templates write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.mapping.numbers import narrow, read_number, told_reading


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("19", 19), ("19.0", 19), ("19.50", 19.5), ("0", 0), ("0.00", 0), ("-5", -5), ("+5", 5), ("-0", 0),
        (" 7 ", 7), (".5", 0.5), (",5", 0.5), ("5.", 5), ("5,", 5), ("007", 7),
        ("14,90", 14.9), ("14,9", 14.9), ("1,5", 1.5), ("1299,0000", 1299),
        ("1,299", 1299), ("12,999", 12999), ("-1,299", -1299), ("1,299,000", 1299000), ("1,29,900", 129900),
        ("1.299", 1.299), ("1.001.900", 1001900), ("1.299,00", 1299), ("1.001.900,00", 1001900),
        ("1,299.50", 1299.5), ("1,299.00", 1299), ("1,001,900.25", 1001900.25), ("0,999", 0.999), ("0,5", 0.5),
        ("1e3", 1000), ("1E+3", 1000), ("1.5e-2", 0.015), ("1e+21", 1e21),
        ("42.50 EUR", 42.5), ("EUR 42.50", 42.5), ("€ 14,90", 14.9), ("14,90 €", 14.9), ("14,90€", 14.9),
        ("$1,299.50", 1299.5), ("-$5.00", -5), ("$-5.00", -5), ("US$ 5", 5), ("Rs. 500", 500), ("kr. 1.299,00", 1299),
        ("R$ 14,90", 14.9), ("₹1,29,900.50", 129900.5), ("1 299,00", 1299), ("1\u00a0299,00", 1299),
        ("1\u202f299,00 zł", 1299),
        ("1'299.50", 1299.5), ("CHF 1\u2019299.50", 1299.5), ("12.-", 12), ("14,90 eur", 14.9),
        ("19 Euro", 19), ("500 \u0440\u0443\u0431.", 500), ("199 Kč", 199), ("NT$ 5", 5),
         ("12,-", 12), ("1.299,-", 1299), ("1.299,\u2013 €", 1299), ("1,299.-", 1299),
        ("99,- EUR", 99), ("1.299.-", 1299), ("\u22125,00", -5),
        ("1234567890123456789", 1234567890123456789.0), ("9007199254740991", 9007199254740991),
    ],
)  # fmt: skip
def test_a_text_is_read_as_the_number_it_means(text, number):
    found = read_number(text)

    assert number == found
    assert type(found) is int or not float(found).is_integer() or abs(found) >= 2**53


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "NaN", "nan", "Infinity", "-Infinity", "inf", "abc", "10 - 20", "1-2", "1/2", "0x10", "1_000", "1e400",
        "\u0663", "\uff11\uff12", "12 34 EUR 5", "--5", "...", ",", "-", "1" * 61, None, True, False, [], {}, [1],
        "1.5k", "5%", "12abc", "3 kg", "2 pcs", "1.5 Mio", "Anna 5", "5 x", "#5", "5*", "~5", "10 days",
        "\uff0b4915155501234", "\uff0b49 151 55501234", "+49 151 55501234", "\u202a+4915155501234\u202c",
        "\uff10\uff10\uff14\uff19 151 55501234", "0049\u2007151\u200755501234", "\uff04\uff15",
        float("nan"), float("inf"), float("-inf"), 10**400,
    ],
)  # fmt: skip
def test_what_is_no_number_reads_as_none(value):
    assert None is read_number(value)


@pytest.mark.parametrize(
    ("value", "number"), [(0, 0), (19, 19), (19.0, 19), (9.5, 9.5), (-0.0, 0), (2**60, float(2**60))]
)
def test_a_number_stays_one_and_a_whole_one_is_an_integer(value, number):
    found = read_number(value)

    assert (number, type(number)) == (found, type(found))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("14,90", "14,90 read as 14.9"),
        ("1.299,00 \u20ac", "1.299,00 \u20ac read as 1299"),
        ("kr. 14,90", "14,90 read as 14.9"),
        ("1'299.50", "1'299.50 read as 1299.5"),
        ("\u22125,00", "\u22125,00 read as -5"),
        ("1\u00a0299,00", "1 299,00 read as 1299"),
        ("14.90", ""), (" 14.90 ", ""), ("-3", ""), ("1e3", ""), (14.9, ""), (0, ""),
    ],
)  # fmt: skip
def test_a_number_written_as_people_do_is_told_as_written_and_as_read(text, told):
    assert told == told_reading(text, read_number(text))


@given(st.text(max_size=60))
def test_a_told_reading_is_short_and_shows_no_letters(text: str):
    number = read_number(text)
    told = "" if number is None else told_reading(text, number)
    written, _, _ = told.partition(" read as ")

    assert len(told) <= 80
    assert not any(sign.isalpha() for sign in written)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_the_same_amount_in_american_and_german_writing_is_one_number(amount: Decimal):
    american = f"{amount:,.2f}"
    german = american.translate(str.maketrans(",.", ".,"))

    assert narrow(amount) == read_number(american) == read_number(german)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_by_javascript_comes_back_as_it_was(number: float):
    assert number == read_number(repr(number))
