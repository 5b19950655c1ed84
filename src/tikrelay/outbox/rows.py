"""How one event lies in its row, and whether its bytes are still those that were stored.

Texts are read as bytes: a flipped byte that is no UTF-8 any more is a damaged event, not an error of the program.
"""

import zlib
from typing import Any, Final, NamedTuple

from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.database import Row
from tikrelay.outbox.schema import FORMAT, FORMAT_WITHOUT_DESTINATION
from tikrelay.outbox.store import MOST_CALLS_KEPT, Entry, Leased, Record, State

KEY_BYTES: Final = 8
_WHAT: Final = (
    "id, CAST(destination AS BLOB), CAST(test_event_code AS BLOB), CAST(event AS BLOB), CAST(event_id AS BLOB), body,"
    " format, checksum, received_at, attempts, unknown_since, replayed_at, calls"
)
OF_LEASED: Final = f"SELECT {_WHAT}"
OF_ENTRY: Final[dict[State, str]] = {
    "waiting": f"{OF_LEASED}, not_before, NULL, x'', NULL, x'', x''",
    "dead": f"{OF_LEASED}, NULL, died_at, CAST(reason AS BLOB), code, CAST(message AS BLOB), CAST(request_id AS BLOB)",
    "delivered": f"{OF_LEASED}, NULL, delivered_at, x'', NULL, x'', CAST(request_id AS BLOB)",
}
PLACE: Final[dict[State, str]] = {"waiting": "id", "dead": "id", "delivered": "n"}
"""The tables of events in the order in which one moves through them, and the column of each that is its order."""


def about(state: State, statement: str) -> str:
    """Write a statement about one of the tables of events.

    >>> about("delivered", "SELECT max(PLACE) FROM EVENTS")
    'SELECT max(n) FROM delivered'
    """
    return statement.replace("EVENTS", state).replace("PLACE", PLACE[state])


class _Stored(NamedTuple):
    """The columns of _WHAT."""

    key: Any
    destination: Any
    code: Any
    event: Any
    event_id: Any
    body: Any
    form: Any
    checksum: Any
    received_at: Any
    attempts: Any
    unknown_since: Any
    replayed_at: Any
    calls: Any

    def is_sound(self) -> bool:
        """Say whether its bytes are those that were stored, in a format this version can read."""
        return (
            self.form in {FORMAT, FORMAT_WITHOUT_DESTINATION}
            and isinstance(self.key, int)
            and all(isinstance(part, bytes) for part in (*self._texts(), self.body, self.calls))
            and isinstance(self.received_at, float)
            and isinstance(self.attempts, int)
            and isinstance(self.unknown_since, float | None)
            and isinstance(self.replayed_at, float | None)
            and _checksum(*self._covered()) == self.checksum
        )

    def _texts(self) -> tuple[Any, ...]:
        return self.destination, self.code, self.event, self.event_id

    def _covered(self) -> tuple[bytes, ...]:
        """What its checksum covers."""
        texts = self._texts()
        return (*(texts[1:] if self.form == FORMAT_WITHOUT_DESTINATION else texts), self.body)


_WIDTH: Final = len(_Stored._fields)


def read_leased(row: Row) -> tuple[Leased, bytes] | None:
    """Read one row of OF_LEASED and the calls it was part of; None when it is damaged."""
    stored = _Stored(*row)
    if not stored.is_sound():
        return None
    leased = Leased(
        key=stored.key,
        event=stored.event.decode(),
        event_id=EventId(stored.event_id.decode()),
        body=stored.body,
        received_at=stored.received_at,
        replayed_at=stored.replayed_at,
        attempts=stored.attempts,
        unknown_since=stored.unknown_since,
        test_event_code=stored.code.decode(),
    )
    return leased, stored.calls


def read_entry(state: State, row: Row) -> tuple[Entry, bytes]:
    """Read one row of OF_ENTRY as far as it can be read, with its body, and the calls it was part of."""
    stored = _Stored(*row[:_WIDTH])
    not_before, ended_at, reason, code, message, request_id = row[_WIDTH:]
    texts = (reason, message, request_id)
    entry = Entry(
        key=stored.key if isinstance(stored.key, int) else 0,
        state=state,
        destination=DestinationName(text_of(stored.destination)),
        event=text_of(stored.event),
        event_id=EventId(text_of(stored.event_id)),
        received_at=_seconds(stored.received_at) or 0.0,
        replayed_at=_seconds(stored.replayed_at),
        ended_at=_seconds(ended_at),
        not_before=_seconds(not_before),
        unknown_since=_seconds(stored.unknown_since),
        damaged=not (stored.is_sound() and all(isinstance(text, bytes) for text in texts)),
        attempts=stored.attempts if isinstance(stored.attempts, int) else 0,
        reason=text_of(reason),
        code=code if isinstance(code, int) else None,
        message=text_of(message),
        request_id=text_of(request_id),
        test_event_code=text_of(stored.code),
        body=stored.body if isinstance(stored.body, bytes) else text_of(stored.body).encode(),
    )
    return entry, stored.calls if isinstance(stored.calls, bytes) else b""


def text_of(value: Any) -> str:
    """A text as far as it can be read."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def checksum_of(record: Record) -> int:
    """Cover where it goes, what is sent and what is shown."""
    texts = (record.destination, record.test_event_code, record.event, record.event_id)
    return _checksum(*(text.encode() for text in texts), record.body)


def checksum_of_leased(destination: str, leased: Leased) -> int:
    """As that of its record."""
    texts = (destination, leased.test_event_code, leased.event, leased.event_id)
    return _checksum(*(text.encode() for text in texts), leased.body)


def _checksum(*stored: bytes) -> int:
    """Add up parts in their order. Files of version 1 have no test code, and an empty one changes nothing.

    >>> _checksum(b"", b"Lead", b"e1", b"{}") == _checksum(b"Lead", b"e1", b"{}")
    True
    """
    found = 0
    for part in stored:
        found = zlib.crc32(part, found)
    return found


def pack(keys: list[int]) -> bytes:
    """Write numbers of rows, eight bytes each.

    >>> unpack(pack([3, 1795312345250001]))
    [3, 1795312345250001]
    """
    return b"".join(key.to_bytes(KEY_BYTES, "big", signed=True) for key in keys)


def unpack(packed: Any) -> list[int]:
    """Read numbers of rows as far as they can be read."""
    if not isinstance(packed, bytes):
        return []
    whole = len(packed) - len(packed) % KEY_BYTES
    return [int.from_bytes(packed[i : i + KEY_BYTES], "big", signed=True) for i in range(0, whole, KEY_BYTES)]


def with_calls(before: bytes, calls: bytes) -> bytes:
    """Add calls to those an event was part of, of which the last few are kept."""
    return (before + calls)[-MOST_CALLS_KEPT * KEY_BYTES :]
