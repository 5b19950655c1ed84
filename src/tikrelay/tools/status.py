"""What the running server received, delivered, holds and gave up on, on one screen."""

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import Final, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from tikrelay.app.load import read_settings
from tikrelay.base.errors import EXIT_TEMPORARY, TikrelayError
from tikrelay.base.shown import one_line
from tikrelay.tiktok.answers import explain_pause

_ANSWER_WITHIN_S: Final = 12
_COLUMNS: Final = ("received", "accepted", "waiting", "dead", "dropped")
_DEAD_SHOWN: Final = 10
_LONGEST_ANSWER_BYTES: Final = 64_000_000
_NO_PROXY: Final = urllib.request.ProxyHandler({})  # the server is on this machine, whatever the environment says
_OTHER_PROGRAM: Final = "look which program has this port; server.admin_port must be that of `tikrelay serve`"


_Answer = TypeVar("_Answer")


class NotRunningError(TikrelayError):
    """No server answers on the admin port."""

    exit_code = EXIT_TEMPORARY


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


class _DeadLetter(msgspec.Struct, frozen=True):
    """What is shown of a dead letter."""

    event: str
    event_id: str
    reason: str
    code: int | None
    message: str


class _DeadLetters(msgspec.Struct, frozen=True):
    """What is read of ``/api/dead``."""

    dead_letters: list[_DeadLetter]


def show_status(config: str | None, *, as_json: bool) -> int:
    """Print the books; exit code 1 when a destination is paused or failing."""
    port = read_settings(config, os.environ, to_send=False).config.server.admin_port
    if port == 0:
        hint = "it stands in the log line `ready`, as admin; run this with TIKRELAY_SERVER_ADMIN_PORT set to it"
        raise NotRunningError("server.admin_port is 0, so the server chose a port when it started", hint=hint)
    raw = _ask_admin(port, "/api/status")
    status = _read(raw, _Status, port)
    if as_json:
        print(json.dumps(msgspec.json.decode(raw), indent=2))
    else:
        letters = _read(_ask_admin(port, f"/api/dead?most={_DEAD_SHOWN}"), _DeadLetters, port)
        _print(status, letters.dead_letters)
    return 0 if all(_is_well(row) for row in status.destinations.values()) else 1


def _is_well(row: _Row) -> bool:
    """A destination that was removed from the settings is well when nothing waits for it."""
    return row.state == "flowing" or (row.state == "removed" and not row.waiting)


def _ask_admin(port: int, path: str) -> bytes:
    """Ask the server that runs on this machine. Raises NotRunningError."""
    url = f"http://127.0.0.1:{port}{path}"
    try:
        with urllib.request.build_opener(_NO_PROXY).open(url, timeout=_ANSWER_WITHIN_S) as answer:
            raw: bytes = answer.read(_LONGEST_ANSWER_BYTES)
            return raw
    except urllib.error.HTTPError as error:
        with error:
            raise NotRunningError(f"{url} answers HTTP {error.code}", hint=_OTHER_PROGRAM) from None
    except (http.client.HTTPException, ValueError):  # a banner, half an answer, a redirect to nowhere
        raise NotRunningError(f"what answers at {url} speaks no HTTP", hint=_OTHER_PROGRAM) from None
    except OSError as error:  # also URLError and TimeoutError
        hint = "is `tikrelay serve` running, with this --config? server.admin_port must be its own"
        raise NotRunningError(f"nothing answers at {url}: {error}", hint=hint) from None


def _read(raw: bytes, kind: type[_Answer], port: int) -> _Answer:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        what = f"what answers at http://127.0.0.1:{port} is not this version of tikrelay"
        raise NotRunningError(what, hint=_OTHER_PROGRAM) from None


def _print(status: _Status, dead_letters: list[_DeadLetter]) -> None:
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
