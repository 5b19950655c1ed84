"""When an event happened."""

import pytest

from tikrelay.mapping.times import read_time

AT = 1795312001
SOURCES = ("x-ttq-timestamp", "timestamp_micros", "request.timestamp_micros", "event_time", "timestamp")


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (AT, AT), (str(AT), AT), (f" {AT} ", AT), (AT + 0.9, AT), (f"{AT}.9", AT), (AT * 1000 + 999, AT),
        (f"{AT}999", AT), (AT * 10**6 + 7, AT), (str(AT * 10**6), AT), (AT * 10**9, AT),
        ("2026-11-22T01:46:41Z", AT), ("2026-11-22T02:46:41+01:00", AT), ("2026-11-22T01:46:41.5Z", AT),
        ("2026-11-22T01:46:41", AT), ("2026-11-22 01:46:41", AT), (1.795312001e15, AT),
    ],
)  # fmt: skip
def test_a_time_is_read_in_any_unit_and_as_iso_8601(value, at):
    assert at == read_time(value)


@pytest.mark.parametrize(
    "value",
    [
        0, -1, 1, "0", "soon", "", " ", True, [], {}, "NaN", "inf", "1e400", float("nan"), float("inf"), 10**400,
        10**25, "0001-01-01", "9999-12-31T23:59:59", "99999-01-01", "20261122", "1" * 40, AT // 1000,
    ],
)  # fmt: skip
def test_what_is_no_time_of_an_event_is_none(value):
    assert None is read_time(value)


@pytest.mark.parametrize("place", range(len(SOURCES)))
def test_the_first_time_that_can_be_read_counts(body, place):
    data = {name: AT + number for number, name in enumerate(SOURCES)}
    for earlier in SOURCES[:place]:
        data[earlier] = "soon"

    assert AT + place == body(data=data)["event_time"]


def test_without_a_time_that_can_be_read_it_is_that_of_receipt(body):
    assert 1795312345 == body(data=dict.fromkeys(SOURCES, "soon"), received_at=1795312345.9)["event_time"]


@pytest.mark.parametrize(
    ("at", "kind"),
    [(-7 * 86400 - 1, "event_time_old"), (-7 * 86400, None), (600, None), (601, "event_time_future"), (0, None)],
)
def test_a_time_far_off_is_sent_with_a_notice(body, kinds, at, kind):
    data = {"x-ttq-timestamp": 1795312345 + at}

    assert [(kind, "event_time")] * (kind is not None) == [one for one in kinds(data=data) if one[1] == "event_time"]
    assert 1795312345 + at == body(data=data)["event_time"]


def test_an_unreadable_time_is_told(kinds):
    assert ("unusable", "event_time") in kinds(data={"x-ttq-timestamp": "soon"})
