"""``tikrelay events --follow``: events as they come, and what becomes of each, a line for each, until Ctrl-C.

The running server is asked once a second over its admin port; what it tells is what the console's Live page shows.
"""

import os
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import Final

import msgspec

from tikrelay.base.shown import one_line
from tikrelay.tools.admin_client import AdminClient, NotRunningError
from tikrelay.tools.events import WrongOptionError
from tikrelay.tools.operator import read_to_look
from tikrelay.watch.operations import EventQuery, LiveRow, LiveRows

_EVERY_S: Final = 1.0
_REMEMBERED: Final = 2000
_COLUMNS: Final = {"ref": 21, "received": 20, "state": 11, "destination": 12, "event": 18, "event_id": 22, "why": 0}
"""The columns of the list with their least widths: what is wider pushes the others, so that nothing is cut."""


def follow_events(config: str | None, query: EventQuery, *, as_json: bool) -> int:
    """Print what is new, until Ctrl-C; exit code 0 when nobody reads any more.

    Raises NotRunningError, RefusedError, WrongOptionError.
    """
    if query.text or query.code is not None:
        raise WrongOptionError("what comes cannot be chosen by --text or --code", hint="leave out --follow")
    client = AdminClient(read_to_look(config).config.server)
    already = Already()
    fresh = _look(client, "")
    rows = chosen(already.leave_out(fresh.rows), query)[-query.most :]
    try:
        if not as_json:
            _print(_line(*_COLUMNS))
        while True:
            for row in rows:
                _print(msgspec.json.encode(row).decode() if as_json else line_of(row))
            time.sleep(_EVERY_S)
            fresh = _look_until_it_answers(client, fresh.cursor)
            if fresh.skipped:
                print(f"{fresh.skipped} more came than are told of", file=sys.stderr)
            rows = chosen(already.leave_out(fresh.rows), query)
    except BrokenPipeError:  # head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class Already:
    """What was told of the newest events: a server that has just begun tells of them again."""

    def __init__(self) -> None:
        self._rows: dict[str, LiveRow] = {}

    def leave_out(self, rows: list[LiveRow]) -> list[LiveRow]:
        """Those rows that say something new.

        >>> row = LiveRow(at=1.0, ref="000-1", verdict="waiting")
        >>> already = Already()
        >>> [len(already.leave_out([row])) for _ in range(2)]
        [1, 0]
        """
        new = [row for row in rows if not row.ref or self._rows.get(row.ref) != row]
        self._rows |= {row.ref: row for row in new}
        while len(self._rows) > _REMEMBERED:
            del self._rows[next(iter(self._rows))]
        return new


def chosen(rows: list[LiveRow], query: EventQuery) -> list[LiveRow]:
    """Those rows that match a query; ``received_to`` is not looked at.

    >>> rows = [LiveRow(at=1.0, verdict="dead", event="Lead", why="refused: no"), LiveRow(at=2.0, verdict="waiting")]
    >>> [row.at for row in chosen(rows, EventQuery(reason="refused"))], [row.at for row in chosen(rows, EventQuery())]
    ([1.0], [1.0, 2.0])
    """

    def matches(row: LiveRow) -> bool:
        pairs = (
            (query.state, row.verdict),
            (query.destination, row.destination),
            (query.event, row.event),
            (query.event_id, row.event_id),
            (query.reason, row.why.partition(":")[0]),
        )
        return row.at >= (query.received_from or 0.0) and all(wanted in {None, "", given} for wanted, given in pairs)

    return [row for row in rows if matches(row)]


def _look(client: AdminClient, cursor: str) -> LiveRows:
    return client.get("/api/live", LiveRows, {"cursor": cursor})[1]


def _look_until_it_answers(client: AdminClient, cursor: str) -> LiveRows:
    """Ask again while no server answers, as between a stop and a start."""
    said = False
    while True:
        try:
            return _look(client, cursor)
        except NotRunningError as error:
            if not said:
                print(f"{error.what}; asking again every second", file=sys.stderr)
            said = True
        time.sleep(_EVERY_S)


def line_of(row: LiveRow) -> str:
    """Write one row under the columns.

    >>> line_of(LiveRow(at=0.0, ref="000-1", destination="shop", event="Lead", event_id="e", verdict="waiting"))
    '000-1                  1970-01-01 00:00:00Z  waiting      shop          Lead                e'
    """
    received = f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%d %H:%M:%S}Z"
    why = f"({row.why})" if row.why else ""
    return _line(row.ref, received, row.verdict, row.destination, row.event or row.given, row.event_id, why)


def _line(*cells: str) -> str:
    padded = (one_line(cell).ljust(width) for cell, width in zip(cells, _COLUMNS.values(), strict=True))
    return "  ".join(padded).rstrip()


def _print(line: str) -> None:
    """Print at once; a terminal shows one line for each event, a pipe gets all of it."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(line[:width], flush=True)
