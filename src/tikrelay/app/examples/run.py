"""The example files: a request, the event between, and exactly what becomes of it; test, documentation, demonstration.

A file is TOML: ``title``, optional ``settings``, ``[request]``, and below them what is expected: ``[event]`` and
``[expect]``, or an ``[[expect]]`` for each of several outcomes. Only what a file expects is compared, so a shop's own
may be as short as it likes; the repository's own hold everything. ``text.py`` writes the expected parts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.examples.file import IN_EVENT, Example, read_file
from tikrelay.app.explained import FOREIGN, Explained, explain_hits, rules_of
from tikrelay.app.hits.request import read_requests
from tikrelay.app.hits.text import Hits
from tikrelay.app.load import parse_settings
from tikrelay.base.errors import InputRefused
from tikrelay.event import CLICK_ID, Event
from tikrelay.mapping.convert import plan
from tikrelay.mapping.explain import Explanation, Origin
from tikrelay.mapping.lines import Line, lines_of
from tikrelay.mapping.rules import Plan

RECEIVED_AT: Final = 1795312345.0  # the moment at which every example is received
PAGE: Final = Path("docs/examples.md")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an event of the example became, or why it is dropped. ``event`` counts from 1."""

    event: int
    destination: str
    tiktok: dict[str, Any] | None
    dropped: str
    by: str
    test_event_code: str
    warnings: tuple[str, ...]
    rules: tuple[str, ...]
    sources: Mapping[str, str]
    passed_over: Mapping[str, tuple[str, ...]]
    explanation: Explanation


