"""Where a text stands in bytes, in any of the ways programs write texts."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote


def spellings(text: str) -> Iterator[tuple[str, bytes]]:
    """Each way to write a text, all but base64 in lower case."""
    raw, lower = text.encode(), text.lower().encode()
    every = "".join(f"%{byte:02x}" for byte in lower)
    yield "as it is", lower
    yield "percent-encoded", quote(lower, safe="").lower().encode()
    yield "percent-encoded twice", quote(quote(lower, safe=""), safe="").lower().encode()
    yield "percent-encoded throughout", every.encode()
    yield "as JSON", json.dumps(text.lower())[1:-1].encode()
    yield "as JSON, escaped", "".join(f"\\u{ord(sign):04x}" for sign in text.lower()).encode()
    yield "in hexadecimal", lower.hex().encode()
    yield "in UTF-16", text.lower().encode("utf-16-le")
    yield "in UTF-16, the other way round", text.lower().encode("utf-16-be")
    for before in range(3):  # where it stands in a longer text decides how it looks
        whole = base64.b64encode(bytes(before) + raw)
        yield "in base64", whole[(before * 8 + 5) // 6 : -4]
        yield "in base64 for addresses", whole[(before * 8 + 5) // 6 : -4].translate(bytes.maketrans(b"+/", b"-_"))


class Search:
    """Texts to look for; ``in_`` names each that stands somewhere in bytes."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._needles = [(name, how, needle) for name, text in texts.items() for how, needle in spellings(text)]

    def in_(self, haystack: bytes) -> list[str]:
        """Say which texts stand there, and how they are written."""
        lower = haystack.lower()
        return sorted(
            {
                f"{name}, {how}"
                for name, how, needle in self._needles
                if needle in (haystack if "base64" in how else lower)
            }
        )

    def in_files(self, folder: Path, *, but: frozenset[str] = frozenset()) -> list[str]:
        """Look through every file of a folder, byte by byte."""
        files = [path for path in folder.rglob("*") if path.is_file() and path.name not in but]
        assert files
        return [f"{path.name}: {found}" for path in files for found in self.in_(_bytes_of(path))]


def _bytes_of(path: Path) -> bytes:
    """Read a file that a server may remove at this moment."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
