"""What the running server received, delivered, holds and gave up on, on one screen."""

import os
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tikrelay.app.load import read_settings
from tikrelay.base.shown import one_line
from tikrelay.tiktok.answers import explain_pause
from tikrelay.tools.admin_client import AdminClient
from tikrelay.watch.operations import EventPage, EventRow

_COLUMNS: Final = ("received", "accepted", "waiting", "dead", "dropped")
_DEAD_SHOWN: Final = 10


class _Counts(msgspec.Struct, frozen=True):
    """The columns."""

    received: int
    accepted: int
    waiting: int
    dead: int
    dropped: int


class _Row(_Counts, frozen=True):
    """What is shown of a destination."""

    state: str
    reason: str
    drop_reasons: dict[str, int] = {}


class _Status(msgspec.Struct, frozen=True):
    """What is read of ``/api/status``."""

    destinations: dict[str, _Row]
    books: _Counts
    uncounted: list[str]
    damaged: list[str] = []
    refused: dict[str, int] = {}


def show_status(config: str | None, *, as_json: bool) -> int:
    """Print the books; exit code 1 when a destination is paused or failing."""
    client = AdminClient(read_settings(config, os.environ, to_send=False).config.server)
    raw, status = client.get("/api/status", _Status)
    if as_json:
        print(msgspec.json.format(raw, indent=2).decode(errors="replace"))
    else:
        _, letters = client.get("/api/events", EventPage, {"state": "dead", "most": _DEAD_SHOWN})
        _print(status, letters.events)
    return 0 if all(_is_well(row) for row in status.destinations.values()) else 1


def _is_well(row: _Row) -> bool:
    """A destination that was removed from the settings is well when nothing waits for it."""
    return row.state == "flowing" or (row.state == "removed" and not row.waiting)


def _print(status: _Status, dead_letters: list[EventRow]) -> None:
    console = Console(highlight=False, markup=False)
    table = Table("destination", *_COLUMNS, "state", box=None, pad_edge=False)
    for name, row in status.destinations.items():
        words = explain_pause(row.reason)
        code = f" ({row.reason})" if words != row.reason else ""
        state = f"{row.state}{code}: {words}" if row.reason else row.state
        table.add_row(name, *(str(getattr(row, column)) for column in _COLUMNS), one_line(state))
    console.print(table)
    books = status.books
    parts = " + ".join(f"{getattr(books, column)} {column}" for column in _COLUMNS[1:])
    console.print(f"\n{books.received} received = {parts}")
    if len(status.destinations) > 1:
        console.print("each destination counts for itself: one event counts once for each of them")
    for name, row in status.destinations.items():
        if row.drop_reasons:
            console.print(one_line(f"dropped for {name}: {_most_first(row.drop_reasons)}"))
    if status.refused:
        console.print(one_line(f"refused since the server began: {_most_first(status.refused)}"))
    for file in status.damaged:
        console.print(f"damaged: {file} is set aside with what waits in it; see docs/troubleshooting.md")
    if missing := sorted(set(status.uncounted) - set(status.damaged)):
        files = ", ".join(missing)
        console.print(f"not in these sums: {files} (a worker is starting, or takes them over in a moment)")
    for letter in dead_letters:
        said = f" {letter.code} {letter.message}" if letter.code is not None else ""
        console.print(one_line(f"dead: {letter.event} {letter.event_id}: {letter.reason}{said}"))


def _most_first(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
