"""No text makes a regular expression or a parser slow: three times the text takes about three times as long.

Time is that of the processor, so that a busy machine changes nothing.
"""

import ast
import importlib
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import tikrelay
from fuzz.shares import TOTAL
from tikrelay.base.addresses import read_address
from tikrelay.base.secret import Secret
from tikrelay.base.shown import one_line
from tikrelay.collect.client_hints import read_versions
from tikrelay.collect.cookies import read_cookies
from tikrelay.collect.items import read_item
from tikrelay.collect.query import pairs
from tikrelay.mapping.conditions import path_of_url
from tikrelay.mapping.names import breaks_custom_rules
from tikrelay.mapping.numbers import read_number
from tikrelay.mapping.page import host_of_url
from tikrelay.mapping.paths import plain_path
from tikrelay.mapping.personal import mask, mask_and_cut, name_gives_away, value_gives_away
from tikrelay.mapping.sensitive import sensitive_topic
from tikrelay.mapping.times import read_time
from tikrelay.tiktok.api import clean_text, read_answer, read_retry_after

SIZE = 100 * 1024
FAST = 1 if TOTAL else 4  # the fast suite tries shorter texts
HANG_S = 2.0  # the square of 100 KiB is minutes
NOISE_S = 0.008  # below it a ratio says nothing
SOURCE = Path(tikrelay.__file__).parent
SUFFIXES = ["!"] if not TOTAL else ["", "!", "\0", "@", " ", "1"]


def module_names() -> list[str]:
    return [
        found.name
        for found in pkgutil.walk_packages(tikrelay.__path__, "tikrelay.")
        if not found.name.endswith("__main__")
    ]


METHODS = {"search", "match", "fullmatch", "finditer", "findall", "sub", "split"}


def sources() -> Iterator[ast.AST]:
    for path in SOURCE.rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def methods_by_name() -> dict[str, set[str]]:
    """How each name is asked, anywhere: ``_EMAIL.sub(...)`` and ``map(_EMAIL.sub, ...)``."""
    found: dict[str, set[str]] = {}
    for node in sources():
        if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
        if isinstance(node, ast.Call):  # a pattern that is handed on may be asked in any way
            for given in node.args:
                if isinstance(given, ast.Name):
                    found.setdefault(given.id, set()).add("fullmatch")
    return found


