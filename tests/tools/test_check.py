"""``tikrelay check`` says what to mend before the shop goes live, and makes nothing."""

import json
import subprocess
import sys

import pytest


def check(config, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Run it; returns the exit code and the findings by what they are about."""
    command = [sys.executable, "-m", "tikrelay", "check", "--config", str(config), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, {finding["about"]: finding for finding in json.loads(done.stdout)}


def test_without_a_test_event_code_tiktok_is_not_asked(gateways, sandbox):
    code, found = check(gateways().config)

    assert code == 0
    assert found["tiktok shop"]["level"] == "note"
    assert sandbox.counts()["requests"] == 0


def test_with_a_test_event_code_one_test_event_is_sent_and_its_answer_explained(gateways, sandbox):
    gateway = gateways(destinations=[{"test_event_code": "TEST123"}])

    code, found = check(gateway.config)

    assert code == 0
    assert "code 0" in found["tiktok shop"]["text"]
    (request,) = sandbox.requests()
    assert request["body"]["test_event_code"] == "TEST123"


@pytest.mark.parametrize(("fault", "words"), [(40105, "token"), (40001, "code 40001"), (50000, "code 50000")])
def test_a_refusal_is_a_fault_with_code_and_plain_words(gateways, sandbox, fault: int, words: str):
    sandbox.fault("code", code=fault)

    code, found = check(gateways(destinations=[{"test_event_code": "TEST123"}]).config)

    assert code == 1
    assert found["tiktok shop"]["level"] == "fault"
    assert words in found["tiktok shop"]["text"]


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://127.0.0.1:9", "Connect"),
        ("https://no-such-host.invalid", "no-such-host.invalid"),
    ],
)
def test_an_address_that_cannot_be_reached_is_said_with_the_reason_and_a_hint(gateways, base_url: str, words: str):
    gateway = gateways(tiktok={"base_url": base_url}, destinations=[{"test_event_code": "TEST123"}])

    code, found = check(gateway.config)

    assert code == 1
    text = found["tiktok shop"]["text"]
    assert text.startswith(f"{base_url} cannot be reached: ClientConnector")
    assert words in text
    assert "check tiktok.base_url" in text


def test_a_lost_answer_is_said_with_a_hint(gateways, sandbox):
    sandbox.fault("reset_after_accepting")

    code, found = check(gateways(destinations=[{"test_event_code": "TEST123"}]).config)

    assert code == 1
    assert "gave no answer" in found["tiktok shop"]["text"]
    assert "try again" in found["tiktok shop"]["text"]


@pytest.mark.parametrize(("status", "words"), [(403, "a firewall or proxy"), (400, "something else answers")])
def test_an_answer_that_is_not_tiktoks_is_explained(gateways, sandbox, status: int, words: str):
    sandbox.fault("http", status=status)

    code, found = check(gateways(destinations=[{"test_event_code": "TEST123"}]).config)

    assert code == 1
    assert f"HTTP {status}" in found["tiktok shop"]["text"]
    assert words in found["tiktok shop"]["text"]


def test_a_check_makes_nothing(gateways):
    gateway = gateways()
    before = sorted(gateway.folder.rglob("*"))

    check(gateway.config)

    assert sorted(gateway.folder.rglob("*")) == before


def test_a_running_server_is_seen_and_no_fault(gateway):
    code, found = check(gateway.config)

    assert code == 0
    assert "a server runs on it" in found["outbox"]["text"]


def test_a_folder_that_cannot_be_made_is_a_fault(gateways, tmp_path):
    file = tmp_path / "file"
    file.write_text("")

    code, found = check(gateways(outbox={"url": f"sqlite:{file}/outbox"}).config)

    assert code == 1
    assert found["outbox"]["level"] == "fault"
