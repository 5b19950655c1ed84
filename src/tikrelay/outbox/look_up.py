"""Finding stored events, and one event's history.

A search goes through the tables in steps of a few thousand rows, lest a put waits for all of it. An event that moves
meanwhile (from waiting to dead, to delivered) is met there again, and found once.
"""

import re
from typing import Any, Final

import msgspec

from tikrelay.outbox.memory import Memory
from tikrelay.outbox.rows import OF_ENTRY, PLACE, about, read_entry, unpack
from tikrelay.outbox.store import Call, Entry, Find, State
from tikrelay.outbox.traces import traces_of

_LOOKED_AT_ONCE: Final = 2000
_CONDITIONS: Final = {
    "destination": "destination = ?",
    "event": "event = ?",
    "event_id": "event_id = ?",
    "reason": "reason = ?",
    "code": "ifnull(code, 'none') = ?",
    "test_event_code": "test_event_code = ?",
    "received_from": "received_at >= ?",
    "received_to": "received_at < ?",
}
_NEXT: Final = (
    "SELECT min(p), max(p), count(*) FROM (SELECT PLACE AS p FROM EVENTS WHERE PLACE > ? ORDER BY PLACE LIMIT ?)"
)
_BEFORE: Final = (
    "SELECT min(p), max(p), count(*) FROM (SELECT PLACE AS p FROM EVENTS WHERE PLACE < ? ORDER BY PLACE DESC LIMIT ?)"
)
LOWEST: Final = -(1 << 63)
HIGHEST: Final = (1 << 63) - 1
_AMONG: Final = " AND id IN (SELECT value FROM json_each(?))"
_CALL: Final = (
    "SELECT began_at, events, CAST(outcome AS BLOB), status, code, CAST(message AS BLOB), CAST(request_id AS BLOB),"
    " seconds FROM calls WHERE id = ?"
)
DAMAGED: Final = "damaged"
_IN_BODY: Final = "instr(CAST(body AS BLOB), ?)"
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")


def conditions(which: Find) -> tuple[str, list[Any]]:
    """Write what to look for as SQL, each piece beginning with AND, and its bindings.

    >>> conditions(Find(event="Lead", test_event_code=""))
    (' AND event = ? AND test_event_code = ?', ['Lead', ''])
    """
    wanted = {field: getattr(which, field) for field in _CONDITIONS}
    given = {
        field: value
        for field, value in wanted.items()
        if value is not None and (value != "" or field == "test_event_code")
    }
    text = "".join(f" AND {_CONDITIONS[field]}" for field in given)
    bindings = list(given.values())
    if which.text:
        holds, patterns = _holds(which.text)
        text, bindings = text + holds, [*bindings, *patterns]
    if which.keys:
        text, bindings = text + _AMONG, [*bindings, f"{list(which.keys)}"]
    return text, bindings


def _holds(text: str) -> tuple[str, list[str | bytes]]:
    """Write that a text is an event's id, or stands in its body as a value: a whole string, or a number.

    >>> _holds("R-1")[1]
    ['R-1', b'"R-1"', b'"R-1",', b'"R-1"}', b'"R-1"]']
    >>> _holds("19.99")[1][5:]
    [b':19.99', b':19.99,', b':19.99}']
    """
    values = [msgspec.json.encode(text)]
    patterns = [[values[0] + end for end in (b"", b",", b"}", b"]")]]  # what ends with a colon is a name
    if _NUMBER.fullmatch(text):
        patterns.append([b":%s%s" % (text.encode(), end) for end in (b"", b",", b"}")])
    each = [f"{_IN_BODY} AND ({' OR '.join([_IN_BODY] * (len(few) - 1))})" for few in patterns]
    return f" AND (event_id = ? OR {' OR '.join(each)})", [text, *(pattern for few in patterns for pattern in few)]


def next_places(memory: Memory, state: State, start: int, *, forward: bool, most: int) -> tuple[int, int] | None:
    """The first and last place of the next so many rows after a place, or before it; -1 is all there are."""
    ((first, last, count),) = memory.database.rows(about(state, _NEXT if forward else _BEFORE), (start, most))
    return (first, last) if count else None


def _is_of_letters(which: Find) -> bool:
    return bool(which.reason) or which.code is not None


