"""What the oracle sent and how each exchange ended; every entry is in a synced file within a tenth of a second."""

import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faults.mint import BAD, DENIED, GOOD, IGNORED, Request, kind_of
from faults.post import End

SYNC_EVERY_S = 0.1
COUNTED_WITHIN_S = 3.0
"""A drop that came with no stored event is counted on disk this soon, and not before it is answered."""


class Ledger:
    """The ids by how they ended, and the counts that the product's books must equal."""

    def __init__(self, path: Path) -> None:
        self.ends: defaultdict[str, set[End]] = defaultdict(set)
        self.units: Counter[tuple[End, str]] = Counter()  # (how it ended, kind): events, repeats included
        self.requests: Counter[End] = Counter()
        self.routes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.kills: list[float] = []
        self.lone_drops: list[tuple[float, int]] = []
        self._file = path.open("a")
        self._ended = threading.Event()
        self._syncing = threading.Thread(target=self._sync, daemon=True)
        self._syncing.start()

    def note(self, request: Request, end: End, *, status: int, error: str, seconds: float) -> None:
        """Write down how an exchange ended."""
        now = time.time()
        self._write({"at": now, "route": request.route, "end": end, "status": status, "ids": request.ids})
        self.requests[end] += 1
        self.routes[request.route] += end is End.ACKED
        self.statuses[status] += 1
        self.errors[error] += bool(error)
        for event_id in request.ids:
            self.ends[event_id].add(end)
            self.units[end, kind_of(event_id)] += 1
        if end is End.ACKED:
            self.seconds.append(seconds)
            if all(kind_of(event_id) in {IGNORED, DENIED} for event_id in request.ids):
                self.lone_drops.append((now, len(request.ids)))

    def note_kill(self, what: str) -> None:
        """Write down that something was killed at this moment."""
        self.kills.append(time.time())
        self._write({"at": self.kills[-1], "killed": what})

    def close(self) -> None:
        self._ended.set()
        self._syncing.join()
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")

    def _sync(self) -> None:
        while not self._ended.wait(SYNC_EVERY_S):
            self._file.flush()
            os.fsync(self._file.fileno())

    # What the judge asks.

    def ids(self, *ends: End, kinds: Iterable[str]) -> set[str]:
        """The ids of these kinds that ended so at least once."""
        wanted, of = set(ends), set(kinds)
        return {event_id for event_id, ended in self.ends.items() if ended & wanted and kind_of(event_id) in of}

    def count(self, *ends: End, kinds: Iterable[str] = (GOOD, BAD, IGNORED, DENIED)) -> int:
        """How many events of these kinds ended so, repeats included."""
        return sum(self.units[end, kind] for end in ends for kind in kinds)

    def uncertain_drops(self) -> int:
        """Drops a kill may have kept from being counted: answered just before it, and stored with nothing."""
        return sum(
            count for at, count in self.lone_drops if any(0 <= kill - at <= COUNTED_WITHIN_S for kill in self.kills)
        )

    def figures(self) -> dict[str, Any]:
        """What happened so far, in numbers."""
        ordered = sorted(self.seconds)
        return {
            "issued": len(self.ends),
            "acked": self.count(End.ACKED),
            "refused": self.count(End.REFUSED),
            "unknown": self.count(End.UNKNOWN),
            "requests": {end.value: self.requests[end] for end in End},
            "acked_by_route": dict(sorted(self.routes.items())),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "errors": dict(+self.errors),
            "ack_ms": {
                name: round(1000 * ordered[int(len(ordered) * share)], 1) if ordered else None
                for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 0.999999))
            },
        }
