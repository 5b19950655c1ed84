"""An outbox file as the first version of its tables left it, with events that wait."""

import sqlite3
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

TABLES = Path(__file__).parent.parent / "outbox" / "version-1.sql"
FORMAT = 1
_WAITS = (
    "INSERT INTO waiting (id, destination, event, event_id, format, checksum, body, received_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def write_old_file(path: Path, events: Iterable[tuple[str, str, bytes]], *, destination: str = "shop") -> int:
    """Write events, given as (name, id, body), as waiting ones; returns how many there are."""
    now = time.time()
    with sqlite3.connect(path, isolation_level=None) as database:
        database.executescript(TABLES.read_text())
        database.execute("BEGIN")
        for table in ("waiting", "dead", "counts"):
            database.execute(f"DELETE FROM {table}")
        database.executemany(
            _WAITS,
            (
                (
                    int(now * 1e6) + number,
                    destination,
                    name,
                    event_id,
                    FORMAT,
                    _checksum(name, event_id, body),
                    body,
                    now,
                )
                for number, (name, event_id, body) in enumerate(events)
            ),
        )
        (rows,) = database.execute("SELECT count(*) FROM waiting").fetchone()
        database.execute("INSERT INTO counts VALUES ('received', ?, 'ga4_web', 'purchase', ?)", (destination, rows))
        database.execute("COMMIT")
    database.close()
    path.chmod(0o600)
    return rows


def _checksum(name: str, event_id: str, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(event_id.encode(), zlib.crc32(name.encode())))
