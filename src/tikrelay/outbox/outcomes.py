"""What becomes of leased events: the note that they are about to be sent, their outcomes, and the calls it took."""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, assert_never

import apsw

from tikrelay.outbox.counting import count_accepted
from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import checksum_of_leased, pack, text_of, unpack, with_calls
from tikrelay.outbox.schema import FORMAT
from tikrelay.outbox.store import (
    LONGEST_WAIT_S,
    Accepted,
    Call,
    Dead,
    DeadReason,
    Lease,
    Leased,
    Outcome,
    RetryAt,
)
from tikrelay.outbox.traces import drop_traces

CUT_OFF: Final = "cut_off"
_FOUND_BY_A_CALL: Final = frozenset({DeadReason.REFUSED, DeadReason.UNKNOWN_ANSWER, DeadReason.PARTIAL})
# A flipped byte in the head of a row gives its values other types, which the table of dead letters would not take.
_BURY: Final = (
    "INSERT INTO dead (id, test_event_code, event, event_id, format, checksum, body, received_at, unknown_since,"
    " replayed_at, calls, attempts, destination, died_at, reason, code, message, request_id)"
    " SELECT id, CAST(ifnull(test_event_code, '') AS TEXT), CAST(ifnull(event, '') AS TEXT),"
    " CAST(ifnull(event_id, '') AS TEXT), CAST(ifnull(format, 0) AS INTEGER), CAST(ifnull(checksum, 0) AS INTEGER),"
    " CAST(ifnull(body, '') AS BLOB), CAST(ifnull(received_at, 0) AS REAL), CAST(unknown_since AS REAL),"
    " CAST(replayed_at AS REAL), ifnull(?, CAST(ifnull(calls, '') AS BLOB)),"
    " CAST(ifnull(attempts, 0) AS INTEGER) + ?, ?, ?, ?, ?, ?, ? FROM waiting WHERE id = ?"
)
_DELIVER: Final = (
    "INSERT INTO delivered (n, id, destination, test_event_code, event, event_id, format, checksum, body, received_at,"
    " delivered_at, attempts, unknown_since, replayed_at, request_id, calls)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_OFF: Final = (
    "UPDATE waiting SET not_before = ?, attempts = attempts + ?, unknown_since = ifnull(unknown_since, ?), calls = ?"
    " WHERE id = ?"
)


def begin(memory: Memory, lease: Lease) -> None:
    """Note that a lease is about to be sent."""
    held = memory.held(lease.destination)
    keys = [leased.key for leased in lease.events if leased.key in held]
    number = lease.events[0].key if keys else 0
    if not keys or number in memory.begun:
        return
    memory.database.run(
        "INSERT OR REPLACE INTO begun (lease, destination, at, keys) VALUES (?, ?, ?, ?)",
        (number, lease.destination, memory.clock.now(), pack(keys)),
    )
    memory.begun.add(number)
    memory.given_back.discard(number)


def find_cut_off(memory: Memory) -> int:
    """Settle as unknown what was begun when the process ended; returns how many events that were."""
    events = 0
    for destination, at, packed in memory.database.rows("SELECT CAST(destination AS BLOB), at, keys FROM begun"):
        keys = unpack(packed)
        began_at = at if isinstance(at, float) else memory.clock.now()
        call = Call(began_at=began_at, events=len(keys), outcome=CUT_OFF)
        number = _write_call(memory, text_of(destination), call)
        for key in keys:
            with contextlib.suppress(apsw.ConstraintError):  # damaged: it is found when it is leased
                row = memory.database.rows("SELECT calls FROM waiting WHERE id = ?", (key,))
                calls = with_calls(row[0][0], pack([number])) if row and isinstance(row[0][0], bytes) else b""
                memory.database.run(
                    "UPDATE waiting SET attempts = attempts + 1, unknown_since = ifnull(unknown_since, ?), calls = ?"
                    " WHERE id = ?",
                    (began_at, calls, key),
                )
                events += len(row)
    memory.database.run("DELETE FROM begun")
    return events


