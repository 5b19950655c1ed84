"""The server as an operator meets it: start, drain, restart, and what it refuses."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import PIXEL, START_WITHIN_S, Gateway, get, purchase, wait_for
from tikrelay.base.errors import EXIT_SOFTWARE
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import OutboxLock

READY_WITHIN_S = 10.0  # a bound on a hang: alone it takes one second
IDLE_MB = 100


def resident_mb(pid: int) -> float:
    """The memory a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def is_ready(gateway: Gateway) -> bool:
    return get(f"{gateway.url}/readyz")[0] == 200


def test_it_is_ready_soon_after_its_start(gateways):
    gateway = gateways()
    began = time.monotonic()
    gateway.start(ready=False)

    wait_for(lambda: is_ready(gateway), within_s=START_WITHIN_S)

    assert time.monotonic() - began < READY_WITHIN_S


def test_an_idle_worker_is_small(gateway):
    (pid,) = gateway.worker_pids()

    assert resident_mb(pid) < IDLE_MB


def test_the_status_tells_where_hits_are_taken_and_what_is_said_of_the_settings(gateways):
    gateway = gateways(sources={"measurement_ids": ["G-OWN0000001"]}).start()
    status = gateway.status()

    assert {"address": gateway.url, "measurement_id": "G-OWN0000001"} == status["collects"]
    assert {"place_an_order", "name_ends"} <= {advice["kind"] for advice in status["advice"]}
    assert "any_measurement_id" not in {advice["kind"] for advice in status["advice"]}


