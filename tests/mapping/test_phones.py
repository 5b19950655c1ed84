"""What phone number a text is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    example_number_for_type,
    format_number,
    is_possible_number_with_reason,
    national_significant_number,
    parse,
)

from tikrelay.mapping.phones import has_possible_length, is_e164, is_valid, lacks_country, plan_of, read

CODES = st.sampled_from(sorted(COUNTRY_CODE_TO_REGION_CODE)).map(str)
REGIONS = sorted(SUPPORTED_REGIONS)


def as_the_library_reads(text: str) -> str | None:
    try:
        number = parse(text)
    except NumberParseException:
        return None
    is_whole = is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return format_number(number, PhoneNumberFormat.E164) if is_whole else None


@given(code=CODES, rest=st.text("0123456789", min_size=1, max_size=15))
@example(code="49", rest="015155501234")
@example(code="1", rest="12133734253")
@example(code="39", rest="0612345678")
@example(code="54", rest="91123456789")
@example(code="7", rest="89123456789")
@example(code="800", rest="12345678")
def test_a_number_known_at_a_glance_is_the_one_the_library_reads(code: str, rest: str):
    text = f"+{code}{rest}"

    assert not is_e164(text) or text == as_the_library_reads(text)


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_is_the_same_however_its_country_is_told(region):
    """With a plus, two zeros or nothing before the country's code, and without the code where the country is known."""
    for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
        number = example_number_for_type(region, kind)
        if number is None:
            continue
        e164 = format_number(number, PhoneNumberFormat.E164)
        national = format_number(number, PhoneNumberFormat.NATIONAL)
        written = [e164, e164[1:], f"00{e164[1:]}", national, national_significant_number(number)]

        assert [e164] * len(written) == [read(form, region) for form in written]


def test_most_numbers_are_known_at_a_glance():
    numbers = [example_number_for_type(region, PhoneNumberType.MOBILE) for region in REGIONS]
    known = [is_e164(format_number(number, PhoneNumberFormat.E164)) for number in numbers if number is not None]

    assert known.count(False) <= 3


@pytest.mark.parametrize(
    "text",
    ["", "+", "49", "4915155501234", "+49 151", "+49015155501234", "+1213373425", "+0123456789", "+9991234567", "+1",
     "+४९१५१५५५०१२३४", "+4915155501234x", "++4915155501234", "+112133734253", "+1234567890123456"],
)  # fmt: skip
def test_what_is_not_surely_a_whole_number_is_left_to_the_library(text):
    assert not is_e164(text)


@pytest.mark.parametrize(
    ("given", "country", "lacks"),
    [
        ("0151 55501234", None, True),
        ("0151 55501234", "ZZ", True),
        ("(213) 373-4253", None, True),
        ("0151 55501234", "DE", False),
        ("12345", None, False),
        ("1" * 16, None, False),
        ("+49 151", None, False),
        ("0049 151 1", None, False),
        ("order 1234567", None, False),
    ],
)
def test_a_number_that_only_lacks_its_country_is_told_from_what_is_none(given, country, lacks):
    assert lacks is lacks_country(given, country)


@pytest.mark.parametrize("start", ["", "0", "00", "999", "21"])
def test_no_plan_is_known_of_a_code_nobody_has(start):
    assert plan_of(start) is None


def test_nothing_has_no_possible_length():
    assert not has_possible_length("")


@pytest.mark.parametrize(
    ("given", "country"),
    [("+52 1 55 1234 5678", None), ("+5215512345678", None), ("0052 1 55 1234 5678", "DE"), ("5215512345678", "MX"),
     ("+525512345678", None), ("55 1234 5678", "MX")],
)  # fmt: skip
def test_a_mexican_mobile_in_its_old_form_is_the_number_it_became(given, country):
    assert "+525512345678" == read(given, country)


def test_the_nine_of_an_argentinian_mobile_stays():
    assert "+5491123456789" == read("+54 9 11 2345-6789", None)


def test_only_an_area_behind_the_old_one_makes_a_mexican_number():
    assert None is read("+52 1 155 123 4567", None)


def test_the_old_mexican_form_has_a_possible_length():
    assert [True, True, False] == [has_possible_length(one) for one in ("5215512345678", "525512345678", "52155123456")]


@pytest.mark.parametrize("text", ["", "+", "+49123456787", "+999123456789", "nonsense"])
def test_what_no_country_gives_out_is_not_valid(text):
    assert not is_valid(text)
