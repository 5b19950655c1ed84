"""How the server is, as its status tells, and who is told when it is not well."""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from tikrelay.app.clock_watch import LOOK_EVERY_S, ClockWatch
from tikrelay.base.happenings import ClockSet, Emit
from tikrelay.outbox.store import Books
from tikrelay.watch.alarms import Alarms, Told
from tikrelay.watch.config import AlarmsConfig
from tikrelay.watch.log import say
from tikrelay.watch.measures import LACKING, STORED, TURNED_AWAY, WARNINGS
from tikrelay.watch.meter import Snapshot
from tikrelay.watch.status import ClockStatus, Status, Warned

_LOOK_EVERY_S: Final = 10.0
_SAMPLE_EVERY_S: Final = 60.0
_SAMPLES: Final = 60
_MOST_WARNINGS: Final = 10
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

    def tell(self) -> ClockStatus | None:
        """Say how long ago and how far, or None."""
        return ClockStatus(ago_s=time.monotonic() - self._at, by_s=self._by_s) if self._by_s else None

    async def watch(self) -> None:
        """Look for jumps, until cancelled."""
        clock = ClockWatch()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if by_s := clock.jumped_by():
                self._at, self._by_s = time.monotonic(), by_s
                self._emit(ClockSet(seconds=round(by_s)))


def count_traits(meters: Sequence[Snapshot]) -> dict[str, Counter[str]]:
    """What the events of each destination lacked since the server began."""
    traits: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows = [row for meter in meters for row in meter[LACKING.name]]
    rows += [[name, "all", count] for meter in meters for name, count in meter[STORED.name]]
    for name, trait, count in rows:
        traits[name][trait] += count
    return traits


def most_warned(meters: Iterable[Snapshot]) -> tuple[Warned, ...]:
    """The warnings about events that came most often since the server began."""
    sums: Counter[tuple[str, str]] = Counter()
    for kind, field, count in (row for meter in meters for row in meter[WARNINGS.name]):
        sums[kind, field] += count
    return tuple(Warned(kind=kind, field=field, count=n) for (kind, field), n in sums.most_common(_MOST_WARNINGS))


def count_refused(meters: Iterable[Snapshot]) -> dict[str, int]:
    """Inputs that became no event since the server began, by reason."""
    sums: Counter[str] = Counter()
    for reason, count in (row for meter in meters for row in meter[TURNED_AWAY.name]):
        sums[reason] += count
    return dict(sums.most_common())


async def tell_of_troubles(
    status: Callable[[], Awaitable[Status]],
    *,
    limits: Callable[[], AlarmsConfig],
    tell: Callable[[Told], None],
) -> None:
    """Look at the status every few seconds, and log and tell what needs a human, until cancelled."""
    alarms = Alarms()
    while True:
        config = limits()
        await asyncio.sleep(min(_LOOK_EVERY_S, max(0.5, config.after / 2)))
        for told in alarms.look((await status()).troubles, after_s=config.after, repeat_s=config.repeat):
            level = "info" if told.state == "ended" else _LEVELS[told.trouble.level]
            one = told.trouble
            say("alarm", level=level, state=told.state, kind=one.kind, about=one.about, what=one.what, hint=one.hint)
            tell(told)
