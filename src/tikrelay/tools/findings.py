"""What ``check`` and ``doctor`` found, and how it is shown."""

import json
from typing import Final, Literal

import msgspec

from tikrelay.base.shown import one_line
from tikrelay.tools.screen import screen

Level = Literal["ok", "note", "warning", "fault"]
_MARKS: Final[dict[Level, str]] = {"ok": "ok  ", "note": "note", "warning": "WARN", "fault": "FAIL"}


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the report; ``do`` is what to do about it, where the text does not say so itself."""

    level: Level
    about: str
    text: str
    do: str = ""


def show(findings: list[Finding], *, as_json: bool) -> None:
    """Print them."""
    if as_json:
        print(json.dumps(msgspec.to_builtins(findings), indent=2))
        return
    console = screen()
    for finding in findings:
        what_to_do = f"; {finding.do}" if finding.do else ""
        console.print(f"{_MARKS[finding.level]}  {finding.about}: {one_line(finding.text + what_to_do)}")
