"""How the expected parts of an example are written: below all that a person wrote, which stays as it is."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tikrelay.app.examples.run import Became, Outcome
from tikrelay.app.hits.request import Request
from tikrelay.base.errors import ConfigError, Mistake

_EXPECTED: Final = re.compile(r"\[\[?\s*(?:event|expect)\b")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def updated(text: str, became: Became, where: str) -> str:
    """Write the expected parts of a file anew. Raises ConfigError where something else stands below them."""
    head = _head(text)
    above, whole = tomllib.loads(head), tomllib.loads(text)
    if lost := [key for key in whole if key not in above and key not in {"event", "expect"}]:
        hint = "move it above [event] and [expect], which are written anew"
        raise ConfigError([Mistake(where, lost[0], "stands below what is expected", hint)])
    return head.rstrip() + "\n\n" + "\n".join(_expected(became))


def written(title: str, request: Request) -> str:
    """Write the head of a new example."""
    lines = [f"title = {_string(title)}", "", "[request]", f"method = {_string(request.method)}"]
    lines.append(f"url = {_string(request.url)}")
    if request.body:
        lines.append(f"body = {_block(request.body)}")
    if request.headers:
        lines += ["", "[request.headers]", *(f"{_key(name)} = {_string(v)}" for name, v in request.headers.items())]
    return "\n".join(lines) + "\n"


def _head(text: str) -> str:
    """Everything above the first expected part; a line that only looks like one, inside a text, is none."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if _EXPECTED.match(line) and _is_toml(head := "".join(lines[:number])):
            return head
    return text


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _expected(became: Became) -> Iterator[str]:
    events = became.events
    yield "[event]"
    if became.turned_away:
        yield f"turned_away = {_list(became.turned_away)}"
    yield f"json = {_block(_json(events[0] if len(events) == 1 else list(events)))}"
    yield ""
    header = "[[expect]]" if len(became.outcomes) > 1 else "[expect]"
    for outcome in became.outcomes:
        yield header
        yield from _outcome(outcome, several=became.several)


def _outcome(outcome: Outcome, *, several: bool) -> Iterator[str]:
    if several:
        yield f"destination = {_string(outcome.destination)}"
    if outcome.tiktok is None:
        yield f"dropped = {_string(outcome.dropped)}"
        if outcome.by:
            yield f"by = {_string(outcome.by)}"
    else:
        yield f"tiktok = {_block(_json(outcome.tiktok))}"
        if outcome.test_event_code:
            yield f"test_event_code = {_string(outcome.test_event_code)}"
        yield f"warnings = {_list(outcome.warnings)}"
    if outcome.rules:
        yield f"rules = {_list(outcome.rules)}"
    yield ""
    yield from _table("sources", {field: _string(source) for field, source in outcome.sources.items()})
    yield from _table("passed_over", {field: _list(words) for field, words in outcome.passed_over.items()})


def _table(name: str, rows: Mapping[str, str]) -> Iterator[str]:
    if rows:
        yield f"[expect.{name}]"
        yield from (f"{_key(field)} = {value}" for field, value in rows.items())
        yield ""


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_string, texts))}]"


def _block(text: str) -> str:
    """Write a text of several lines as it is, where TOML allows that."""
    if "\n" not in text or "'''" in text or "\r" in text or not text.replace("\n", "").replace("\t", "").isprintable():
        return _string(text)
    return f"'''\n{text}\n'''"


def _string(text: str) -> str:
    r"""Write a text for TOML; without marks to escape where it can be.

    >>> print(_string("shop"), _string('say "a"'), _string("it's \x07"))
    "shop" 'say "a"' "it's \u0007"
    """
    if text.isprintable() and "'" not in text and ('"' in text or "\\" in text):
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
