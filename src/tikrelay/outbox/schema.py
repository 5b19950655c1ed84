"""The tables of an outbox file, and how an older file becomes a newer one.

Each step of MIGRATIONS runs in a transaction of its own together with the new number, so a crash between two statements
leaves the older file as it was. Keys are the time of receipt in microseconds, counted up where two fall together: rows
are appended in order, which is what SQLite is fastest at.
"""

from typing import Final

import apsw

from tikrelay.base.errors import OutboxBroken

APPLICATION_ID: Final = 0x74696B72  # "tikr", as file(1) shows it
PAGE_SIZE: Final = 8192
CHECKPOINT_PAGES: Final = 250  # larger lets the slowest commits grow faster than throughput (bench)
FORMAT: Final = 1  # of the stored bodies

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE waiting (
            id            INTEGER PRIMARY KEY,
            destination   TEXT NOT NULL,
            event         TEXT NOT NULL,
            event_id      TEXT NOT NULL,
            format        INTEGER NOT NULL,
            checksum      INTEGER NOT NULL,
            body          BLOB NOT NULL,
            received_at   REAL NOT NULL,
            not_before    REAL NOT NULL DEFAULT 0,
            attempts      INTEGER NOT NULL DEFAULT 0,
            unknown_since REAL
        ) STRICT
        """,
        "CREATE INDEX waiting_due ON waiting (destination, not_before)",
        """
        CREATE TABLE dead (
            id            INTEGER PRIMARY KEY,
            destination   TEXT NOT NULL,
            event         TEXT NOT NULL,
            event_id      TEXT NOT NULL,
            format        INTEGER NOT NULL,
            checksum      INTEGER NOT NULL,
            body          BLOB NOT NULL,
            received_at   REAL NOT NULL,
            died_at       REAL NOT NULL,
            attempts      INTEGER NOT NULL,
            unknown_since REAL,
            reason        TEXT NOT NULL,
            code          INTEGER,
            message       TEXT NOT NULL,
            request_id    TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE counts (
            kind        TEXT NOT NULL,
            destination TEXT NOT NULL,
            first       TEXT NOT NULL,
            second      TEXT NOT NULL,
            n           INTEGER NOT NULL,
            PRIMARY KEY (kind, destination, first, second)
        ) STRICT, WITHOUT ROWID
        """,
    ),
)

VERSION: Final = len(MIGRATIONS)


def prepare(connection: apsw.Connection) -> None:
    """Set up the connection and bring the file to VERSION. Raises OutboxBroken for a file that is not ours or is newer."""
    connection.set_busy_timeout(2000)
    version = connection.pragma("user_version")
    if version > VERSION:
        what = f"{connection.filename} was written by a newer tikrelay (format {version}, this one knows {VERSION})"
        raise OutboxBroken(what, hint="install that version again, or give this one its own outbox.url")
    if not version:
        _refuse_foreign(connection)
        connection.pragma("page_size", PAGE_SIZE)
        connection.pragma("auto_vacuum", 2)  # incremental; takes hold only before the first table
        connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)  # FULL: every commit is synced, or a 2xx would be a promise the disk never made
    connection.pragma("secure_delete", 1)  # delivered events do not linger in free pages
    connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
    connection.pragma("journal_size_limit", 64 * 1024 * 1024)
    migrate(connection, MIGRATIONS)


def _refuse_foreign(connection: apsw.Connection) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_schema").get:
        hint = "move the file away, or choose another outbox.url"
        raise OutboxBroken(f"{connection.filename} is a database of another program", hint=hint)


def migrate(connection: apsw.Connection, migrations: tuple[tuple[str, ...], ...]) -> None:
    """Apply the steps the file does not have yet."""
    for number in range(connection.pragma("user_version"), len(migrations)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[number]:
                connection.execute(statement)
            connection.pragma("user_version", number + 1)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
