"""``tikrelay doctor`` looks at everything, says what to do first, and tells cron by its exit code."""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import purchase, wait_for
from tikrelay.tiktok.config import TikTokConfig
from tikrelay.tools.reach import look_at_reach
from tikrelay.watch.alarms import WAY_TO_TIKTOK

WELL, SOON, NOW = 0, 1, 2


def doctor(config: Path, *arguments: str, **environment: str) -> tuple[int, dict]:
    """Run it; returns the exit code and the report."""
    command = [sys.executable, "-m", "tikrelay", "doctor", "--config", str(config), "--json", *arguments]
    surroundings = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=surroundings)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def found(report: dict, about: str) -> list[tuple[str, str]]:
    return [(one["level"], one["text"]) for one in report["findings"] if one["about"] == about]


def test_all_is_well_with_a_server_that_runs_as_it_should(gateway, sandbox):
    gateway.hit(purchase(1))
    sandbox.wait_for_events(1)
    wait_for(lambda: gateway.books()["accepted"])

    code, report = doctor(gateway.config)

    assert (code, report["first"]) == (WELL, [])
    assert [] == found(report, "tiktok shop")
    assert {"versions", "settings", "sqlite", "outbox", "dns", "connection", "clock", "server", "shop"} <= {
        one["about"] for one in report["findings"]
    }
    assert "flowing: 1 received = 1 accepted" in found(report, "shop")[0][1]


@pytest.mark.parametrize("has_run", [False, True])
def test_a_server_that_does_not_run_is_acted_on_now(gateways, has_run: bool):
    gateway = gateways()
    if has_run:
        gateway.start().process.kill()

    code, report = doctor(gateway.config)

    assert code == NOW
    assert found(report, "server") == [("fault", "none runs: hits find nobody, and what waits is not sent")]
    assert [what.startswith("server: systemctl status tikrelay") for what in report["first"]] == [True]


def test_a_test_event_is_sent_only_when_it_is_asked_for_and_a_test_mode_is_told(gateways, sandbox):
    gateway = gateways(destinations=[{"test_event_code": "TEST1"}]).start()

    code, report = doctor(gateway.config)
    sent = len(sandbox.events())
    _, asked = doctor(gateway.config, "--test-event")

    assert (SOON, "warning", 0) == (code, found(report, "test_mode")[0][0], sent)
    assert "ok" == found(asked, "tiktok shop")[0][0]
    assert 1 == len(sandbox.events())


def test_a_paused_destination_is_acted_on_now_and_dead_letters_soon(gateway, sandbox):
    sandbox.fault("refuse", event_id="R-1")
    gateway.hit(purchase(1))
    wait_for(lambda: gateway.books()["dead"])
    sandbox.fault("code", code=40105)
    gateway.hit(purchase(2))
    wait_for(lambda: gateway.status()["destinations"]["shop"]["state"] == "paused")

    code, report = doctor(gateway.config)

    assert code == NOW
    assert report["first"][0].startswith("destination_paused shop: ")
    assert any(text.startswith("1 dead letters, refused; 1 of them since") for _, text in found(report, "shop"))
    assert any("tikrelay replay --reason refused --dry-run" in what for what in report["first"])
    assert [] == [what for what in report["first"] if "tikrelay doctor" in what]


@pytest.mark.faults
def test_settings_changed_and_not_taken_are_told(gateway):
    gateway.settings["mapping"] = {"purchase_event": "Purchase"}
    gateway.write()

    code, report = doctor(gateway.config)

    assert code == WELL
    assert [text for level, text in found(report, "server") if level == "note" and "that are not these" in text]


def test_many_events_that_tiktok_cannot_match_are_told(gateway, sandbox):
    for number in range(25):
        gateway.hit(purchase(number, en="view_item"))
    wait_for(lambda: gateway.books()["accepted"] == 25)

    _, report = doctor(gateway.config)

    texts = [text for level, text in found(report, "shop") if level == "note"]
    assert texts == [
        "100% of 25 events have no event id of the site's own",
        "100% of 25 events have no ttclid",
    ]


@pytest.mark.parametrize(("mode", "level"), [(0o600, WELL), (0o640, SOON)])
def test_a_token_file_that_others_may_read_is_warned_of(gateways, mode: int, level: int):
    gateway = gateways()
    token = gateway.folder / "token"
    token.write_text("a-token")
    token.chmod(mode)
    gateway.destinations[0] |= {"access_token_file": "token", "access_token": ""}
    gateway.write()

    gateway.start()

    code, report = doctor(gateway.config)

    assert code == level
    assert ("warning" in {one for one, _ in found(report, "modes")}) == (level == SOON)


