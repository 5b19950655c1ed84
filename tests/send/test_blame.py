"""Whose fault a refusal is."""

import pytest

from tikrelay.send.blame import DOUBTED, OWN_FAULT_FOR_S, SYSTEMATIC_AFTER, TOO_LARGE_AND_SMALL, Blame, shape_of
from tikrelay.tiktok.answers import Accepted, Answer, Pause, Refused, Retry, TooLarge, judge

HEAD = Answer(status=200, code=40002, message="Invalid value for event_source_id: not a valid string.")
TOO_LARGE = Answer(status=413)
ONE, OTHER = (40002, "one"), (40002, "other")


def read(blame, answer, *, is_small=True, of_tests=False, now=0.0):
    return blame.read(judge(answer), answer, is_small=is_small, of_tests=of_tests, now=now)


@pytest.mark.parametrize("answer", [HEAD, TOO_LARGE])
def test_a_fault_that_may_be_everybodys_pauses(answer):
    verdict = read(Blame(), answer)

    assert verdict in DOUBTED


@pytest.mark.parametrize("answer", [HEAD, TOO_LARGE])
def test_it_is_the_events_own_for_a_while_once_another_was_accepted_after_it(answer):
    blame = Blame()
    verdict = read(blame, answer)
    blame.paused(verdict, answer)
    blame.accepted(10.0)
    verdicts = [read(blame, answer, now=now) for now in (11.0, 9.0 + OWN_FAULT_FOR_S, 11.0 + OWN_FAULT_FOR_S)]

    assert [Refused(), Refused(), verdict] == verdicts


@pytest.mark.parametrize("answer", [HEAD, TOO_LARGE])
def test_to_a_test_it_is_the_tests_own(answer):
    assert Refused() == read(Blame(), answer, of_tests=True)


def test_too_large_is_what_it_says_of_a_large_event_and_of_a_code_of_tiktoks():
    with_code = Answer(status=200, code=40061)

    assert TooLarge() == read(Blame(), TOO_LARGE, is_small=False)
    assert TooLarge(events=True) == read(Blame(), with_code)
    assert TOO_LARGE_AND_SMALL == read(Blame(), TOO_LARGE)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(status=200, code=0), Accepted()),
        (Answer(status=200, code=40105), Pause("token_invalid")),
        (Answer(status=503), Retry()),
    ],
)
def test_what_nobody_doubts_is_left_as_it_is(answer, verdict):
    blame = Blame()
    blame.suspect(shape_of(answer))
    blame.accepted(0.0)

    assert verdict == read(blame, answer)


def test_a_pause_that_no_event_can_cause_is_not_taken_for_an_events_own_fault():
    blame = Blame()
    blame.paused(Pause("token_invalid"), Answer(status=200, code=40105))
    blame.accepted(0.0)

    assert not blame.is_own(shape_of(Answer(status=200, code=40105)), 1.0)


def test_the_fifth_of_the_same_in_a_row_is_systematic():
    blame = Blame()

    assert [None] * 4 + [ONE] == [blame.buried([ONE], 0.0) for _ in range(SYSTEMATIC_AFTER)]


def test_another_refusal_begins_a_row_of_its_own():
    blame = Blame()
    first = blame.buried([ONE] * 4, 0.0)
    second = blame.buried([OTHER, ONE, ONE, ONE, ONE], 0.0)

    assert (None, None) == (first, second)


def test_an_accepted_event_ends_the_row():
    blame = Blame()
    blame.buried([ONE] * 4, 0.0)
    blame.accepted(0.0)

    assert blame.buried([ONE], 0.0) is None


def test_a_fault_known_to_be_the_events_own_is_never_systematic_until_it_is_doubted():
    blame = Blame()
    blame.suspect(ONE)
    blame.accepted(0.0)
    known = blame.buried([ONE] * 9, 1.0)
    blame.doubt([ONE])

    assert known is None
    assert ONE == blame.buried([ONE], 1.0)


def test_nothing_buried_is_nothing_systematic():
    assert Blame().buried([], 0.0) is None


def test_what_was_known_for_too_long_is_forgotten():
    blame = Blame()
    for number in range(1000):
        blame.suspect((40002, str(number)))
        blame.accepted(number * OWN_FAULT_FOR_S)

    assert 2 >= len(blame._own_until)
