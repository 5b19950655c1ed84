"""How the demo looks on a terminal."""

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from rich.console import Console
from rich.text import Text

from tikrelay.tools.demo.stage import Stage
from tikrelay.tools.demo.visit import Step

_HASH: Final = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
_UNTOLD: Final = frozenset({"v", "cid", "sid", "_p", "_s", "richsstsse", "ul"})  # on every hit, and of no interest here
_GROUPS: Final = ("user", "page", "properties", "device")
_LONGEST: Final = 110


class Show:
    """Prints what happens."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, soft_wrap=True)
        self._number = 0

    def begin(self, stage: Stage) -> None:
        """Say what runs where."""
        self._line(f"sandbox (TikTok's place)  {stage.sandbox}")
        self._line(f"gateway                   {stage.collect}   admin {stage.admin}")
        self._line("Person data is shown here because it is the demo's own; hashes are shortened to 8 digits.")

    def step(self, step: Step) -> None:
        """Head one request and show what came in."""
        self._number += 1
        self._line("")
        self._line(f"{self._number}. {step.title}", style="bold")
        url = urlsplit(step.path)
        self._line(f"   in      {step.method} {url.path}")
        told = {key: value for key, value in parse_qsl(url.query) if key not in _UNTOLD}
        self._pairs(told)
        for line in step.body.splitlines():
            if line.startswith(("{", "[")):
                self._line(f"           {_cut(line)}")
            else:
                self._pairs(dict(parse_qsl(line)))

    def event(self, event: dict[str, Any], *, code: int, message: str, request_id: str) -> None:
        """Show one TikTok event and the answer to its call."""
        self._line(f"   TikTok  {event['event']}  event_id {event['event_id']}  event_time {event['event_time']}")
        for group in _GROUPS:
            if group in event:
                self._line(f"           {group} {_short(event[group])}")
        self._line(f"   answer  code {code} {message}  request_id {request_id}", style="green" if code == 0 else "red")

    def dropped(self, count: int) -> None:
        """Say that events were dropped by a rule."""
        self._line(f"   dropped {count} (GA4's own housekeeping; counted, not sent)", style="dim")

    def search(self, calls: list[dict[str, Any]]) -> None:
        """Show how the bad event of a batch was found."""
        for call in calls:
            events = "1 event" if call["events"] == 1 else f"{call['events']} events"
            words = f"{events} -> code {call['code']} {call['message']}"
            self._line(f"   call    {words}", style="green" if call["code"] == 0 else "red")

    def dead(self, letter: dict[str, Any]) -> None:
        """Show one dead letter."""
        self._line(
            f"   dead    {letter['event_id']}: {letter['reason']}, code {letter['code']}: {letter['words']}",
            style="red",
        )
        self._line(f"           TikTok said: {letter['message']}  request_id {letter['request_id']}")

    def sums(self, books: dict[str, int], *, as_expected: bool) -> None:
        """End with one line of sums."""
        parts = " + ".join(f"{books[name]} {name}" for name in ("accepted", "waiting", "dead", "dropped"))
        self._line("")
        verdict = "all of it came true" if as_expected else "this is NOT what should have happened"
        self._line(
            f"{books['received']} received = {parts}   ({verdict})", style="bold green" if as_expected else "bold red"
        )

    def missing(self, text: str) -> None:
        """Say what did not happen."""
        self._line(f"   MISSING {text}", style="bold red")

    def invite(self, stage: Stage, purchase: Step) -> None:
        """Print lines to play with."""
        self._line("")
        self._line("It stays up. Try:", style="bold")
        self._line(f"  curl -i '{stage.collect}{purchase.path.replace('R-1001', 'R-2001')}'")
        self._line(
            f"  curl -s {stage.collect}/data -H 'Content-Type: application/json' "
            '-d \'{"event_name":"purchase","transaction_id":"R-2002","value":"14,90","currency":"EUR"}\''
        )
        self._line(f"  curl -s '{stage.admin}/api/status'")
        self._line(f"  open {stage.sandbox}/   what TikTok's end received")
        self._line("Ctrl-C ends it.")

    def _pairs(self, pairs: dict[str, str]) -> None:
        line = "          "
        for key, value in pairs.items():
            part = f" {key}={value}"
            if len(line) + len(part) > _LONGEST and line.strip():
                self._line(line)
                line = "          "
            line += part
        if line.strip():
            self._line(line)

    def _line(self, text: str, *, style: str = "") -> None:
        self._console.print(Text(text, style=style))


def _short(value: Any) -> str:
    return _HASH.sub(r"\1…", json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= 4 * _LONGEST else text[: 4 * _LONGEST] + " …"
