"""Kills a gateway again and again: at named places of the code, at random moments, while it is restarted or reloaded.

A place is armed by ``TIKRELAY_FAILPOINTS`` (``base/failpoints.py``): the process that passes it for the given time ends
itself with SIGKILL, so a kill counted for a place happened there and nowhere else.
"""

import contextlib
import os
import random
import signal
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator

from harness import Gateway, Oracle, Sandbox, wait_for

VARIABLE = "TIKRELAY_FAILPOINTS"
# The places, and how often one may be passed before the kill.
PLACES = {
    "body_begun": 20,
    "parsed": 200,
    "in_commit": 150,
    "committed": 150,
    "leased": 40,
    "begun": 40,
    "sent": 40,
    "in_checkpoint": 3,
    "in_migration": 12,
    "draining": 1,
}
AT_TIKTOK = (
    {"kind": "http", "status": 502},
    {"kind": "http", "status": 503, "retry_after": 1},
    {"kind": "reset"},
    {"kind": "reset_after_accepting"},
    {"kind": "code", "code": 40100},
    {"kind": "code", "code": 51012},
    {"kind": "slow", "seconds": 1.0},
    {"kind": "garbage"},
)
_ADOPTED_WITHIN_S = 12.0
_LOOK_EVERY_S = 0.05
_OLD_FILE = "outbox-{:03d}.db"


class Killer:
    """One gateway, killed and started anew while the oracle sends."""

    def __init__(self, gateway: Gateway, oracle: Oracle, sandbox: Sandbox, *, seed: int) -> None:
        self.gateway, self.oracle, self.sandbox = gateway, oracle, sandbox
        self.rng = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.old_files = 0
        self.troubles = 0
        self._log_from = 0
        self._deaths = 0

    @property
    def total(self) -> int:
        return sum(self.kills.values())

    def ways(self) -> dict[str, Callable[[], None]]:
        """Every way there is, by the name it is counted under."""
        at_places = {place: self._at(place) for place in PLACES if place not in {"in_migration", "draining"}}
        return {
            **at_places,
            "in_migration": self.in_migration,
            "draining": self.draining,
            "worker": self.worker,
            "server": self.server,
            "hand_over": self.hand_over,
            "reload": self.reload,
        }

    def trouble(self) -> None:
        """Have TikTok's end fail in a way of its own, for two calls."""
        self.troubles += 2
        self.sandbox.fault(**self.rng.choice(AT_TIKTOK), times=2)

    # The ways. Each leaves a running, or a dead, server behind.

    def _at(self, place: str) -> Callable[[], None]:
        return lambda: self.at(place)

    def at(self, place: str, *, kills: int = 3, within_s: float = 4.0, soon: int = 1000) -> None:
        """Have workers end themselves at a place, at the latest at its passing number ``soon``; then all."""
        self._start(place, passing=self.rng.randint(1, min(soon, PLACES[place])))
        self._watch(place, kills=kills, within_s=within_s)
        self.server()

    def in_migration(self) -> None:
        """Put a file of an older version beside the others, with events that wait: it is adopted, and migrated."""
        self.end()
        self.old_files += 1
        path = self.gateway.outbox / _OLD_FILE.format(100 + self.old_files)
        self.oracle.ask("file", path=str(path), rows=self.rng.randint(1, 50))
        self._start("in_migration", passing=self.rng.randint(1, PLACES["in_migration"]))
        self._watch("in_migration", kills=1, within_s=_ADOPTED_WITHIN_S)
        self.server()

    def draining(self) -> None:
        """Tell it to end, and have its workers killed while they do."""
        self._start("draining", passing=1)
        time.sleep(self.rng.uniform(0.2, 1.0))
        self.gateway.process.popen.send_signal(signal.SIGTERM)
        self._killed("draining", by=self.gateway.settings["server"].get("workers", 1))
        self.gateway.process.popen.wait(30)

    def worker(self) -> None:
        """Kill a worker at a random moment, twice."""
        self._start()
        for _ in range(2):
            time.sleep(self.rng.uniform(0.3, 1.2))
            with contextlib.suppress(urllib.error.URLError, ConnectionError, ProcessLookupError, IndexError):
                os.kill(self.rng.choice(self.gateway.worker_pids()), signal.SIGKILL)
                self._killed("worker")

    def server(self) -> None:
        """Kill the parent, and its workers with it, at a random moment."""
        self._start()
        time.sleep(self.rng.uniform(0.1, 1.0))
        self.end()

    def hand_over(self) -> None:
        """Kill the older or the newer server while one takes over from the other."""
        self._start()
        older = self.gateway.process
        self.gateway.start("--take-over", ready=False)
        time.sleep(self.rng.uniform(0.2, 1.5))
        victim = self.rng.choice((older, self.gateway.process))
        victim.kill()
        self._killed("hand_over")
        time.sleep(self.rng.uniform(0.0, 1.0))
        if older.is_running():
            older.kill()
            self._killed("hand_over")
        self.end()

    def reload(self) -> None:
        """Kill the server while it reads its settings anew."""
        self._start()
        self.gateway.process.popen.send_signal(signal.SIGHUP)
        time.sleep(self.rng.uniform(0.0, 0.5))
        self.gateway.process.kill()
        self._killed("reload")

    # What they are made of.

    def start(self) -> None:
        """Have it run, with nothing armed."""
        self.end()
        self._start()

    def end(self) -> None:
        """Kill what runs."""
        if self.gateway.process and self.gateway.process.is_running():
            self.gateway.process.kill()
            self._killed("server")

    def _start(self, place: str = "", *, passing: int = 0) -> None:
        """Start it, unless one runs and nothing is to be armed."""
        running = self.gateway.process is not None and self.gateway.process.is_running()
        if running and not place:
            return
        self.end()
        self._log_from = self.gateway.log.stat().st_size if self.gateway.log.exists() else 0
        self._deaths = 0
        armed = {VARIABLE: f"{place}:kill@{passing}"} if place else {}
        self.gateway.start(environment=armed, ready=False)
        told = ("ready", "worker_died", "worker_failed")
        wait_for(lambda: any(self.gateway.said(word, self._log_from) for word in told), within_s=30)

    def _watch(self, place: str, *, kills: int, within_s: float) -> None:
        """Count the workers that ended themselves at a place."""
        ends = time.monotonic() + within_s
        seen = 0
        while seen < kills and time.monotonic() < ends and self.gateway.process.is_running():
            seen += sum(1 for _ in self._newly_dead(place))
            time.sleep(_LOOK_EVERY_S)

    def _newly_dead(self, place: str) -> Iterator[int]:
        codes = self.gateway.worker_codes(self._log_from)
        for code in codes[self._deaths :]:
            if code == -signal.SIGKILL:
                self._killed(place)
                yield code
        self._deaths = len(codes)

    def _killed(self, what: str, *, by: int = 1) -> None:
        self.kills[what] += by
        self.oracle.ask("killed", what=what)