def settle(memory: Memory, lease: Lease, outcomes: Sequence[Outcome], calls: Sequence[Call]) -> None:
    """Write what became of each event of a lease, and end it."""
    now = memory.clock.now()
    held = memory.held(lease.destination)
    before = {leased.key: held[leased.key] for leased in lease.events if leased.key in held}
    end_note(memory, lease)
    if not before:  # it has ended, or all its events were forgotten
        return
    history, request_ids = _write_calls(memory, lease.destination, () if memory.frugal else calls, before)
    gone: list[Leased] = []
    stay: list[tuple[float, int, float | None, bytes, int]] = []
    for leased, outcome in zip(lease.events, outcomes, strict=True):
        if leased.key not in before:
            continue
        match outcome:
            case Accepted():
                gone.append(leased)
            case RetryAt(at=at, unknown=unknown, counts=counts):
                since = now if unknown else None
                stay.append((min(at, now + LONGEST_WAIT_S), int(counts), since, history[leased.key], leased.key))
            case Dead():
                bury(memory, leased.key, lease.destination, outcome, now, event=leased.event, calls=history[leased.key])
            case _:
                assert_never(outcome)
    memory.let_go(lease.destination, before)
    if stay:
        memory.database.run_many(_PUT_OFF, stay)
    if gone:
        _deliver(memory, lease.destination, gone, history, request_ids, now)


def end_note(memory: Memory, lease: Lease) -> None:
    """The lease is not under way any more; its note goes with this transaction or the next."""
    number = lease.events[0].key if lease.events else 0
    if number in memory.begun:
        memory.begun.discard(number)
        memory.given_back.add(number)


def bury(
    memory: Memory, key: int, destination: str, dead: Dead, now: float, *, event: str, calls: bytes | None = None
) -> None:
    """Make a waiting event a dead letter."""
    made_a_call = int(dead.reason in _FOUND_BY_A_CALL)
    said = (dead.reason.value, dead.code, dead.message, dead.request_id)
    memory.database.run(_BURY, (calls, made_a_call, destination, now, *said, key))
    memory.database.run("DELETE FROM waiting WHERE id = ?", (key,))
    memory.count("dead", destination, dead.reason.value)
    memory.tally(destination, event, "dead", dead.reason.value)
    memory.waiting[destination] -= 1


def _deliver(  # noqa: PLR0917
    memory: Memory,
    destination: str,
    gone: list[Leased],
    history: dict[int, bytes],
    request_ids: dict[int, str],
    now: float,
) -> None:
    """Keep what was delivered where it can be looked at, from the lease itself: its rows need not be read again."""
    if memory.keeps_delivered and not memory.frugal:
        first = memory.next_delivered
        memory.database.run_many(
            _DELIVER,
            [
                (first + i, e.key, destination, e.test_event_code, e.event, e.event_id, FORMAT,
                 checksum_of_leased(destination, e), e.body, e.received_at, now, e.attempts + 1, e.unknown_since,
                 e.replayed_at, request_ids.get(e.key, ""), history[e.key])
                for i, e in enumerate(gone)
            ],
        )  # fmt: skip
        memory.next_delivered += len(gone)
    else:
        drop_traces(memory, [leased.key for leased in gone])
    memory.database.run_many("DELETE FROM waiting WHERE id = ?", [(leased.key,) for leased in gone])
    memory.count("accepted", destination, "", n=len(gone))
    count_accepted(memory, destination, gone)
    memory.waiting[destination] -= len(gone)


def _write_calls(
    memory: Memory, destination: str, calls: Sequence[Call], before: dict[int, bytes]
) -> tuple[dict[int, bytes], dict[int, str]]:
    """Write calls; returns for each event those it was part of, and the last request_id it went by."""
    made: defaultdict[int, list[int]] = defaultdict(list)
    request_ids: dict[int, str] = {}
    for call in calls:
        number = _write_call(memory, destination, call)
        for key in call.keys:
            made[key].append(number)
            request_ids[key] = call.request_id
    history = {key: with_calls(calls, pack(made[key])) if key in made else calls for key, calls in before.items()}
    return history, request_ids


def _write_call(memory: Memory, destination: str, call: Call) -> int:
    number = max(memory.last_call + 1, int(memory.clock.now() * 1_000_000))
    memory.database.run(
        "INSERT INTO calls (id, destination, began_at, events, outcome, status, code, message, request_id, seconds)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            destination,
            call.began_at,
            len(call.keys) or call.events,
            call.outcome,
            call.status,
            call.code,
            call.message,
            call.request_id,
            call.seconds,
        ),
    )
    memory.last_call = number
    memory.calls += 1
    return number
