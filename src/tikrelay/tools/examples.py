"""The example files: a request and exactly what becomes of it; test, documentation and demonstration in one."""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.load import parse_settings
from tikrelay.base.errors import InputRefused
from tikrelay.event import Dropped
from tikrelay.mapping.config import MappedDestination
from tikrelay.mapping.convert import Rules, map_event
from tikrelay.mapping.explain import FALLBACK_ID
from tikrelay.tools.request import Request, read_request

RECEIVED_AT: Final = 1795312345.0  # the moment at which every example is received


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One file. ``tiktok`` is the exact JSON; ``dropped`` a reason, when the event is not sent."""

    title: str
    request: Request
    settings: str = ""
    tiktok: str = ""
    dropped: str = ""


class Became(msgspec.Struct, frozen=True):
    """What became of an example's event."""

    tiktok: dict[str, Any] | None
    dropped: str


def folder() -> Path:
    """Where the examples lie in a checkout."""
    return Path(__file__).parents[3] / "examples" / "steps"


def names() -> list[str]:
    """The names of all examples."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def read_example(name: str) -> Example:
    """Read one by its name. Raises InputRefused with the names there are."""
    path = folder() / f"{name}.toml"
    if name not in names():
        there = names()
        hint = f"there are {', '.join(there)}" if there else "they lie in the repository, not in an installed package"
        raise InputRefused(404, "no_such_example", f"there is no example {name!r}", hint=hint)
    tree = tomllib.loads(path.read_text(encoding="utf-8"))
    return Example(
        title=tree["title"],
        request=msgspec.convert(tree["request"], Request),
        settings=tree.get("settings", ""),
        tiktok=tree["expect"].get("tiktok", ""),
        dropped=tree["expect"].get("dropped", ""),
    )


def settings_of(example: Example) -> Config:
    """The settings an example runs under: the defaults and its own."""
    return parse_settings(example.settings, None, {}, need_destination=False).config


def run_example(example: Example) -> Became:
    """Run the request through collecting and mapping."""
    config = settings_of(example)
    rules = Rules.of(config.mapping, config.privacy, MappedDestination(event_source_id="C0EXAMPLE"))
    (event,) = read_request(example.request, received_at=RECEIVED_AT).events
    (outcome,) = map_event(event, rules, fallback_id=FALLBACK_ID)
    if isinstance(outcome, Dropped):
        return Became(None, outcome.reason.value)
    return Became(msgspec.json.decode(msgspec.json.encode(outcome.body), type=dict[str, Any]), "")
