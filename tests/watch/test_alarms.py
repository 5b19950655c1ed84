"""What needs a human, and when somebody is told."""

import json
from typing import Any

import pytest

from clocks import HandTurnedClock
from tikrelay.watch.alarms import Alarms, Told, troubles
from tikrelay.watch.config import AlarmsConfig
from tikrelay.watch.status import (
    ClockStatus,
    Counts,
    DestinationStatus,
    SettingsStatus,
    Status,
    StoreStatus,
    Trouble,
)
from tikrelay.watch.webhook import body_of

WELL = DestinationStatus(state="flowing", reason="", waiting=3, oldest_waiting_s=2.0)
LIMITS = AlarmsConfig()


def told(**fields: Any) -> Status:
    """A status of which only these fields matter."""
    return Status(pid=1, version="1", books=Counts(), **{"destinations": {}, **fields})


def kinds(status: Status) -> list[tuple[str, str, str]]:
    return [(one.kind, one.about, one.level) for one in troubles(status, limits=LIMITS)]


def of(row: DestinationStatus) -> list[tuple[str, str, str]]:
    return kinds(told(destinations={"shop": row}))


def test_a_server_that_is_well_has_no_troubles():
    store = StoreStatus(outbox="outbox-000.db", ready=True)
    status = told(destinations={"shop": WELL}, stores=(store,), free_bytes=10**10, deaths=1)

    assert [] == kinds(status)


@pytest.mark.parametrize(
    ("row", "kind", "level"),
    [
        (DestinationStatus(state="paused", reason="token_invalid", waiting=1), "destination_paused", "now"),
        (DestinationStatus(state="failing", reason="timeout", waiting=1), "destination_failing", "soon"),
        (DestinationStatus(state="removed", reason="", waiting=1), "events_without_destination", "soon"),
        (DestinationStatus(state="flowing", reason="", waiting=1, oldest_waiting_s=901), "lag", "soon"),
        (DestinationStatus(state="flowing", reason="", waiting=1, oldest_waiting_s=90_000), "lag", "now"),
        (DestinationStatus(state="flowing", reason="", waiting=0, new_dead=1), "dead_letters", "soon"),
    ],
)
def test_a_destination_that_needs_somebody_is_named(row: DestinationStatus, kind: str, level: str):
    assert [(kind, "shop", level)] == of(row)


@pytest.mark.parametrize(
    ("status", "kind", "about", "level"),
    [
        (told(accepting=False), "nobody_collects", "", "now"),
        (told(deaths=3), "workers_die", "", "now"),
        (told(settings=SettingsStatus(reload="refused")), "settings_not_taken", "", "soon"),
        (told(clock=ClockStatus(ago_s=10, by_s=-3600)), "clock_set", "", "soon"),
        (told(free_bytes=10**8), "disk_nearly_full", "", "soon"),
        (told(damaged=("outbox-000.db",)), "file_damaged", "outbox-000.db", "now"),
        (told(vanished=("outbox-000.db",)), "file_vanished", "outbox-000.db", "now"),
        (told(kept_logs=("o-wal.kept-Z.done",)), "log_kept", "o-wal.kept-Z.done", "now"),
        (
            told(stores=(StoreStatus(outbox="outbox-000.db", ready=False, what="full"),)),
            "store_not_taking",
            "outbox-000.db",
            "now",
        ),
    ],
)
def test_what_is_wrong_with_the_server_itself_is_told(status: Status, kind: str, about: str, level: str):
    assert [(kind, about, level)] == kinds(status)


def hint(status: Status) -> str:
    (trouble,) = troubles(status, limits=LIMITS)
    return trouble.hint


def test_a_kept_log_is_to_be_deleted_only_once_its_events_are_back():
    pending, done = told(kept_logs=("o-wal.kept-Z",)), told(kept_logs=("o-wal.kept-Z.done",))

    assert hint(done).endswith("; then delete o-wal.kept-Z.done")
    assert hint(pending).endswith("; restart the server; delete it when its name ends in .done")


def test_a_file_that_vanished_is_to_be_salvaged_only_while_nobody_has_begun_it_anew():
    store = StoreStatus(outbox="outbox-000.db", ready=True)
    nobody, begun = told(vanished=("outbox-000.db",)), told(vanished=("outbox-000.db",), stores=(store,))

    assert hint(nobody).endswith("; to hear no more of it: tikrelay doctor --salvage outbox-000.db")
    assert hint(begun).endswith("; it is told for an hour")


