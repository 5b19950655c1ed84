"""What the running server received, delivered, holds and gave up on, on one screen."""

import json
import os
import urllib.error
import urllib.request
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tikrelay.app.load import read_settings
from tikrelay.base.errors import EXIT_TEMPORARY, TikrelayError
from tikrelay.base.shown import one_line
from tikrelay.tiktok.answers import explain_pause

_ANSWER_WITHIN_S: Final = 12
_COLUMNS: Final = ("received", "accepted", "waiting", "dead", "dropped")
_DEAD_SHOWN: Final = 10


class NotRunningError(TikrelayError):
    """No server answers on the admin port."""

    exit_code = EXIT_TEMPORARY


def show_status(config: str | None, *, as_json: bool) -> int:
    """Print the books; exit code 1 when a destination is paused or failing."""
    port = read_settings(config, os.environ, need_destination=False).config.server.admin_port
    status = ask_admin(port, "/api/status")
    if as_json:
        print(json.dumps(status, indent=2))
    else:
        _print(status, ask_admin(port, f"/api/dead?most={_DEAD_SHOWN}")["dead_letters"])
    return 0 if all(row["state"] == "flowing" for row in status["destinations"].values()) else 1


def ask_admin(port: int, path: str) -> dict[str, Any]:
    """Ask the server that runs on this machine. Raises NotRunningError."""
    url = f"http://127.0.0.1:{port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        hint = "is `tikrelay serve` running, with this --config? server.admin_port must be its own"
        raise NotRunningError(f"nothing answers at {url}: {error}", hint=hint) from None


def _print(status: dict[str, Any], dead_letters: list[dict[str, Any]]) -> None:
    console = Console()
    table = Table("destination", *_COLUMNS, "state", box=None, pad_edge=False)
    for name, row in status["destinations"].items():
        state = row["state"] + (f": {explain_pause(row['reason'])}" if row["reason"] else "")
        table.add_row(name, *(str(row[column]) for column in _COLUMNS), state)
    console.print(table)
    books = status["books"]
    parts = " + ".join(f"{books[column]} {column}" for column in _COLUMNS[1:])
    console.print(f"\n{books['received']} received = {parts}", highlight=False)
    if status["uncounted"]:
        files = ", ".join(status["uncounted"])
        console.print(
            f"not in these sums: {files} (a worker is starting, or takes them over in a moment)", highlight=False
        )
    for letter in dead_letters:
        said = f" {letter['code']} {letter['message']}" if letter["code"] is not None else ""
        line = one_line(f"dead: {letter['event']} {letter['event_id']}: {letter['reason']}{said}")
        console.print(line, highlight=False, markup=False)
