"""The user data of a hit in all its shapes, as one flat table of texts.

gtag.js flattens what the site set with dots (``user_data.address.0.city``), JSON senders nest it, and server containers
write lists as objects with numbers for keys. Out comes: key to every value given; of several addresses the first.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final
from urllib.parse import unquote

from tikrelay.event import Json

PREFIX: Final = "user_data."
MOST_VALUES: Final = 20  # of one key
MOST_LEAVES: Final = 200  # of one event
_DEEPEST: Final = 4
_INDEX: Final = re.compile(r"[0-9]{1,3}", re.ASCII)

# The compact form gtag.js sends to Google's own hosts: tv.1~em.<hash>~pn.<hash>...
_EM_KEYS: Final = {
    "em": "sha256_email_address", "pn": "sha256_phone_number", "fn": "address.sha256_first_name",
    "ln": "address.sha256_last_name", "ct": "address.city", "rg": "address.region", "pc": "address.postal_code",
    "co": "address.country",
}  # fmt: skip

Flat = dict[str, tuple[str, ...]]


def from_parameters(parameters: Mapping[str, Json]) -> Flat:
    """Read ``user_data.*`` of event parameters, and ``user_data`` itself where it is an object."""
    whole = parameters.get("user_data")
    given = [(name[len(PREFIX) :], value) for name, value in parameters.items() if name.startswith(PREFIX)]
    if isinstance(whole, dict):
        given.append(("", whole))
    leaves = (leaf for name, value in given for leaf in _leaves(name, value, 0))
    return _gather(list(islice(leaves, MOST_LEAVES)))


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
        parts = path.split(".")
        if parts[0].startswith("_") or not (text := _text(value)):
            continue
        if parts[0] == "address" and len(parts) > 1 and _INDEX.fullmatch(parts[1]):
            first_address = parts[1] if first_address is None else first_address
            if parts[1] != first_address:
                continue
        key = ".".join(part for part in parts if not _INDEX.fullmatch(part))
        kept = found.setdefault(key, [])
        if len(kept) < MOST_VALUES:
            kept.append(text)
    return {key: tuple(values) for key, values in found.items()}


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
            text = _hex(value) if "sha256" in name else unquote(value)
            if text:
                found.setdefault(name, []).append(text)
    return {key: tuple(values) for key, values in found.items()}


def _hex(value: str) -> str:
    """Turn a SHA-256 in base64url without padding (43 characters) into hex; hex stays."""
    if re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        return value.lower()
    if re.fullmatch(r"[A-Za-z0-9_-]{43}", value):
        try:
            return base64.urlsafe_b64decode(value + "=").hex()
        except (binascii.Error, ValueError):
            return ""
    return ""
