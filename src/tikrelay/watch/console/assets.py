"""The console's own files: read once, and named by what is in them, so that a browser may keep them for ever."""

import functools
import hashlib
from importlib import resources
from typing import Final

import msgspec

_TYPES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """One file, and the address a page names it by."""

    content: bytes
    media_type: str
    address: str


@functools.cache
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    folder = resources.files("tikrelay.watch.console") / "static"
    return {name: _asset(name, (folder / name).read_bytes()) for name in _TYPES}


def _asset(name: str, content: bytes) -> Asset:
    return Asset(content, _TYPES[name], f"/static/{name}?{hashlib.sha256(content).hexdigest()[:12]}")
