"""The tables of an outbox file, and how an older file becomes a newer one.

Each step of MIGRATIONS runs in a transaction of its own together with the new number, so a crash between two statements
leaves the older file as it was. Keys are the time of receipt in microseconds, counted up where two fall together: rows
are appended in order, which is what SQLite is fastest at.

``waiting_due`` finds the due events of one test code, and those without one; ``waiting_tests``, which holds nothing
else, finds the code that has been due for longest.

``delivered`` is appended in the order of delivery and cut at its beginning, so it needs no index. ``calls`` of an event
holds the ids of the last calls it was part of, eight bytes each, the youngest last; ``keys`` of ``begun`` likewise the
ids of events.

``figures``, ``tallies`` and ``traces`` stand beside the events: they may be lost before one of those is. ``span`` is
3600 or 86400, ``at`` the Unix second at which the hour or day begins; ``id`` of a trace is that of its event.
"""

from typing import Final

from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.base.failpoints import passing
from tikrelay.outbox.database import Database

APPLICATION_ID: Final = 0x74696B72  # "tikr", as file(1) shows it
PAGE_SIZE: Final = 8192
FORMAT: Final = 2
"""Of the stored bodies, and of what their checksum covers. Rows of an older format stay as they are."""
FORMAT_WITHOUT_DESTINATION: Final = 1
"""Its checksum leaves the destination out."""

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
    (
        "ALTER TABLE waiting ADD COLUMN test_event_code TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE dead ADD COLUMN test_event_code TEXT NOT NULL DEFAULT ''",
        "DROP INDEX waiting_due",
        "CREATE INDEX waiting_due ON waiting (destination, test_event_code, not_before)",
        "CREATE INDEX waiting_tests ON waiting (destination, not_before) WHERE test_event_code <> ''",
    ),
    (
        "ALTER TABLE waiting ADD COLUMN replayed_at REAL",
        "ALTER TABLE waiting ADD COLUMN calls BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE dead ADD COLUMN replayed_at REAL",
        "ALTER TABLE dead ADD COLUMN calls BLOB NOT NULL DEFAULT x''",
        """
        CREATE TABLE delivered (
            n               INTEGER PRIMARY KEY,
            id              INTEGER NOT NULL,
            destination     TEXT NOT NULL,
            test_event_code TEXT NOT NULL,
            event           TEXT NOT NULL,
            event_id        TEXT NOT NULL,
            format          INTEGER NOT NULL,
            checksum        INTEGER NOT NULL,
            body            BLOB NOT NULL,
            received_at     REAL NOT NULL,
            delivered_at    REAL NOT NULL,
            attempts        INTEGER NOT NULL,
            unknown_since   REAL,
            replayed_at     REAL,
            request_id      TEXT NOT NULL,
            calls           BLOB NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE calls (
            id          INTEGER PRIMARY KEY,
            destination TEXT NOT NULL,
            began_at    REAL NOT NULL,
            events      INTEGER NOT NULL,
            outcome     TEXT NOT NULL,
            status      INTEGER,
            code        INTEGER,
            message     TEXT NOT NULL,
            request_id  TEXT NOT NULL,
            seconds     REAL NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE begun (
            lease       INTEGER PRIMARY KEY,
            destination TEXT NOT NULL,
            at          REAL NOT NULL,
            keys        BLOB NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE figures (
            span         INTEGER NOT NULL,
            at           INTEGER NOT NULL,
            destination  TEXT NOT NULL,
            event        TEXT NOT NULL,
            received     INTEGER NOT NULL,
            accepted     INTEGER NOT NULL,
            email        INTEGER NOT NULL,
            phone        INTEGER NOT NULL,
            external_id  INTEGER NOT NULL,
            ttclid       INTEGER NOT NULL,
            ttp          INTEGER NOT NULL,
            ip_and_agent INTEGER NOT NULL,
            own_id       INTEGER NOT NULL,
            number_id    INTEGER NOT NULL,
            PRIMARY KEY (span, at, destination, event)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE tallies (
            span        INTEGER NOT NULL,
            at          INTEGER NOT NULL,
            destination TEXT NOT NULL,
            event       TEXT NOT NULL,
            kind        TEXT NOT NULL,
            what        TEXT NOT NULL,
            n           INTEGER NOT NULL,
            PRIMARY KEY (span, at, destination, event, kind, what)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE TABLE traces (id INTEGER PRIMARY KEY, trace BLOB NOT NULL) STRICT",
    ),
)

VERSION: Final = len(MIGRATIONS)


def prepare(database: Database) -> None:
    """Set up the connection and bring the file to VERSION. Raises OutboxBroken when it is not ours, or newer."""
    _refuse_foreign(database)
    version = database.pragma("user_version")
    if version > VERSION:
        what = f"{database.path} was written by a newer tikrelay (format {version}, this one knows {VERSION})"
        raise OutboxBroken(what, hint="install that version again, or give this one its own outbox.url")
    if not version:
        database.pragma("page_size", PAGE_SIZE)
        database.pragma("auto_vacuum", 2)  # incremental; takes hold only before the first table
        database.pragma("application_id", APPLICATION_ID)
    mode = database.pragma("journal_mode", "wal")
    if mode != "wal":
        what = f"{database.path}: its disk does not let SQLite keep a write-ahead log (journal_mode {mode})"
        raise OutboxUnavailable(what, hint="choose an outbox.url on a local disk")
    database.pragma("synchronous", 2)  # FULL: every commit is synced, or a 2xx would be a promise the disk never made
    database.pragma("secure_delete", 1)  # delivered events do not linger in free pages
    database.pragma("journal_size_limit", 64 * 1024 * 1024)
    migrate(database, MIGRATIONS)


def _refuse_foreign(database: Database) -> None:
    if database.pragma("application_id") == APPLICATION_ID:
        return
    if database.value("SELECT count(*) FROM sqlite_schema"):
        hint = "move the file away, or choose another outbox.url"
        raise OutboxBroken(f"{database.path} is a database of another program", hint=hint)


def migrate(database: Database, migrations: tuple[tuple[str, ...], ...]) -> None:
    """Apply the steps the file does not have yet."""
    for number in range(database.pragma("user_version"), len(migrations)):
        database.run("BEGIN IMMEDIATE")
        try:
            for statement in migrations[number]:
                database.run(statement)
                passing("in_migration")
            database.pragma("user_version", number + 1)
            database.run("COMMIT")
        except BaseException:
            database.roll_back()
            raise
