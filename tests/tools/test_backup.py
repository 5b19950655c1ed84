"""``tikrelay backup`` beside a server that runs, and what a restored copy does."""

import json
import shutil

import pytest

from harness import purchase
from tikrelay.tools import cli


@pytest.fixture
def back_up(capsys):
    def run(gateway, target, *arguments: str) -> tuple[int, str, str]:
        code = cli.run(["backup", str(target), *arguments, "--config", str(gateway.config)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_restored_copy_sends_what_waited_in_it_under_the_same_ids(gateways, sandbox, tmp_path, back_up):
    gateway = gateways().start()
    sandbox.fault("code", code=50000)
    for number in range(5):
        gateway.hit(purchase(number))
    code, out, _ = back_up(gateway, tmp_path / "copy", "--json")
    sandbox.heal()
    gateway.wait_until_settled()
    gateway.process.terminate()

    shutil.rmtree(gateway.outbox)
    shutil.copytree(tmp_path / "copy", gateway.outbox)
    gateway.start()
    books = gateway.wait_until_settled()

    assert 0 == code
    assert [5] == [one["events"]["waiting"] for one in json.loads(out)["copied"]]
    assert (5, 5) == (books["received"], books["accepted"])
    assert {f"R-{number}" for number in range(5)} == {event["event_id"] for event in sandbox.events()}
    assert [] == [event for event in sandbox.events() if not event["_"]["same_body"]]


def test_where_nothing_was_ever_stored_there_is_nothing_to_copy(gateways, tmp_path, back_up):
    code, _, err = back_up(gateways(), tmp_path / "copy")

    assert 75 == code
    assert "there is no outbox" in err


def test_a_folder_that_cannot_be_used_is_told_with_what_to_do(gateway, back_up):
    code, _, err = back_up(gateway, gateway.outbox / "copies")

    assert 70 == code
    assert "choose a folder elsewhere" in err


def test_a_log_whose_events_are_in_no_copy_is_named(gateway, tmp_path, back_up):
    (gateway.outbox / "outbox-000.db-wal.kept-20261124T093000Z").touch()

    code, out, _ = back_up(gateway, tmp_path / "copy")

    assert 1 == code
    assert "not copied: events in outbox-000.db-wal.kept-20261124T093000Z, which come back when a server starts" in out
