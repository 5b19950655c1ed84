"""Any change to the settings file is refused with its place, or means exactly what it says."""

import random
import re
import time
import tomllib
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from conftest import SEED
from fuzz.hits import spoil
from fuzz.shares import inputs
from harness import Process
from tikrelay.app.config import Config
from tikrelay.app.load import parse_settings
from tikrelay.base.errors import ConfigError
from tikrelay.base.secret import Secret
from tikrelay.base.units import Duration

ROW = "B17 settings"
FILE = Path("/somewhere/tikrelay.toml")
EXAMPLE = Path(__file__).parents[2] / "deploy" / "tikrelay.example.toml"
GOOD = (
    re.sub(r"^# (?=[a-z_]+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    .replace('event_source_id = "..."', 'event_source_id = "C0ABCDEFGH1234567890"')
    .replace('access_token = "..."', 'access_token = "t0ken"')
)
LINES = [line for line in GOOD.splitlines() if line and not line.startswith("#")]
VALUES = [
    '""', "-1", "0", "1", "65536", "1e99", "true", "[]", "{}", '"x"', "['a']", "nan", '"7d"', '"\\u0000"', "1979-05-27",
    "inf", '"' + "x" * 5000 + '"', '["10.0.0.0/8", "nowhere"]', "{ a = { b = 1 } }", '"https://user:pw@x.example/"',
]  # fmt: skip
pytestmark = pytest.mark.timeout(7200)


def changed(rng: random.Random) -> str:
    """Change a line or some bytes of the settings."""
    lines = list(LINES)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(lines))
        key, _, value = lines[at].partition(" = ")
        lines[at : at + 1] = rng.choice([
            [], [lines[at], lines[at]], [f"{key} = {rng.choice(VALUES)}"], [f"{key} = {rng.choice(VALUES)}"],
            [key[:-1] + rng.choice("xyz_") + f" = {value}"], [key], [f"{key} = {value}", f"{key} = {value}"],
            ["[" + rng.choice(["server", "servre", "rules", "destinations", "a.b", "send]"]) + "]", lines[at]],
            [spoil(rng, lines[at].encode()).decode("utf-8", "replace")],
        ])  # fmt: skip
    return "\n".join(lines)


def read(text: str, path: Path = FILE) -> Config | ConfigError:
    """Load settings, or give what is wrong with them."""
    try:
        return parse_settings(text, path, {}).config
    except ConfigError as error:
        return error


def test_a_changed_file_is_refused_with_its_place_or_means_what_it_says(tried):
    refused = 0
    for number in range(count := inputs(ROW, few=250)):
        text = changed(random.Random(f"{SEED} {ROW} {number}"))
        where = f"SEED={SEED}, {number}:\n{text}"
        began = time.thread_time()
        found = read(text)

        assert time.thread_time() - began < 1, where
        if isinstance(found, Config):
            assert [] == means(tomllib.loads(text), Config(), found), where
            continue
        refused += 1
        assert found.exit_code == 78, where
        assert found.mistakes, where
        assert [] == [one for one in found.mistakes if not one.where.startswith(str(FILE))], where
        assert "t0ken" not in str(found), where
    tried(ROW, count)

    assert 0 < refused < count


def means(tree: Any, default: Any, struct: Any) -> list[str]:
    """Say what a struct holds that the file does not say, and the file but the struct does not."""
    wrong = [key for key in tree if key not in struct.__struct_fields__]
    for key in struct.__struct_fields__:
        told, held = tree.get(key, ...), getattr(struct, key)
        if told is ...:
            wrong += [] if held == getattr(default, key, held) or key == "access_token" else [key]
        elif isinstance(held, msgspec.Struct):
            wrong += [f"{key}.{inner}" for inner in means(told, getattr(default, key), held)]
        elif isinstance(told, list) and told and isinstance(told[0], dict):
            pairs = zip(told, held, strict=True)
            wrong += [f"{key}.{inner}" for one, other in pairs for inner in means(one, defaults_of(other), other)]
        else:
            wrong += [] if is_same(told, held) else [key]
    return wrong


def defaults_of(struct: Any) -> SimpleNamespace:
    fields = msgspec.structs.fields(struct)
    return SimpleNamespace(**{one.name: one.default for one in fields if one.default is not msgspec.NODEFAULT})


def is_same(told: Any, held: Any) -> bool:
    match held:
        case Secret():
            return told == held.reveal()
        case Duration():
            return Duration.parse(told) == held
        case tuple():
            return list(held) == told
        case _:
            return told == (msgspec.to_builtins(held) if isinstance(told, dict) else held)


def test_a_setting_that_is_not_read_would_be_seen():
    assert ["server.port"] == means({"server": {"port": 1}}, Config(), Config())
    assert ["server"] == means({}, Config(), msgspec.convert({"server": {"port": 1}}, Config))


@pytest.mark.faults
def test_a_server_does_not_start_with_settings_that_are_wrong_and_says_where(tmp_path: Path):
    texts = (changed(random.Random(f"{SEED} starts {number}")) for number in range(1000))
    path = tmp_path / "tikrelay.toml"
    wrong = ((text, found) for text in texts if isinstance(found := read(text, path), ConfigError))
    for number, (text, found) in enumerate(islice(wrong, 20)):
        path.write_text(text, encoding="utf-8")
        process = Process(["serve", "--config", str(path)], log=tmp_path / f"{number}.log")

        assert process.popen.wait(10) == 78
        assert [] == [one.where for one in found.mistakes if one.where not in process.log.read_text()]
        process.close()
