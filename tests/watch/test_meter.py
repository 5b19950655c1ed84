"""What one process counts."""

import pytest

from tikrelay.base.happenings import (
    EventsDelivered,
    EventsTaken,
    EventWarned,
    HitAnswered,
    InputTurnedAway,
    PutRefused,
    StoreFailed,
    Unexpected,
)
from tikrelay.watch.measures import (
    ANSWER_TIME,
    DEFECTS,
    FAILED_COMMITS,
    LACKING,
    LAG,
    REQUESTS,
    STORED,
    TURNED_AWAY,
    WARNINGS,
)
from tikrelay.watch.meter import Meter


@pytest.fixture
def meter() -> Meter:
    return Meter()


def test_a_put_that_is_refused_is_counted_with_the_commits_that_failed(meter):
    meter.listen(PutRefused(reason="max_bytes"))
    meter.listen(PutRefused(reason="max_bytes"))
    meter.listen(StoreFailed(path="p", reason="IOError", what="w", hint="h"))

    assert [["max_bytes", 2], ["IOError", 1]] == meter.snapshot()[FAILED_COMMITS.name]


def test_answers_are_counted_by_the_class_of_their_status(meter):
    for status in (200, 204, 413, 503):
        meter.listen(HitAnswered(route="ga4", status=status, events=1, seconds=0.003))

    assert [["ga4", "2xx", 2], ["ga4", "4xx", 1], ["ga4", "5xx", 1]] == meter.snapshot()[REQUESTS.name]
    assert 4 == meter.snapshot()[ANSWER_TIME.name][0][ANSWER_TIME.buckets.index(0.005)]


def test_the_lag_of_each_event_falls_into_one_bucket(meter):
    meter.listen(EventsDelivered(destination="shop", lags_s=(0.5, 1.0, 1.5, 1e6)))

    ((name, *numbers),) = meter.snapshot()[LAG.name]
    assert ("shop", 2, 1, 1) == (name, numbers[0], numbers[1], numbers[-2])
    assert 1_000_003 == numbers[-1]


def test_what_is_refused_is_counted_by_why_and_not_by_where(meter):
    meter.listen(InputTurnedAway(route="ga4", reason="no_event"))
    meter.listen(InputTurnedAway(route="data", reason="no_event", count=3))

    assert [["no_event", 4]] == meter.snapshot()[TURNED_AWAY.name]


def test_warnings_defects_and_what_events_lack_are_counted(meter):
    meter.listen(EventWarned(kind="cut", field="page.url"))
    meter.listen(Unexpected(where="here", error=ValueError()))
    meter.listen(EventsTaken(destination="shop", events=3, no_event_id=2, no_click_id=0))
    counted = meter.snapshot()

    assert [["cut", "page.url", 1]] == counted[WARNINGS.name]
    assert [[1]] == counted[DEFECTS.name]
    assert [["shop", 3]] == counted[STORED.name]
    assert [["shop", "no_event_id", 2], ["shop", "no_click_id", 0]] == counted[LACKING.name]
