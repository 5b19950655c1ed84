"""The two cookies that matter, read from a request and set in an answer.

Reading is our own: the standard library gives up on a whole header for one malformed cookie, and shops set all sorts.
"""

import functools
import ipaddress
import re
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
from publicsuffixlist import PublicSuffixList

from tikrelay.event import CLICK_ID

PIXEL: Final = "_ttp"  # written by TikTok's pixel
ANALYTICS: Final = "_ga"
MAX_AGE_S: Final = 30 * 86400  # as TikTok's server template keeps it
_MAY_STAND_IN_A_HEADER: Final = re.compile(r"[A-Za-z0-9._~-]{1,1024}", re.ASCII)
_WANTED: Final = frozenset({CLICK_ID, PIXEL, ANALYTICS})


class Cookies(msgspec.Struct, frozen=True):
    """What was found; None where a cookie is missing or empty."""

    ttclid: str | None = None
    ttp: str | None = None
    ga: str | None = None


def read_cookies(header: str) -> Cookies:
    """Read a Cookie header; of a cookie that comes twice the first counts, and a malformed one costs only itself.

    >>> read_cookies('bad=;; =x; ttclid="E.C.P.a"; ttclid=b; _ttp=27chars')
    Cookies(ttclid='E.C.P.a', ttp='27chars', ga=None)
    """
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name not in _WANTED or name in found:
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if value:
            found[name] = unquote(value) if "%" in value else value
    return Cookies(ttclid=found.get(CLICK_ID), ttp=found.get(PIXEL), ga=found.get(ANALYTICS))


@functools.cache
def _suffixes() -> PublicSuffixList:
    """The list inside the package; it never asks the network."""
    return PublicSuffixList()


@functools.lru_cache(maxsize=1024)
def registrable_domain(host: str) -> str | None:
    """The domain a site owns, or None for an address, a single label and a bare suffix.

    >>> registrable_domain("gw.shop.example.co.uk"), registrable_domain("127.0.0.1"), registrable_domain("localhost")
    ('example.co.uk', None, None)
    """
    name = host.strip().rstrip(".").lower()
    if not name or "." not in name or not re.fullmatch(r"[a-z0-9.-]{1,253}", name):
        return None
    try:
        ipaddress.ip_address(name)
    except ValueError:
        domain: str | None = _suffixes().privatesuffix(name)
        return domain
    return None


def host_of(authority: str) -> str:
    """A Host header without its port, in lower case.

    >>> host_of("GW.Shop.example:8443"), host_of("[::1]:80")
    ('gw.shop.example', '::1')
    """
    text = authority.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def click_id_cookie(page_url: str, *, host: str) -> str | None:
    """The Set-Cookie value that keeps a page's click id, or None.

    ``page_url`` is the page's address, ``host`` the Host header of this request. The cookie is for the whole site when
    both are on it, for this host alone where there is no registrable domain, and not set when the page is elsewhere.
    """
    if CLICK_ID not in page_url:
        return None
    try:
        page = urlsplit(page_url)
        page_host = page.hostname or ""
    except ValueError:
        return None
    value = _parameter(page.query)
    if value is None or not _MAY_STAND_IN_A_HEADER.fullmatch(value):
        return None
    here = host_of(host)
    domain = registrable_domain(here)
    if domain != registrable_domain(page_host) or (domain is None and here != page_host):
        return None
    scope = f"; Domain={domain}" if domain else ""
    return f"{CLICK_ID}={value}; Max-Age={MAX_AGE_S}; Path=/{scope}; Secure; SameSite=Lax"


def _parameter(query: str) -> str | None:
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == CLICK_ID and value:
            return unquote(value)
    return None
