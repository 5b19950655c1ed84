"""Settings that change while the server runs (SIGHUP), as an operator meets it."""

import contextlib
import os
import signal
import socket
import sqlite3
import time

import pytest

from harness import get, purchase, wait_for
from tikrelay.outbox.schema import APPLICATION_ID

TAKEN_WITHIN_S = 30.0


def reload(gateway) -> None:
    gateway.process.popen.send_signal(signal.SIGHUP)


def wait_until_said(gateway, event: str, count: int = 1) -> dict:
    """The last of that many log lines of a kind."""
    return wait_for(lambda: len(lines := gateway.said(event)) >= count and lines, within_s=TAKEN_WITHIN_S)[-1]


def wait_until_only(gateway, workers: int, *, none_of: list[int]) -> None:
    def alone() -> bool:
        pids = gateway.worker_pids()
        return len(pids) == workers and not set(pids) & set(none_of)

    wait_for(alone, within_s=TAKEN_WITHIN_S)


def reloads(gateway) -> dict[str, float]:
    lines = [line for line in gateway.metrics().splitlines() if line.startswith("tikrelay_config_reloads_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def test_other_settings_are_taken_without_a_restart(gateway, sandbox):
    before, old = gateway.status()["settings"], gateway.worker_pids()
    gateway.settings["mapping"] = {"purchase_event": "Purchase"}
    gateway.settings["server"]["workers"] = 2
    gateway.write()
    reload(gateway)
    wait_until_said(gateway, "settings_taken")
    wait_until_only(gateway, 2, none_of=old)
    gateway.hit(purchase(1))

    (event,) = sandbox.wait_for_events(1)

    assert event["event"] == "Purchase"
    after = gateway.status()["settings"]
    assert (before["reload"], after["reload"]) == ("", "taken")
    assert before["digest"] != after["digest"]
    assert before["read_at"] < after["read_at"]
    assert reloads(gateway) == {"taken": 1, "refused": 0, "failed": 0}


def test_no_counter_falls_at_a_reload(gateway):
    for number in range(7):
        gateway.hit(purchase(number))
    old = gateway.worker_pids()
    for number in range(7, 20):
        gateway.hit(purchase(number))
    reload(gateway)
    wait_until_said(gateway, "settings_taken")
    wait_until_only(gateway, 1, none_of=old)

    assert 'tikrelay_requests_total{route="ga4",status="2xx"} 20.0' in gateway.metrics()


def test_a_new_token_written_in_the_settings_needs_no_restart(gateway, sandbox):
    old = gateway.worker_pids()
    sandbox.fault("code", code=40105)
    gateway.hit(purchase(1))
    wait_for(lambda: gateway.status()["destinations"]["shop"]["state"] == "paused")
    gateway.destinations[0]["access_token"] = "token-of-the-tests-0002"
    gateway.write()
    sandbox.heal()
    reload(gateway)

    wait_until_said(gateway, "settings_taken")
    wait_until_only(gateway, 1, none_of=old)
    gateway.hit(purchase(2))

    assert {event["event_id"] for event in sandbox.wait_for_events(2)} == {"R-1", "R-2"}
    assert "0002" in [call["token_last4"] for call in sandbox.requests()]
    assert "token-of-the-tests" not in gateway.log.read_text()


def test_a_wrong_file_is_refused_with_every_mistake_and_changes_nothing(gateway, sandbox):
    old, digest = gateway.worker_pids(), gateway.status()["settings"]["digest"]
    gateway.settings["server"]["wrokers"] = 2
    gateway.settings["send"]["max_batch"] = 0
    gateway.write()
    reload(gateway)
    refused = wait_until_said(gateway, "settings_refused")

    assert refused["mistakes"] == 2
    assert {line["key"] for line in gateway.said("setting_wrong")} == {"server.wrokers", "send.max_batch"}
    assert all(f"{gateway.config}:" in line["where"] for line in gateway.said("setting_wrong"))
    assert (gateway.worker_pids(), gateway.status()["settings"]["digest"]) == (old, digest)
    assert reloads(gateway)["refused"] == 1
    assert gateway.hit(purchase(1)) == 204


@pytest.mark.faults
def test_a_file_that_is_gone_is_refused(gateway):
    gateway.config.unlink()
    reload(gateway)

    wait_until_said(gateway, "settings_refused")

    assert gateway.hit(purchase(1)) == 204


def test_what_cannot_change_is_told_and_the_rest_is_taken(gateway, sandbox):
    kept = gateway.port
    gateway.settings["server"]["port"] = kept + 1
    gateway.settings["outbox"]["url"] = "sqlite:elsewhere"
    gateway.settings["mapping"] = {"purchase_event": "Purchase"}
    gateway.write()
    reload(gateway)
    wait_until_said(gateway, "settings_taken")

    told = {line["setting"]: line for line in gateway.said("setting_not_changed")}

    assert set(told) == {"server.port", "outbox.url"}
    assert (told["server.port"]["wanted"], told["server.port"]["kept"]) == (kept + 1, kept)
    assert not (gateway.folder / "elsewhere").exists()
    gateway.hit(purchase(1))
    assert sandbox.wait_for_events(1)[0]["event"] == "Purchase"


def test_when_no_new_worker_can_begin_the_old_ones_stay_and_the_log_says_why(gateways, tmp_path):
    """The folder takes no further file, so a new worker has none to write to."""
    gateway = gateways().start()
    (old,) = gateway.worker_pids()
    for number in range(1, 1000):
        (gateway.outbox / f"outbox-{number:03}.damaged").write_text("set aside by the test\n")
    reload(gateway)
    failed = wait_until_said(gateway, "settings_failed")

    assert "in use" in failed["why"]
    assert gateway.worker_pids() == [old]
    assert reloads(gateway)["failed"] == 1
    assert gateway.hit(purchase(1)) == 204


@pytest.mark.faults
def test_a_new_worker_that_dies_at_its_start_leaves_the_old_ones_at_work(gateway):
    (old,) = gateway.worker_pids()
    with contextlib.closing(sqlite3.connect(gateway.outbox / "outbox-001.db")) as newer:
        newer.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 999; CREATE TABLE t (x)")
    reload(gateway)
    failed = wait_until_said(gateway, "settings_failed")

    assert "newer" in failed["why"]
    assert gateway.worker_pids() == [old]
    assert gateway.hit(purchase(1)) == 204


@pytest.mark.faults
def test_signals_during_a_reload_are_one_more_reload(gateway):
    for _ in range(5):
        reload(gateway)
        time.sleep(0.05)
    wait_until_said(gateway, "settings_taken", 2)
    time.sleep(1.5)

    assert len(gateway.said("settings_taken")) == 2
    assert len(gateway.worker_pids()) == 1


@pytest.mark.faults
def test_what_was_begun_before_a_reload_is_answered_and_what_waited_is_sent(gateway, sandbox):
    sandbox.fault("http", status=503)
    gateway.hit(purchase(1))
    begun = socket.create_connection(("127.0.0.1", gateway.port))
    begun.sendall(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")
    time.sleep(0.2)
    reload(gateway)
    wait_until_said(gateway, "settings_taken")
    begun.sendall(b'{"event_name":"contact","event_id":"e1"}')
    answer = begun.recv(65536)
    begun.close()
    sandbox.heal()

    assert answer.startswith(b"HTTP/1.1 200")
    assert {event["event_id"] for event in sandbox.wait_for_events(2, within_s=40)} == {"R-1", "e1"}


@pytest.mark.faults
def test_a_hup_to_a_worker_ends_nothing(gateway):
    (pid,) = gateway.worker_pids()
    os.kill(pid, signal.SIGHUP)
    time.sleep(0.3)

    assert gateway.worker_pids() == [pid]
    assert gateway.hit(purchase(1)) == 204


@pytest.mark.faults
def test_reload_after_reload_uses_no_more_files_than_it_must(gateway):
    for number in range(1, 4):
        old = gateway.worker_pids()
        reload(gateway)
        wait_until_said(gateway, "settings_taken", number)
        wait_until_only(gateway, 1, none_of=old)

    assert len(list(gateway.outbox.glob("outbox-*.db"))) == 2


@pytest.mark.faults
def test_systemd_is_told_of_a_reload_and_of_its_end(gateways, tmp_path):
    gateway = gateways()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(TAKEN_WITHIN_S)
        gateway.start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        began = time.monotonic_ns() // 1000
        assert notified.recv(1024) == b"READY=1"
        reload(gateway)
        reloading = notified.recv(1024).split(b"\n")
        told = [notified.recv(1024)]
        gateway.process.terminate()
        told.append(notified.recv(1024))

    assert reloading[0] == b"RELOADING=1"
    assert began < int(reloading[1].removeprefix(b"MONOTONIC_USEC=")) < time.monotonic_ns() // 1000
    assert told == [b"READY=1", b"STOPPING=1"]


def test_a_reload_under_load_loses_and_refuses_nothing(gateways, oracles):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    oracle.begin(senders=4, per_s=400)
    for number, workers in enumerate((1, 2), 1):
        time.sleep(0.5)
        gateway.settings["server"]["workers"] = workers
        gateway.write()
        reload(gateway)
        wait_until_said(gateway, "settings_taken", number)

    requests = oracle.judge(acked=50)["requests"]
    assert (requests["refused"], requests["unknown"]) == (0, 0)


@pytest.mark.faults
def test_the_rate_keeps_to_its_cap_while_two_generations_live(gateways, sandbox):
    """One event a call, and more events than the cap lets through: what TikTok sees in any two seconds is bounded."""
    cap = 20
    gateway = gateways(server={"workers": 2}, send={"max_batch": 1, "max_requests_per_s": cap, "max_wait_s": 0})
    gateway.start()
    for number in range(400):
        gateway.hit(purchase(number))
    for number in range(1, 3):
        time.sleep(3)
        reload(gateway)
        wait_until_said(gateway, "settings_taken", number)
    gateway.wait_until_settled(within_s=60)

    times = sorted(request["at"] for request in sandbox.requests(2000))
    most = max(sum(begin <= at < begin + 5 for at in times) for begin in times)
    assert most <= 5 * cap * 1.1 + 4
    assert len(times) >= 400


@pytest.mark.faults
def test_readiness_holds_through_a_reload(gateway):
    reload(gateway)
    seen = set()
    while not gateway.said("settings_taken"):
        seen.add(get(f"{gateway.url}/readyz")[0])

    assert seen == {200}


def test_a_service_manager_that_is_gone_keeps_no_settings_from_being_taken_and_nobody_from_ending(gateways, tmp_path):
    gateway = gateways().start(environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    reload(gateway)
    wait_until_said(gateway, "settings_taken")

    assert gateway.process.terminate() == 0
    assert 1 == len(gateway.said("service_manager_not_told"))
    assert "Traceback" not in gateway.log.read_text()
