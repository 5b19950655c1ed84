"""How the file of an example is read: every key of it, and what is wrong with each, all at once."""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tikrelay.app.hits.request import Request, as_sent
from tikrelay.app.load import parse_settings
from tikrelay.base.errors import ConfigError, InputRefused, Mistake
from tikrelay.event import DropReason
from tikrelay.mapping.cleaning import is_object, is_several
from tikrelay.mapping.notices import NoticeKind

_TOP: Final = ("title", "settings", "request", "event", "expect")
_OF_REQUEST: Final = ("method", "url", "headers", "body")
_OF_EVENT: Final = ("json", "turned_away")
_OF_EXPECT: Final = (
    "destination", "tiktok", "dropped", "by", "test_event_code", "warnings", "rules", "sources", "passed_over",
)  # fmt: skip
IN_EVENT: Final = (
    "name", "data", "user_data", "user_properties", "client_hints", "visitor", "consent",
)  # fmt: skip
_AT_LINE: Final = re.compile(r"at line (\d+)")


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of one outcome; None is what it does not say."""

    destination: str | None = None
    tiktok: Any = None
    dropped: str | None = None
    by: str | None = None
    test_event_code: str | None = None
    warnings: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    sources: Mapping[str, str] | None = None
    passed_over: Mapping[str, tuple[str, ...]] | None = None


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One file. ``settings`` is None where it has none of its own, ``events`` and ``expect`` where it expects none."""

    title: str
    request: Request
    settings: str | None = None
    events: tuple[dict[str, Any], ...] | None = None
    turned_away: tuple[str, ...] | None = None
    expect: tuple[Expected, ...] | None = None


def read_file(path: Path) -> Example:
    """Read an example. Raises ConfigError with every mistake in it."""
    where = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake(where, "file", f"cannot be read: {error}")]) from None
    return parse_example(text, where)


def parse_example(text: str, where: str) -> Example:
    """Read the text of an example. Raises ConfigError with every mistake in it."""
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = _AT_LINE.search(str(error))
        raise ConfigError([Mistake(f"{where}:{line[1]}" if line else where, "TOML", str(error))]) from None
    reader = _Reader(where)
    example = reader.example(tree)
    reader.mistakes += _mistakes_in_settings(example.settings, text, where)
    if reader.mistakes:
        raise ConfigError(reader.mistakes)
    return example


def _mistakes_in_settings(settings: str | None, text: str, where: str) -> list[Mistake]:
    """Read the settings, and tell their mistakes with the lines of the file they stand in."""
    try:
        parse_settings(settings or "", None, {}, to_send=False)
    except ConfigError as error:
        begins = next((n for n, line in enumerate(text.splitlines(), 1) if re.match(r"settings\s*=", line)), 0)
        return [
            Mistake(_moved(mistake.where, begins, where), f"settings: {mistake.key}", mistake.what, mistake.hint)
            for mistake in error.mistakes
        ]
    return []


def _moved(inside: str, begins: int, where: str) -> str:
    line = inside.rpartition(":")[2]
    return f"{where}:{begins + int(line)}" if line.isdigit() else where