class Search:
    """One search, on its way through the tables."""

    def __init__(self, which: Find, *, whole: bool = False) -> None:
        self._which = which
        self._whole = whole
        self._tables: list[State] = [
            state for state in PLACE if which.state in (None, state) and (state == "dead" or not _is_of_letters(which))
        ]
        self._cursor: int | None = None
        self._at_once = self._first_step()
        self._found: dict[int, Entry] = {}
        self._of_table = 0

    def _first_step(self) -> int:
        """How many rows to begin with: mostly the last few delivered are the last few received."""
        return min(_LOOKED_AT_ONCE, 4 * self._which.most)

    def entries(self) -> list[Entry]:
        """What was found, in order."""
        found = sorted(self._found.values(), key=lambda entry: entry.key, reverse=not self._which.oldest_first)
        return found[: self._which.most]

    def step(self, memory: Memory) -> bool:
        """Look at a few rows; True while there are more."""
        if self._which.most <= 0:
            return False
        if not self._tables:
            self._add_traces(memory)
            return False
        if self._has_passed_all(memory, self._tables[0]):
            self._tables.pop(0)
            self._cursor, self._of_table, self._at_once = None, 0, self._first_step()
        return True

    def _add_traces(self, memory: Memory) -> None:
        traces = traces_of(memory, [entry.key for entry in self.entries()])
        for key, trace in traces.items():
            self._found[key] = msgspec.structs.replace(self._found[key], trace=trace)

    def _has_passed_all(self, memory: Memory, state: State) -> bool:
        which = self._which
        in_order = PLACE[state] == "id"
        bounds = self._next_bounds(memory, state, everything=in_order and bool(which.keys))
        if bounds is None:
            return True
        text, bindings = conditions(which)
        direction = "" if which.oldest_first else " DESC"
        limit = which.most - self._of_table if in_order else -1
        statement = (
            f"{OF_ENTRY[state]} FROM EVENTS WHERE PLACE BETWEEN ? AND ? AND ifnull(id, 0) >= ?{text}"
            f" ORDER BY PLACE{direction} LIMIT ?"
        )
        for row in memory.database.each(about(state, statement), (*bounds, self._lowest(), *bindings, limit)):
            self._take(memory, state, row)
        if in_order:
            return self._of_table >= which.most or bounds[0] <= self._lowest()
        return self._older_only_from_here(memory, bounds)

    def _lowest(self) -> int:
        """The key below which nothing is among the newest so many, as far as is known."""
        is_full = len(self._found) >= self._which.most and not self._which.oldest_first
        return self.entries()[-1].key if is_full else LOWEST

    def _next_bounds(self, memory: Memory, state: State, *, everything: bool) -> tuple[int, int] | None:
        """The first and last place of the next step."""
        if everything:  # keys are found by themselves, however many rows there are
            is_first, self._cursor = self._cursor is None, LOWEST
            return (LOWEST, HIGHEST) if is_first else None
        forward = self._which.oldest_first
        start = self._cursor if self._cursor is not None else (LOWEST if forward else HIGHEST)
        bounds = next_places(memory, state, start, forward=forward, most=self._at_once)
        self._at_once = min(_LOOKED_AT_ONCE, 2 * self._at_once)
        if bounds:
            self._cursor = bounds[1] if forward else bounds[0]
        return bounds

    def _older_only_from_here(self, memory: Memory, bounds: tuple[int, int]) -> bool:
        """Say whether what was delivered before was received before all that is found already."""
        if self._lowest() == LOWEST:
            return False
        at = memory.database.value("SELECT delivered_at FROM delivered WHERE n = ?", (bounds[0],))
        return isinstance(at, float) and at * 1_000_000 < self._lowest()

    def _take(self, memory: Memory, state: State, row: Any) -> None:
        entry, calls = read_entry(state, row)
        entry = msgspec.structs.replace(
            entry,
            leased=state == "waiting" and entry.key in memory.held(entry.destination),
            body=entry.body if self._whole else b"",
            calls=_read_calls(memory, calls) if self._whole else (),
        )
        self._found[entry.key or -len(self._found)] = entry  # a damaged key is nobody else's
        self._of_table += 1


def _read_calls(memory: Memory, numbers: bytes) -> tuple[Call, ...]:
    """The calls that are still kept, oldest first."""
    found = (memory.database.rows(_CALL, (number,)) for number in unpack(numbers))
    return tuple(_read_call(row) for rows in found for row in rows)


def _read_call(row: Any) -> Call:
    began_at, events, outcome, status, code, message, request_id, seconds = row
    texts = (outcome, message, request_id)
    is_sound = (
        all(isinstance(number, float) for number in (began_at, seconds))
        and isinstance(events, int)
        and all(isinstance(number, int | None) for number in (status, code))
        and all(isinstance(text, bytes) for text in texts)
    )
    if not is_sound:
        return Call(began_at=0.0, outcome=DAMAGED)
    outcome, message, request_id = (text.decode(errors="replace") for text in texts)
    return Call(
        began_at=began_at,
        events=events,
        outcome=outcome,
        status=status,
        code=code,
        message=message,
        request_id=request_id,
        seconds=seconds,
    )
