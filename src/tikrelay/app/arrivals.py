"""What arrives, as viewers see it: one look at all workers serves every viewer, however many there are.

A viewer asks with the cursor of its last answer. When the last look is older than LOOK_EVERY_S, the workers are asked
(``app/live.py``); who asks meanwhile gets the same. So nobody is asked while nobody looks, ten viewers cost the workers
what one costs, and a viewer is nothing but its cursor: a slow one finds its oldest rows gone from the line, and is told
how many events that were.

``came`` counts what arrived, told of or not, by the books. They may be some events behind the rows (drops are counted
with the next commit), therefore it never falls behind what was told.
"""

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import msgspec

from tikrelay.app.live import LiveOfFile, LiveOfWorker, LookLive, Note
from tikrelay.app.rows import live_row, verdict_of
from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused
from tikrelay.outbox.store import Entry
from tikrelay.watch.operations import LiveRow, LiveRows

LOOK_EVERY_S: Final = 0.5
MOST_ROWS: Final = 500
"""So many rows stand in the line, and so many events are watched for what becomes of them."""
MOST_AT_FIRST: Final = 100
"""A viewer who has just come sees the newest so many."""

MOST_NOTES: Final = 25
"""Of each worker no more dropped events and turned away inputs are told at once: they must not hide what is sent on."""

_FOLLOWED: Final = frozenset({"waiting", "dead"})
_GONE: Final = "erased, or its time to be kept is over (outbox.keep_delivered)"

_CURSOR: Final = re.compile(r"([0-9a-f]{8})\.(\d{1,18})\.(\d{1,18})", re.ASCII)

Ask = Callable[[LookLive], Awaitable[Sequence[LiveOfWorker]]]


async def nobody(_: LookLive) -> Sequence[LiveOfWorker]:
    """Answer where there are no workers."""
    return ()


class _Line(msgspec.Struct, frozen=True):
    """A row and its number; it tells of so many events that arrived, or of none where a verdict changed."""

    number: int
    row: LiveRow
    events: int


