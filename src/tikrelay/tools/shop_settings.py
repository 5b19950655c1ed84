"""A shop's settings where nothing is sent: no token is needed, and none is read that is not there."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tikrelay.app.config import Config
from tikrelay.app.load import DEFAULT_FILE, parse_settings, read_settings
from tikrelay.tools.hit_har import is_list, is_object

_MOST_DESTINATIONS: Final = 1000
_TOKEN: Final = "TIKRELAY_DESTINATIONS_ACCESS_TOKEN"  # noqa: S105  the name of a variable
_UNUSED: Final = "unused"


def read_shop_settings(file: str | None, environment: Mapping[str, str]) -> Config:
    """Read the file, or ``./tikrelay.toml`` where there is one, else the defaults. Raises ConfigError."""
    path = Path(file or DEFAULT_FILE).absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return read_settings(file, environment, need_destination=False).config  # says what is wrong
    return parse_shop_settings(text, path, environment)


def parse_shop_settings(text: str, path: Path | None, environment: Mapping[str, str]) -> Config:
    """Read settings whose tokens may lie elsewhere: in the server's files or its environment. Raises ConfigError."""
    if _lacks_a_token(text):
        environment = {_TOKEN: _UNUSED, **environment}
    tokens = [_UNUSED] * _MOST_DESTINATIONS
    return parse_settings(text, path, environment, need_destination=False, tokens=tokens).config


def _lacks_a_token(text: str) -> bool:
    """Say whether there is one destination, and its token stands in no file."""
    try:
        tables: Any = tomllib.loads(text).get("destinations", [])
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    if not is_list(tables) or len(tables) != 1 or not is_object(tables[0]):
        return False
    return not (tables[0].get("access_token") or tables[0].get("access_token_file"))
