"""What waits: how events come in, which of them a lease takes, and how it keeps its age when the clock is set."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Final, NamedTuple, Self

import apsw
import msgspec

from tikrelay.event import DestinationName
from tikrelay.outbox.counting import count_stored
from tikrelay.outbox.database import Row, Value
from tikrelay.outbox.memory import OTHER, Memory
from tikrelay.outbox.outcomes import bury
from tikrelay.outbox.rows import OF_LEASED, checksum_of, read_leased
from tikrelay.outbox.schema import FORMAT
from tikrelay.outbox.store import LONGEST_WAIT_S, Dead, DeadReason, Lease, Leased, Record
from tikrelay.outbox.traces import keep_traces

OF_ONE_CODE: Final = f"{OF_LEASED} FROM waiting WHERE destination = ? AND test_event_code = CAST(? AS TEXT)"
TESTS: Final = "SELECT id, CAST(test_event_code AS BLOB) FROM waiting WHERE destination = ? AND test_event_code <> ''"
NEVER_TRIED: Final = f"{OF_ONE_CODE} AND not_before = 0 AND attempts = 0 ORDER BY id DESC LIMIT ?"
_NO_CODE: Final = b""
_INSERT: Final = (
    "INSERT INTO waiting (id, destination, test_event_code, event, event_id, format, checksum, body, received_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SHIFTED_AT_ONCE: Final = 500  # a put may have to wait for these
_SHIFT: Final = (
    "UPDATE waiting SET received_at = received_at + ?1, unknown_since = unknown_since + ?1,"
    " replayed_at = replayed_at + ?1, not_before = iif(not_before > 0, not_before + ?1, 0)"
    " WHERE id >= ?2 AND id <= ?3"
)


def insert(memory: Memory, records: Sequence[Record]) -> None:
    """Write new events, in order."""
    now = memory.clock.now()
    first = memory.next_keys(len(records))
    memory.database.run_many(
        _INSERT,
        [
            (first + i, r.destination, r.test_event_code, r.event, r.event_id, FORMAT, checksum_of(r), r.body, now)
            for i, r in enumerate(records)
        ],
    )
    keep_traces(memory, [(first + i, record.trace) for i, record in enumerate(records) if record.trace])
    count_stored(memory, records)


class Wish(NamedTuple):
    """What a sender asks for; see ``Outbox.lease``."""

    destination: DestinationName
    most: int
    max_bytes: int
    now: float
    tests: bool = True
    newest: bool = False


def take(memory: Memory, wish: Wish) -> Lease:
    """Hand out waiting events."""
    if wish.newest:
        limit = wish.most + len(memory.held(wish.destination))
        found = _choose(memory, wish, memory.database.each(NEVER_TRIED, (wish.destination, _NO_CODE, limit)))
    else:
        found = _choose(memory, wish, _due(memory, wish, OF_ONE_CODE, _NO_CODE))
        if wish.tests and not found and (code := _next_code(memory, wish)):
            found = _choose(memory, wish, _due(memory, wish, OF_ONE_CODE, code))
    memory.hold(wish.destination, {event.key: calls for event, calls in found})
    events = [event for event, _ in found]
    return Lease(wish.destination, tuple(reversed(events) if wish.newest else events))


def _next_code(memory: Memory, wish: Wish) -> bytes:
    """The test code whose event has been due for longest, of those that nobody holds; or nothing."""
    leased = memory.held(wish.destination)
    with contextlib.closing(_due(memory, wish._replace(most=1), TESTS)) as due:
        return next((code for key, code in due if key not in leased), _NO_CODE)


def _choose(memory: Memory, wish: Wish, rows: Generator[Row, None, None]) -> list[tuple[Leased, bytes]]:
    """Read rows as far as a lease may hold them, and bury what is damaged on the way."""
    leased = memory.held(wish.destination)
    chosen: list[tuple[Leased, bytes]] = []
    damaged: list[int] = []
    size = 0
    with contextlib.closing(rows):  # bodies are read one by one
        for row in rows:
            if row[0] in leased:
                continue
            read = read_leased(row)
            if read is None:
                damaged.append(row[0])
                continue
            size += len(read[0].body)
            if chosen and (len(chosen) >= wish.most or size > wish.max_bytes):
                break
            chosen.append(read)
    for key in damaged:
        bury(memory, key, wish.destination, Dead(reason=DeadReason.DAMAGED), wish.now, event=OTHER)
        memory.damaged[wish.destination] += 1
    return chosen


def _due(memory: Memory, wish: Wish, which: str, *code: Value) -> Generator[Row, None, None]:
    """Rows whose time has come; also those put off for longer than can be, as a clock set back leaves them."""
    read, most = 0, wish.most + len(memory.held(wish.destination))
    bindings = (wish.destination, *code)
    for row in memory.database.each(
        f"{which} AND not_before <= ? ORDER BY not_before, id LIMIT ?", (*bindings, wish.now, most)
    ):
        read += 1
        yield row
    if read < most:
        yield from memory.database.each(
            f"{which} AND not_before > ? ORDER BY not_before, id LIMIT ?",
            (*bindings, wish.now + LONGEST_WAIT_S, most - read),
        )


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """The wall clock was set: what was received before keeps its age. Done in steps, lest a put waits for all.

    ``after``  the last key that was looked at, or None at the beginning
    ``until``  the last there was then
    """

    seconds: float
    after: int | None = None
    until: int = 0
    is_done: bool = False

    def step(self, memory: Memory) -> Self:
        """Move the times of a few events; returns how far it is then."""
        if self.after is None:
            memory.shifted += self.seconds
            memory.database.run("UPDATE OR IGNORE begun SET at = at + ?", (self.seconds,))
            return msgspec.structs.replace(self, after=-1, until=memory.last_key)
        found = memory.database.rows(
            "SELECT id FROM waiting WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (self.after, self.until, _SHIFTED_AT_ONCE),
        )
        if not found:
            return msgspec.structs.replace(self, is_done=True)
        first, last = found[0][0], found[-1][0]
        try:
            memory.database.run(_SHIFT, (self.seconds, first, last))
        except apsw.ConstraintError:  # one of them is damaged
            for (key,) in found:
                with contextlib.suppress(apsw.ConstraintError):
                    memory.database.run(_SHIFT, (self.seconds, key, key))
        return msgspec.structs.replace(self, after=last)
