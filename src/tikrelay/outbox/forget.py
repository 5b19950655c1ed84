"""How a person's events are erased.

It goes through the tables in steps, lest a put waits for all of it. What was deleted is overwritten by SQLite
(``secure_delete``); what of it still lies in the log goes when the log is emptied, which is done at the end.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from tikrelay.event import DropReason
from tikrelay.outbox.memory import Memory, let_go
from tikrelay.outbox.rows import PLACE, about
from tikrelay.outbox.store import Forgotten, State

_LOOKED_AT_ONCE: Final = 500
_DIGESTS_AT_ONCE: Final = 100
_LOWEST: Final = -(1 << 63)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LAST_OF_STEP: Final = "SELECT max(p) FROM (SELECT PLACE AS p FROM EVENTS WHERE PLACE > ? ORDER BY PLACE LIMIT ?)"
_HOLDING: Final = "SELECT PLACE, CAST(destination AS BLOB) FROM EVENTS WHERE PLACE > ? AND PLACE <= ? AND "
_HOLDS: Final = "instr(CAST(body AS BLOB), ?)"
_DELETE: Final = "DELETE FROM EVENTS WHERE PLACE = ?"


class Erasure:
    """One person's events being erased, in the order in which an event moves through the tables."""

    def __init__(self, digests: Collection[str]) -> None:
        for digest in digests:
            if not _DIGEST.fullmatch(digest):
                raise ValueError("a digest is 64 hexadecimal digits in lower case")
        self._digests = [digest.encode() for digest in sorted(set(digests))]
        self._tables = list(PLACE) if digests else []
        self._cursor = _LOWEST
        self._erased = dict.fromkeys(PLACE, 0)

    def step(self, memory: Memory) -> bool:
        """Look at a few rows and erase what is found; True while there are more."""
        if not self._tables:
            return False
        table = self._tables[0]
        last = memory.database.value(about(table, _LAST_OF_STEP), (self._cursor, _LOOKED_AT_ONCE))
        if last is None:
            self._tables.pop(0)
            self._cursor = _LOWEST
            return bool(self._tables)
        for start in range(0, len(self._digests), _DIGESTS_AT_ONCE):
            found = _holding(memory, table, self._digests[start : start + _DIGESTS_AT_ONCE], (self._cursor, last))
            _erase(memory, table, found)
            self._erased[table] += len(found)
        self._cursor = last
        return True

    def forgotten(self) -> Forgotten:
        """What was erased."""
        return Forgotten(**self._erased)


def _holding(
    memory: Memory, table: State, digests: Sequence[bytes], places: tuple[int, int]
) -> list[tuple[int, bytes]]:
    """The rows whose body holds one of the digests, and their destinations."""
    holding = about(table, _HOLDING) + "(" + " OR ".join([_HOLDS] * len(digests)) + ")"
    return memory.database.rows(holding, (*places, *digests))


def _erase(memory: Memory, table: State, found: Sequence[tuple[int, bytes]]) -> None:
    memory.database.run_many(about(table, _DELETE), [(place,) for place, _ in found])
    if table != "waiting":
        return
    for key, destination in found:
        name = destination.decode()
        memory.waiting[name] -= 1
        memory.count("dropped", name, DropReason.FORGOTTEN)
        if memory.is_leased(name, key):
            let_go(memory, name, [key])
