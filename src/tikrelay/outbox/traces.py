"""How traces lie beside their events and go with them, and how many are kept."""

from collections.abc import Sequence
from typing import Final

from tikrelay.outbox.failures import beside
from tikrelay.outbox.figures import Traced
from tikrelay.outbox.memory import Memory

_KEEP: Final = "INSERT OR REPLACE INTO traces (id, trace) VALUES (?, ?)"
_DROP: Final = "DELETE FROM traces WHERE id IN (SELECT value FROM json_each(?))"
_OF_EVENTS: Final = "SELECT id, trace FROM traces WHERE id IN (SELECT value FROM json_each(?))"
_CUT: Final = "DELETE FROM traces WHERE id IN (SELECT id FROM traces ORDER BY id LIMIT ?)"


def load_traces(memory: Memory) -> None:
    """Count those there are. Raises BesideError."""
    with beside():
        memory.traces = memory.database.value("SELECT count(*) FROM traces")


def keep_traces(memory: Memory, traces: Sequence[tuple[int, bytes]]) -> None:
    """Write the traces of new events, unless there is no room. Raises BesideError."""
    if not traces or memory.spoilt or memory.frugal or memory.retention.traces <= 0:
        return
    with beside():
        memory.database.run_many(_KEEP, traces)
    memory.traces += len(traces)


def drop_traces(memory: Memory, keys: Sequence[int]) -> None:
    """Remove the traces of events that are removed. Raises BesideError."""
    if keys and memory.traces and not memory.spoilt:
        _remove(memory, _DROP, f"{list(keys)}")


def are_too_many(memory: Memory) -> bool:
    """Say whether more are kept than shall be."""
    return memory.traces > memory.retention.traces and not memory.spoilt


def cut_traces(memory: Memory, *, most: int) -> bool:
    """Remove the oldest of too many; True when there may be more. Raises BesideError."""
    count = min(memory.traces - memory.retention.traces, most)
    if memory.spoilt or count <= 0:
        return False
    if not _remove(memory, _CUT, count):
        memory.traces = 0  # there are none
    return count == most


def _remove(memory: Memory, statement: str, which: str | int) -> int:
    with beside():
        memory.database.run(statement, (which,))
        removed: int = memory.database.value("SELECT changes()")
    memory.traces -= removed
    return removed


def traces_of(memory: Memory, keys: Sequence[int]) -> dict[int, bytes]:
    """The traces that these events have, by their keys. Raises BesideError."""
    if not memory.traces or memory.spoilt:
        return {}
    with beside():
        rows = memory.database.rows(_OF_EVENTS, (f"{list(keys)}",))
    return {key: trace for key, trace in rows if isinstance(trace, bytes)}


def newest_traces(memory: Memory, *, after: int, most: int) -> list[Traced]:
    """The newest with a key above ``after``, in order of key. Raises BesideError."""
    if memory.spoilt:
        return []
    with beside():
        rows = memory.database.rows(
            "SELECT id, trace FROM traces WHERE id > ? ORDER BY id DESC LIMIT ?", (after, max(0, most))
        )
    return [Traced(key, trace) for key, trace in reversed(rows) if isinstance(trace, bytes)]