class Became(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an example's request. ``several``: its outcomes go to more than one destination."""

    events: tuple[dict[str, Any], ...] = ()
    turned_away: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    several: bool = False


# The repository's own.


def folder() -> Path:
    """Where the examples lie in a checkout."""
    return Path(__file__).parents[4] / "examples" / "steps"


def names() -> list[str]:
    """The names of all examples."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def read_example(name: str) -> Example:
    """Read one by its name. Raises InputRefused with the names there are."""
    if name not in names():
        there = names()
        hint = f"there are {', '.join(there)}" if there else "they lie in the repository, not in an installed package"
        raise InputRefused(404, "no_such_example", f"there is no example {name!r}", hint=hint)
    return read_file(folder() / f"{name}.toml")


def settings_of(example: Example) -> Config:
    """The settings an example runs under: the defaults and its own."""
    return parse_settings(example.settings or "", None, {}, to_send=False).config


def run_example(example: Example, config: Config | None = None, *, show_personal_data: bool = False) -> Became:
    """Run the request through collecting and mapping, under its own settings, else those given, else the defaults."""
    settings = settings_of(example) if config is None or example.settings is not None else config
    key = settings.sources.data_key
    found = read_requests([example.request], received_at=RECEIVED_AT, data_key=key)[0]
    hits = Hits((example.request,))
    report = explain_hits(hits, settings, received_at=RECEIVED_AT, show_personal_data=show_personal_data)
    codes = {str(destination.name): destination.test_event_code for destination in settings.destinations}
    rules = {one.destination: one for one in rules_of(settings)}
    outcomes = [
        _outcome(one, plan(found.events[one.event - 1], rules[one.explanation.destination]), codes)
        for one in report.events
    ]
    turned_away = tuple(one.reason for one in report.turned_away)
    if FOREIGN in turned_away:
        return Became(turned_away=turned_away)
    return Became(
        events=tuple(_between(event) for event in found.events),
        turned_away=turned_away,
        outcomes=tuple(outcomes),
        several=len(settings.destinations) > 1,
    )


def _outcome(explained: Explained, planned: Plan, codes: Mapping[str, str]) -> Outcome:
    explanation = explained.explanation
    is_sent = explanation.tiktok is not None
    lines = lines_of(explanation) if is_sent else []
    code = explanation.test_event_code or codes.get(explanation.destination, "")
    return Outcome(
        event=explained.event,
        destination=explanation.destination,
        tiktok=_as_json(explanation.tiktok),
        dropped=explanation.dropped,
        by=explanation.by,
        test_event_code=code if is_sent else "",
        warnings=tuple(f"{one.kind}: {one.field}" if one.field else one.kind for one in explanation.warnings),
        rules=tuple(rule.name for rule in planned.rules),
        sources={line.field: line.source for line in lines if line.is_sent and line.field != "event"},
        passed_over={line.field: words for line in lines if (words := _passed_over(line))},
        explanation=explanation,
    )


def _passed_over(line: Line) -> tuple[str, ...]:
    """The sources that had something; an address without a click id is no news."""
    return tuple(_words(one, line) for one in line.others if not (one.outcome == "empty" and CLICK_ID in one.source))


def _words(origin: Origin, line: Line) -> str:
    """Say why a source is not what is sent; a rule may have taken a value away again."""
    return f"{origin.source}: {line.source if origin.outcome == 'taken' else origin.outcome.replace('_', ' ')}"


def came_from(outcome: Outcome, path: str) -> str:
    """Say where a value of an outcome came from, or why there is none; empty where nothing is known."""
    lines = lines_of(outcome.explanation) if outcome.tiktok is not None else []
    found = [line for line in lines if path == line.field or path.startswith((f"{line.field}.", f"{line.field}["))]
    if not found:
        return ""
    line: Line = found[-1]
    given = f", given {line.taken.given}" if line.taken is not None and line.taken.given else ""
    others = "; ".join(f"{_words(one, line)}, given {one.given}" for one in line.others)
    return line.source + given + (f" ({others})" if others and not line.is_sent else "")


def _between(event: Event) -> dict[str, Any]:
    """What the collector made of a request, without what is empty; source, time and key are the machine's own."""
    whole = _as_json(event)
    visitor = {name: value for name, value in whole["visitor"].items() if value is not None}
    consent = {name: value for name, value in whole["consent"].items() if value}
    whole |= {"visitor": visitor, "consent": consent}
    return {name: whole[name] for name in IN_EVENT if whole[name]}


def _as_json(value: Any) -> Any:
    """Take a value as it goes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(value))


# The page that lists them.

_HEAD: Final = """\
# Examples

<!-- Written by `python -m tikrelay.tools.reference` from examples/steps. Change those, not this page. -->

Each of these is a file in [examples/steps](../examples/steps): the request as it comes in, the event that is read from
it, the exact JSON for TikTok, and for each field of it where it came from. The tests run them all.

`tikrelay explain --example NAME` shows one with every step. How to keep examples of your own shop:
[testing-your-rules.md](testing-your-rules.md).
"""
_GROUPS: Final[Mapping[str, str]] = {
    "name": "Names of events",
    "dropped": "Not sent",
    "x-ttq": "Parameters of TikTok's own: x-ttq-*",
    "user": "Persons",
    "phone": "Phone numbers",
    "consent": "Consent",
    "click-id": "Click id and cookies",
    "contents": "Products",
    "money": "Numbers, values and currencies",
    "time": "Times",
    "id": "Event ids",
    "page": "Addresses of pages",
    "device": "Client hints",
    "ip": "The visitor's network address",
    "route": "Ways in",
    "rule": "Rules of your own",
    "when": "Conditions of rules",
    "destination": "Several destinations",
    "limited": "Limited data use",
    "test-code": "Test events",
    "app": "Apps",
    "offline": "Offline events",
    "crm": "Leads of a CRM",
    "travel": "Travel",
    "vehicle": "Vehicles",
    "warning": "Warnings",
}
_OTHERS: Final = "Whole events"


def render_examples() -> str:
    """Write ``docs/examples.md``."""
    groups: dict[str, list[str]] = {heading: [] for heading in (_OTHERS, *_GROUPS.values())}
    for name in names():
        prefix = max((start for start in _GROUPS if name == start or name.startswith(f"{start}-")), key=len, default="")
        groups[_GROUPS.get(prefix, _OTHERS)].append(_row(name, read_example(name)))
    parts = [_HEAD]
    for heading, rows in groups.items():
        if rows:
            parts.append(
                "\n".join([f"## {heading}\n", "| example | what it shows | becomes |", "|---|---|---|", *rows, ""])
            )
    return "\n".join(parts)


def _row(name: str, example: Example) -> str:
    became = [f"`{one.tiktok['event']}`" if one.tiktok else f"dropped, `{one.dropped}`" for one in example.expect or ()]
    title = example.title.replace("|", "\\|")
    return f"| [{name}](../examples/steps/{name}.toml) | {title} | {', '.join(became) or 'no event'} |"
