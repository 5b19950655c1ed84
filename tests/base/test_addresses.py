"""Reading Internet addresses."""

import gc
import weakref

import pytest

from tikrelay.base.addresses import read_address


class Text(str):
    """A text of which can be told whether anything still holds it."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize(("text", "is_remembered"), [("8.8.8.8", True), ("8" * 1_000_000, False), ("8" * 101, False)])
def test_a_text_too_long_for_an_address_is_not_remembered(text, is_remembered):
    given = Text(text)
    alive = weakref.ref(given)
    read_address(given)
    del given
    gc.collect()

    assert is_remembered == (alive() is not None)
