"""How a command is given a hit: as an argument, as a file's name, or on stdin."""

import sys
from pathlib import Path
from typing import Final

from tikrelay.app.hits.text import (
    MAX_INPUT_BYTES,
    READABLE,
    Hits,
    check_size,
    hits_of,
    looks_like_hits,
    unreadable,
)
from tikrelay.base.errors import InputRefused
from tikrelay.mapping.personal import mask_and_cut

_ALSO_HERE: Final = ", a file with any of these, or - for stdin"
_LONGEST_NAME: Final = 1000  # of a file; anything longer is the hit itself


def read_hits(given: str | None, *, body: str | None = None) -> Hits:
    """Find the hits of what a person gave: a text, the name of a file, or nothing or ``-`` for stdin.

    Raises InputRefused with what can be read, when it cannot.
    """
    try:
        return hits_of(_text_of(given), body=body)
    except InputRefused as refused:
        hint = f"{READABLE}{_ALSO_HERE}" if refused.hint == READABLE else refused.hint
        raise InputRefused(refused.status, refused.code, refused.what, hint=hint) from None


def is_file(given: str) -> bool:
    """Say whether a text is a file's name and there is one."""
    try:
        return len(given) <= _LONGEST_NAME and given.isprintable() and Path(given).is_file()
    except OSError:  # a name longer than names may be
        return False


def _text_of(given: str | None) -> str:
    if given is None or given == "-":
        if given is None and sys.stdin.isatty():
            print("paste a hit, then press Ctrl-D on a line of its own", file=sys.stderr)
        raw = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        check_size(len(raw))
        return raw.decode("utf-8", "replace")
    if (path := _file(given)) is None:
        return given
    try:
        check_size(path.stat().st_size)
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise unreadable("the file is no text in UTF-8") from None
    except OSError as error:
        raise unreadable(f"the file cannot be read: {error.strerror}") from None


def _file(given: str) -> Path | None:
    """The file a text names; None when it is the hit itself. Raises InputRefused where it can be neither."""
    text = given.strip()
    if is_file(text):
        return Path(text)
    if not looks_like_hits(text) and len(text) <= _LONGEST_NAME and "\n" not in text:
        raise unreadable(f"{mask_and_cut(text, longest=80)!r} is no hit, and no file")
    return None
