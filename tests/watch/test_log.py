"""Log lines."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys

import pytest
import structlog

from clocks import HandTurnedClock
from tikrelay.base.happenings import (
    CommitDone,
    LogKept,
    NotStored,
    OutboxDamaged,
    OutboxVanished,
    PutRefused,
    StoreFailed,
    StoreResumed,
    StoreStopped,
    TakenBack,
    Unexpected,
)
from tikrelay.watch.log import Repeats, _Patient, fitting, log_happening

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


def test_of_requests_that_could_not_be_stored_one_is_named_every_ten_seconds(lines, repeats, clock):
    for number in range(15):
        held = NotStored(route="ga4", why=f"{number} bytes too many", hint="", request_id=f"r-{number}")
        log_happening(held, repeats=repeats)
        clock.time += 1

    told = [(line["event"], line["log_level"], line["request_id"], line.get("held_back")) for line in lines]
    assert [("request_not_stored", "warning", "r-0", None), ("request_not_stored", "warning", "r-10", 9)] == told


def test_a_defect_names_the_request_that_met_it_if_one_did(lines):
    log_happening(Unexpected(where="route ga4", error=ValueError("ann@shop.example"), request_id="r-1"))
    log_happening(Unexpected(where="clock", error=ValueError()))

    assert ["r-1", None] == [line.get("request_id") for line in lines]
    assert "ann@" not in str(lines)


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
        (OutboxVanished(path="p", what="gone", hint="look"), "error", "outbox_vanished"),
        (LogKept(path="p", kept="k", frames=7, hint="look"), "error", "log_kept"),
        (TakenBack(path="p", kept="k", events=3), "warning", "events_taken_back"),
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


def test_a_server_writes_a_line_for_each_batch_and_none_for_an_event(gateways, sandbox):
    gateway = gateways(send={"max_wait_s": 0.5}).start()
    offset = gateway.log.stat().st_size
    for _ in range(3):
        gateway.data([{"event_name": "generate_lead"} for _ in range(50)])
        gateway.hit("v=2&tid=G-1&en=scroll")
        gateway.hit("v=2&tid=G-1")
    gateway.wait_until_settled()
    lines = [json.loads(line) for line in gateway.log.read_text()[offset:].splitlines()]

    assert ["tiktok_answered"] * sandbox.counts()["requests"] == [line["event"] for line in lines]
    assert 150 == sum(line["events"] for line in lines)
    assert ["timestamp", "level", "event"] == list(lines[0])[:3]


def test_on_a_terminal_a_line_is_for_people():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", WRITES_LINES, "1", "5"], stdout=subprocess.DEVNULL, stderr=theirs)
    process.wait(30)
    os.close(theirs)
    line = re.sub(r"\x1b\[[0-9;]*m", "", os.read(ours, 65536).decode())
    os.close(ours)

    assert re.search(r"\[info +\] told +number=0 words=xxxxx", line)


# Standard error that nobody reads.

WRITES_LINES = """
import sys
from tikrelay.watch.log import configure_logs, say
configure_logs()
for number in range(int(sys.argv[1])):
    say("told", number=number, words="x" * int(sys.argv[2]))
print("through", flush=True)
"""


def writer(lines: int, length: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITES_LINES, str(lines), str(length)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("length", [10, 3_000, 5_000, 100_000])
def test_a_pipe_that_nobody_reads_holds_up_no_program(length: int):
    process = writer(500, length)
    through = process.stdout.readline()
    _, told = process.communicate(timeout=30)

    assert b"through\n" == through
    assert all(json.loads(line)["event"] in {"told", "log_line_cut"} for line in told.splitlines())


def test_lines_that_were_dropped_are_counted_once_somebody_reads():
    process = writer(3_000, 200)
    process.stdout.readline()  # the pipe is full, and most lines were dropped
    _, told = process.communicate(timeout=30)
    read, write = os.pipe()
    with contextlib.closing(os.fdopen(read, "rb")), os.fdopen(write, "w") as stream:
        log = _Patient(stream)
        for _ in range(3_000):
            log.msg("y" * 99)
        first = os.read(read, 40_000)
        log.msg("z")
        rest = os.read(read, 100_000)

    assert len(told.splitlines()) < 3_000
    written = (first + rest).count(b"y\n")
    assert b'{"event":"log_lines_dropped","count":%d}\nz\n' % (3_000 - written) in rest


def test_a_line_too_long_for_a_pipe_is_cut_and_still_json():
    line = json.dumps({"event": "told", "words": 'a "quoted" wörd ' * 1000}).encode()

    cut = json.loads(fitting(line))

    assert ("log_line_cut", len(line)) == (cut["event"], cut["bytes"])
    assert cut["begins"].startswith('{"event": "told"')


def test_a_file_takes_a_line_of_any_length(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        _Patient(stream).msg("x" * 100_000)

    assert 100_001 == (tmp_path / "log").stat().st_size
