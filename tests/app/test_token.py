"""A token in a file is replaced without a restart."""

from pathlib import Path

from harness import TOKEN, wait_for
from tikrelay.app.token import Token
from tikrelay.base.secret import Secret
from tikrelay.tiktok.config import DestinationConfig


def token_of(folder: Path) -> Token:
    destination = DestinationConfig(event_source_id="C0", access_token=Secret("first"), access_token_file="token")
    return Token(destination, folder=folder)


def test_a_token_that_is_set_stays(tmp_path):
    token = Token(DestinationConfig(event_source_id="C0", access_token=Secret("set")), folder=tmp_path)

    assert token() == Secret("set")


def test_a_changed_file_gives_the_new_token_to_the_next_call(tmp_path):
    (tmp_path / "token").write_text("first\n")
    token = token_of(tmp_path)
    (tmp_path / "token").write_text("the second\n")

    assert token() == Secret("the second")


def test_a_file_that_is_empty_or_gone_leaves_the_token(tmp_path):
    (tmp_path / "token").write_text("first")
    token = token_of(tmp_path)
    (tmp_path / "token").write_text("")
    assert token() == Secret("first")
    (tmp_path / "token").unlink()
    assert token() == Secret("first")


def test_a_paused_destination_resumes_when_its_token_file_is_mended(gateways, sandbox):
    sandbox.fault("code", code=40105, times=1)
    gateway = gateways(destinations=[{"access_token_file": "token"}])
    del gateway.destinations[0]["access_token"]
    gateway.write()
    (gateway.folder / "token").write_text(f"{TOKEN}-revoked")
    gateway.start()
    gateway.data({"event_name": "contact", "event_id": "e-1"})
    wait_for(lambda: gateway.said("destination_paused"))
    (gateway.folder / "token").write_text(f"{TOKEN}-mended")

    sandbox.wait_for_events(1)

    assert [request["token_last4"] for request in sandbox.requests()] == ["oked", "nded"]
    assert gateway.wait_until_settled()["dead"] == 0
