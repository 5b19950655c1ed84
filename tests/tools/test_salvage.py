"""``tikrelay doctor --salvage`` beside a server that runs: what can be read of a damaged file is sent."""

import json

import pytest

from harness import purchase, wait_for
from tikrelay.outbox.damage import is_marked, leave_mark
from tikrelay.outbox.lock import OutboxLock
from tikrelay.outbox.pages import Pages
from tikrelay.outbox.schema import PAGE_SIZE
from tikrelay.tools import cli

EVENTS = 60


@pytest.fixture
def salvage(capsys):
    def run(gateway, *arguments: str) -> tuple[int, str, str]:
        code = cli.run(["doctor", "--salvage", *arguments, "--config", str(gateway.config)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def damage_a_table(file, table):
    """Overwrite the first page of a table, by which SQLite finds the others."""
    with Pages(file, PAGE_SIZE) as pages:
        trees, _ = pages.tables({table})
    with file.open("r+b") as opened:
        opened.seek((min(trees[table].pages) - 1) * PAGE_SIZE)
        opened.write(b"\xff" * PAGE_SIZE)


def test_events_in_a_damaged_file_arrive_while_the_server_runs_on(gateways, sandbox, salvage):
    gateway = gateways().start()
    sandbox.fault("code", code=50000)
    for number in range(EVENTS):
        gateway.hit(purchase(number))
    wait_for(lambda: gateway.books()["waiting"] == EVENTS)
    gateway.process.terminate()
    file = gateway.outbox / "outbox-000.db"
    damage_a_table(file, "waiting")
    sandbox.heal()
    gateway.start()
    wait_for(lambda: is_marked(file) and gateway.status()["damaged"] == ["outbox-000.db"])
    gateway.hit(purchase(EVENTS))
    dry, counted, _ = salvage(gateway, "--dry-run", "--json")
    code, out, _ = salvage(gateway)
    sandbox.wait_for_events(EVENTS + 1, within_s=30)
    books = gateway.wait_until_settled()

    assert (0, EVENTS) == (dry, json.loads(counted)["salvaged"][0]["saved"]["waiting"])
    assert (0, f"outbox-000.db: {EVENTS} waiting, 0 dead, 0 delivered saved") == (code, out.splitlines()[0])
    assert (EVENTS + 1, EVENTS + 1) == (books["received"], books["accepted"])
    assert {f"R-{number}" for number in range(EVENTS + 1)} == {event["event_id"] for event in sandbox.events()}
    assert gateway.process.is_running()


@pytest.fixture
def empty(gateways):
    """A gateway that never ran, with an outbox folder."""
    gateway = gateways()
    gateway.outbox.mkdir()
    return gateway


def test_without_a_damaged_file_there_is_nothing_to_do(empty, salvage):
    assert (0, "no file is marked as damaged\n", "") == salvage(empty)


def test_a_file_that_a_process_owns_is_refused(empty, salvage):
    owner = OutboxLock(empty.outbox / "outbox-000.db")
    owner.acquire()
    code, _, err = salvage(empty, "outbox-000.db")
    owner.release()

    assert 75 == code
    assert "outbox-000.db is in use by process" in err


def test_what_was_lost_is_told_by_the_exit_code(empty, salvage):
    file = empty.outbox / "outbox-000.db"
    file.write_bytes(b"\xff" * PAGE_SIZE)
    leave_mark(file, "malformed", at=0.0)
    code, out, _ = salvage(empty)

    assert 1 == code
    assert "outbox-000.db: at least 0 waiting, 0 dead, 0 delivered lost" in out
    assert "the damaged file is kept as outbox-000.db.damaged-" in out


def test_a_file_elsewhere_is_named_by_its_path(empty, salvage, tmp_path):
    code, _, err = salvage(empty, str(tmp_path / "outbox-004.db"))

    assert 70 == code
    assert f"there is no file {tmp_path / 'outbox-004.db'}" in err


def test_files_without_salvage_are_a_mistake(gateways, capsys):
    assert 64 == cli.run(["doctor", "outbox-000.db", "--config", str(gateways().config)])
    assert "go with --salvage" in capsys.readouterr().err
