"""How an explanation looks on a terminal: the event, then where each field came from, then what is worth knowing.

A wide place gets a table, a narrow one (and 80 columns are narrow) a short paragraph for each field; both say the same.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Generator, Sequence
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tikrelay.app.explained import Explained, Report
from tikrelay.base.shown import one_line
from tikrelay.mapping.explain import Explanation, Origin, Ruled
from tikrelay.mapping.lines import OTHERS, UNCHANGED, VERBS, Line, came_in, lines_of, shown_value

WIDE: Final = 120  # from here on a table fits
_NO_TERMINAL: Final = 160  # a line for each field, to search and to compare
_LONGEST_VALUE: Final = 48
_LONGEST_HASH: Final = 17
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_GIVEN: Final = 60
_MOST_NAMED: Final = 10


def console() -> Console:
    """Make the console for standard output: as wide as the terminal, and wide where there is none."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _width())


def _width() -> int:
    """As wide as COLUMNS says, else as the terminal that shows what a pipe's other end writes."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return max(40, int(os.environ["COLUMNS"]))
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return _NO_TERMINAL


def print_report(report: Report, to: Console, *, several: bool) -> None:
    """Print all of it. ``several``: there is more than one destination, so each is named."""
    with unpadded(to):
        if len(report.events) > 1:
            _print_overview(report, to, several=several)
        for number, one in enumerate(report.events, 1):
            _print_event(one, number if len(report.events) > 1 else 0, to, several=several)
        _print_rest(report, to)


@contextlib.contextmanager
def unpadded(to: Console) -> Generator[None, None, None]:
    """Leave no blanks at the ends of lines, where it is no terminal that hides them."""
    if to.is_terminal:
        yield
        return
    with to.capture() as captured:
        yield
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _print_overview(report: Report, to: Console, *, several: bool) -> None:
    events = len({one.event for one in report.events})
    made = sum(one.explanation.tiktok is not None for one in report.events)
    to.print(f"{_count(report.hits, 'hit')}, {_count(events, 'event')}, of which TikTok gets {made}", style="bold")
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for _ in range(3):
        table.add_column(overflow="fold")
    for number, one in enumerate(report.events, 1):
        told = one.explanation
        where = f" ({told.destination})" if several else ""
        warned = _count(len(told.warnings), "warning") if told.warnings else ""
        table.add_row(f"{number}.", _plain(told.name), _becomes(told) + where, warned)
    to.print(table)
    to.print()


def _print_rules(heading: str, rules: Sequence[Ruled], to: Console) -> None:
    if rules:
        to.print(heading, style="bold")
        for ruled in rules:
            to.print(Padding(f"{_plain(ruled.rule)}: {_plain(ruled.text)}", (0, 0, 0, 2)))
        to.print()


def _print_event(one: Explained, number: int, to: Console, *, several: bool) -> None:
    told = one.explanation
    title = Text(f"{number}. " if number else "", style="bold")
    title.append(f"{_plain(told.name)}  ->  {_becomes(told)}")
    to.print(title, soft_wrap=True)
    if several:
        to.print(f"for destination {told.destination}")
    if told.tiktok is None:
        to.print(told.why)
        to.print()
        _print_rules("rules that did nothing here", told.not_applied, to)
        return
    to.print(json_text(told.tiktok), soft_wrap=True)
    to.print()
    lines = lines_of(told)
    if to.width >= WIDE:
        _print_table(told, lines, to)
    else:
        _print_paragraphs(told, lines, to)
    _print_warnings(told, to)
    _print_rules("rules that applied", told.rules, to)
    _print_rules("rules that did nothing here", told.not_applied, to)
    if told.not_sent:
        to.print("not sent: no field of TikTok's is made of these parameters", style="bold")
        to.print(Padding(", ".join(_plain(name) for name in told.not_sent), (0, 0, 0, 2)))
        to.print(Padding('a rule can send one: copy = { "properties.name" = "parameter" }', (0, 0, 0, 2)), style="dim")
        to.print()


def _print_table(told: Explanation, lines: Sequence[Line], to: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("field", no_wrap=True)
    for heading in ("is sent as", "source", "what came in", "cleaning"):
        table.add_column(heading, overflow="fold")
    longest = to.width // 5
    for line in lines:
        value = _cut_hash(shown_value(line.value), longest) if line.is_sent else "(not sent)"
        given, cleaning = _came_in(told, line)
        style = "" if line.is_sent else "dim"
        table.add_row(line.field, value, _plain(line.source), _cut(given, longest), cleaning, style=style)
        for other in line.others:
            table.add_row(
                "", "", _plain(other.source), _cut(_given(other), longest), OTHERS[other.outcome], style="dim"
            )
    to.print(table)
    to.print()


def _print_paragraphs(told: Explanation, lines: Sequence[Line], to: Console) -> None:
    for line in lines:
        head = Text(line.field, style="bold" if line.is_sent else "dim")
        room = max(_LONGEST_VALUE, to.width - len(line.field) - 3)
        value = f" = {_cut(shown_value(line.value), room)}" if line.is_sent else ": not sent"
        to.print(head.append(value, style="not bold"))
        given, cleaning = _came_in(told, line)
        if line.is_sent:
            came = f", {UNCHANGED}" if cleaning == UNCHANGED else f": {given}" if given else ""
            to.print(Padding(said_to_be(line.source, came=came), (0, 0, 0, 4)))
        if cleaning and cleaning != UNCHANGED:
            to.print(Padding(f"cleaning: {cleaning}", (0, 0, 0, 4)))
        for other in line.others:
            to.print(Padding(f"{_plain(other.source)}: {_given(other)}", (0, 0, 0, 4)), style="dim")
            to.print(Padding(OTHERS[other.outcome], (0, 0, 0, 8)), style="dim")
    to.print()


def _print_warnings(told: Explanation, to: Console) -> None:
    if not told.warnings:
        return
    to.print("worth knowing", style="bold")
    for warned in told.warnings:
        given = _cut(_plain(warned.given), _LONGEST_GIVEN)
        about = f" (given: {given})" if given and given not in warned.text else ""
        text = Text(f"{_plain(warned.text)}{about}").append(f"  [{warned.kind}]", style="dim")
        to.print(Padding(text, (0, 0, 0, 2)))
    to.print(Padding("what each means and what to do: docs/troubleshooting.md", (0, 0, 0, 2)), style="dim")
    to.print()


def _print_rest(report: Report, to: Console) -> None:
    """Say what gave no event."""
    for turned in report.turned_away:
        which = f"hit {turned.hit} " if report.hits > 1 else ""
        to.print(f"{which}turned away: {_plain(turned.text)} [{turned.reason}]")
    if report.left_out:
        count = sum(often for _, often in report.left_out)
        to.print(f"left out, being no hit: {_count(count, 'request')}", style="bold")
        for name, often in report.left_out[:_MOST_NAMED]:
            to.print(Padding(f"{often} x {_plain(name)}", (0, 0, 0, 2)))
        if len(report.left_out) > _MOST_NAMED:
            to.print(f"  and to {len(report.left_out) - _MOST_NAMED} other places")


def _becomes(told: Explanation) -> str:
    if told.tiktok is None:
        return f"dropped: {told.dropped}"
    test = f" (a test, {told.test_event_code})" if told.test_event_code else ""
    return _plain(told.tiktok["event"]) + test


def _came_in(told: Explanation, line: Line) -> tuple[str, str]:
    given, cleaning = came_in(told, line)
    return _cut(given, _LONGEST_GIVEN), cleaning


def json_text(value: Any) -> str:
    r"""Write JSON to be read: as it is, but signs that steer a terminal by their number.

    >>> print(json_text({"a": "é\x9b\u202e"}))
    {
      "a": "é\u009b\u202e"
    }
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)


def said_to_be(source: str, *, came: str = "") -> str:
    """Say in a sentence where a value is from, and what came from there.

    >>> said_to_be("cookie ttclid"), said_to_be("derived from tid", came=", as it is")
    ('from cookie ttclid', 'derived from tid')
    """
    return _plain(source) if source.startswith(VERBS) else f"from {_plain(source)}{came}"


def _given(origin: Origin) -> str:
    return _cut(_plain(origin.given), _LONGEST_GIVEN)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _cut_hash(text: str, longest: int) -> str:
    """Cut a hash more than anything else: nobody reads it."""
    return _cut(text, _LONGEST_HASH if _HASH.fullmatch(text) else longest)


def _plain(text: str) -> str:
    return one_line(text)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
