"""How a person's events are erased.

It goes through the tables in steps, lest a put waits for all of it. What was deleted is overwritten by SQLite
(``secure_delete``); what of it still lies in the log goes when the log is emptied, which is done at the end.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from tikrelay.event import DropReason
from tikrelay.outbox.memory import Memory, let_go
from tikrelay.outbox.store import Forgotten, State

_LOOKED_AT_ONCE: Final = 500
_DIGESTS_AT_ONCE: Final = 100
_LOWEST: Final = -(1 << 63)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CURSOR: Final[dict[State, str]] = {"waiting": "id", "dead": "id", "delivered": "n"}


class Erasure:
    """One person's events being erased, in the order in which an event moves through the tables."""

    def __init__(self, digests: Collection[str]) -> None:
        for digest in digests:
            if not _DIGEST.fullmatch(digest):
                raise ValueError("a digest is 64 hexadecimal digits in lower case")
        self._digests = [digest.encode() for digest in sorted(set(digests))]
        self._tables = list(_CURSOR) if digests else []
        self._cursor = _LOWEST
        self._erased = dict.fromkeys(_CURSOR, 0)

    def step(self, memory: Memory) -> bool:
        """Look at a few rows and erase what is found; True while there are more."""
        if not self._tables:
            return False
        table = self._tables[0]
        column = _CURSOR[table]
        last = memory.database.value(
            f"SELECT max(c) FROM (SELECT {column} AS c FROM {table} WHERE {column} > ? ORDER BY {column} LIMIT ?)",
            (self._cursor, _LOOKED_AT_ONCE),
        )
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
    wanted = " OR ".join(["instr(CAST(body AS BLOB), ?)"] * len(digests))
    column = _CURSOR[table]
    return memory.database.rows(
        f"SELECT {column}, CAST(destination AS BLOB) FROM {table} WHERE {column} > ? AND {column} <= ? AND ({wanted})",
        (*places, *digests),
    )


def _erase(memory: Memory, table: State, found: Sequence[tuple[int, bytes]]) -> None:
    memory.database.run_many(f"DELETE FROM {table} WHERE {_CURSOR[table]} = ?", [(place,) for place, _ in found])
    if table != "waiting":
        return
    for key, destination in found:
        name = destination.decode()
        memory.waiting[name] -= 1
        memory.count("dropped", name, DropReason.FORGOTTEN)
        if memory.is_leased(name, key):
            let_go(memory, name, [key])
