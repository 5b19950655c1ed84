"""What phone number a text is: E.164, of a country that is known and never guessed."""

import functools
import re
from typing import Final, NamedTuple

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    is_valid_number_for_region,
    parse,
)

LONGEST_E164: Final = 15  # digits (ITU-T E.164)
_SHORTEST_E164: Final = 8  # of those that are read at a glance
_FEWEST_DIGITS: Final = 6  # of what is taken for a number without a country
_LONGEST_READ: Final = 100
_PLUS: Final = ("+", "\uff0b")
# Mexico's mobiles had a 1 behind the country's code until its numbering plan of 3 August 2019 (Diario Oficial de la
# Federacion, 11 May 2018; libphonenumber followed with pull request 2376). Address books and WhatsApp still write it.
# The 9 of Argentina's mobiles is current, and stays.
_OLD_MEXICAN: Final = re.compile(r"(?:52)?1([2-9][0-9]{9})", re.ASCII)
_MEXICAN: Final = 52


def is_e164(text: str) -> bool:
    """Say whether a text is a number in E.164 as it stands: no call of a library is needed to see most of them.

    >>> is_e164("+4915155501234"), is_e164("+49 151 55501234"), is_e164("+49015155501234"), is_e164("4915155501234")
    (True, False, False, False)
    """
    digits = text[1:]
    if not (
        text.startswith("+") and digits.isascii() and digits.isdigit() and _SHORTEST_E164 <= len(digits) <= LONGEST_E164
    ):
        return False
    plan = plan_of(digits[:3])
    if plan is None or len(digits) - plan.code_length not in plan.lengths:
        return False
    prefix = None if plan.trunk_prefix is None else plan.trunk_prefix.match(digits, plan.code_length)
    return prefix is None or prefix.end() == plan.code_length


def read(given: str, country: str | None) -> str | None:
    """Read a number as people write it; one without a country's code is of the country given.

    >>> read("0151 55501234", "DE"), read("0049 151 55501234", None), read("0151 55501234", None)
    ('+4915155501234', '+4915155501234', None)
    """
    number = given[:_LONGEST_READ]
    if number.startswith(_PLUS):
        return _in_e164(number, None)
    if number.startswith("00") and (e164 := _in_e164("+" + number[2:], None)) is not None:
        return e164
    return _in_e164(number, country) if _is_known(country) else None


def lacks_country(given: str, country: str | None) -> bool:
    """Say whether a text that was not read has the form of a number, and only a country was missing."""
    if _is_known(country) or given.startswith((*_PLUS, "00")) or any(map(str.isalpha, given)):
        return False
    return _FEWEST_DIGITS <= sum(map(str.isdigit, given)) <= LONGEST_E164


def _is_known(country: str | None) -> bool:
    return country is not None and PhoneMetadata.metadata_for_region(country) is not None


def _in_e164(given: str, country: str | None) -> str | None:
    """Read a number that names its country, or one of the country given; None when it can be no number there."""
    try:
        number: PhoneNumber = parse(given, country)
        if country is not None and _names_country(given, country):
            number = parse("+" + given)
    except NumberParseException:
        return None
    if number.country_code == _MEXICAN and (old := _OLD_MEXICAN.fullmatch(str(number.national_number))):
        number.national_number = int(old[1])
    if is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    e164: str = format_number(number, PhoneNumberFormat.E164)
    return e164 if len(e164) <= 1 + LONGEST_E164 else None


def _names_country(given: str, country: str) -> bool:
    """Say whether a number begins with its country's code, though without a plus.

    Where numbers are written with a leading zero, one that lacks it and is right behind a plus was meant so:
    ``4915155501234`` of Germany, where lengths vary and it could pass for a number of the town 04915 too.
    """
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.national_prefix != "0" or not given.startswith(str(metadata.country_code)):
        return False
    return is_valid_number_for_region(parse("+" + given), country)


def is_valid(e164: str) -> bool:
    """Say whether a number is in a range that its country gives out, and not only as long as one.

    >>> is_valid("+4915155501234"), is_valid("+49123456787")
    (True, False)
    """
    try:
        return is_valid_number(parse(e164))
    except NumberParseException:
        return False


class NumberingPlan(NamedTuple):
    """What the numbers behind a calling code are like: how long it and they are, and what is dialled before them."""

    code_length: int
    lengths: frozenset[int]
    trunk_prefix: re.Pattern[str] | None


@functools.cache
def plan_of(first_three: str) -> NumberingPlan | None:
    """Find the plan of a number by its first three digits; at most 1,000 are asked for."""
    if not first_three or first_three.startswith("0"):
        return None
    for size in (1, 2, 3):
        code = int(first_three[:size])
        region, *_ = COUNTRY_CODE_TO_REGION_CODE.get(code, ("",))
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region) if region else None
        if metadata is not None and metadata.general_desc is not None:
            prefix = metadata.national_prefix_for_parsing
            lengths = frozenset(metadata.general_desc.possible_length)
            return NumberingPlan(size, lengths, re.compile(prefix) if prefix else None)
    return None


def has_possible_length(digits: str) -> bool:
    """Say whether digits begin with a country's code and are as many as a number there has.

    >>> has_possible_length("4915155501234"), has_possible_length("1213373"), has_possible_length("999123456789")
    (True, False, False)
    """
    plan = plan_of(digits[:3])
    return plan is not None and (
        len(digits) - plan.code_length in plan.lengths
        or (digits.startswith(str(_MEXICAN)) and _OLD_MEXICAN.fullmatch(digits) is not None)
    )
