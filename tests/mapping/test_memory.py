"""What is remembered of texts that come with every other hit."""

import pytest

from tikrelay.mapping.cleaning import Left
from tikrelay.mapping.memory import remember, remembered
from tikrelay.mapping.notices import NoticeKind


@pytest.fixture
def counted():
    """A cleaner that counts its calls, and the wrapper that remembers."""
    calls = []

    def clean(value, context):
        calls.append(value)
        if value == "odd":
            context.warn(NoticeKind.CUT, "odd")
        return Left.UNUSABLE if value == "bad" else value.upper()

    return calls, remembered(clean)


@pytest.mark.parametrize(("value", "times"), [("same", 1), ("odd", 2), ("bad", 2), ("x" * 513, 2)])
def test_what_was_made_of_a_text_is_remembered_unless_it_was_doubtful(counted, context, value, times):
    calls, clean = counted
    made = context()

    assert clean(value, made) == clean(value, made)
    assert [value] * times == calls
    assert len(made.notices) == (2 if value == "odd" else 0)


def test_what_is_remembered_is_bounded(counted, context):
    calls, clean = counted
    made = context()
    for number in range(2001):
        clean(str(number), made)
    clean("2000", made)
    clean("0", made)

    assert (2002, "0") == (len(calls), calls[-1])


def test_nothing_that_held_somebodys_address_is_remembered():
    memory: dict[str, str] = {}
    remember(memory, "Mug", "Mug", "Mug")
    remember(memory, "Mug of ann@shop.example", "Mug of ***", "Mug of ***")

    assert {"Mug": "Mug"} == memory