def test_a_second_server_on_the_same_outbox_is_refused_with_the_pid_of_the_first(gateway):
    other = subprocess.run(
        [sys.executable, "-m", "tikrelay", "serve", "--config", str(gateway.config)],
        env={**os.environ, "TIKRELAY_SERVER_PORT": "0", "TIKRELAY_SERVER_ADMIN_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert other.returncode == 75
    assert str(gateway.process.pid) in other.stderr
    assert is_ready(gateway)


def test_a_taken_port_is_told_with_its_setting(gateways):
    gateway = gateways()
    with socket.socket() as other:
        other.bind(("127.0.0.1", gateway.port))
        other.listen()
        gateway.start(ready=False)
        code = gateway.process.popen.wait(20)

    assert code != 0
    assert "server.port" in gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()


def test_three_variables_are_settings_enough(gateways, tmp_path):
    gateway = gateways()
    gateway.destinations = []
    gateway.settings["mapping"] = {}
    gateway.write()
    gateway.start(
        environment={
            "TIKTOK_PIXEL_CODE": PIXEL,
            "TIKTOK_ACCESS_TOKEN": "a-token",
            "TIKTOK_PURCHASE_EVENT": "Purchase",
        }
    )

    _, receipt = gateway.data({"event_name": "purchase", "transaction_id": "R-1"})

    assert receipt["events"][0]["tiktok_event"] == "Purchase"


def test_sigterm_answers_the_begun_request_settles_the_begun_batch_and_ends_with_zero(gateway, sandbox):
    sandbox.fault("slow", seconds=1.0, times=1)
    gateway.hit(purchase(1))
    wait_for(lambda: gateway.books()["received"] == 1)
    time.sleep(0.3)  # the call to TikTok is under way
    begun = socket.create_connection(("127.0.0.1", gateway.port))
    begun.sendall(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")
    time.sleep(0.2)
    gateway.process.popen.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    body = b'{"event_name":"contact","event_id":"e1"}'
    begun.sendall(body)
    answer = begun.recv(65536)
    begun.close()

    assert gateway.process.popen.wait(20) == 0
    assert answer.startswith(b"HTTP/1.1 200")
    first = sandbox.events()[0]
    assert (first["event_id"], first["_"]["copies"]) == ("R-1", 1)
    gateway.start()
    assert {event["event_id"] for event in sandbox.wait_for_events(2)} == {"R-1", "e1"}


def test_a_second_sigterm_ends_it_at_once_and_loses_nothing(gateway, sandbox):
    sandbox.fault("hang")
    gateway.hit(purchase(1))
    time.sleep(0.5)
    gateway.process.popen.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    gateway.process.popen.send_signal(signal.SIGTERM)
    gateway.process.popen.wait(5)
    sandbox.heal()
    gateway.start()

    assert [event["event_id"] for event in sandbox.wait_for_events(1)] == ["R-1"]


def test_a_killed_worker_is_replaced_within_a_second(gateways):
    gateway = gateways(server={"workers": 2}).start()
    first, second = gateway.worker_pids()
    os.kill(first, signal.SIGKILL)
    killed = time.monotonic()

    wait_for(lambda: len(pids := gateway.worker_pids()) == 2 and first not in pids, within_s=10)

    assert time.monotonic() - killed < 3
    assert second in gateway.worker_pids()
    assert gateway.said("worker_died")


def test_while_no_worker_can_live_requests_get_503_and_the_log_says_why(gateway):
    (pid,) = gateway.worker_pids()
    for path in gateway.outbox.iterdir():
        path.unlink()
    gateway.outbox.rmdir()
    gateway.outbox.write_text("no folder")
    os.kill(pid, signal.SIGKILL)

    wait_for(lambda: get(f"{gateway.url}/readyz")[0] == 503, within_s=10)

    status, headers, _ = get(f"{gateway.url}/g/collect?{purchase(1)}", headers={"Origin": "https://shop.example"})
    assert (status, headers["Retry-After"]) == (503, "5")
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert get(f"{gateway.url}/healthy")[0] == 200
    assert 'tikrelay_requests_total{route="ga4",status="5xx"} 1.0' in gateway.metrics()
    assert "outbox" in wait_for(lambda: [d for d in gateway.said("worker_died") if d["exit_code"] > 0])[0]["why"]
    gateway.outbox.unlink()
    gateway.outbox.mkdir(mode=0o700)
    wait_for(lambda: gateway.hit(purchase(2)) == 204, within_s=15)  # for an instant both may accept


def test_a_damaged_file_is_set_aside_and_collecting_goes_on(gateways, sandbox):
    sandbox.fault("http", status=503)
    gateway = gateways().start()
    for number in range(60):
        gateway.hit(purchase(number, pr2=f"idSKU-2~nm{'x' * 900}"))
    assert gateway.process.terminate() == 0
    file = gateway.outbox / "outbox-000.db"
    with file.open("r+b") as damaged:
        for offset in range(8192, file.stat().st_size, 4096):
            damaged.seek(offset)
            damaged.write(b"\xff" * 200)
    sandbox.heal()
    gateway.start()

    wait_for(lambda: gateway.status()["damaged"] == ["outbox-000.db"], within_s=20)

    assert gateway.said("outbox_damaged")
    wait_for(lambda: is_ready(gateway))
    assert gateway.hit(purchase(100)) == 204
    assert "R-100" in {event["event_id"] for event in sandbox.wait_for_events(1, event_id="R-100")}
    assert file.exists()


def test_a_token_file_that_is_gone_keeps_no_worker_from_being_replaced(gateways, sandbox):
    gateway = gateways(destinations=[{"access_token_file": "token"}])
    del gateway.destinations[0]["access_token"]
    gateway.write()
    (gateway.folder / "token").write_text("a-token-0001")
    gateway.start()
    (pid,) = gateway.worker_pids()
    (gateway.folder / "token").unlink()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: gateway.worker_pids() not in ([], [pid]))

    gateway.hit(purchase(1))

    sandbox.wait_for_events(1)
    assert sandbox.requests()[-1]["token_last4"] == "0001"


@pytest.mark.faults
def test_a_frozen_worker_is_replaced(gateways):
    gateway = gateways(server={"workers": 2}).start()
    frozen = gateway.worker_pids()[0]
    os.kill(frozen, signal.SIGSTOP)

    wait_for(lambda: len(pids := gateway.worker_pids()) == 2 and frozen not in pids, within_s=60)

    assert gateway.said("worker_frozen")


def test_no_counter_falls_while_a_worker_is_replaced(gateways):
    gateway = gateways(server={"workers": 2}).start()
    for number in range(20):
        gateway.hit(purchase(number))
    received = wait_for(lambda: (books := gateway.books())["received"] == 20 and books)["received"]
    gateway.metrics()
    os.kill(gateway.worker_pids()[0], signal.SIGKILL)

    seen = [gateway.books()["received"] for _ in range(20)]

    assert set(seen) == {received}
    assert 'tikrelay_requests_total{route="ga4",status="2xx"} 20.0' in gateway.metrics()


def test_a_newer_server_whose_elder_dies_in_the_hand_over_owns_the_outbox(gateways):
    gateway = gateways().start()
    elder = gateway.process
    offset = gateway.log.stat().st_size
    gateway.start("--take-over", ready=False)
    newer = gateway.process
    wait_for(lambda: gateway.said("advice", offset))
    newer.popen.send_signal(signal.SIGSTOP)
    elder.kill()
    newer.popen.send_signal(signal.SIGCONT)
    wait_for(lambda: gateway.said("ready", offset), within_s=START_WITHIN_S)

    wait_for(lambda: (gateway.outbox / "serve.lock").read_text().strip() == str(newer.pid))

    assert gateway.said("defect", offset) == []
    assert gateway.hit(purchase(1)) == 204


def test_a_worker_killed_while_it_begins_is_begun_again(gateways):
    gateway = gateways().start(ready=False)
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    (worker, *_) = wait_for(lambda: children.read_text().split())
    os.kill(int(worker), signal.SIGKILL)

    wait_for(lambda: gateway.said("ready"), within_s=START_WITHIN_S)

    assert gateway.hit(purchase(1)) == 204


def test_a_worker_that_is_killed_at_every_start_ends_the_server_with_a_code_of_the_list(gateways):
    gateway = gateways().start(ready=False, environment={"TIKRELAY_FAILPOINTS": "in_migration:kill@1"})

    assert gateway.process.popen.wait(START_WITHIN_S) == EXIT_SOFTWARE
    assert ["ended by SIGKILL"] == [told["why"] for told in gateway.said("worker_failed")]


def test_a_worker_whose_file_was_just_taken_begins_another(gateways):
    """As beside an older server whose worker begins anew while a newer one takes over."""
    gateway = gateways()
    folder = OutboxFolder(gateway.outbox)
    folder.make()
    gateway.start(ready=False)
    lock = OutboxLock(folder.path / "outbox-000.db")
    wait_for((folder.path / "serve.lock").exists)
    assert lock.try_acquire()
    wait_for(lambda: gateway.said("ready"), within_s=START_WITHIN_S)
    lock.release()

    assert ["outbox-001.db"] == [worker["outbox"] for worker in gateway.status()["workers"]]


def test_a_take_over_says_that_it_keeps_the_ports(gateways):
    gateway = gateways().start()
    gateway.settings["server"]["port"] = gateway.port + 1
    gateway.write()
    gateway.start("--take-over")

    (told,) = gateway.said("port_not_changed")

    assert (told["setting"], told["kept"]) == ("server.port", gateway.port)
    assert is_ready(gateway)


def test_the_first_sigterm_after_a_hand_over_still_answers_what_was_begun(gateways):
    gateway = gateways().start()
    elder = gateway.process
    begun = socket.create_connection(("127.0.0.1", gateway.port))
    begun.sendall(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")
    time.sleep(0.3)
    gateway.start("--take-over")
    elder.popen.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    begun.sendall(b'{"event_name":"contact","event_id":"e1"}')

    assert begun.recv(65536).startswith(b"HTTP/1.1 200")
    begun.close()
    assert elder.popen.wait(20) == 0


def test_the_bodies_of_dead_letters_stay_with_the_worker(gateway, sandbox):
    """Strangers choose how long they are, and a line between two processes has an end."""
    for number in range(3):
        sandbox.fault("refuse", event_id=f"R-{number}")
        gateway.hit(purchase(number))
        gateway.hit(purchase(number + 10))
    wait_for(lambda: gateway.books()["dead"] == 3)

    letters = gateway.dead()

    assert [sorted(letter) for letter in letters if "body" in letter] == []
    assert {letter["event_id"] for letter in letters} == {"R-0", "R-1", "R-2"}


def test_events_of_a_destination_that_was_renamed_are_told(gateways, sandbox):
    sandbox.fault("http", status=503)
    gateway = gateways().start()
    gateway.hit(purchase(1))
    assert gateway.process.terminate() == 0
    gateway.destinations[0]["name"] = "another"
    gateway.write()
    gateway.start()

    (told,) = wait_for(lambda: gateway.said("events_without_destination"))

    assert (told["destination"], told["waiting"]) == ("shop", 1)


def test_workers_end_with_their_parent(gateway):
    (pid,) = gateway.worker_pids()
    gateway.process.kill()

    wait_for(lambda: not Path(f"/proc/{pid}").exists(), within_s=5)


def test_what_waits_in_files_of_workers_that_are_gone_is_sent(gateways, sandbox):
    sandbox.fault("http", status=503)
    gateway = gateways(server={"workers": 3}).start()
    for number in range(30):
        gateway.hit(purchase(number))
    assert gateway.process.terminate() == 0
    sandbox.heal()
    gateway.settings["server"]["workers"] = 1
    gateway.write()
    gateway.start()

    events = sandbox.wait_for_events(30, within_s=30)

    assert {event["event_id"] for event in events} == {f"R-{number}" for number in range(30)}
    assert gateway.wait_until_settled() == {"received": 30, "accepted": 30, "waiting": 0, "dead": 0, "dropped": 0}


def test_a_newer_server_takes_over_under_load_and_no_hit_is_lost_or_refused(gateways, oracles):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    oracle.begin(senders=4, per_s=400)
    time.sleep(0.5)
    for _ in range(2):
        older = gateway.process
        gateway.start("--take-over")
        assert older.popen.wait(20) == 0

    requests = oracle.judge(acked=50)["requests"]

    assert (requests["refused"], requests["unknown"], requests["unsent"]) == (0, 0, 0)


def test_a_restart_behind_a_socket_that_outlives_it_loses_and_refuses_nothing(gateways, oracles):
    """As systemd does it: the socket is made outside and handed to each server (LISTEN_FDS)."""
    gateway = gateways()
    launcher = (
        "import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); os.set_inheritable(3, True);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
        "os.execv(sys.executable, [sys.executable, '-m', 'tikrelay', 'serve', '--config', sys.argv[2]])"
    )
    with socket.socket() as listener, gateway.log.open("ab") as log:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", gateway.port))
        listener.listen(512)

        def start() -> subprocess.Popen:
            offset = gateway.log.stat().st_size
            command = [sys.executable, "-c", launcher, str(listener.fileno()), str(gateway.config)]
            process = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=log, stderr=log)
            wait_for(lambda: gateway.said("ready", offset), within_s=START_WITHIN_S)
            return process

        running = start()
        oracle = oracles(gateway)
        oracle.begin(senders=4, per_s=400)
        try:
            for _ in range(2):
                time.sleep(0.5)
                running.send_signal(signal.SIGTERM)
                assert running.wait(20) == 0
                running = start()
            requests = oracle.judge(acked=50)["requests"]
        finally:
            running.terminate()
            code = running.wait(20)

    assert (requests["refused"], requests["unknown"], requests["unsent"]) == (0, 0, 0)
    assert code == 0


def test_a_file_whose_lock_cannot_be_opened_keeps_no_other_from_being_adopted(gateway):
    lock = gateway.outbox / "outbox-005.lock"
    lock.mkdir()
    for number in (5, 6):
        (gateway.outbox / f"outbox-{number:03}.db").touch()
    wait_for(lambda: "outbox-006.db" in gateway.status()["workers"][0]["outboxes"])
    lock.rmdir()
    wait_for(lambda: "outbox-005.db" in gateway.status()["workers"][0]["outboxes"])

    assert ["outbox-005.db"] == [told["outbox"] for told in gateway.said("not_adopted")]
    assert [] == gateway.said("defect")