def uses() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Each pattern of the code, with each way in which it is asked."""
    methods = methods_by_name()
    for module in module_names():
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, re.Pattern):
                yield from ((name, value, method) for method in methods.get(name, {"search"}))
            if isinstance(value, dict):
                yield from ((name, one, "search") for one in value.values() if isinstance(one, re.Pattern))
    for node in sources():
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in METHODS
            and node.args
        ):
            text = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if ast.unparse(node.func.value) == "re" and isinstance(text, str | bytes):
                yield "written in the call", re.compile(text), node.func.attr


USES = sorted({(str(pattern.pattern), method): (pattern, method) for _, pattern, method in uses()}.items())


def worst_texts(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    """Texts of the signs and words a pattern is made of, repeated, with an end that does not fit."""
    plain = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    words = {*re.findall(r"[A-Za-z]{2,}|[0-9]+", plain)}
    signs = {*re.sub(r"[A-Za-z0-9\\]", "", plain), *"a1 @.-%/;\"'=&~|\n"}
    units = [
        *sorted(signs),
        *sorted(words)[:20],
        "aA",
        "a1",
        "1 ",
        "a.",
        "a-",
        "a@",
        "+1",
        "00 1",
        "%40",
        '"k"',
        "a=b&",
        "(2",
        "\\a",
    ]
    for unit in units if TOTAL else units[::2]:
        for suffix in SUFFIXES:
            text = (unit * (size // len(unit) + 1))[:size] + suffix
            yield text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")


def spent_s(do: Callable[[], object]) -> float:
    began = time.thread_time()
    do()
    return time.thread_time() - began


def is_steeper(take: Callable[[Any], object], small: Any, large: Any) -> bool:
    """Say whether three times the text takes much more than three times as long, at the best of several tries."""
    if spent_s(lambda: take(large)) < NOISE_S:
        return False
    took, before = (min(spent_s(lambda: take(text)) for _ in range(2)) for text in (large, small))  # noqa: B023
    return took > NOISE_S and took > 4.5 * before


def ask(pattern: re.Pattern[Any], method: str, text: Any) -> None:
    if method in {"search", "match", "fullmatch"}:
        getattr(pattern, method)(text)
        return
    for found in pattern.finditer(text):
        found.end()


def is_steep(pattern: re.Pattern[Any], method: str, less: Any, text: Any) -> bool:
    return is_steeper(lambda given: ask(pattern, method, given), less, text)


def steep(pattern: re.Pattern[Any], method: str) -> list[str]:
    """The first text that takes much longer when it is three times as long, and shows it within 6,000 signs."""
    texts = zip(worst_texts(pattern, 2000), worst_texts(pattern, 6000), strict=True)
    return [str(text[:20]) for less, text in islice((pair for pair in texts if is_steep(pattern, method, *pair)), 1)]


def test_every_pattern_of_the_code_is_found():
    written = sum(path.read_text(encoding="utf-8").count("re.compile(") for path in SOURCE.rglob("*.py"))

    assert len(USES) >= written


@pytest.mark.parametrize(
    ("pattern", "method"), [use for _, use in USES], ids=[f"{name[:30]} {method}" for (name, method), _ in USES]
)
def test_no_text_makes_a_pattern_slow(pattern, method):
    assert [] == steep(pattern, method)


def test_a_slow_pattern_would_be_seen():
    assert steep(re.compile(r"[^\0]*\0!"), "search")


# Parsers of what strangers send.


PARSERS: dict[str, Callable[[str], object]] = {
    "queries": pairs,
    "items": read_item,
    "cookies": read_cookies,
    "brands": read_versions,
    "addresses": read_address,
    "numbers": read_number,
    "times": read_time,
    "masked words": mask,
    "masked and cut": lambda text: mask_and_cut(text, longest=1024),
    "values that give away": value_gives_away,
    "names that give away": name_gives_away,
    "sensitive names": sensitive_topic,
    "names of events": breaks_custom_rules,
    "paths": plain_path,
    "hosts": host_of_url,
    "paths of addresses": path_of_url,
    "answers": lambda text: read_answer(502, text.encode(), None, token=Secret("token-of-the-tests")),
    "answers in JSON": lambda text: read_answer(
        200, json.dumps({"code": 1, "message": text}).encode(), None, token=Secret("token-of-the-tests")
    ),
    "words of the other end": clean_text,
    "Retry-After": lambda text: read_retry_after(text, now=0.0),
    "words on one line": one_line,
}
UNITS = ["a", "1", " ", "@", "%", "%40", "%25", "~", "~~", "&", "=", ";", '"', "\\", '";v="', "a@b.", "+1 ", "00", "1-",
         "a.b/", "(", "Aa", "\u200b", "\uff20", "&#64;", "ä", "\ud800"]  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_three_times_the_text_takes_a_parser_about_three_times_as_long(name):
    read = PARSERS[name]
    units = [unit for unit in UNITS if unit != "\ud800" or name not in {"answers", "answers in JSON"}]
    steep = [
        unit
        for unit in units
        if is_steeper(read, unit * (SIZE // FAST // 6 // len(unit)), unit * (SIZE // FAST // 2 // len(unit)))
    ]

    assert [] == steep


@pytest.mark.parametrize("name", PARSERS)
def test_no_text_of_100_kib_hangs_a_parser(name):
    read = PARSERS[name]
    units = [unit for unit in UNITS if unit != "\ud800" or name not in {"answers", "answers in JSON"}]

    assert [] == [unit for unit in units if spent_s(lambda: read(unit * (SIZE // len(unit)))) > HANG_S]  # noqa: B023
