"""A long run at a steady load with a fault every minute, and at its end what was lost, and what grew.

``make soak MINUTES=30``: 200 events a second over every route, two workers. One worker is killed and frozen again and
again; the other and the parent live through it all, so that their memory shows whether it grows (so settings are not
read anew: that replaces every worker). Exits with 1 when the oracle finds a fault or something grew.
"""

import argparse
import contextlib
import os
import random
import signal
import statistics
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from faults.killer import AT_TIKTOK
from harness import SEED, Gateway, Oracle, Sandbox, brief

PER_S = 200
FAULT_EVERY_S, LOOK_EVERY_S = 60.0, 5.0
QUIET_AT_END_S = 20.0
WARM_UP_SHARE = 0.25
MOST_SLOPE_MIB_PER_H, LEAST_GROWTH_MIB = 8.0, 6.0  # a slope of less growth than this is noise
MOST_WAL_MIB = 64.0
MOST_MORE_FILES, MOST_MORE_THREADS = 40, 4
MOST_BATCH, LANES = 1000, 4


class Growth:
    """One process, looked at again and again."""

    def __init__(self, name: str, pid: int) -> None:
        self.name, self.pid = name, pid
        self.at: list[float] = []
        self.resident: list[float] = []
        self.files: list[int] = []
        self.threads: list[int] = []

    def look(self, now: float) -> None:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        self.at.append(now)
        self.resident.append(int(status["VmRSS"].split()[0]) / 1024)
        self.threads.append(int(status["Threads"]))
        self.files.append(len(list(Path(f"/proc/{self.pid}/fd").iterdir())))

    def row(self) -> str:
        begin = int(len(self.at) * WARM_UP_SHARE)
        return (
            f"{self.name:<10} {self.resident[begin]:>9.1f} {self.resident[-1]:>9.1f} {max(self.resident):>9.1f}"
            f" {self.slope(begin):>+10.2f}   {min(self.files[begin:])}..{max(self.files[begin:]):<8}"
            f" {min(self.threads[begin:])}..{max(self.threads[begin:])}"
        )

    def slope(self, begin: int) -> float:
        """MiB an hour, fitted after the warm-up."""
        return statistics.linear_regression(self.at[begin:], self.resident[begin:]).slope * 3600

    def faults(self) -> list[str]:
        begin = int(len(self.at) * WARM_UP_SHARE)
        hours = (self.at[-1] - self.at[begin]) / 3600
        grown = self.slope(begin) * hours
        told: list[str] = []
        if self.slope(begin) > MOST_SLOPE_MIB_PER_H and grown > LEAST_GROWTH_MIB:
            told.append(f"{self.name} grows by {self.slope(begin):.1f} MiB an hour")
        if self.files[-1] - self.files[begin] > MOST_MORE_FILES:
            told.append(f"{self.name} holds {self.files[-1]} files open, {self.files[begin]} after the warm-up")
        if self.threads[-1] - self.threads[begin] > MOST_MORE_THREADS:
            told.append(f"{self.name} has {self.threads[-1]} threads, {self.threads[begin]} after the warm-up")
        return told


