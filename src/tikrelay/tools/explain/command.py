"""``tikrelay explain``: what a hit becomes, for each field where it came from, and why an event is dropped.

Takes whatever holds a hit (``tools/hit_input.py``, ``app/hits/text.py``). Nothing is sent and nothing is stored.
"""

import os
import sys
from typing import Any, Final

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.examples.run import RECEIVED_AT, read_example, settings_of
from tikrelay.app.explained import FOREIGN, Report, document_of, explain_hits
from tikrelay.app.hits.text import Hits
from tikrelay.app.load import read_settings
from tikrelay.base.clock import SystemClock
from tikrelay.tools.explain.diff import Difference, compare, print_differences
from tikrelay.tools.explain.page import console, json_text, print_report
from tikrelay.tools.hit_input import is_file, read_hits

_OF_SETTINGS: Final = ".toml"


def explain_hit(
    hit: str | None,
    *,
    body: str | None,
    config: str | None,
    as_json: bool,
    show_personal_data: bool,
    example: str | None = None,
    other: str | None = None,
) -> int:
    """Print the explanation, or how it differs from another. Raises InputRefused, ConfigError.

    Exit code 0 when there is an event that these settings take, with ``other`` when both become the same; else 1.
    """
    hits, settings, now = _what(hit, body, config, example)
    report = explain_hits(hits, settings, received_at=now, show_personal_data=show_personal_data)
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # not every terminal can show every sign
    try:
        if other is not None:
            return _diff(hits, settings, report, other, now=now, as_json=as_json)
        if as_json:
            _print_json(document_of(report))
        else:
            print_report(report, console(), several=len(settings.destinations) > 1)
        sys.stdout.flush()
    except BrokenPipeError:  # a pager or head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if report.events and not any(one.reason == FOREIGN for one in report.turned_away) else 1


def _what(hit: str | None, body: str | None, config: str | None, example: str | None) -> tuple[Hits, Config, float]:
    """The hits, the settings, and the moment of receipt."""
    if example is not None:
        chosen = read_example(example)
        return Hits((chosen.request,)), settings_of(chosen), RECEIVED_AT
    return read_hits(hit, body=body), _settings(config), SystemClock().now()


def _settings(config: str | None) -> Config:
    """The shop's settings, when there are any; neither a destination nor a token is needed to explain."""
    return read_settings(config, os.environ, to_send=False).config


def _diff(hits: Hits, settings: Config, report: Report, other: str, *, now: float, as_json: bool) -> int:
    """Compare with another hit under the same settings, or with the same hits under others; at the same moment."""
    named = other if is_file(other) else "the other hit"  # a hit's own text may hold anything
    if named.endswith(_OF_SETTINGS):
        settings = _settings(other)
    else:
        hits = read_hits(other)
    differences = compare(report, explain_hits(hits, settings, received_at=now))
    if as_json:
        _print_json(_document_of_differences(differences))
    else:
        print_differences(differences, console(), other=named)
    return 1 if differences else 0


def _document_of_differences(differences: list[Difference]) -> dict[str, Any]:
    return {"alike": not differences, "differences": msgspec.to_builtins(differences)}


def _print_json(document: dict[str, Any]) -> None:
    print(json_text(document))
