"""``tikrelay explain``: what a hit becomes, and for each field where it came from and how it was cleaned.

Takes a hit's URL, a JSON body for ``/mp/collect`` or ``/data``, a file with either, or stdin. Nothing is sent.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tikrelay.app.config import Config
from tikrelay.app.load import read_settings
from tikrelay.base.errors import InputRefused
from tikrelay.base.shown import one_line
from tikrelay.collect.query import last_of_each
from tikrelay.mapping.config import MappedDestination
from tikrelay.mapping.explain import FALLBACK_ID, Explanation, explain
from tikrelay.mapping.rules import Rules
from tikrelay.tools.examples import read_example, settings_of
from tikrelay.tools.request import Found, Request, read_request

_MARKS: Final = {"taken": "", "empty": "passed over: nothing usable in it", "unusable": "left out: cannot be read",
                 "withheld": "the sender wants none"}  # fmt: skip
_WIDE: Final = 170  # columns where the output is no terminal
_OWN_ID: Final = "G-EXPLAIN"  # of a body that comes without a URL
_NO_DESTINATION: Final = MappedDestination(event_source_id="-")


def explain_hit(
    hit: str | None,
    *,
    body: str | None,
    config: str | None,
    as_json: bool,
    show_personal_data: bool,
    example: str | None = None,
) -> int:
    """Print the explanation; exit code 0 when the hit holds an event, else 1. Raises InputRefused, ConfigError."""
    if example is not None:
        chosen = read_example(example)
        request, settings = chosen.request, settings_of(chosen)
    else:
        request, settings = _request_of(_given(hit), body), _settings(config)
    found = read_request(request)
    foreign = _foreign_id(request, settings)
    destinations = settings.destinations or (_NO_DESTINATION,)
    explained = [
        (destination, explanation)
        for event in found.events
        for destination in destinations
        for explanation in explain(
            event, _rules(settings, destination), fallback_id=FALLBACK_ID, show_personal_data=show_personal_data
        )
    ]
    if as_json:
        _print_json(found, explained, foreign=foreign)
    else:
        _print(found, explained, several=len(destinations) > 1)
        if foreign:
            print(f"note: these settings turn it away: {one_line(foreign)} is not in sources.measurement_ids")
    return 0 if found.events and not foreign else 1


def _foreign_id(request: Request, settings: Config) -> str:
    """The measurement id of a hit that these settings do not take."""
    query = last_of_each(urlsplit(request.url).query)
    given = query.get("tid") or query.get("measurement_id") or ""
    taken = settings.sources.measurement_ids
    return given if given and given != _OWN_ID and taken and given not in taken else ""


def _settings(config: str | None) -> Config:
    """The shop's settings, when there are any; a destination is not needed to explain."""
    return read_settings(config, os.environ, need_destination=False).config


def _rules(config: Config, destination: MappedDestination) -> Rules:
    return Rules.of(config.mapping, config.privacy, destination, config.rules)


def _given(hit: str | None) -> str:
    """The text itself, or that of a file or of stdin."""
    if hit is None or hit == "-":
        return sys.stdin.read().strip()
    if _is_inline(hit):
        return hit.strip()
    try:
        return Path(hit).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        hint = "give a URL with /g/collect?..., a JSON body, a file that holds one, or - for stdin"
        raise InputRefused(400, "no_hit", f"{hit[:80]!r} is no hit, and no file: {error}", hint=hint) from None


def _is_inline(text: str) -> bool:
    start = text.lstrip()[:1]
    return "?" in text or "://" in text or start in {"{", "["}


def _request_of(text: str, body: str | None) -> Request:
    """Make the request a text stands for: a URL (with what follows it as the body), or JSON."""
    if text[:1] in {"{", "["}:
        return Request(method="POST", url=_route_of_json(text), body=text, headers={"Content-Type": "application/json"})
    url, _, rest = text.partition("\n")
    url = url.strip().removeprefix("curl ").strip().strip("'\"")
    sent = body if body is not None else rest.strip("\r\n")
    if "?" not in url:
        raise InputRefused(400, "no_hit", "this is neither a URL with a query nor JSON", hint="see tikrelay explain -h")
    headers = {"Content-Type": "application/json"} if sent[:1] in {"{", "["} else {}
    return Request(method="POST" if sent else "GET", url=url, body=sent, headers=headers)


def _route_of_json(text: str) -> str:
    """A Measurement Protocol body has a list of events; anything else is event data."""
    try:
        whole: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "/data"
    return f"/mp/collect?measurement_id={_OWN_ID}" if isinstance(whole, dict) and "events" in whole else "/data"


def _print_json(found: Found, explained: list[tuple[MappedDestination, Explanation]], *, foreign: str) -> None:
    document = {
        "events": [
            {"destination": destination.name, **msgspec.to_builtins(explanation)}
            for destination, explanation in explained
        ],
        "turned_away": [*found.turned_away, *(["foreign_measurement_id"] if foreign else [])],
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _print(found: Found, explained: list[tuple[MappedDestination, Explanation]], *, several: bool) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
    for destination, explanation in explained:
        console.print(Text(f"{explanation.name}  ->  {_becomes(explanation)}", style="bold"))
        if several:
            console.print(f"for destination {destination.name}")
        if explanation.tiktok is not None:
            _print_event(console, explanation)
        console.print()
    for reason in found.turned_away:
        console.print(f"turned away: {reason}")
    if not found.events and found.answer:
        console.print(f"no event: it would be answered {found.status}\n{found.answer.decode('utf-8', 'replace')}")


def _becomes(explanation: Explanation) -> str:
    if explanation.tiktok is None:
        return f"dropped: {explanation.dropped}"
    return explanation.tiktok["event"]


def _print_event(console: Console, explanation: Explanation) -> None:
    console.print(json.dumps(explanation.tiktok, indent=2, ensure_ascii=False))
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in ("field", "source", "what came in", "cleaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "field")
    for origin in explanation.origins:
        words = origin.cleaning if origin.outcome == "taken" else _MARKS[origin.outcome]
        style = "" if origin.outcome == "taken" else "dim"
        table.add_row(origin.field, origin.source, one_line(origin.given), words, style=style)
    console.print(table, soft_wrap=False)
    for notice in explanation.notices:
        console.print(f"note: {notice}")
    if explanation.not_sent:
        console.print(f"not sent: {', '.join(one_line(name) for name in explanation.not_sent)}")