class _Reader:
    """Reads key by key, so that one mistake does not hide the next."""

    def __init__(self, where: str) -> None:
        self.mistakes: list[Mistake] = []
        self._where = where

    def example(self, tree: dict[str, Any]) -> Example:
        """Read the whole file."""
        self._only(tree, _TOP, "")
        title = self._text(tree, "title", "", needed='say in a sentence what it shows: title = "..."') or ""
        events, turned_away = self._event(self._table(tree, "event", "", "[event]"))
        request = self._table(tree, "request", "", "[request]")
        if "request" not in tree:
            self._add("request", "is missing", "write [request] with the method, url, headers and body of the hit")
        return Example(
            title=title,
            settings=self._text(tree, "settings", ""),
            request=self._request(request or {}, needed="request" in tree),
            events=events,
            turned_away=turned_away,
            expect=self._expected(tree),
        )

    def _request(self, table: dict[str, Any], *, needed: bool) -> Request:
        self._only(table, _OF_REQUEST, "request")
        url = self._text(table, "url", "request", needed="the address of the hit: url = '/g/collect?v=2&...'" * needed)
        headers = self._table(table, "headers", "request", "[request.headers]") or {}
        for name, value in headers.items():
            if not isinstance(value, str):
                self._add(f"request.headers.{name}", "must be a text", "write it in quotes")
        request = Request(
            method=self._text(table, "method", "request") or "GET",
            url=url or "/",
            headers={name: value for name, value in headers.items() if isinstance(value, str)},
            body=self._text(table, "body", "request") or "",
        )
        try:
            as_sent(request)
        except InputRefused as refused:
            self._add("request", refused.what, refused.hint)
        return request

    def _event(self, table: dict[str, Any] | None) -> tuple[tuple[dict[str, Any], ...] | None, tuple[str, ...] | None]:
        if table is None:
            return None, None
        self._only(table, _OF_EVENT, "event")
        read = self._json(table, "json", "event")
        listed = [] if read is None else read if is_several(read) else [read]
        for number, one in enumerate(listed):
            if is_object(one):
                self._only(one, IN_EVENT, f"event.json[{number}]" if is_several(read) else "event.json")
            else:
                self._add("event.json", "is no event", "write an object, or a list of objects")
        events = None if read is None else tuple(one for one in listed if is_object(one))
        return events, self._texts(table, "turned_away", "event")

    def _expected(self, tree: dict[str, Any]) -> tuple[Expected, ...] | None:
        if "expect" not in tree:
            return None
        given = tree["expect"]
        if is_object(given):
            return (self._one("expect", given),)
        if not is_several(given) or not all(map(is_object, given)):
            self._add("expect", "must be a table", "write [expect], or an [[expect]] for each of several outcomes")
            return None
        return tuple(self._one(f"expect[{number}]", one) for number, one in enumerate(given))

    def _one(self, place: str, table: dict[str, Any]) -> Expected:
        self._only(table, _OF_EXPECT, place)
        tiktok, dropped = self._json(table, "tiktok", place), self._text(table, "dropped", place)
        if tiktok is not None and not isinstance(tiktok, dict):
            self._add(f"{place}.tiktok", "is no JSON object", "write the event as it is to go to TikTok")
        if tiktok is not None and dropped is not None:
            self._add(f"{place}.dropped", "and tiktok contradict each other", "keep one of them")
        if dropped is not None:
            self._known(dropped, [reason.value for reason in DropReason], f"{place}.dropped")
        warnings = self._texts(table, "warnings", place)
        for warning in warnings or ():
            self._known(warning.partition(":")[0].strip(), [kind.value for kind in NoticeKind], f"{place}.warnings")
        sources = self._table(table, "sources", place, f"[{place}.sources]")
        passed_over = self._table(table, "passed_over", place, f"[{place}.passed_over]")
        for field, source in (sources or {}).items():
            if not isinstance(source, str):
                hint = 'quote the field\'s name: "user.email" = "user_data.email"'
                self._add(f"{place}.sources.{field}", "must be a text", hint)
        return Expected(
            destination=self._text(table, "destination", place),
            tiktok=tiktok,
            dropped=dropped,
            by=self._text(table, "by", place),
            test_event_code=self._text(table, "test_event_code", place),
            warnings=warnings,
            rules=self._texts(table, "rules", place),
            sources=sources,
            passed_over=None
            if passed_over is None
            else {field: self._texts(passed_over, field, f"{place}.passed_over") or () for field in passed_over},
        )

    def _only(self, table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
                self._add(f"{place}.{key}".lstrip("."), "is no key of an example", hint)

    def _known(self, word: str, known: Sequence[str], key: str) -> None:
        if word not in known:
            close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
            self._add(
                key, f"{word!r} is unknown", f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            )

    def _text(self, table: Mapping[str, Any], key: str, place: str, *, needed: str = "") -> str | None:
        given = table.get(key)
        path = f"{place}.{key}".lstrip(".")
        if given is None:
            if needed:
                self._add(path, "is missing", needed)
            return None
        if isinstance(given, str):
            return given
        self._add(path, "must be a text", "write it in quotes")
        return None

    def _texts(self, table: Mapping[str, Any], key: str, place: str) -> tuple[str, ...] | None:
        given = table.get(key)
        if given is None:
            return None
        if is_several(given) and all(isinstance(one, str) for one in given):
            return tuple(given)
        self._add(f"{place}.{key}", "must be a list of texts", 'such as ["unusable: properties.value"]; [] is none')
        return None

    def _table(self, table: Mapping[str, Any], key: str, place: str, header: str) -> dict[str, Any] | None:
        given = table.get(key)
        if given is None or is_object(given):
            return given
        self._add(f"{place}.{key}".lstrip("."), "must be a table", f"write {re.sub(r'.[0-9]+.', '', header)}")
        return None

    def _json(self, table: Mapping[str, Any], key: str, place: str) -> Any:
        text = self._text(table, key, place)
        if text is None:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            self._add(f"{place}.{key}", f"is no JSON: {error}", "write the JSON between ''' and '''")
            return None

    def _add(self, key: str, what: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(self._where, key, what, hint))
