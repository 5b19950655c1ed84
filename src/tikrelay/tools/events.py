"""``tikrelay events``: what lies in the outbox, and the whole history of one event."""

import time
from datetime import UTC, datetime
from typing import Final

import msgspec
from rich.table import Table

from tikrelay.base.errors import EXIT_USAGE, TikrelayError
from tikrelay.base.shown import one_line
from tikrelay.base.units import Duration
from tikrelay.outbox.store import DeadReason
from tikrelay.tools.operator import EXIT_NOT_ALL, operator_of, tell_unanswered
from tikrelay.tools.screen import screen
from tikrelay.watch.operations import CallRow, EventPage, EventQuery, EventRow, EventShown

_LONGEST_ID: Final = 40


class WrongOptionError(TikrelayError):
    """An option has a value that it cannot have."""

    exit_code = EXIT_USAGE


def query_of(options: dict[str, object], *, since: str | None) -> EventQuery:
    """Make a query of what the command line says. Raises WrongOptionError."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        if since is not None:
            given["received_from"] = max(0.0, time.time() - Duration.parse(since))
        return msgspec.convert(given, EventQuery)
    except (msgspec.ValidationError, ValueError) as error:
        words = str(error).replace("$.", "--").replace("_", "-")
        raise WrongOptionError(words, hint="see tikrelay events --help") from None


def list_events(config: str | None, query: EventQuery, *, as_json: bool) -> int:
    """Print the newest events that match; exit code 1 when a file could not be asked."""
    operator, _ = operator_of(config, to_look=True)
    page = operator.page(query)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(page), indent=2).decode())
    else:
        _print_page(page, query)
    tell_unanswered(page.unanswered)
    return EXIT_NOT_ALL if page.unanswered else 0


def show_event(config: str | None, ref: str, *, as_json: bool) -> int:
    """Print one event with its history."""
    operator, _ = operator_of(config, to_look=True)
    event = operator.shown(ref)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(event), indent=2).decode())
    else:
        _print_event(event)
    return 0


def print_example(config: str | None, ref: str | None) -> int:
    """Print one event as an example file for ``tikrelay test``."""
    if ref is None:
        raise WrongOptionError("--example is of one event", hint="name it as the list does, such as 000-17")
    operator, _ = operator_of(config, to_look=True)
    print(operator.example(ref), end="")
    return 0


def _print_page(page: EventPage, query: EventQuery) -> None:
    console = screen()
    if not page.events:
        console.print("no event matches")
        if query.reason == DeadReason.DAMAGED:
            console.print("nothing is left to list of events that were lost with a damaged file; status counts them")
        return
    rows = page.events[: query.most]
    table = Table(box=None, pad_edge=False)
    table.add_column("ref", no_wrap=True, min_width=max(len(row.ref) for row in rows))  # commands take it whole
    for name in ("received", "state", "destination", "event", "event_id", "why"):
        table.add_column(name, overflow="fold")
    for row in rows:
        event_id = row.event_id if len(row.event_id) <= _LONGEST_ID else f"{row.event_id[: _LONGEST_ID - 1]}…"
        cells = (row.ref, _when(row.received_at), row.state, row.destination, row.event, event_id, _why(row))
        table.add_row(*map(one_line, cells))
    console.print(table)
    if len(page.events) >= query.most:
        console.print(f"\nthese are the newest {query.most}; --most shows more")


def _print_event(event: EventShown) -> None:
    console = screen()
    console.soft_wrap = True
    lines = {
        "event": f"{event.event} {event.event_id} for {event.destination}",
        "state": f"{event.state} {_why(event)}",
        "received": _when(event.received_at),
        "replayed": _when(event.replayed_at),
        event.state: _when(event.ended_at),
        "test event code": event.test_event_code,
        "attempts": _attempts(event),
        "unknown since": _when(event.unknown_since),
        "next": event.next,
    }
    for name, text in lines.items():
        if text:
            console.print(one_line(f"{name + ':':<17}{text}".rstrip()))
    for number, call in enumerate(event.calls, 1):
        console.print(one_line(f"call {number}:".ljust(17) + _of_call(call)))
    body = bytes(event.body).decode(errors="replace")
    if body == "null":
        console.print("its JSON is not shown, for its bytes are not those that were stored")
    else:
        console.print("its JSON (of the address a part is hidden):")
        console.print(body)


def _attempts(event: EventShown) -> str:
    if event.attempts >= len(event.calls):
        return str(event.attempts)
    return f"{event.attempts}; calls of a pause, of a search for a bad event or before a replay do not count"


def _of_call(call: CallRow) -> str:
    said = f"{call.code} {call.words}" if call.code is not None else f"HTTP {call.status}" if call.status else ""
    parts = (
        f"{_when(call.began_at)}, {call.seconds:.1f} s, {call.events} events",
        call.outcome,
        said,
        call.message,
        f"request {call.request_id}" if call.request_id else "",
    )
    return "; ".join(part for part in parts if part)


def _why(row: EventRow) -> str:
    """Say what is known of why it is in its state."""
    if row.leased:
        return "(on its way)"
    if row.state == "waiting":
        again = row.not_before is not None and row.not_before > time.time()
        return f"(attempts: {row.attempts}, again at {_when(row.not_before)})" if again and row.attempts else ""
    if row.state == "delivered":
        return ""
    said = f" {row.code} {row.words or row.message}" if row.code is not None else ""
    return f"({row.reason}{said})"


def _when(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"