@pytest.mark.parametrize(
    ("waited_s", "level"),
    [((60, 60), "soon"), ((1000, 60), "soon"), ((1000, 1000), "now"), ((3700, None), "now"), ((1000, None), "soon")],
)
def test_calls_that_fail_are_urgent_once_that_lasts(waited_s: tuple[int, int | None], level: str):
    """For an hour at one destination, or for a quarter of an hour at all of them; None is one that flows."""
    rows = {
        f"shop-{number}": WELL
        if waited is None
        else DestinationStatus(state="failing", reason="timeout", waiting=1, oldest_waiting_s=waited)
        for number, waited in enumerate(waited_s)
    }

    found = [one for one in kinds(told(destinations=rows)) if one[0] == "destination_failing"]

    assert ("destination_failing", "shop-0", level) in found


@pytest.mark.parametrize(("state", "kind"), [("paused", "destination_paused"), ("failing", "destination_failing")])
def test_what_waits_for_a_destination_in_trouble_is_told_with_it_and_not_besides(state: str, kind: str):
    row = DestinationStatus(state=state, reason="timeout", waiting=7, oldest_waiting_s=90_000)
    (trouble,) = troubles(told(destinations={"shop": row}), limits=LIMITS)

    assert (kind, "now") == (trouble.kind, trouble.level)
    assert "7 events wait, the oldest for 1 d" in trouble.what


def test_what_is_urgent_stands_first():
    status = told(destinations={"shop": WELL}, free_bytes=10**8, damaged=("outbox-000.db",))

    assert ["now", "soon"] == [one.level for one in troubles(status, limits=LIMITS)]


def test_every_trouble_says_what_to_do():
    row = DestinationStatus(state="paused", reason="x", waiting=1, oldest_waiting_s=90_000, new_dead=5)
    status = told(destinations={"shop": row}, accepting=False, deaths=9, free_bytes=0, damaged=("a",))

    assert [] == [one.kind for one in troubles(status, limits=LIMITS) if not (one.what and one.hint)]


# When somebody is told.

PAUSED = Trouble(kind="destination_paused", about="shop", level="now", what="shop is paused", hint="mend it")
LAG = Trouble(kind="lag", about="shop", level="soon", what="events wait", hint="look")


@pytest.fixture
def clock():
    return HandTurnedClock()


@pytest.fixture
def looks(clock):
    """Looks at troubles every ten seconds; gives the states that are told at each."""
    alarms = Alarms(clock.monotonic)

    def look(*found: Trouble, times: int = 1) -> list[str]:
        states: list[str] = []
        for _ in range(times):
            clock.time += 10
            states += [told.state for told in alarms.look(list(found), after_s=120, repeat_s=3600)]
        return states

    return look


def test_a_trouble_is_told_once_it_has_lasted(looks):
    assert [] == looks(PAUSED, times=12)
    assert ["begun"] == looks(PAUSED)
    assert [] == looks(PAUSED, times=100)


def test_a_trouble_that_ends_soon_is_never_told(looks):
    assert [] == looks(PAUSED, times=5) + looks(times=50)


def test_a_trouble_that_lasts_is_told_again_now_and_then(looks):
    assert ["begun", "goes on", "goes on"] == looks(PAUSED, times=13 + 2 * 360)


def test_the_end_of_what_was_told_is_told_once(looks):
    looks(PAUSED, times=20)

    assert ["ended"] == looks(times=20)


def test_a_lag_that_goes_into_a_larger_trouble_is_not_told_to_be_over(looks):
    looks(LAG, times=20)

    assert ["begun"] == looks(PAUSED, times=20)
    assert ["ended"] == looks(LAG, times=20)
    assert ["ended"] == looks(times=20)


def test_what_comes_back_must_last_again(looks):
    looks(PAUSED, times=20)
    looks()

    assert [] == looks(PAUSED, times=12)


def test_what_grows_urgent_is_told_again_at_once(looks):
    looks(LAG, times=20)

    assert ["goes on"] == looks(Trouble(kind="lag", about="shop", level="now", what="events wait", hint="look"))


def test_two_destinations_are_two_troubles(looks):
    other = Trouble(kind="lag", about="other", level="soon", what="events wait", hint="look")

    assert ["begun", "begun"] == looks(LAG, other, times=20)


def test_the_end_of_an_alarm_is_not_told_as_if_it_went_on():
    body = json.loads(body_of(Told(PAUSED, "ended"), host="gw1"))

    assert "tikrelay on gw1, ended: destination_paused shop." == body["text"]


def test_what_is_posted_is_a_text_and_what_machines_read():
    body = json.loads(body_of(Told(PAUSED, "begun"), host="gw1"))

    assert {
        "text": "tikrelay on gw1, shop is paused. What to do: mend it.",
        "kind": "destination_paused",
        "about": "shop",
        "level": "now",
        "state": "begun",
        "host": "gw1",
    } == body
