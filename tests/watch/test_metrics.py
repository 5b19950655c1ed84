"""The metrics page."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tikrelay.base.happenings import PutRefused, StoreFailed
from tikrelay.outbox.store import Books
from tikrelay.watch.metrics import Meter, render


def samples(page: bytes, name: str) -> dict[tuple[str, ...], float]:
    """The values of one metric by the values of its labels."""
    families = text_string_to_metric_families(page.decode())
    return {
        tuple(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


@pytest.fixture
def meter():
    return Meter()


def test_a_put_that_is_refused_is_counted_with_the_commits_that_failed(meter):
    meter.listen(PutRefused(reason="max_bytes"))
    meter.listen(PutRefused(reason="max_bytes"))
    meter.listen(StoreFailed(path="p", reason="IOError", what="w", hint="h"))

    failures = samples(render([meter.snapshot()], Books(), {}, now=0.0), "tikrelay_store_failures_total")
    assert (2, 1) == (failures["max_bytes",], failures["IOError",])


def test_the_reasons_an_alarm_waits_for_are_there_from_the_start(meter):
    """Prometheus sees no increase in a counter whose first value is one."""
    failures = samples(render([meter.snapshot()], Books(), {}, now=0.0), "tikrelay_store_failures_total")

    assert {"max_bytes", "disk_reserve", "IOError"} <= {reason for (reason,) in failures}
    assert {0.0} == set(failures.values())


def test_a_destination_that_was_removed_still_shows_what_waits_for_it():
    books = Books(waiting={"shop": 0, "old": 3}, oldest_waiting={"old": 1000.0})
    page = render([], books, {"shop": "flowing"}, now=8200.0)

    assert {("shop",): 0, ("old",): 3} == samples(page, "tikrelay_events_waiting")
    assert {("shop",): 0, ("old",): 7200} == samples(page, "tikrelay_oldest_waiting_seconds")


def test_a_removed_destination_for_which_nothing_waits_shows_that():
    books = Books(received={("a", "data", "purchase"): 1}, accepted={"a": 1}, dead={("b", "refused"): 1})
    page = render([], books, {}, now=0.0)

    assert {("a",): 0, ("b",): 0} == samples(page, "tikrelay_events_waiting")


def test_no_count_of_dead_letters_falls_when_they_are_sent_again():
    before = render([], Books(dead={("a", "refused"): 3}), {}, now=0.0)
    after = render([], Books(dead={("a", "refused"): 1}, replayed={("a", "refused"): 2}), {}, now=0.0)

    assert {("a", "refused"): 3} == samples(before, "tikrelay_events_dead_total")
    assert {("a", "refused"): 3} == samples(after, "tikrelay_events_dead_total")
    assert {("a", "dead"): 3} == samples(after, "tikrelay_events_total")
    assert {("a", "refused"): 2} == samples(after, "tikrelay_events_replayed_total")


def test_only_a_destination_of_the_settings_can_flow():
    page = render([], Books(waiting={"old": 3}), {"shop": "flowing", "b": "paused"}, now=0.0)

    assert {("shop",): 1, ("b",): 0} == samples(page, "tikrelay_destination_flowing")


def test_a_destination_without_an_event_yet_is_shown():
    page = render([], Books(), {"shop": "flowing"}, now=0.0)

    assert {("shop",): 0} == samples(page, "tikrelay_events_waiting")
