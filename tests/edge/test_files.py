"""When a process may open few files: connections make room for each other, and events are taken and delivered (F27)."""

import contextlib
import resource
import socket
import time
from pathlib import Path

from harness import wait_for
from rawhttp import connect, talk

HIT = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def processor_s(pid: int) -> float:
    """The time a process has computed for."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


def flood(port: int, count: int) -> list[socket.socket]:
    """Open connections as fast as it goes; some may be ended at once."""
    made = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            made.append(connect(port, within_s=5))
    return made


def test_a_worker_that_may_open_64_files_serves_and_delivers_beside_300_idle_connections(gateways, sandbox):
    gateway = gateways().start()
    (worker,) = gateway.worker_pids()
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (64, 64))
    idle = flood(gateway.port, 300)
    served = [talk(gateway.port, HIT, within_s=5)[:12] for _ in range(20)]
    began, computed = time.monotonic(), processor_s(worker)
    sandbox.wait_for_events(20)
    time.sleep(0.5)
    busy = (processor_s(worker) - computed) / (time.monotonic() - began)
    for connection in idle:
        connection.close()

    assert [b"HTTP/1.1 204"] * 20 == served
    assert [worker] == gateway.worker_pids()
    assert busy < 0.5  # it does not spin


def test_a_worker_with_no_file_left_serves_again_when_connections_end(gateways, sandbox):
    gateway = gateways().start()
    (worker,) = gateway.worker_pids()
    gateway.hit("v=2&tid=G-1&cid=1.2&en=contact")
    sandbox.wait_for_events(1)
    few = len(list(Path(f"/proc/{worker}/fd").iterdir())) + 1
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (few, few))
    for connection in flood(gateway.port, 200):
        connection.close()
    wait_for(lambda: talk(gateway.port, HIT, within_s=5).startswith(b"HTTP/1.1 204"))
    served = [talk(gateway.port, HIT, within_s=5)[:12] for _ in range(10)]

    assert [b"HTTP/1.1 204"] * 10 == served
    assert [worker] == gateway.worker_pids()
    assert {"received": 12, "accepted": 12, "waiting": 0, "dead": 0, "dropped": 0} == gateway.wait_until_settled()
