"""Which parts of a recorded request an example keeps: what is read of it, and no key, login or session."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tikrelay.app.hits.request import Request
from tikrelay.collect.cookies import ANALYTICS, PIXEL
from tikrelay.collect.query import unquote
from tikrelay.event import CLICK_ID

_HEADERS: Final = frozenset({"user-agent", "x-forwarded-for", "content-type", "origin", "referer"})
_GROUPS_OF_HEADERS: Final = ("sec-ch-ua", "sec-fetch-")
_COOKIES: Final = frozenset({CLICK_ID, PIXEL, ANALYTICS})
_NOT_KEPT: Final = "api_secret"  # of the Measurement Protocol


def to_keep(request: Request) -> Request:
    """Leave out what an example does not need, for examples are shared: what is not known to be read is not kept.

    >>> to_keep(Request(url="https://u:p@gw/mp/collect?a=1&api_secret=x#f", headers={"Cookie": "session=x"}))
    Request(method='GET', url='https://gw/mp/collect?a=1', headers={}, body='')
    """
    return msgspec.structs.replace(request, url=_address(request.url), headers=_headers(request.headers))


def _address(given: str) -> str:
    url = urlsplit(given)
    query = "&".join(part for part in url.query.split("&") if unquote(part.partition("=")[0]) != _NOT_KEPT)
    return url._replace(netloc=url.netloc.rpartition("@")[2], query=query, fragment="").geturl()


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given.items():
        plain = name.lower()
        kept = _cookies(value) if plain == "cookie" else value
        if kept and (plain == "cookie" or plain in _HEADERS or plain.startswith(_GROUPS_OF_HEADERS)):
            found[name] = kept
    return found


def _cookies(header: str) -> str:
    parts = (part.strip() for part in header.split(";"))
    return "; ".join(part for part in parts if part.partition("=")[0].strip() in _COOKIES)
