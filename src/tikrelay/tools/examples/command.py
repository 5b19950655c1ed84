"""``tikrelay test``: a shop's own examples against its rules, so that a change of rules is reviewed like code."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.examples.file import Example, parse_example, read_file
from tikrelay.app.examples.run import Became, run_example
from tikrelay.app.examples.text import updated, written
from tikrelay.app.hits.request import Request, as_sent
from tikrelay.app.load import DEFAULT_FILE, read_settings
from tikrelay.base.errors import EXIT_CONFIG, EXIT_USAGE, ConfigError, InputRefused
from tikrelay.base.shown import one_line
from tikrelay.tools.examples.diff import Difference, differences, looks_alike
from tikrelay.tools.examples.keep import to_keep
from tikrelay.tools.examples.mask import without_persons
from tikrelay.tools.hit_input import read_hits

_LONGEST_SHOWN: Final = 200
_TO_DO: Final = "say here in a sentence what it shows"

Verdict = Literal["true", "differs", "expects nothing", "mistake", "updated", "unchanged"]
_WORDS: Final[dict[Verdict, str]] = {
    "true": "ok", "differs": "DIFFERS", "expects nothing": "EMPTY", "mistake": "MISTAKE", "updated": "updated",
    "unchanged": "as it was",
}  # fmt: skip
_BAD: Final = ("differs", "expects nothing")


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One file, and what came of it."""

    file: str
    verdict: Verdict
    title: str = ""
    differences: tuple[Difference, ...] = ()
    mistakes: tuple[str, ...] = ()


def run_own_examples(
    paths: Sequence[str],
    *,
    config: str | None,
    as_json: bool,
    update: bool,
    new: str | None = None,
    show_personal_data: bool = False,
) -> int:
    """Run the examples at the paths and print one line for each. Raises ConfigError for the settings.

    Exit code 0 when all come true, 1 when some do not, 64 when there are none, 78 when a file cannot be read.
    """
    settings = read_settings(config, os.environ, to_send=False).config
    if new is not None:
        return _write_new(Path(new), paths, settings)
    try:
        files = _files(paths, config)
    except FileNotFoundError as error:
        print(f"tikrelay: {error}", file=sys.stderr)
        return EXIT_USAGE
    run = _update if update else _test
    tested = [run(file, settings, show_personal_data=show_personal_data) for file in files]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode({"files": tested}), indent=2).decode())
    else:
        _print(tested)
    if any(one.verdict == "mistake" for one in tested):
        return EXIT_CONFIG
    return 1 if any(one.verdict in _BAD for one in tested) else 0


def _files(paths: Sequence[str], config: str | None) -> list[Path]:
    """The files named, and those in the folders named, but for the settings. Raises FileNotFoundError."""
    if not paths:
        raise FileNotFoundError("name a file or a folder with examples, such as: tikrelay test my-examples/")
    settings = {Path(config or DEFAULT_FILE).absolute(), Path(DEFAULT_FILE).absolute()}
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise FileNotFoundError(f"there is no file or folder {given}")
        inside = sorted(path.rglob("*.toml")) if path.is_dir() else [path]
        found |= dict.fromkeys(file for file in inside if file == path or file.absolute() not in settings)
    if not found:
        raise FileNotFoundError(f"no example (*.toml) in {', '.join(paths)}")
    return list(found)


def _test(file: Path, settings: Config, *, show_personal_data: bool) -> Tested:
    try:
        example = read_file(file)
    except ConfigError as error:
        return _with_mistakes(file, error)
    if example.events is None and example.turned_away is None and not example.expect:
        return Tested(file=str(file), verdict="expects nothing", title=example.title)
    became = run_example(example, settings, show_personal_data=show_personal_data)
    found = _to_show(example, became, show_personal_data=show_personal_data)
    return Tested(file=str(file), verdict="differs" if found else "true", title=example.title, differences=found)


def _update(file: Path, settings: Config, *, show_personal_data: bool) -> Tested:
    """Write the expected parts of a file anew, and tell what that changes."""
    try:
        example = read_file(file)
        became = run_example(example, settings, show_personal_data=show_personal_data)
        old = file.read_text(encoding="utf-8")
        text = updated(old, became, str(file))
    except ConfigError as error:
        return _with_mistakes(file, error)
    if text != old:
        file.write_text(text, encoding="utf-8")
    changes = _to_show(example, became, show_personal_data=show_personal_data)
    verdict: Verdict = "unchanged" if text == old else "updated"
    return Tested(file=str(file), verdict=verdict, title=example.title, differences=changes)


def _to_show(example: Example, became: Became, *, show_personal_data: bool) -> tuple[Difference, ...]:
    found = differences(example, became)
    return tuple(found if show_personal_data else map(without_persons, found))


def _with_mistakes(file: Path, error: ConfigError) -> Tested:
    return Tested(file=str(file), verdict="mistake", mistakes=tuple(map(str, error.mistakes)))


def _write_new(file: Path, given: Sequence[str], settings: Config) -> int:
    """Write a first file of one hit. Raises InputRefused when what is given is none, or several."""
    file = file if file.suffix == ".toml" else file.with_name(f"{file.name}.toml")
    if file.exists():
        print(f"tikrelay: {file} is there already; remove it, or take another name", file=sys.stderr)
        return EXIT_USAGE
    if len(given) > 1:
        print("tikrelay: give one hit, in quotes", file=sys.stderr)
        return EXIT_USAGE
    hits = read_hits(given[0] if given else None).requests
    if len(hits) != 1:
        raise InputRefused(400, "several_hits", f"there are {len(hits)} hits in it", hint="an example is of one")
    head = written(_TO_DO, _to_write(hits[0]))
    became = run_example(parse_example(head, str(file)), settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(updated(head, became, str(file)), encoding="utf-8")
    print(f"wrote {file}: put invented persons for real ones, and read what it expects before you keep it")
    return 0


def _to_write(request: Request) -> Request:
    """Leave out what is nobody else's business. Raises InputRefused for what no file of text can hold."""
    _, body = as_sent(request)
    try:
        body.decode()
    except UnicodeDecodeError:
        what = "the body is no text in UTF-8, which an example must be"
        raise InputRefused(400, "bad_request", what, hint="write it by hand, without what cannot be read") from None
    return to_keep(request)


# What is printed.


def _print(tested: Sequence[Tested]) -> None:
    for one in tested:
        print(f"{_WORDS[one.verdict]:<9} {one_line(one.file)}  {one_line(one.title)}".rstrip())
        for line in _lines(one):
            print(f"    {line}")
    print(_sum(tested))


def _lines(tested: Tested) -> Iterable[str]:
    if tested.verdict == "expects nothing":
        yield "nothing is expected yet: write [expect], or let tikrelay test --update write it"
    for mistake in tested.mistakes:
        yield from mistake.splitlines()
    for one in tested.differences:
        yield f"{one.where}: {one.field}".removesuffix(": ")
        yield f"    expected {_shown(one.expected)}"
        yield f"    got      {_shown(one.got)}" + (f"   from {one_line(one.source)}" if one.source else "")
        if looks_alike(one):
            yield "    --show-personal-data shows in what they differ"


def _shown(value: Any) -> str:
    if value is msgspec.UNSET:
        return "nothing"
    text = value if isinstance(value, str) and value else msgspec.json.encode(value).decode()
    return one_line(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def _sum(tested: Sequence[Tested]) -> str:
    counts = {word: sum(one.verdict == verdict for one in tested) for verdict, word in _WORDS.items()}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(tested)} example{'s' * (len(tested) != 1)}: {told}"
