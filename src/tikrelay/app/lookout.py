"""What a worker tells those who watch: which events came, what became of those told before, and what was kept out."""

import contextlib
import os
from collections import deque
from collections.abc import Iterable, Mapping

import msgspec

from tikrelay.app.live import MOST_NOTES, LiveOfFile, LiveOfWorker, LookLive, Note
from tikrelay.base.clock import Clock
from tikrelay.base.errors import OutboxError
from tikrelay.base.happenings import EventDropped, Happening, InputTurnedAway
from tikrelay.outbox.store import Entry, Find, Outbox, State

_WHERE: tuple[State, ...] = ("waiting", "dead", "delivered")
"""In the order in which an event moves, so that one that moves meanwhile is met; the longest table comes last."""


class Lookout:
    """Remembers the last events and inputs that were kept out, and answers the question ``live``."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._notes: deque[Note] = deque(maxlen=MOST_NOTES)
        self._noted = 0
        self._turned_away = 0

    def listen(self, happening: Happening) -> None:
        """Note what was dropped or turned away."""
        if isinstance(happening, EventDropped):
            one = happening
            self._note(Note(self._clock.now(), "dropped", one.reason, 1, one.destination, one.name, one.site))
        elif isinstance(happening, InputTurnedAway):
            self._turned_away += happening.count
            self._note(Note(self._clock.now(), "turned_away", happening.reason, happening.count))

    def _note(self, note: Note) -> None:
        self._notes.append(note)
        self._noted += 1

    async def tell(self, look: LookLive, outboxes: Mapping[str, Outbox]) -> LiveOfWorker:
        """Answer the parent; a file that cannot be read stands in no answer."""
        pid = os.getpid()
        files: dict[str, LiveOfFile] = {}
        for name, outbox in outboxes.items():
            with contextlib.suppress(OutboxError):
                files[name] = await _of_file(look, name, outbox)
        unseen = min(self._noted - look.notes_after.get(str(pid), 0), look.most)
        notes = list(self._notes)[-unseen:] if unseen > 0 else []
        return LiveOfWorker(pid=pid, files=files, notes=notes, noted=self._noted, turned_away=self._turned_away)


async def _of_file(look: LookLive, name: str, outbox: Outbox) -> LiveOfFile:
    received = sum((await outbox.books()).received.values())
    traced = await outbox.traced(after=look.after.get(name, 0), most=look.most)
    traces = {one.key: one.trace for one in traced}
    came = [msgspec.structs.replace(one, trace=traces[one.key]) for one in await _find(outbox, traces)]
    keys = look.watched.get(name, ())
    watched = await _find(outbox, keys)
    gone = sorted(set(keys) - {one.key for one in watched})
    changed = [msgspec.structs.replace(one, trace=b"") for one in watched if _has_changed(one)]
    return LiveOfFile(received=received, came=came, changed=changed, gone=gone)


async def _find(outbox: Outbox, keys: Iterable[int]) -> list[Entry]:
    """Find events by their keys, in order of key; each table is asked only for those that are not found yet."""
    missing = set(keys)
    found: list[Entry] = []
    for state in _WHERE:
        if missing:
            there = await outbox.find(Find(state=state, keys=tuple(missing), most=len(missing)))
            found += there
            missing -= {entry.key for entry in there}
    return sorted(found, key=lambda entry: entry.key)


def _has_changed(entry: Entry) -> bool:
    """Say whether it is something else than an event that has just come and waits for its first try."""
    return entry.state != "waiting" or entry.attempts > 0 or entry.replayed_at is not None
