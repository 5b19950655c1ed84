"""One connection to an outbox file, with types.

apsw's stubs let unknown types through (they name a Buffer that Python has from 3.12 on), and what a row holds is known
by its statement alone. Both end here: nothing else in tikrelay runs SQL.

Checkpoints are made by ``checkpoint``, not by SQLite itself: it does them inside a COMMIT, where the caller waits for
them, and says nothing when the disk fails under one.
"""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from tikrelay.base.failpoints import passing

Value = None | int | float | str | bytes
Row = tuple[Any, ...]

_OTHERS_TAKE_AT_MOST_S: Final = 2.0  # with the file, be it a look or a copy, while it is opened or written
_READER_WAITS_MS: Final = 10_000
CHECKPOINT_PAGES: Final = 250  # larger lets the slowest commits grow faster than throughput
_OF_ANOTHER_SCHEMA: Final = ("no such table: ", "no such column: ", " has no column named ")


class Database:
    """A connection to one SQLite file. ``vfs`` names the file system layer SQLite works through; empty is its own."""

    def __init__(self, path: Path, *, vfs: str = "") -> None:
        self.path = path
        self._pages_in_wal = 0
        self._vfs = vfs
        self._connection = apsw.Connection(str(path), vfs=vfs or None)
        self._connection.set_wal_hook(self._note_commit)
        self.wait_for_others(seconds=_OTHERS_TAKE_AT_MOST_S)

    def _note_commit(self, _: apsw.Connection, __: str, pages_in_wal: int) -> int:
        self._pages_in_wal = pages_in_wal
        return apsw.SQLITE_OK

    def run(self, statement: str, bindings: Sequence[Value] = ()) -> None:
        """Run a statement whose rows nobody needs."""
        try:
            self._connection.execute(statement, bindings)  # pyright: ignore[reportUnknownMemberType]  the stubs' Buffer
        except apsw.SQLError as error:
            raise _sharper(error) from None

    def run_many(self, statement: str, each: Iterable[Sequence[Value]]) -> None:
        """Run a statement once for each set of bindings."""
        try:
            self._connection.executemany(statement, each)  # pyright: ignore[reportUnknownMemberType]  the stubs' Buffer
        except apsw.SQLError as error:
            raise _sharper(error) from None

    def rows(self, statement: str, bindings: Sequence[Value] = ()) -> list[Row]:
        """Run a statement to its end."""
        try:
            found: Iterable[Row] = self._connection.execute(statement, bindings)  # pyright: ignore[reportUnknownMemberType]
            return list(found)
        except apsw.SQLError as error:
            raise _sharper(error) from None

    def each(self, statement: str, bindings: Sequence[Value] = ()) -> Generator[Row, None, None]:
        """Run a statement row by row, as far as its reader goes; close it before anything is written."""
        cursor = self._connection.cursor()
        try:
            found: Iterable[Row] = cursor.execute(statement, bindings)  # pyright: ignore[reportUnknownMemberType]
            yield from found
        except apsw.SQLError as error:
            raise _sharper(error) from None
        finally:
            cursor.close()

    def value(self, statement: str, bindings: Sequence[Value] = ()) -> Any:
        """The first column of the first row, or None."""
        rows = self.rows(statement, bindings)
        return rows[0][0] if rows else None

    def pragma(self, name: str, value: int | str | None = None) -> Any:
        """Read a pragma, or set it and read what it became."""
        arguments = () if value is None else (value,)
        return self._connection.pragma(name, *arguments)  # pyright: ignore[reportUnknownMemberType]  the stubs' Buffer

    def wait_for_others(self, *, seconds: float) -> None:
        """Wait this long for a lock that another program holds."""
        self._connection.set_busy_timeout(int(seconds * 1000))

    def roll_back(self) -> None:
        """End a transaction, if one is open, as if it had never begun."""
        if self._connection.in_transaction:
            self.run("ROLLBACK")

    def checkpoint_is_due(self) -> bool:
        """Say whether the log has grown long."""
        return self._pages_in_wal >= CHECKPOINT_PAGES

    def checkpoint(self) -> None:
        """Carry what the log holds into the file."""
        self._pages_in_wal = 0
        passing("in_checkpoint")
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def empty_log(self) -> None:
        """Carry the whole log into the opened file, wherever that lies now, and leave none to another's file."""
        self._pages_in_wal = 0
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def frames_in_log(self) -> int:
        """How many frames of its log SQLite reads."""
        self.pragma("user_version")  # only now SQLite looks at the log
        return max(0, self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0])

    @contextlib.contextmanager
    def raw(self) -> Generator[apsw.VFSFile, None, None]:
        """The file as its layer has it. Opened by SQLite itself: else closing it would drop the locks on it."""
        flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0]
        file = apsw.VFSFile(self._vfs, str(self.path), flags)
        try:
            yield file
        finally:
            file.xClose()

    def forget_pages(self) -> None:
        """Keep no copies of the file's pages in memory."""
        self.run("PRAGMA shrink_memory")

    def become_copy_of(self, source: Path) -> None:
        """Hold what another file holds at one moment. It is only read, and may be in use by another process."""
        reader = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            reader.set_busy_timeout(_READER_WAITS_MS)
            with self._connection.backup("main", reader, "main") as copying:
                copying.step()
        finally:
            reader.close()

    def write_no_more(self) -> None:
        """Leave the log as it is when the connection is closed; the next one to open the file reads it."""
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def close(self) -> None:
        """Carry the log into the file, and let go of both."""
        self._connection.close()


def _sharper(error: apsw.SQLError) -> apsw.Error:
    """Call damage by its name: our statements never change, so a name they do not find there has a flipped byte.

    >>> _sharper(apsw.SQLError("table delivered has no column named calls"))
    CorruptError('table delivered has no column named calls')
    """
    is_of_another_schema = any(words in str(error) for words in _OF_ANOTHER_SCHEMA)
    return apsw.CorruptError(str(error)) if is_of_another_schema else error
