"""A path as a server would read it, however it is written: what a deny list compares."""

import re
from typing import Final

from tikrelay.mapping.personal import decodings

LONGEST: Final = 8192
_PARAMETERS: Final = re.compile(r";[^/\\]*")
_SLASHES: Final = re.compile(r"[/\\]+")


def plain_path(path: str) -> str:
    r"""Write a path in one form: decoded, in lower case, without dots, doubled slashes, parameters, or a slash behind.

    >>> [plain_path(path) for path in ("/a/", "//A", "/%61", "/x/../a", "/a;b=1", "/a\\b", "/", "")]
    ['/a', '/a', '/a', '/a', '/a', '/a/b', '/', '/']
    """
    text = decodings(path[:LONGEST])[-1]
    kept: list[str] = []
    for part in _SLASHES.split(_PARAMETERS.sub("", text).strip().casefold()):
        if part == "..":
            kept = kept[:-1]
        elif part not in {"", "."}:
            kept.append(part)
    return "/" + "/".join(kept)
