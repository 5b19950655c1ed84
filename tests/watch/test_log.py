"""Log lines."""

import json

import pytest
import structlog

from clocks import HandTurnedClock
from tikrelay.base.happenings import (
    CommitDone,
    OutboxDamaged,
    PutRefused,
    StoreFailed,
    StoreResumed,
    StoreStopped,
)
from tikrelay.watch.log import Repeats, log_happening

FAILED = StoreFailed(path="/d/outbox-000.db", reason="IOError", what="disk I/O error", hint="look at the disk")


@pytest.fixture
def clock():
    return HandTurnedClock()


@pytest.fixture
def repeats(clock):
    return Repeats(clock.monotonic)


@pytest.fixture
def lines():
    """The lines written while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def test_a_fault_of_the_store_carries_its_facts(lines, repeats):
    log_happening(FAILED, repeats=repeats)

    assert [
        {
            "event": "store_failed",
            "log_level": "error",
            "path": "/d/outbox-000.db",
            "reason": "IOError",
            "what": "disk I/O error",
            "hint": "look at the disk",
        }
    ] == lines


def test_the_same_fault_is_written_every_ten_seconds_with_how_often_it_was_held_back(lines, repeats, clock):
    for _ in range(25):
        log_happening(FAILED, repeats=repeats)
        clock.time += 1

    assert [None, 9, 9] == [line.get("held_back") for line in lines]


def test_another_fault_is_written_at_once(lines, repeats):
    log_happening(FAILED, repeats=repeats)
    log_happening(StoreFailed(path=FAILED.path, reason="FullError", what="full", hint=""), repeats=repeats)
    log_happening(FAILED, repeats=repeats)

    assert ["IOError", "FullError"] == [line["reason"] for line in lines]


def test_a_fault_that_went_away_is_forgotten(lines, repeats, clock):
    log_happening(FAILED, repeats=repeats)
    log_happening(FAILED, repeats=repeats)
    clock.time += 1000
    log_happening(FAILED, repeats=repeats)
    clock.time += 1000
    log_happening(FAILED, repeats=repeats)

    assert [None, 1, None] == [line.get("held_back") for line in lines]


@pytest.mark.parametrize(
    ("happening", "level", "event"),
    [
        (StoreStopped(path="p", reason="max_bytes", what="full", hint="raise it"), "error", "store_stopped"),
        (StoreResumed(path="p"), "info", "store_resumed"),
        (OutboxDamaged(path="p", what="malformed", hint="repair it"), "error", "outbox_damaged"),
    ],
)
def test_a_change_of_the_store_has_a_line(lines, happening, level, event):
    log_happening(happening)

    (line,) = lines
    assert (event, level, "p") == (line["event"], line["log_level"], line["path"])
    assert json.dumps(line)


@pytest.mark.parametrize("happening", [PutRefused(reason="max_bytes"), CommitDone(jobs=1, events=1, seconds=0.1)])
def test_what_happens_at_each_request_has_no_line(lines, happening):
    log_happening(happening)

    assert [] == lines
