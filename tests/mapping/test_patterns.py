"""Lists of names in settings, in which a star at one end stands for anything."""

import pytest

from tikrelay.mapping.patterns import is_pattern, matcher


@pytest.mark.parametrize(
    ("text", "fits"),
    [("purchase", True), ("purchases", False), ("view_item", True), ("view_", True), ("a.shop.example", True)],
)
def test_a_star_stands_for_anything_at_its_end(text, fits):
    asked = matcher([" purchase ", "view_*", "*.shop.example"])

    assert asked is not None
    assert fits is asked(text)


def test_an_empty_list_is_no_test():
    assert [None, None] == [matcher([]), matcher(["", " "])]


def test_a_star_alone_fits_everything():
    asked = matcher(["*"])

    assert asked is not None
    assert [True, True] == [asked(""), asked("anything")]


@pytest.mark.parametrize("text", ["", "  ", "a*b", "**", "*a*b"])
def test_what_is_no_pattern_is_known(text):
    assert not is_pattern(text)
