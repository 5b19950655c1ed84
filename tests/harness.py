"""Real processes for tests: the gateway as users start it, and the sandbox in TikTok's place."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from faults.mint import SPOILT

START_WITHIN_S = 20.0
SEED = int(os.environ.get("SEED", "20261124"))
PIXEL = "C0EXAMPLE0000000001"
TOKEN = "token-of-the-tests-0001"


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(ask, *, within_s: float = 10.0, every_s: float = 0.02):
    """Ask until the answer is truthy; fail with the last answer when the time is up."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if answer := ask():
                return answer
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(every_s)


def get(url: str, *, data: bytes | None = None, method: str | None = None, headers: dict[str, str] | None = None):
    """One request; returns (status, headers, body) whatever the status is."""
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def get_json(url: str, **more: Any) -> Any:
    """The JSON at an address."""
    return json.loads(get(url, **more)[2])


class Process:
    """A process of ours, with what it wrote."""

    def __init__(self, arguments: list[str], *, log: Path, environment: dict[str, str] | None = None, **more: Any):
        self.log = log
        self.out = log.open("ab")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TIKRELAY_", "TIKTOK_"))}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tikrelay", *arguments],
            stdout=self.out,
            stderr=self.out,
            env={**inherited, **(environment or {})},
            **more,
        )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait()

    def terminate(self, *, within_s: float = 30.0) -> int:
        """End it as an operator would; returns the exit code."""
        if self.is_running():
            self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(within_s)

    def close(self) -> None:
        if self.is_running():
            self.kill()
        self.out.close()


class Sandbox(Process):
    """TikTok's end."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        super().__init__(["sandbox", "--port", str(port), *arguments], log=folder / "sandbox.log")
        marks = wait_for(
            lambda: [line for line in self.lines() if line.startswith("sandbox: ")], within_s=START_WITHIN_S
        )
        self.url = marks[-1].removeprefix("sandbox: ")

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """The accepted events, each once: the event itself with what the sandbox noted about it under ``_``."""
        found: list[dict[str, Any]] = []
        for entry in self._pages():
            event = entry.pop("event")
            found.append({**event, "_": entry})
        return [event for event in found if all(event.get(key) == value for key, value in query.items())]

    def _pages(self):
        after = 0
        while page := get_json(f"{self.url}/sandbox/events?after={after}&limit=10000"):
            yield from page
            after = page[-1]["n"]

    def requests(self, limit: int = 1000) -> list[dict[str, Any]]:
        return get_json(f"{self.url}/sandbox/requests?limit={limit}")

    def counts(self) -> dict[str, Any]:
        return get_json(f"{self.url}/sandbox/counts")

    def fault(self, kind: str, **details: Any) -> None:
        """Switch a fault on."""
        fault = json.dumps({"kind": kind, **details}).encode()
        status, _, body = get(f"{self.url}/sandbox/faults", data=fault, headers={"Content-Type": "application/json"})
        assert status < 300, body

    def heal(self) -> None:
        """Switch all faults off."""
        get(f"{self.url}/sandbox/faults", method="DELETE")

    def clear(self) -> None:
        """Forget everything."""
        self.heal()
        get(f"{self.url}/sandbox/clear", data=b"{}")

    def wait_for_events(self, count: int, *, within_s: float = 15.0, **query: Any) -> list[dict[str, Any]]:
        """Wait until that many different events were accepted."""
        if not query:
            wait_for(lambda: self.counts()["unique_events"] >= count, within_s=within_s)
            return self.events()
        return wait_for(lambda: len(found := self.events(**query)) >= count and found, within_s=within_s)


class Gateway:
    """``tikrelay serve`` with settings of the test's own."""

    def __init__(self, folder: Path, sandbox_url: str, **sections: dict[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.port, self.admin_port = free_port(), free_port()
        self.url, self.admin_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.admin_port}"
        self.config = folder / "tikrelay.toml"
        destinations = sections.pop("destinations", None) or [{}]
        self.settings: dict[str, Any] = {
            "server": {"port": self.port, "admin_port": self.admin_port, **sections.pop("server", {})},
            "tiktok": {"base_url": sandbox_url, **sections.pop("tiktok", {})},
            "outbox": {"url": "sqlite:outbox", **sections.pop("outbox", {})},
            "send": {"max_wait_s": 0.02, "max_requests_per_s": 500, **sections.pop("send", {})},
            **sections,
        }
        self.destinations = [
            {"name": "shop", "event_source_id": PIXEL, "access_token": TOKEN, **given} for given in destinations
        ]
        self.write()
        self.process: Process | None = None
        self.processes: list[Process] = []

    def write(self) -> None:
        """Write the settings file."""
        lines: list[str] = []
        for name, section in self.settings.items():
            lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in section.items())]
        for destination in self.destinations:
            lines += ["[[destinations]]", *(f"{key} = {_toml(value)}" for key, value in destination.items())]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def log(self) -> Path:
        return self.folder / "serve.log"

    def start(self, *arguments: str, ready: bool = True, environment: dict[str, str] | None = None) -> "Gateway":
        """Start it, and wait until it says that it is ready."""
        offset = self.log.stat().st_size if self.log.exists() else 0
        self.process = Process(
            ["serve", "--config", str(self.config), *arguments], log=self.log, environment=environment
        )
        self.processes.append(self.process)
        if ready:
            wait_for(lambda: self.said("ready", offset) or not self.process.is_running(), within_s=START_WITHIN_S)
            assert self.process.is_running(), self.log.read_text()[offset:]
        return self

    def said(self, event: str, offset: int = 0) -> list[dict[str, Any]]:
        """The log lines of one kind."""
        found: list[dict[str, Any]] = []
        for line in self.log.read_bytes()[offset:].decode(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                found += [told] if told.get("event") == event else []
        return found

    def worker_codes(self, offset: int = 0) -> list[int]:
        """The exit codes of workers that ended without being told to, oldest first; a signal is negative."""
        return [told["exit_code"] for event in ("worker_failed", "worker_died") for told in self.said(event, offset)]

    def hit(self, query: str, *, prefix: str = "", **more: Any) -> int:
        """Send a hit to /g/collect; returns the status."""
        return get(f"{self.url}{prefix}/g/collect?{query}", **more)[0]

    def data(self, events: Any, **headers: str) -> tuple[int, Any]:
        """Send event data as JSON; returns (status, receipt)."""
        sent = {"Content-Type": "application/json", **headers}
        status, _, body = get(f"{self.url}/data", data=json.dumps(events).encode(), headers=sent)
        return status, json.loads(body)

    def status(self) -> dict[str, Any]:
        return get_json(f"{self.admin_url}/api/status")

    def books(self) -> dict[str, int]:
        return self.status()["books"]

    def dead(self) -> list[dict[str, Any]]:
        return get_json(f"{self.admin_url}/api/events?state=dead")["events"]

    def metrics(self) -> str:
        return get(f"{self.admin_url}/metrics")[2].decode()

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self.status()["workers"]]

    def wait_until_settled(self, *, within_s: float = 20.0) -> dict[str, int]:
        """Wait until nothing waits in any file; returns the books."""

        def settled() -> dict[str, int] | None:
            status = self.status()
            return status["books"] if not status["uncounted"] and status["books"]["waiting"] == 0 else None

        return wait_for(settled, within_s=within_s)

    def close(self) -> None:
        for process in self.processes:
            process.close()


