"""How long what is settled can still be looked at, and what of it goes first when there is no room.

All is done in small bites, each in the transaction of whatever else is waiting, so that no put waits long for one.
"""

from typing import Final

from tikrelay.outbox import counting, traces
from tikrelay.outbox.memory import Memory

MOST_CALLS: Final = 100_000
_AT_ONCE: Final = 200
_CALLS_AT_ONCE: Final = 1000
_LEAST_FREED: Final = 64
_FREED_FOR_EACH_BYTE: Final = 4  # so that a store out of room has some again after a few puts


def keeps_anything(memory: Memory) -> bool:
    """Say whether there is, or may be, anything that grows old."""
    has_dead = any(n > 0 for key, n in memory.counts.items() if key[0] == "dead")
    return memory.delivered > 0 or has_dead or memory.calls > MOST_CALLS


def is_due(memory: Memory) -> bool:
    """Say whether anything has been kept long enough."""
    is_due = _old_delivered(memory) > 0 or memory.calls > MOST_CALLS or bool(_old_dead(memory))
    return is_due or traces.are_too_many(memory) or counting.has_old(memory)


def retire(memory: Memory) -> bool:
    """Remove one bite of what was kept long enough; True when there may be more."""
    delivered, dead = _old_delivered(memory), _old_dead(memory)
    if delivered:
        _cut(memory, delivered)
    if dead:
        memory.database.run_many("DELETE FROM dead WHERE id = ?", dead)
        traces.drop_traces(memory, [key for (key,) in dead])
    calls = min(memory.calls - MOST_CALLS, _CALLS_AT_ONCE)
    if calls > 0:
        memory.database.run(
            "DELETE FROM calls WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT ?)",
            (calls,),
        )
        memory.calls -= calls
    beside = (traces.cut_traces(memory, most=_AT_ONCE), counting.cut_figures(memory, most=_AT_ONCE))
    return delivered == _AT_ONCE or len(dead) == _AT_ONCE or calls == _CALLS_AT_ONCE or any(beside)


def make_room(memory: Memory, *, size: int) -> None:
    """Remove delivered events, oldest first, until they freed a few times as many bytes; or all there are, if fewer."""
    freed = count = 0
    for (length,) in memory.database.each("SELECT length(body) FROM delivered ORDER BY n LIMIT ?", (10 * _AT_ONCE,)):
        count += 1
        freed += length if isinstance(length, int) else 0
        if count >= _LEAST_FREED and freed >= _FREED_FOR_EACH_BYTE * size:
            break
    _cut(memory, count)
    if not count:
        memory.first_delivered = memory.next_delivered


def _old_delivered(memory: Memory) -> int:
    """How many of the first delivered events are too many or too old, of one bite.

    One whose time lies as far in the future was delivered by a clock that was wrong.
    """
    if not memory.delivered:
        return 0
    keep = memory.retention
    too_many = memory.delivered - (keep.delivered_events if memory.keeps_delivered else 0)
    if too_many >= _AT_ONCE:
        return _AT_ONCE
    now = memory.clock.now()
    rows = memory.database.rows("SELECT delivered_at FROM delivered ORDER BY n LIMIT ?", (_AT_ONCE,))
    old = 0
    for (at,) in rows:
        if isinstance(at, float) and abs(now - at) <= keep.delivered_s:
            break
        old += 1
    return max(old, too_many, 0 if rows else memory.delivered)


def _old_dead(memory: Memory) -> list[tuple[int]]:
    """The keys of dead letters that are too old, of one bite. A clock set forward makes none older.

    Keys are times of receipt, and nothing dies before it is received: that bounds what has to be looked at.
    """
    limit = memory.clock.now() - max(0.0, memory.shifted) - memory.retention.dead_s
    return memory.database.rows(
        "SELECT id FROM dead WHERE id < ? AND died_at < ? ORDER BY id LIMIT ?",
        (int(limit * 1_000_000), limit, _AT_ONCE),
    )


def _cut(memory: Memory, count: int) -> None:
    """Remove the first delivered events."""
    if memory.traces:
        gone = memory.database.rows("SELECT id FROM delivered ORDER BY n LIMIT ?", (count,))
        traces.drop_traces(memory, [key for (key,) in gone if isinstance(key, int)])
    memory.database.run("DELETE FROM delivered WHERE n IN (SELECT n FROM delivered ORDER BY n LIMIT ?)", (count,))
    first = memory.database.value("SELECT min(n) FROM delivered")
    memory.first_delivered = memory.next_delivered if first is None else first