class Arrivals:
    """The line of rows."""

    def __init__(self, ask: Ask, *, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        self._epoch = secrets.token_hex(4)  # numbers of a server before mean nothing
        self._lines: deque[_Line] = deque(maxlen=MOST_ROWS)
        self._number = 0
        self._told = 0
        self._counted = 0
        self._files: dict[str, _File] = {}
        self._processes: dict[int, _Process] = {}
        self._watched: dict[tuple[str, int], LiveRow] = {}

    @property
    def _came(self) -> int:
        return max(self._counted, self._told)

    async def since(self, cursor: str) -> LiveRows:
        """Tell what is new since a cursor; an empty one, or one of a server before, is of who has just come.

        Raises InputRefused.
        """
        place = _CURSOR.fullmatch(cursor)
        if cursor and place is None:
            raise InputRefused(400, "bad_cursor", "the cursor is none", hint="give the one of the last answer, or none")
        await self._look()
        if place is None or place[1] != self._epoch:
            return LiveRows(rows=self._newest(), cursor=self._cursor())
        lines = [line for line in self._lines if line.number > int(place[2])]
        skipped = self._came - int(place[3]) - sum(line.events for line in lines)
        return LiveRows(rows=[line.row for line in lines], cursor=self._cursor(), skipped=max(0, skipped))

    def _cursor(self) -> str:
        return f"{self._epoch}.{self._number}.{self._came}"

    def _newest(self) -> list[LiveRow]:
        """The newest events in order of time, each as it is now."""
        rows = {line.row.ref or str(line.number): line.row for line in self._lines}
        return sorted(rows.values(), key=lambda row: row.at)[-MOST_AT_FIRST:]

    async def _look(self) -> None:
        async with self._looking:
            now = self._clock.monotonic()
            if self._looked_at is None or now - self._looked_at >= LOOK_EVERY_S:
                answers = await self._ask(self._question())
                self._take(answers, is_first=self._looked_at is None)
                self._looked_at = now

    def _question(self) -> LookLive:
        watched: dict[str, tuple[int, ...]] = {}
        for file, key in self._watched:
            watched[file] = (*watched.get(file, ()), key)
        return LookLive(
            after={name: file.after for name, file in self._files.items() if file.after},
            watched=watched,
            notes_after={str(pid): process.noted for pid, process in self._processes.items()},
            most=MOST_AT_FIRST,
        )

    def _take(self, answers: Sequence[LiveOfWorker], *, is_first: bool) -> None:
        new: list[tuple[LiveRow, int]] = []
        for worker in answers:
            new += self._notes_of(worker, is_first=is_first)
            for name, told in worker.files.items():
                new += self._events_of(name, told)
        for row, events in sorted(new, key=lambda one: one[0].at):
            self._told += events
            self._add(row, events)
        for worker in answers:
            for name, told in worker.files.items():
                self._change(name, told.changed)
                self._let_go(name, told.gone)

    def _add(self, row: LiveRow, events: int = 0) -> None:
        self._number += 1
        self._lines.append(_Line(self._number, row, events))

    def _events_of(self, name: str, told: LiveOfFile) -> Iterator[tuple[LiveRow, int]]:
        """The rows of what came into a file; what it held before it was first looked at is history."""
        known = self._files.get(name, _File(received=told.received - len(told.came)))
        self._counted += max(0, told.received - known.received)
        newest = told.came[-1].key if told.came else known.after
        self._files[name] = _File(after=newest, received=told.received)
        for entry in told.came:
            row = live_row(name, entry)
            self._watch(name, entry.key, row)
            yield row, 1

    def _notes_of(self, worker: LiveOfWorker, *, is_first: bool) -> Iterator[tuple[LiveRow, int]]:
        """The rows of what never became a stored event. The books count drops; what was turned away is in none."""
        known = self._processes.get(worker.pid, _Process())
        self._processes[worker.pid] = _Process(noted=worker.noted, turned_away=worker.turned_away)
        notes = worker.notes[-MOST_NOTES:]
        if is_first:
            self._counted += sum(note.count for note in notes)
        else:
            self._counted += worker.turned_away - known.turned_away
        for note in notes:
            yield _row_of_note(note), note.count

    def _watch(self, name: str, key: int, row: LiveRow) -> None:
        """Follow what waits, and dead letters, which may be sent again; of too many the first are let go."""
        if row.verdict not in _FOLLOWED:
            self._watched.pop((name, key), None)
            return
        self._watched[name, key] = row
        if len(self._watched) > MOST_ROWS:
            del self._watched[next(iter(self._watched))]

    def _change(self, name: str, changed: Sequence[Entry]) -> None:
        """Tell what has become of events; most of a row is as it was."""
        for entry in changed:
            known = self._watched.get((name, entry.key))
            verdict, why = verdict_of(entry)
            if known is not None and (verdict, why) != (known.verdict, known.why):
                row = msgspec.structs.replace(known, verdict=verdict, why=why)
                self._watch(name, entry.key, row)
                self._add(row)

    def _let_go(self, name: str, gone: Sequence[int]) -> None:
        """Tell of events that are kept no more: what became of them is in no table."""
        for key in gone:
            known = self._watched.pop((name, key), None)
            if known is not None:
                self._add(msgspec.structs.replace(known, verdict="gone", why=_GONE))


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """Of a file the newest key that was told, and what its books said then."""

    after: int = 0
    received: int


class _Process(msgspec.Struct, frozen=True, kw_only=True):
    """Of a worker the last note that was told, and what it had turned away then."""

    noted: int = 0
    turned_away: int = 0


def _row_of_note(note: Note) -> LiveRow:
    return LiveRow(
        at=note.at,
        destination=note.destination,
        given=note.given,
        site=note.site,
        verdict=note.verdict,
        why=note.why,
    )
