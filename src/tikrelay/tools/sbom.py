"""What a release is made of, as CycloneDX JSON: tikrelay and every package of the lock (``make sbom``)."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from tikrelay import __version__

ROOT: Final = Path(__file__).parents[3]
LOCK: Final = Path("requirements/runtime.txt")
_PINNED: Final = re.compile(r"([A-Za-z0-9._-]+)==([^ \\;]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill(lock: str) -> dict[str, Any]:
    """Make the bill of materials of a lock's text; the same lock gives the same bill.

    >>> bill("a==1 --hash=sha256:" + "0" * 64)["components"][0]["purl"]
    'pkg:pypi/a@1'
    """
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _component("application", "tikrelay", __version__)},
        "components": list(_components(lock)),
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    for pinned in re.split(r"\n(?=\S)", lock):
        if found := _PINNED.match(pinned):
            # The lock holds the hash of every file of a release; which is installed depends on the machine.
            hashes = [{"alg": "SHA-256", "content": digest} for digest in _HASH.findall(pinned)]
            yield {**_component("library", found[1], found[2]), "hashes": hashes}


def _component(kind: str, name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name.lower()}@{version}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def main(root: Path = ROOT) -> int:
    """Write the bill of the checkout's lock to standard output."""
    told = bill((root / LOCK).read_text(encoding="utf-8"))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
