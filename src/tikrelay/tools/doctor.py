"""Everything that can be wrong, looked at in one go: machine, way to TikTok, running server; and what to do first.

The exit code is for cron: 0 all is well, 1 look soon, 2 act now, 78 settings with mistakes and nothing to act on now. A
server that does not run is acted on now: before the first start there is ``check``.
"""

import asyncio
import json
import os
from typing import Final

import msgspec

from tikrelay.app.checks import TEST_MODE
from tikrelay.app.load import Loaded, read_settings
from tikrelay.base.errors import EXIT_CONFIG, ConfigError
from tikrelay.tools.check import look_at_folder, look_at_settings, look_at_sqlite, send_test_events
from tikrelay.tools.findings import Finding, show
from tikrelay.tools.place import look_at_place
from tikrelay.tools.reach import look_at_reach
from tikrelay.tools.running import look_at_server

WELL: Final = 0
SOON: Final = 1
NOW: Final = 2


def run_doctor(config: str | None, *, test_event: bool, as_json: bool) -> int:
    """Print what was found, and what to do first; exit code as the module says."""
    try:
        loaded = read_settings(config, os.environ, to_look=True)
        mistakes, findings = loaded.mistakes, look(loaded, test_event=test_event)
    except ConfigError as error:
        mistakes, findings = tuple(error.mistakes), []
    levels = {finding.level for finding in findings}
    exit_code = NOW if "fault" in levels else EXIT_CONFIG if mistakes else SOON if "warning" in levels else WELL
    findings = [*(Finding("fault", "settings", str(mistake)) for mistake in mistakes), *findings]
    first = what_to_do_first(findings)
    if as_json:
        report = {"exit_code": exit_code, "findings": msgspec.to_builtins(findings), "first": first}
        print(json.dumps(report, indent=2))
        return exit_code
    show(findings, as_json=False)
    print("\nAll is well." if not first else "\nDo this, in this order:")
    for number, what in enumerate(first, 1):
        print(f"{number}. {what}")
    return exit_code


def look(loaded: Loaded, *, test_event: bool) -> list[Finding]:
    """Look at everything; what stops nothing by itself comes as a note.

    Of settings with mistakes nobody knows what they should say: only the machine and the running server are looked at.
    """
    machine = [look_at_sqlite(), *look_at_folder(loaded), *look_at_place(loaded)]
    if loaded.mistakes:
        return [*machine, *look_at_server(loaded)]
    return [
        *map(_as_advice, look_at_settings(loaded)),
        *machine,
        *look_at_reach(loaded.config.tiktok),
        *(asyncio.run(send_test_events(loaded.config)) if test_event else ()),
        *look_at_server(loaded),
    ]


def _as_advice(finding: Finding) -> Finding:
    """Settings that may surprise were chosen, or were left: no reason to wake somebody each night.

    But a test mode that was left on is: nothing counts for ads.
    """
    is_chosen = finding.level == "warning" and finding.about != TEST_MODE
    return msgspec.structs.replace(finding, level="note") if is_chosen else finding


def what_to_do_first(findings: list[Finding]) -> list[str]:
    """Say what to do, the faults before the warnings, and once what mends several of them.

    >>> what_to_do_first([Finding("warning", "a", "x", "do a"), Finding("ok", "b", "y"), Finding("fault", "c", "z"),
    ...     Finding("warning", "d", "x too", "do a")])
    ['c: z', 'a: do a']
    """
    urgent = sorted(
        (one for one in findings if one.level in {"warning", "fault"}), key=lambda one: one.level != "fault"
    )
    first_of: dict[str, str] = {}
    for one in urgent:
        first_of.setdefault(one.do or one.text, one.about)
    return [f"{about}: {what}" for what, about in first_of.items()]
