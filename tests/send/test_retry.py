import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.event import EventId
from tikrelay.outbox.store import Dead, DeadReason, Leased
from tikrelay.send.retry import BASE_S, CAP_S, SLOW_S, back_off, give_up

HOUR = 3600.0
DAY = 24 * HOUR
jitters = st.floats(0, 1, exclude_max=True)


def event(*, received_at=0.0, **more):
    return Leased(key=1, event="Lead", event_id=EventId("a"), body=b"{}", received_at=received_at, **more)


@given(attempt=st.integers(1, 10**6), jitter=jitters)
def test_a_wait_is_never_negative_and_never_beyond_the_cap(attempt, jitter):
    assert 0 <= back_off(attempt, jitter=jitter) <= CAP_S


@given(attempt=st.integers(1, 30), jitter=jitters)
def test_no_wait_ends_later_than_double_the_one_before(attempt, jitter):
    assert back_off(attempt + 1, jitter=jitter) <= 2 * back_off(attempt, jitter=jitter)
    assert back_off(attempt + 1, jitter=jitter) >= back_off(attempt, jitter=jitter)


def test_the_jitter_is_full():
    assert back_off(5, jitter=0.0) == 0
    assert back_off(5, jitter=0.5) == BASE_S * 2**4 / 2


@given(attempt=st.integers(1, 100), jitter=jitters)
def test_after_a_request_for_a_long_rest_every_wait_is_long(attempt, jitter):
    low, high = SLOW_S

    assert low <= back_off(attempt, jitter=jitter, slow=True) <= high


@pytest.mark.parametrize(
    ("age_s", "max_age_s", "reason"),
    [
        (0, 7 * DAY, None),
        (7 * DAY, 7 * DAY, None),
        (7 * DAY + 1, 7 * DAY, DeadReason.TOO_OLD),
        (2 * HOUR, HOUR, DeadReason.TOO_OLD),
        (-DAY, HOUR, None),
    ],
)
def test_what_surely_was_not_accepted_is_given_up_after_max_age(age_s, max_age_s, reason):
    expected = None if reason is None else Dead(reason=reason)

    assert expected == give_up(event(received_at=1e9), now=1e9 + age_s, max_age_s=max_age_s)


@pytest.mark.parametrize(("since_s", "reason"), [(0, None), (HOUR, None), (HOUR + 1, DeadReason.TOO_OLD)])
def test_a_letter_that_was_replayed_has_its_time_from_then_however_old_it_is(since_s, reason):
    expected = None if reason is None else Dead(reason=reason)
    replayed = event(received_at=1e9 - 90 * DAY, replayed_at=1e9)

    assert expected == give_up(replayed, now=1e9 + since_s, max_age_s=HOUR)


@pytest.mark.parametrize(
    ("since_s", "reason"),
    [(0, None), (36 * HOUR, None), (36 * HOUR + 1, DeadReason.MAYBE_DELIVERED), (30 * DAY, DeadReason.MAYBE_DELIVERED)],
)
@pytest.mark.parametrize("max_age_s", [HOUR, 7 * DAY])
def test_what_may_have_been_delivered_is_given_up_36_hours_after_that_attempt(since_s, reason, max_age_s):
    expected = None if reason is None else Dead(reason=reason)
    waited = event(received_at=1e9 - 6 * DAY, unknown_since=1e9)

    assert expected == give_up(waited, now=1e9 + since_s, max_age_s=max_age_s)