@pytest.mark.faults
def test_an_outbox_that_others_may_read_is_warned_of(gateway):
    (gateway.outbox / "outbox-000.db").chmod(0o644)

    code, report = doctor(gateway.config)

    assert code == SOON
    assert [text for one, text in found(report, "modes") if one == "warning" and "outbox-000.db" in text]


@pytest.mark.faults
def test_settings_with_a_secret_that_everybody_may_read_are_noted(gateways):
    gateway = gateways()
    seen = []
    for mode in (0o644, 0o600):
        gateway.config.chmod(mode)
        _, report = doctor(gateway.config)
        seen.append([level for level, _ in found(report, "modes")])

    assert seen == [["note"], []]


@pytest.mark.parametrize(
    ("base_url", "about"), [("https://no-such-host.invalid", "dns"), ("http://127.0.0.1:9", "connection")]
)
def test_a_tiktok_that_cannot_be_reached_is_looked_at_soon(gateways, base_url: str, about: str):
    gateway = gateways(tiktok={"base_url": base_url}).start()

    code, report = doctor(gateway.config)

    assert code == SOON
    assert found(report, about)[0][0] == "warning"


def test_one_cause_is_named_once_where_it_shows_in_several_places(gateways):
    gateway = gateways(tiktok={"base_url": "http://127.0.0.1:9"}).start()
    gateway.hit(purchase(1))
    wait_for(lambda: gateway.status()["destinations"]["shop"]["state"] == "failing")

    code, report = doctor(gateway.config)

    assert (SOON, f"connection: {WAY_TO_TIKTOK}") == (code, *report["first"])
    assert found(report, "destination_failing shop")


def test_a_server_that_runs_is_looked_at_although_the_settings_were_edited_wrongly(gateways):
    gateway = gateways().start()
    gateway.settings["send"] = {"max_batch": 0}
    gateway.write()

    seen, report = doctor(gateway.config)
    shown = subprocess.run(
        [sys.executable, "-m", "tikrelay", "status", "--config", str(gateway.config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    gateway.process.terminate()
    acted_on, _ = doctor(gateway.config)

    assert (78, "ok", NOW) == (seen, found(report, "server")[0][0], acted_on)
    assert "send.max_batch" in found(report, "settings")[0][1]
    assert [] == found(report, "dns")
    assert (0, True) == (shown.returncode, "wrong in the settings: " in shown.stderr and "max_batch" in shown.stderr)


def test_settings_that_do_not_say_where_the_server_is_end_with_78(gateways):
    gateway = gateways(server={"admin_prt": 1})

    code, report = doctor(gateway.config)

    assert 78 == code
    assert ["settings"] == [one["about"] for one in report["findings"]]
    assert "server.admin_prt" in report["first"][0]


@pytest.mark.faults
def test_no_secret_is_shown(gateways):
    gateway = gateways(alarms={"webhook": "https://hooks.example/s3cret-hook"}, sources={"data_key": "s3cret-key"})
    gateway.start()

    _, report = doctor(gateway.config)

    shown = json.dumps(report)
    assert [word for word in ("s3cret", "token-of-the-tests") if word in shown] == []


@pytest.mark.faults
def test_what_to_do_first_is_said_in_words(gateway):
    gateway.process.terminate()
    command = [sys.executable, "-m", "tikrelay", "doctor", "--config", str(gateway.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (
        "\nDo this, in this order:\n1. server: systemctl status tikrelay says why it ended; start it: " in done.stdout
    )


# The way to TikTok, against a TLS server of the test's own.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate for localhost that is good for a day, signed by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls_server(certificates):
    """Answers one request over TLS, with the Date it is given."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 600))
    with socket.create_server(("localhost", 0)) as listener:

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(4096)
                    secured.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\n\r\n".encode())
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        thread.join()


def test_a_certificate_nobody_trusts_is_told(tls_server):
    last = list(look_at_reach(TikTokConfig(base_url=tls_server)))[-1]

    assert (last.level, last.about) == ("warning", "tls")
    assert "self-signed" in last.text.replace("self signed", "self-signed")


def test_a_certificate_that_ends_soon_and_a_clock_that_is_off_are_warned_of(tls_server, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "cert.pem"))

    told = {one.about: one for one in look_at_reach(TikTokConfig(base_url=tls_server))}

    assert told["tls"].level == "warning"
    assert (told["clock"].level, "ahead of" in told["clock"].text) == ("warning", True)
