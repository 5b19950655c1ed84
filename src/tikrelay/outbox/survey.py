"""What the kept events are as a whole: the dead letters in groups, and the ids of the newest.

Both go through the tables in steps of a few thousand rows, as a search does (``outbox.look_up``).
"""

from typing import Any, Final

import msgspec

from tikrelay.outbox.figures import Id, Letters
from tikrelay.outbox.look_up import HIGHEST, LOWEST, next_places
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import PLACE, about, text_of
from tikrelay.outbox.store import MOST_GROUPS, State

_LOOKED_AT_ONCE: Final = 2000
_GROUPS: Final = (
    "SELECT CAST(destination AS BLOB), CAST(event AS BLOB), CAST(reason AS BLOB), code, count(*), min(died_at),"
    " max(died_at), max(id) FROM dead WHERE id BETWEEN ? AND ? GROUP BY 1, 2, 3, 4"
)
_MESSAGE: Final = "SELECT CAST(message AS BLOB) FROM dead WHERE id = ?"
_IDS: Final = (
    "SELECT id, CAST(destination AS BLOB), CAST(event AS BLOB), CAST(event_id AS BLOB) FROM EVENTS"
    " WHERE PLACE BETWEEN ? AND ? ORDER BY PLACE DESC LIMIT ?"
)

GroupKey = tuple[str, str, str, int | None]


class _Group(msgspec.Struct, frozen=True):
    count: int
    oldest_at: float
    newest_at: float
    newest: int

    def joined(self, other: "_Group") -> "_Group":
        return _Group(
            self.count + other.count,
            min(self.oldest_at, other.oldest_at),
            max(self.newest_at, other.newest_at),
            max(self.newest, other.newest),
        )


class Grouping:
    """Dead letters being grouped."""

    def __init__(self) -> None:
        self.letters: list[Letters] = []
        self._groups: dict[GroupKey, _Group] = {}
        self._cursor = LOWEST

    def step(self, memory: Memory) -> bool:
        """Look at a few letters; True while there are more."""
        bounds = next_places(memory, "dead", self._cursor, forward=True, most=_LOOKED_AT_ONCE)
        if bounds is None:
            self.letters = self._largest(memory)
            return False
        for row in memory.database.rows(_GROUPS, bounds):
            if found := _read_group(row):
                key, group = found
                before = self._groups.get(key)
                self._groups[key] = before.joined(group) if before else group
        self._cursor = bounds[1]
        return True

    def _largest(self, memory: Memory) -> list[Letters]:
        largest = sorted(self._groups.items(), key=lambda item: (-item[1].count, -item[1].newest))[:MOST_GROUPS]
        return [
            Letters(
                destination=destination,
                event=event,
                reason=reason,
                code=code,
                message=text_of(memory.database.value(_MESSAGE, (group.newest,))),
                **msgspec.structs.asdict(group),
            )
            for (destination, event, reason, code), group in largest
        ]


def _read_group(row: Any) -> tuple[GroupKey, _Group] | None:
    """Read a row; None when it is damaged."""
    destination, event, reason, code, count, oldest_at, newest_at, newest = row
    if not (isinstance(code, int | None) and all(isinstance(at, float) for at in (oldest_at, newest_at))):
        return None
    key = (text_of(destination), text_of(event), text_of(reason), code)
    return key, _Group(count, oldest_at, newest_at, newest)


class CollectingIds:
    """Ids being collected, of each table those of its newest events."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tables: list[State] = list(PLACE)
        self._cursor = HIGHEST
        self._of_table = 0
        self._found: dict[int, Id] = {}

    def ids(self) -> list[Id]:
        """The newest of all."""
        return sorted(self._found.values(), key=lambda found: found.key, reverse=True)[: self._most]

    def step(self, memory: Memory) -> bool:
        """Look at a few rows; True while there are more."""
        table, left = self._tables[0], self._most - self._of_table
        bounds = next_places(memory, table, self._cursor, forward=False, most=_LOOKED_AT_ONCE) if left > 0 else None
        if bounds is None:
            self._tables.pop(0)
            self._cursor, self._of_table = HIGHEST, 0
            return bool(self._tables)
        for key, destination, event, event_id in memory.database.rows(about(table, _IDS), (*bounds, left)):
            self._of_table += 1
            if isinstance(key, int):
                self._found[key] = Id(key, text_of(destination), text_of(event), text_of(event_id))
        self._cursor = bounds[0]
        return True
