"""What the browser says it is: the ``ua*`` parameters of a hit, else the Sec-CH-UA headers."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from tikrelay.event import Json

_TEXTS: Final = {"uaa": "architecture", "uab": "bitness", "uam": "model", "uap": "platform", "uapv": "platform_version"}
_FLAGS: Final = {"uamb": "mobile", "uaw": "wow64"}
_MOST_BRANDS: Final = 20
_BRAND: Final = re.compile(r'"((?:[^"\\]|\\.){0,100})"\s*;\s*v="([^"]{0,50})"')
_TEXT_HEADERS: Final = {
    "platform": "sec-ch-ua-platform", "platform_version": "sec-ch-ua-platform-version", "model": "sec-ch-ua-model",
    "architecture": "sec-ch-ua-arch", "bitness": "sec-ch-ua-bitness",
}  # fmt: skip
HEADERS: Final = ("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-full-version-list", *_TEXT_HEADERS.values())


def from_parameters(parameters: Mapping[str, str]) -> dict[str, Json]:
    """Read the parameters to event data's ``client_hints``; an empty dict where there are none."""
    hints: dict[str, Json] = {}
    for key, name in _TEXTS.items():
        if key in parameters:
            hints[name] = parameters[key]
    for key, name in _FLAGS.items():
        if parameters.get(key) in {"0", "1"}:
            hints[name] = parameters[key] == "1"
    if versions := parameters.get("uafvl"):
        hints["full_version_list"] = read_versions(versions)
    return hints


def read_versions(text: str) -> list[Json]:
    """Read ``brand;version|brand;version``; a brand is percent-encoded once more and may hold any sign but ``|``.

    >>> read_versions("Not%3BA%3DBrand;99.0.0.0|Chromium;140.0.1")
    [{'brand': 'Not;A=Brand', 'version': '99.0.0.0'}, {'brand': 'Chromium', 'version': '140.0.1'}]
    """
    found: list[Json] = []
    for piece in text.split("|")[:_MOST_BRANDS]:
        brand, _, version = piece.rpartition(";")
        if brand:
            found.append({"brand": unquote(brand), "version": version})
    return found


def from_headers(headers: Mapping[str, str]) -> dict[str, Json]:
    """Read the headers, quotes off; an empty dict where the browser sent none."""
    hints: dict[str, Json] = {}
    versions = headers.get("sec-ch-ua-full-version-list", "")  # Sec-CH-UA itself has major versions only
    if brands := [{"brand": brand, "version": version} for brand, version in _BRAND.findall(versions)[:_MOST_BRANDS]]:
        hints["full_version_list"] = list[Json](brands)
    if headers.get("sec-ch-ua-mobile") in {"?0", "?1"}:
        hints["mobile"] = headers["sec-ch-ua-mobile"] == "?1"
    for name, header in _TEXT_HEADERS.items():
        if value := headers.get(header, "").strip('"'):
            hints[name] = value
    return hints
