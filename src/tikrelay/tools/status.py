"""What the running server received, delivered, holds and gave up on, on one screen."""

from collections.abc import Iterator
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tikrelay.base.shown import one_line
from tikrelay.outbox.store import DeadReason
from tikrelay.tiktok.answers import explain_pause
from tikrelay.tools.admin_client import AdminClient
from tikrelay.tools.operator import read_to_look
from tikrelay.tools.screen import screen
from tikrelay.watch.operations import EventPage, EventRow
from tikrelay.watch.status import Counts, DestinationStatus, Status

_COLUMNS: Final = Counts.__struct_fields__
_DEAD_SHOWN: Final = 10
_URGENCY: Final = {"now": "act now", "soon": "look soon"}


def show_status(config: str | None, *, as_json: bool) -> int:
    """Print the books; exit code 1 when there is a trouble, such as a destination that is paused or failing."""
    client = AdminClient(read_to_look(config).config.server)
    raw, status = client.get("/api/status", Status)
    if as_json:
        print(msgspec.json.format(raw, indent=2).decode(errors="replace"))
    else:
        _, letters = client.get("/api/events", EventPage, {"state": "dead", "most": _DEAD_SHOWN})
        _print(status, letters.events)
    return 1 if status.troubles or not all(map(_is_well, status.destinations.values())) else 0


def _is_well(row: DestinationStatus) -> bool:
    """A destination that was removed from the settings is well when nothing waits for it."""
    return row.state == "flowing" or (row.state == "removed" and not row.waiting)


def _print(status: Status, dead_letters: list[EventRow]) -> None:
    console = screen()
    with console.capture() as shown:
        _print_all_but_letters(console, status)
    print(shown.get(), end="")
    room = console.height - shown.get().count("\n") - 2  # for the line that says how many more, and the prompt
    fitting = dead_letters[: max(0, room)]
    for letter in fitting:
        said = f" {letter.code} {letter.message}" if letter.code is not None else ""
        line = f"dead: {letter.event} {letter.event_id}: {letter.reason}{said}"
        console.print(one_line(line), no_wrap=True, overflow="ellipsis")
    if (more := status.books.dead - len(fitting)) > 0:
        console.print(f"{more}{' more' if fitting else ''} dead: tikrelay events --state dead")


def _print_all_but_letters(console: Console, status: Status) -> None:
    table = Table("destination", *_COLUMNS, "state", box=None, pad_edge=False)
    for name, row in status.destinations.items():
        table.add_row(name, *(str(getattr(row, column)) for column in _COLUMNS), row.state)
    console.print(table)
    for line in _what_is_wrong(status):
        console.print(one_line(line))
    books = status.books
    parts = " + ".join(f"{getattr(books, column)} {column}" for column in _COLUMNS[1:])
    console.print(f"\n{books.received} received = {parts}")
    if len(status.destinations) > 1:
        console.print("each destination counts for itself: one event counts once for each of them")
    for name, row in status.destinations.items():
        if row.dead_reasons:
            console.print(one_line(f"dead for {name}: {_most_first(row.dead_reasons)}"))
        if row.dead_reasons.get(DeadReason.DAMAGED):
            console.print(
                "damaged: not as stored, or lost with a damaged file; `tikrelay events` cannot list what is lost"
            )
        if row.drop_reasons:
            console.print(one_line(f"dropped for {name}: {_most_first(row.drop_reasons)}"))
    if status.refused:
        console.print(one_line(f"refused since the server began: {_most_first(status.refused)}"))
    if missing := sorted(set(status.uncounted) - set(status.damaged)):
        files = ", ".join(missing)
        console.print(f"not in these sums: {files} (a worker is starting, or takes them over in a moment)")


def _what_is_wrong(status: Status) -> Iterator[str]:
    """Each trouble with what to do about it, and why a destination does not flow where no trouble tells it."""
    for trouble in status.troubles:
        yield f"{_URGENCY[trouble.level]}: {trouble.what}; {trouble.hint}"
    told = {trouble.about for trouble in status.troubles}
    for name, row in status.destinations.items():
        if row.reason and name not in told:
            words = explain_pause(row.reason)
            yield f"{name} is {row.state}{f' ({row.reason})' if words != row.reason else ''}: {words}"


def _most_first(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
