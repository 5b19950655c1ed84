"""Which country a code means."""

import pytest
from phonenumbers import SUPPORTED_REGIONS

from tikrelay.mapping.countries import _ALPHA_2, alpha_2


def test_every_country_has_one_code_of_each_kind():
    codes = [both for both in _ALPHA_2.items() if both != ("UK", "GB")]

    assert 249 == len(codes) == len({two for _, two in codes})
    assert {(3, 2)} == {(len(three), len(two)) for three, two in codes}


def test_every_country_with_phone_numbers_of_its_own_is_known():
    without_a_code_of_iso = {"AC", "TA", "XK"}

    assert without_a_code_of_iso == set(SUPPORTED_REGIONS) - set(_ALPHA_2.values())


@pytest.mark.parametrize("given", ["", " ", "D", "D1", "ABC", "Germany", "ÄB", "DEUT"])
def test_what_is_no_code_is_none(given):
    assert alpha_2(given) is None
