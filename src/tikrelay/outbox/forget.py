"""How a person's events are erased.

It goes through the tables in steps, lest a put waits for all of it. What was deleted is overwritten by SQLite
(``secure_delete``); what of it still lies in the log goes when the log is emptied, which is done at the end.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final, Self

import msgspec

from tikrelay.event import DropReason
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import PLACE, about
from tikrelay.outbox.store import Forgotten, State
from tikrelay.outbox.traces import drop_traces

_LOOKED_AT_ONCE: Final = 500
_DIGESTS_AT_ONCE: Final = 100
_LOWEST: Final = -(1 << 63)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LAST_OF_STEP: Final = "SELECT max(p) FROM (SELECT PLACE AS p FROM EVENTS WHERE PLACE > ? ORDER BY PLACE LIMIT ?)"
_HOLDING: Final = """SELECT PLACE, CAST(destination AS BLOB), id, CAST(event AS BLOB) FROM EVENTS
    WHERE PLACE > ? AND PLACE <= ? AND """
_HOLDS: Final = "instr(CAST(body AS BLOB), ?)"
_DELETE: Final = "DELETE FROM EVENTS WHERE PLACE = ?"


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One person's events being erased, in the order in which an event moves through the tables.

    ``tables``  those that are not gone through yet
    ``after``   the last place of the first of these that was looked at
    """

    digests: tuple[bytes, ...]
    tables: tuple[State, ...] = tuple(PLACE)
    after: int = _LOWEST
    forgotten: Forgotten = Forgotten()

    @classmethod
    def of(cls, digests: Collection[str]) -> Self:
        """Begin to erase what holds one of these."""
        for digest in digests:
            if not _DIGEST.fullmatch(digest):
                raise ValueError("a digest is 64 hexadecimal digits in lower case")
        return cls(digests=tuple(digest.encode() for digest in sorted(set(digests))))

    @property
    def is_done(self) -> bool:
        """Say whether all was gone through."""
        return not (self.digests and self.tables)

    def step(self, memory: Memory) -> Self:
        """Look at a few rows and erase what is found; returns how far it is then."""
        table = self.tables[0]
        last = memory.database.value(about(table, _LAST_OF_STEP), (self.after, _LOOKED_AT_ONCE))
        if last is None:
            return msgspec.structs.replace(self, tables=self.tables[1:], after=_LOWEST)
        erased = getattr(self.forgotten, table)
        for start in range(0, len(self.digests), _DIGESTS_AT_ONCE):
            found = _holding(memory, table, self.digests[start : start + _DIGESTS_AT_ONCE], (self.after, last))
            _erase(memory, table, found)
            erased += len(found)
        forgotten = msgspec.structs.replace(self.forgotten, **{table: erased})
        return msgspec.structs.replace(self, after=last, forgotten=forgotten)


def _holding(
    memory: Memory, table: State, digests: Sequence[bytes], places: tuple[int, int]
) -> list[tuple[int, bytes, int, bytes]]:
    """The rows whose body holds one of the digests: their place, destination, key and name."""
    holding = about(table, _HOLDING) + "(" + " OR ".join([_HOLDS] * len(digests)) + ")"
    return memory.database.rows(holding, (*places, *digests))


def _erase(memory: Memory, table: State, found: Sequence[tuple[int, bytes, int, bytes]]) -> None:
    memory.database.run_many(about(table, _DELETE), [(place,) for place, *_ in found])
    drop_traces(memory, [key for _, _, key, _ in found])
    if table != "waiting":
        return
    for key, destination, _, event in found:
        name = destination.decode()
        memory.waiting[name] -= 1
        memory.count("dropped", name, DropReason.FORGOTTEN)
        memory.tally(name, event.decode(errors="replace"), "dropped", DropReason.FORGOTTEN.value)
        memory.let_go(name, [key])
