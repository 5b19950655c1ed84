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


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, 7), ({"event_source": "app", "app_id": "1"}, 7), ({"event_source": "offline"}, 28),
        ({"event_source": "crm"}, 28), ({"warn_older_than": 86400.0}, 1),
        ({"event_source": "crm", "warn_older_than": 86400.0}, 28),
        ({"event_source": "offline", "warn_older_than_offline": 129600.0}, 1.5),
    ],
)  # fmt: skip
def test_how_old_is_old_is_a_setting_of_its_own_for_offline_events(convert, settings, days):
    limit = 1795312345 - int(days * 86400)
    found = [[one.text for one in convert(data={"event_time": at}, settings=settings).notices
              if one.kind == "event_time_old"] for at in (limit, limit - 1)]  # fmt: skip

    assert [[], [f"event_time: more than {days} days back; TikTok may no longer attribute it"]] == found


@pytest.mark.parametrize(
    ("source", "given", "told"),
    [
        ("x-ttq-timestamp", AT, None),
        ("x-ttq-timestamp", f"{AT}.5", None),
        ("x-ttq-timestamp", "2026-11-22T01:46:41Z", None),
        ("x-ttq-timestamp", AT * 1000, "milliseconds instead of seconds"),
        ("event_time", f"{AT}000", "milliseconds instead of seconds"),
        ("timestamp", AT * 10**6, "microseconds instead of seconds"),
        ("timestamp", AT * 10**9, "nanoseconds instead of seconds"),
        ("timestamp_micros", AT * 10**6, None),
        ("timestamp_micros", str(AT * 10**6), None),
        ("request.timestamp_micros", AT * 10**6, None),
        ("timestamp_micros", AT * 1000, "milliseconds instead of microseconds"),
        ("request.timestamp_micros", AT, "seconds instead of microseconds"),
        ("timestamp_micros", "2026-11-22T01:46:41Z", None),
    ],
)
def test_a_time_in_another_unit_than_its_source_means_is_read_and_told(convert, source, given, told):
    outcome = convert(data={source: given})

    assert AT == outcome.body["event_time"]
    assert [f"event_time: came in {told}, and was read"] * (told is not None) == [
        one.text for one in outcome.notices if one.kind == "event_time_unit"
    ]


def test_an_unreadable_time_is_told(kinds):
    assert ("unusable", "event_time") in kinds(data={"x-ttq-timestamp": "soon"})
