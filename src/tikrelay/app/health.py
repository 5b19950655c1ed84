"""How the server is, as its status tells, and who is told when it is not well."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from tikrelay.app.clock_watch import LOOK_EVERY_S, ClockWatch
from tikrelay.base.happenings import ClockSet, Emit
from tikrelay.outbox.store import Books
from tikrelay.tiktok.answers import explain_pause
from tikrelay.watch.alarms import Alarms, Health, Told, troubles
from tikrelay.watch.config import AlarmsConfig
from tikrelay.watch.log import say
from tikrelay.watch.measures import LACKING, STORED, TURNED_AWAY, WARNINGS
from tikrelay.watch.meter import Snapshot

_LOOK_EVERY_S: Final = 10.0
_SAMPLE_EVERY_S: Final = 60.0
_SAMPLES: Final = 60
_LEVELS: Final = {"now": "error", "soon": "warning"}


class NewlyDead:
    """How many events of each destination became dead letters within the last hour, as far as this process saw.

    Each file is compared with what it itself held when it was first counted: a file that comes later, as after a
    repair, is no growth, and one that nobody speaks for hides no other's.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._samples: deque[dict[str, Counter[str]]] = deque(maxlen=_SAMPLES)
        self._sampled_at = float("-inf")

    def note(self, files: Mapping[str, Books]) -> Counter[str]:
        """Take the books of each file; returns the growth since the oldest count of the last hour."""
        died = {file: _died(books) for file, books in files.items()}
        if not self._samples or self._monotonic() - self._sampled_at >= _SAMPLE_EVERY_S:
            self._samples.append(died)
            self._sampled_at = self._monotonic()
        growth: Counter[str] = Counter()
        for file, counts in died.items():
            self._samples[-1].setdefault(file, counts)
            growth += counts - next(sample[file] for sample in self._samples if file in sample)
        return growth


def _died(books: Books) -> Counter[str]:
    died: Counter[str] = Counter()
    for kept in (books.dead, books.replayed):  # a letter that was replayed had died, too
        for (name, _), count in kept.items():
            died[name] += count
    return died


class ClockState:
    """When the wall clock was last set."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._at = 0.0
        self._by_s = 0.0

    def tell(self) -> dict[str, float] | None:
        """Say how long ago and how far, or None."""
        return {"ago_s": time.monotonic() - self._at, "by_s": self._by_s} if self._by_s else None

    async def watch(self) -> None:
        """Look for jumps, until cancelled."""
        clock = ClockWatch()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if by_s := clock.jumped_by():
                self._at, self._by_s = time.monotonic(), by_s
                self._emit(ClockSet(seconds=round(by_s)))


def tell_more(rows: dict[str, Any], counts: Books, new_dead: Counter[str], meters: list[Snapshot]) -> None:
    """Add to each destination's row how long its oldest event waits, what died lately, and what its events lack."""
    for name, row in rows.items():
        since = counts.oldest_waiting.get(name) if row["waiting"] else None
        row["oldest_waiting_s"] = 0.0 if since is None else max(0.0, time.time() - since)
        row["new_dead"] = new_dead[name]
        row["explained"] = explain_pause(row["reason"]) if row["state"] == "paused" else ""
        row["traits"] = {}
    traits = [row for meter in meters for row in meter[LACKING.name]]
    traits += [[name, "all", count] for meter in meters for name, count in meter[STORED.name]]
    for name, trait, count in traits:
        if name in rows:
            rows[name]["traits"][trait] = rows[name]["traits"].get(trait, 0) + count


def most_warned(meters: list[Snapshot]) -> list[dict[str, Any]]:
    """The warnings about events that came most often since the server began."""
    sums: Counter[tuple[str, str]] = Counter()
    for kind, field, count in (row for meter in meters for row in meter[WARNINGS.name]):
        sums[kind, field] += count
    return [{"kind": kind, "field": field, "count": count} for (kind, field), count in sums.most_common(10)]


def count_refused(meters: list[Snapshot]) -> dict[str, int]:
    """Inputs that became no event since the server began, by reason."""
    sums: Counter[str] = Counter()
    for reason, count in (row for meter in meters for row in meter[TURNED_AWAY.name]):
        sums[reason] += count
    return dict(sums.most_common())


def find_troubles(status: dict[str, Any], limits: AlarmsConfig) -> list[dict[str, str]]:
    """The troubles of a status, as it shows them."""
    found = troubles(msgspec.convert(status, Health, strict=False), limits=limits)
    return [msgspec.to_builtins(trouble) for trouble in found]


async def tell_of_troubles(
    status: Callable[[], Awaitable[dict[str, Any]]],
    *,
    limits: Callable[[], AlarmsConfig],
    tell: Callable[[Told], None],
) -> None:
    """Look at the status every few seconds, and log and tell what needs a human, until cancelled."""
    alarms = Alarms()
    while True:
        config = limits()
        await asyncio.sleep(min(_LOOK_EVERY_S, max(0.5, config.after / 2)))
        found = troubles(msgspec.convert(await status(), Health, strict=False), limits=config)
        for told in alarms.look(found, after_s=config.after, repeat_s=config.repeat):
            level = "info" if told.state == "ended" else _LEVELS[told.trouble.level]
            one = told.trouble
            say("alarm", level=level, state=told.state, kind=one.kind, about=one.about, what=one.what, hint=one.hint)
            tell(told)
