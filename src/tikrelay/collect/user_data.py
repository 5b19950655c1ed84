"""The user data of a hit in all its shapes, as one flat table of texts.

gtag.js flattens what the site set with dots (``user_data.address.0.city``), JSON senders nest it, and server containers
write lists as objects with numbers for keys; a query can hold only the JSON text of either. Out comes: key to every
value given; of several addresses the first. A hash in base64 under a key that says it is one becomes hex.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final
from urllib.parse import unquote

from tikrelay.base.digests import HEX_LENGTH, of_base64, of_hex
from tikrelay.base.errors import InputRefused
from tikrelay.collect.strict_json import read_json
from tikrelay.event import Json

PREFIX: Final = "user_data."
MOST_VALUES: Final = 20  # of one key
MOST_LEAVES: Final = 200  # of one event
_DEEPEST: Final = 4
_LONGEST_INDEX: Final = 3
_HASHED: Final = "sha256_"

# The compact form gtag.js sends to Google's own hosts: tv.1~em.<hash>~pn.<hash>...
_EM_KEYS: Final = {
    "em": "sha256_email_address", "pn": "sha256_phone_number", "fn": "address.sha256_first_name",
    "ln": "address.sha256_last_name", "ct": "address.city", "rg": "address.region", "pc": "address.postal_code",
    "co": "address.country",
}  # fmt: skip

Flat = dict[str, tuple[str, ...]]


def from_parameters(parameters: Mapping[str, Json]) -> Flat:
    """Read ``user_data.*`` of event parameters, and ``user_data`` itself where it is an object or the JSON of one."""
    given = [(name[len(PREFIX) :], value) for name, value in parameters.items() if name.startswith(PREFIX)]
    whole = _read_object(parameters.get("user_data"))
    if isinstance(whole, dict):
        given.append(("", whole))
    if not given:
        return {}
    leaves = (leaf for name, value in given for leaf in _leaves(name, _read_object(value), 0))
    return _gather(list(islice(leaves, MOST_LEAVES)))


def _read_object(value: Json) -> Json:
    """Read an object or a list that a query can only hold as JSON text; what is none stays as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return read_json(value.encode("utf-8", "replace"))
    except InputRefused:
        return value


def _leaves(path: str, value: Json, depth: int) -> Iterator[tuple[str, Json]]:
    if depth > _DEEPEST or not value:
        yield path, None  # counts towards the most that are looked at
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, inner, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value[:MOST_VALUES]):
            yield from _leaves(f"{path}.{number}", inner, depth + 1)
    else:
        yield path, value


def _gather(leaves: list[tuple[str, Json]]) -> Flat:
    """Take numbers out of paths; an address with another number than the first is left out."""
    first_address: str | None = None
    found: dict[str, list[str]] = {}
    for path, value in leaves:
        if path.startswith("_") or not (text := _text(value)):
            continue
        parts = path.split(".")
        if parts[0] == "address" and len(parts) > 1 and _is_index(parts[1]):
            first_address = parts[1] if first_address is None else first_address
            if parts[1] != first_address:
                continue
        key = path if len(parts) == 1 else ".".join([part for part in parts if not _is_index(part)])
        if _HASHED in key and len(text) < HEX_LENGTH:
            text = of_base64(text.strip()) or text
        kept = found.setdefault(key, [])
        if len(kept) < MOST_VALUES:
            kept.append(text)
    return {key: tuple(values) for key, values in found.items()}


def _is_index(part: str) -> bool:
    return len(part) <= _LONGEST_INDEX and part.isascii() and part.isdigit()


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else ""


def from_em(em: str) -> Flat:
    """Read the compact form; a hash in base64url becomes the 64 hex digits it stands for."""
    found: dict[str, list[str]] = {}
    for piece in em.split("~")[:50]:
        key, _, value = piece.partition(".")
        name = _EM_KEYS.get(key.rstrip("[0123456789]"))
        if name and value:
            text = (of_hex(value) or of_base64(value)) if _HASHED in name else unquote(value)
            if text:
                found.setdefault(name, []).append(text)
    return {key: tuple(values) for key, values in found.items()}