class Oracle:
    """The process that sends events and knows what must become of them: ``faults/oracle.py``."""

    def __init__(self, folder: Path, gateway: Gateway, sandbox: Sandbox, *, seed: int) -> None:
        self.gateway, self.sandbox, self.seed = gateway, sandbox, seed
        self.ledger = folder / "oracle.jsonl"
        self.errors = (folder / "oracle.log").open("wb")
        command = [sys.executable, "-m", "faults.oracle", "--gateway", gateway.url, "--ledger", str(self.ledger)]
        self.popen = subprocess.Popen(
            [*command, "--seed", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
            text=True,
        )
        sandbox.fault("refuse", field="properties.description", value=SPOILT)  # before all other faults

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """Have it do something; returns its figures."""
        self.popen.stdin.write(json.dumps({"do": do, **details}) + "\n")
        self.popen.stdin.flush()
        answer = self.popen.stdout.readline()
        assert answer, Path(self.errors.name).read_text()
        return json.loads(answer)

    def begin(self, *, senders: int = 8, most: int = 20, per_s: float = 0) -> None:
        """Send from now on; ``per_s`` events a second, 0 as many as are answered."""
        self.ask("begin", senders=senders, most=most, per_s=per_s)

    def judge(
        self, *, most_repeats: int = 0, drained_within_s: float = 120, progress_within_s: float = 40, **needs: int
    ) -> dict[str, Any]:
        """End the sending, and fail if an event was lost, invented, changed or miscounted; returns the figures."""
        places = {"admin": self.gateway.admin_url, "sandbox": self.sandbox.url}
        bounds = {"repeats": most_repeats, "drained_within_s": drained_within_s}
        bounds["progress_within_s"] = progress_within_s
        verdict = self.ask("judge", **places, **bounds, needs=needs)
        assert verdict["faults"] == [], f"SEED={self.seed}, {self.ledger}, {verdict['figures']}"
        return verdict["figures"]

    def close(self) -> None:
        self.popen.stdin.close()
        self.popen.wait(30)
        self.popen.stdout.close()
        self.errors.close()


def brief(figures: dict[str, Any]) -> str:
    """The oracle's figures in a line, for the table at the end of a run."""
    counts = {key: figures.get(key) for key in ("acked", "unknown", "refused", "repeats", "retries", "dead")}
    return ", ".join([*(f"{value} {key}" for key, value in counts.items()), f"p99 {figures['ack_ms']['p99']} ms"])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def purchase(number: int, **more: str) -> str:
    """The query of a purchase as gtag.js sends it."""
    parameters = {
        "v": "2", "tid": "G-TESTS00001", "cid": "10.20", "_p": "1", "_s": str(number), "sid": "1795312000",
        "dl": "https://shop.example/thanks", "en": "purchase", "ep.transaction_id": f"R-{number}", "epn.value": "19",
        "cu": "EUR", "pr1": "idSKU-1~nmMug~pr9.5~qt2", **more,
    }  # fmt: skip
    return urllib.parse.urlencode(parameters)
