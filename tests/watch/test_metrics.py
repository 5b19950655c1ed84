"""The metrics page."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tikrelay.event import DropReason
from tikrelay.outbox.store import Books
from tikrelay.watch.measures import LAG, MEASURES, OTHER, RECEIVED, TURNED_AWAY, WARNINGS
from tikrelay.watch.meter import Meter
from tikrelay.watch.metrics import MetricsPage, Moment


def samples(page: bytes, name: str) -> dict[tuple[str, ...], float]:
    """The values of one metric by the values of its labels."""
    families = text_string_to_metric_families(page.decode())
    return {
        tuple(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def page_of(**moment) -> bytes:
    """The page of one moment."""
    return MetricsPage().render(Moment(**{"now": 0.0, **moment}))


@pytest.fixture
def nothing() -> dict[str, list[list[object]]]:
    """What a process says that has counted nothing."""
    return Meter().snapshot()


def test_every_metric_is_on_the_page_of_a_server_that_has_done_nothing(nothing):
    written = page_of(snapshots=[nothing], states={"shop": "flowing"}, held_bytes=1, free_bytes=1).decode()

    assert {one.shown_name for one in MEASURES} == set(re.findall(r"^# TYPE (\S+) ", written, re.MULTILINE))


def test_what_is_known_beforehand_is_there_from_the_start(nothing):
    """Prometheus sees no increase in a counter whose first value is one."""
    written = page_of(snapshots=[nothing], states={"shop": "flowing"})

    assert {"max_bytes", "IOError", "other"} <= {why for (why,) in samples(written, "tikrelay_store_failures_total")}
    assert {("shop", "refused"): 0}.items() <= samples(written, "tikrelay_events_dead_total").items()
    assert {("file_damaged",): 0}.items() <= samples(written, "tikrelay_troubles").items()
    assert {("ga4", "5xx"): 0}.items() <= samples(written, "tikrelay_requests_total").items()
    assert {(reason.value,): 0 for reason in DropReason} == samples(written, "tikrelay_events_dropped_total")


def test_the_counts_of_two_processes_are_added_up(nothing):
    one = nothing | {LAG.name: [["shop", *[1.0] * 11, 7.5]], TURNED_AWAY.name: [["bad_json", 2]]}
    written = page_of(snapshots=[one, one], states={"shop": "flowing"})

    assert {("shop",): 22} == samples(written, "tikrelay_delivery_lag_seconds_count")
    assert {("shop",): 15} == samples(written, "tikrelay_delivery_lag_seconds_sum")
    assert 4 == samples(written, "tikrelay_delivery_lag_seconds_bucket")["shop", "2.0"]
    assert 4 == samples(written, "tikrelay_inputs_refused_total")["bad_json",]


def test_warnings_are_shown_by_kind_and_counted_by_field(nothing):
    written = page_of(snapshots=[nothing | {WARNINGS.name: [["cut", "a", 2], ["cut", "b", 3]]}])

    assert {("cut",): 5}.items() <= samples(written, "tikrelay_event_warnings_total").items()


def received(names: dict[str, int]) -> Books:
    return Books(received={("shop", "data", name): count for name, count in names.items()})


def test_of_many_names_the_most_frequent_are_told_and_the_others_are_counted_together():
    names = {f"name_{number}": number for number in range(1, 101)}
    told = samples(page_of(books=received(names)), "tikrelay_events_received_total")

    assert RECEIVED.named + 1 == len(told)
    assert 100 == told["name_100", "data"]
    assert sum(range(1, 51)) == told[OTHER, "data"]
    assert sum(names.values()) == sum(told.values())


def test_a_name_that_was_told_once_is_told_until_the_server_ends():
    page = MetricsPage()
    page.render(Moment(books=received({"first": 1}), now=0.0))
    later = page.render(Moment(books=received({"first": 1} | {f"name_{n}": 9 for n in range(100)}), now=0.0))

    told = samples(later, "tikrelay_events_received_total")

    assert 1 == told["first", "data"]
    assert RECEIVED.named + 1 == len(told)


def test_a_destination_that_was_removed_still_shows_what_waits_for_it():
    books = Books(waiting={"shop": 0, "old": 3}, oldest_waiting={"old": 1000.0})
    written = page_of(books=books, states={"shop": "flowing"}, now=8200.0)

    assert {("shop",): 0, ("old",): 3} == samples(written, "tikrelay_events_waiting")
    assert {("shop",): 0, ("old",): 7200} == samples(written, "tikrelay_oldest_waiting_seconds")


def test_a_removed_destination_for_which_nothing_waits_shows_that():
    books = Books(received={("a", "data", "purchase"): 1}, accepted={"a": 1}, dead={("b", "refused"): 1})

    assert {("a",): 0, ("b",): 0} == samples(page_of(books=books), "tikrelay_events_waiting")


def test_no_count_of_dead_letters_falls_when_they_are_sent_again():
    before = page_of(books=Books(dead={("a", "refused"): 3}))
    after = page_of(books=Books(dead={("a", "refused"): 1}, replayed={("a", "refused"): 2}))

    assert 3 == samples(before, "tikrelay_events_dead_total")["a", "refused"]
    assert 3 == samples(after, "tikrelay_events_dead_total")["a", "refused"]
    assert 3 == samples(after, "tikrelay_events_total")["a", "dead"]
    assert 2 == samples(after, "tikrelay_events_replayed_total")["a", "refused"]
    assert {("a",): 1} == samples(after, "tikrelay_dead_letters")


def test_only_a_destination_of_the_settings_can_flow():
    written = page_of(books=Books(waiting={"old": 3}), states={"shop": "flowing", "b": "paused"})

    assert {("shop",): 1, ("b",): 0} == samples(written, "tikrelay_destination_flowing")


def test_a_destination_without_an_event_yet_is_shown():
    written = page_of(states={"shop": "flowing"})

    assert {("shop",): 0} == samples(written, "tikrelay_events_waiting")
    assert {("shop",): 0} == samples(written, "tikrelay_delivery_lag_seconds_count")


def test_the_page_says_what_runs_since_when_and_on_how_much_room():
    written = page_of(version="1.2.3", started_at=1795312000.0, held_bytes=4096, free_bytes=None, troubles=["lag"] * 2)

    assert {("1.2.3",): 1} == samples(written, "tikrelay_build_info")
    assert {(): 1795312000.0} == samples(written, "tikrelay_start_time_seconds")
    assert {(): 4096} == samples(written, "tikrelay_outbox_bytes")
    assert {} == samples(written, "tikrelay_outbox_free_bytes")
    assert 2 == samples(written, "tikrelay_troubles")["lag",]
