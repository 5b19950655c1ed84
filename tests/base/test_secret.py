"""A value that prints as stars."""

import copy
import pickle
import re

import msgspec
import pytest

from tikrelay.base.secret import Secret


@pytest.mark.parametrize(
    "shown", [str, repr, "{}".format, "{:>30}".format, lambda secret: f"{secret}", lambda s: str([s])]
)
def test_no_way_of_printing_shows_it(shown):
    assert "hunter2" not in shown(Secret("hunter2"))


def test_it_does_not_become_json_or_a_pickle_by_accident():
    with pytest.raises(TypeError):
        msgspec.json.encode({"token": Secret("hunter2")})
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        copy.copy(Secret("hunter2"))


def test_it_compares_and_matches_without_being_shown():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("abc").matches(re.compile("[a-c]+"))
    assert not Secret("")