class Soak:
    """One run."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.rng = random.Random(seed)
        self.sandbox = Sandbox(folder)
        self.gateway = Gateway(folder / "gateway", self.sandbox.url, server={"workers": 2}).start()
        self.oracle = Oracle(folder, self.gateway, self.sandbox, seed=seed)
        self.victim = self.gateway.status()["workers"][1]["outbox"]
        steady = self.gateway.status()["workers"][0]["pid"]
        self.steady = [Growth("parent", self.gateway.process.pid), Growth("worker 0", steady)]
        self.wal_mib = 0.0
        self.done: Counter[str] = Counter()
        self.repeats = 0

    def faults(self) -> list[Callable[[], None]]:
        return [self.tiktok, self.tiktok, self.outage, self.rate, self.kill, self.freeze, self.burst]

    # The faults.

    def tiktok(self) -> None:
        self.repeats += 5 * MOST_BATCH
        self.sandbox.fault(**self.rng.choice(AT_TIKTOK), times=5)

    def outage(self) -> None:
        self.sandbox.fault("http", status=503, times=6)

    def rate(self) -> None:
        self.sandbox.fault("rate", per_s=5, times=6)

    def kill(self) -> None:
        self._to_victim(signal.SIGKILL)

    def freeze(self) -> None:
        if pid := self._to_victim(signal.SIGSTOP):
            time.sleep(self.rng.uniform(1, 10))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def burst(self) -> None:
        self.oracle.ask("pace", per_s=PER_S * 10)
        time.sleep(5)
        self.oracle.ask("pace", per_s=PER_S)

    def _to_victim(self, number: signal.Signals) -> int:
        """Signal the worker of the second file; returns its pid, or 0."""
        with contextlib.suppress(urllib.error.URLError, ProcessLookupError):
            for worker in self.gateway.status()["workers"]:
                if worker["outbox"] == self.victim and worker["pid"] != self.steady[1].pid:
                    os.kill(worker["pid"], number)
                    self.oracle.ask("killed", what=number.name)
                    self.repeats += LANES * MOST_BATCH
                    return worker["pid"]
        return 0

    # The run.

    def run(self, *, minutes: float) -> None:
        """Send, look, and do a fault a minute."""
        began = time.monotonic()
        next_fault = began + FAULT_EVERY_S / 2
        self.oracle.begin(senders=16, per_s=PER_S)
        while time.monotonic() - began < minutes * 60:
            time.sleep(LOOK_EVERY_S)
            for growth in self.steady:
                growth.look(time.monotonic() - began)
            logs = [path.stat().st_size for path in self.gateway.outbox.glob("*-wal")]
            self.wal_mib = max([self.wal_mib, *(size / 1024 / 1024 for size in logs)])
            if next_fault < time.monotonic() < began + minutes * 60 - QUIET_AT_END_S:
                fault = self.rng.choice(self.faults())
                fault()
                self.done[fault.__name__] += 1
                next_fault += FAULT_EVERY_S

    def report(self, *, seed: int, minutes: float) -> int:
        """Judge, print the tables, and return the exit code."""
        places = {"admin": self.gateway.admin_url, "sandbox": self.sandbox.url}
        verdict = self.oracle.ask(
            "judge", **places, repeats=self.repeats, needs={"acked": int(minutes * 60 * PER_S / 2)}
        )
        faults = [*verdict["faults"], *(told for growth in self.steady for told in growth.faults())]
        if self.wal_mib > MOST_WAL_MIB:
            faults.append(f"the write-ahead log reached {self.wal_mib:.0f} MiB")
        print(f"soak of {minutes:g} minutes, SEED={seed}")
        print(f"faults made: {dict(sorted(self.done.items()))}")
        print(f"oracle: {brief(verdict['figures'])}; books {verdict['figures'].get('books')}")
        print(f"{'':<10} {'MiB then':>9} {'MiB now':>9} {'MiB most':>9} {'MiB/h':>10}   {'files':<11} threads")
        for growth in self.steady:
            print(growth.row())
        print(f"largest write-ahead log: {self.wal_mib:.1f} MiB")
        print("\n".join(f"FAULT: {fault}" for fault in faults) or "nothing was lost, invented, changed or grew")
        return 1 if faults else 0

    def close(self) -> None:
        self.oracle.close()
        self.gateway.close()
        self.sandbox.close()


def main() -> int:
    """Soak for some minutes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=30)
    minutes = arguments.parse_args().minutes
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    soak = Soak(folder, seed=SEED)
    try:
        soak.run(minutes=minutes)
        return soak.report(seed=SEED, minutes=minutes)
    finally:
        soak.close()


if __name__ == "__main__":
    sys.exit(main())
