"""More than it is made for: bursts, clients that say nothing, and a process with little memory or few files."""

import contextlib
import resource
import socket
import threading
import time
from pathlib import Path

import pytest

from harness import brief

MOST_BATCH = 1000  # send.max_batch
MOST_RESIDENT_MB = 256
IDLE, SLOW = 2000, 200
HEADROOM_MB = 16
FEW_FILES = 64

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def of_status(pid: int, key: str) -> float:
    """A figure of /proc/PID/status in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def test_bursts_of_ten_and_a_hundred_times_are_stored_or_honestly_refused(gateways, oracles, record_property):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    oracle.begin(senders=32, per_s=300)
    time.sleep(5)
    oracle.ask("pace", per_s=3000)
    time.sleep(30)
    oracle.ask("pace", per_s=30_000)
    time.sleep(2)
    largest = max(of_status(pid, "VmHWM") for pid in gateway.worker_pids())
    oracle.ask("pace", per_s=300)
    time.sleep(5)

    figures = oracle.judge(acked=50_000)

    record_property("largest_worker_mb", round(largest))
    record_property("oracle", brief(figures))
    assert figures["requests"]["unknown"] == 0
    assert largest < MOST_RESIDENT_MB


def test_clients_that_say_nothing_or_dribble_stand_in_nobodys_way(gateways, oracles, record_property):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    oracle.begin(senders=8, per_s=300)
    ended = threading.Event()
    with contextlib.ExitStack() as open_ones:

        def connect() -> socket.socket:
            return open_ones.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=10))

        for _ in range(IDLE):
            connect()
        heads, bodies = [connect() for _ in range(SLOW)], [connect() for _ in range(SLOW)]
        for slow in bodies:
            slow.sendall(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n")

        def dribble() -> None:
            while not ended.wait(1.0):
                for slow, byte in [*((slow, b"G") for slow in heads), *((slow, b" ") for slow in bodies)]:
                    with contextlib.suppress(OSError):
                        slow.send(byte)

        dribbling = threading.Thread(target=dribble)
        dribbling.start()
        time.sleep(20)
        ended.set()
        dribbling.join()
        figures = oracle.judge(acked=3000)

    record_property("connections", {"idle": IDLE, "slow heads": SLOW, "slow bodies": SLOW})
    record_property("oracle", brief(figures))
    assert (figures["requests"]["unknown"], figures["requests"]["refused"]) == (0, 0)


def test_a_worker_without_memory_refuses_or_is_replaced_and_loses_nothing(gateways, oracles, record_property):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    squeezed = gateway.worker_pids()[0]
    most = int((of_status(squeezed, "VmSize") + HEADROOM_MB) * 1024 * 1024)
    resource.prlimit(squeezed, resource.RLIMIT_AS, (most, most))
    oracle.begin(senders=32, most=200)
    time.sleep(15)
    oracle.ask("killed", what="memory")

    figures = oracle.judge(most_repeats=4 * MOST_BATCH, acked=1000)

    record_property("workers_that_died", gateway.worker_codes())
    record_property("oracle", brief(figures))


def test_a_worker_with_few_files_lets_connections_wait_and_loses_nothing(gateways, oracles, record_property):
    gateway = gateways(server={"workers": 2}).start()
    oracle = oracles(gateway)
    for pid in gateway.worker_pids():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))
    oracle.begin(senders=150, per_s=300)
    time.sleep(15)
    oracle.ask("killed", what="files")

    figures = oracle.judge(most_repeats=4 * MOST_BATCH, acked=1000)

    record_property("workers_that_died", gateway.worker_codes())
    record_property("oracle", brief(figures))
