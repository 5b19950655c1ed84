"""The demo's processes: a sandbox and a gateway on free loopback ports, in a folder that goes when they go."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import msgspec

from tikrelay.base.errors import TikrelayError

START_WITHIN_S: Final = 20.0
ANSWER_WITHIN_S: Final = 10.0
STOP_WITHIN_S: Final = 15.0
PIXEL: Final = "C0DEMO00000000000001"
_TOKEN: Final = "demo-token"  # noqa: S105  the sandbox takes any
_SETTINGS: Final = """\
[server]
port = 0
admin_port = 0
trusted_proxies = ["127.0.0.1/32"]
[sources]
measurement_ids = ["G-DEMO000001"]
[tiktok]
base_url = "{sandbox}"
[outbox]
url = "sqlite:outbox"
[send]
max_wait_s = 0.2
[[destinations]]
name = "shop"
event_source_id = "{pixel}"
access_token = "{token}"
"""


class Stage(msgspec.Struct, frozen=True):
    """Where everything listens."""

    sandbox: str
    collect: str
    admin: str
    config: Path

    def send(self, method: str, path: str, *, body: str, headers: dict[str, str]) -> int:
        """Send one request to the gateway; returns the status."""
        data = body.encode() if body else None
        return self._call(f"{self.collect}{path}", method=method, data=data, headers=headers)[0]

    def events_after(self, number: int) -> list[dict[str, Any]]:
        """What the sandbox accepted after an event's number."""
        found: list[dict[str, Any]] = self._json(f"{self.sandbox}/sandbox/events?after={number}")
        return found

    def calls(self) -> list[dict[str, Any]]:
        """The sandbox's newest requests."""
        found: list[dict[str, Any]] = self._json(f"{self.sandbox}/sandbox/requests?limit=1000")
        return found

    def refuse(self, event_id: str) -> None:
        """Have the sandbox refuse one event, as TikTok refuses a call for one bad event."""
        fault = json.dumps({"kind": "refuse", "event_id": event_id}).encode()
        self._call(
            f"{self.sandbox}/sandbox/faults", method="POST", data=fault, headers={"Content-Type": "application/json"}
        )

    def books(self) -> dict[str, int]:
        """The gateway's sums."""
        found: dict[str, int] = self._json(f"{self.admin}/api/status")["books"]
        return found

    def dead_letters(self) -> list[dict[str, Any]]:
        """The gateway's dead letters."""
        found: list[dict[str, Any]] = self._json(f"{self.admin}/api/events?state=dead")["events"]
        return found

    def _json(self, url: str) -> Any:
        return json.loads(self._call(url)[1])

    @staticmethod
    def _call(url: str, **more: Any) -> tuple[int, bytes]:
        request = urllib.request.Request(url, **more)  # noqa: S310  the demo's own addresses
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@contextlib.contextmanager
def stage() -> Generator[Stage, None, None]:
    """Start both processes, and end them with everything they wrote."""
    with tempfile.TemporaryDirectory(prefix="tikrelay-demo-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        started = stack.enter_context(_process(["sandbox", "--port", "0"], folder / "sandbox.log"))
        sandbox = _first(started, folder / "sandbox.log", "sandbox: ")
        config = folder / "tikrelay.toml"
        config.write_text(_SETTINGS.format(sandbox=sandbox, pixel=PIXEL, token=_TOKEN), encoding="utf-8")
        started = stack.enter_context(_process(["serve", "--config", str(config)], folder / "gateway.log"))
        ready = json.loads("{" + _first(started, folder / "gateway.log", "{", holding='"event":"ready"'))
        yield Stage(sandbox=sandbox, collect=ready["collect"], admin=ready["admin"], config=config)


@contextlib.contextmanager
def _process(arguments: list[str], log: Path) -> Generator[subprocess.Popen[bytes], None, None]:
    # The operator's own settings have no place in the demo.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TIKRELAY_", "TIKTOK_"))}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "tikrelay", *arguments]
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _first(process: subprocess.Popen[bytes], log: Path, beginning: str, *, holding: str = "") -> str:
    """Wait for a line of a process; returns what follows its beginning."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.startswith(beginning) and holding in line and line.endswith("\n"):
                return line.removeprefix(beginning).strip()
        time.sleep(0.02)
    raise TikrelayError(f"it did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
