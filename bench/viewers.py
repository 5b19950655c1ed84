"""What ten viewers of Live cost the collector: hits a second with them and without, in turns, in one run.

``make bench-one NAME=viewers``. A server of one worker, the sandbox in TikTok's place, and the senders share this
machine's cores, so hits a second are noisy; each turn with viewers is held against the two beside it. Steady is what
the second table says: at a pace the server keeps easily, which share of a core its processes use.
"""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

VIEWERS = 10
SENDERS = 16
TURNS = 7
"""With viewers; and one more without."""
TURN_S = 4.0
PACE = 200.0
"""Hits a second of the second table."""
WITHIN_S = 30.0
HIT = (
    "/g/collect?v=2&tid=G-BENCH00001&cid=10.20&_p=1&_s={number}&sid=1795312000&gcs=G111&en=purchase&cu=EUR&epn.value=19"
    "&dl=https%3A%2F%2Fshop.example%2Fthanks%3Fttclid%3DE.C.P.abc&ep.transaction_id=R-{number}&pr1=idSKU-1~pr9.5~qt2"
    "&ep.user_data.email=ann%40shop.example"
)
SETTINGS = """
[server]
port = {port}
admin_port = {admin_port}
[tiktok]
base_url = "{sandbox}"
[outbox]
url = "sqlite:outbox"
[[destinations]]
name = "shop"
event_source_id = "C0BENCH000000000001"
access_token = "token-of-the-bench"
"""


class Server(NamedTuple):
    """Where a server listens."""

    port: int
    admin_port: int

    def status(self) -> dict[str, Any]:
        """Ask how it is."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/api/status", timeout=WITHIN_S) as answer:
            status: dict[str, Any] = json.load(answer)
            return status

    def pids(self) -> list[int]:
        """Name its processes: each worker, and their parent."""
        workers = [worker["pid"] for worker in self.status()["workers"]]
        parent = Path(f"/proc/{workers[0]}/stat").read_text().rpartition(")")[2].split()[1]
        return [*workers, int(parent)]


class Turn(NamedTuple):
    """Hits a second, and which part of a core the server used."""

    per_s: float
    cores: float


def free_port() -> int:
    """Find a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(*arguments: str, log: Path) -> Iterator[None]:
    """Run one of tikrelay's commands, until the end."""
    with log.open("wb") as out:
        command = [sys.executable, "-m", "tikrelay", *arguments]
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603  our own
        try:
            yield
        finally:
            process.terminate()
            process.wait(WITHIN_S)


def wait_for(log: Path, words: str) -> None:
    """Wait until a process has said something."""
    deadline = time.monotonic() + WITHIN_S
    while words not in log.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(log.read_text())
        time.sleep(0.05)


async def send(server: Server, numbers: Iterator[int], until: float, pace: float) -> int:
    """Send hits one after another over one connection, at a pace or without one; returns how many were taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    began, count = time.monotonic(), 0
    while time.monotonic() < until:
        address = HIT.format(number=next(numbers))
        writer.write(f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 8.8.8.8\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 204"):
            raise RuntimeError(head.decode())
        count += 1
        if pace:
            await asyncio.sleep(max(0.0, began + count * SENDERS / pace - time.monotonic()))
    writer.close()
    return count


async def view(server: Server) -> None:
    """Look at Live, and read what comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.admin_port)
    writer.write(b"GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    try:
        while await reader.read(1 << 16):
            pass
    finally:
        writer.close()


def processor_s(pids: list[int]) -> float:
    """Say how much processor time some processes have used."""
    parts = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(part[11]) + int(part[12]) for part in parts) / os.sysconf("SC_CLK_TCK")


async def turn(server: Server, numbers: Iterator[int], viewers: int, pace: float) -> Turn:
    """Measure once."""
    looking = [asyncio.create_task(view(server)) for _ in range(viewers)]
    await asyncio.sleep(0.5)
    pids = server.pids()
    began, used = time.monotonic(), processor_s(pids)
    counts = await asyncio.gather(*(send(server, numbers, began + TURN_S, pace) for _ in range(SENDERS)))
    used, seconds = processor_s(pids) - used, time.monotonic() - began
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    return Turn(sum(counts) / seconds, used / seconds)


async def measure(server: Server, pace: float) -> tuple[list[Turn], list[Turn]]:
    """Measure in turns: without viewers, with them, without, and so on."""
    numbers = iter(range(1, 1 << 60))
    await turn(server, numbers, 0, pace)
    without = [await turn(server, numbers, 0, pace)]
    looked_at: list[Turn] = []
    for _ in range(TURNS):
        looked_at.append(await turn(server, numbers, VIEWERS, pace))
        without.append(await turn(server, numbers, 0, pace))
    return without, looked_at


async def report(server: Server) -> None:
    """Measure, and print both tables."""
    without, looked_at = await measure(server, 0)
    ratios = [with_them.per_s * 2 / (a.per_s + b.per_s) for with_them, (a, b) in paired(looked_at, without)]
    print(f"{TURNS} turns of {TURN_S:.0f} s, {SENDERS} senders; the middle of each\n")
    print(f"| | no viewer | {VIEWERS} viewers | ratio |\n|---|---|---|---|")
    none, ten = (statistics.median(one.per_s for one in turns) for turns in (without, looked_at))
    print(f"| hits a second | {none:.0f} | {ten:.0f} | {statistics.median(ratios):.3f} |\n")
    without, looked_at = await measure(server, PACE)
    none, ten = (statistics.median(one.cores for one in turns) for turns in (without, looked_at))
    print(f"| at {PACE:.0f} hits a second | no viewer | {VIEWERS} viewers | difference |\n|---|---|---|---|")
    print(f"| of one core | {none:.1%} | {ten:.1%} | {ten - none:.1%} |")


def paired(looked_at: list[Turn], without: list[Turn]) -> Iterator[tuple[Turn, tuple[Turn, Turn]]]:
    """Put each turn with viewers beside the two around it."""
    return zip(looked_at, itertools.pairwise(without), strict=True)


def main() -> int:
    """Start what is needed, measure, and print."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as open_ones:
        folder = Path(name)
        sandbox_port, server = free_port(), Server(free_port(), free_port())
        settings = folder / "tikrelay.toml"
        sandbox = f"http://127.0.0.1:{sandbox_port}"
        settings.write_text(SETTINGS.format(port=server.port, admin_port=server.admin_port, sandbox=sandbox))
        sandbox_log, log = folder / "sandbox.log", folder / "serve.log"
        open_ones.enter_context(running("sandbox", "--port", str(sandbox_port), log=sandbox_log))
        wait_for(sandbox_log, "sandbox: ")
        open_ones.enter_context(running("serve", "--config", str(settings), log=log))
        wait_for(log, "ready")
        asyncio.run(report(server))
    return 0


if __name__ == "__main__":
    sys.exit(main())
