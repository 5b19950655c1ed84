"""The two cookies that matter, read from a request and set in an answer.

Reading is our own: the standard library gives up on a whole header for one malformed cookie, and shops set all sorts.
"""

import functools
import ipaddress
import random
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec
from publicsuffixlist import PublicSuffixList

from tikrelay.base.clock import Clock
from tikrelay.collect.config import CookiesConfig
from tikrelay.event import CLICK_ID, CLICK_ID_MACRO, Consent, Event

PIXEL: Final = "_ttp"  # written by TikTok's pixel
ANALYTICS: Final = "_ga"
_PIXEL_ENDS: Final = "_.tt.1"  # as cookies written by the pixel in 2025 and 2026 end
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # the ULID specification's alphabet
_MAY_STAND_IN_A_HEADER: Final = re.compile(r"[A-Za-z0-9._~-]{1,1024}", re.ASCII)
_LONGEST_HOST: Final = 253  # RFC 1035: 255 octets, which is 253 characters
_LONGEST_URL: Final = 8192
_HOST: Final = re.compile(r"[a-z0-9.-]+", re.ASCII)
# Not the standard library's urlsplit, which remembers whole addresses, and with them whom they name.
_PAGE: Final = re.compile(
    r"https?://(?:[^/?#\\\s]*@)?(\[[0-9a-f:.]+\]|[^/?#\\\s@:\[\]]+)(?::[0-9]*)?(?:/[^?#]*)?(?:\?([^#]*))?(?:#|\Z)",
    re.IGNORECASE,
)
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


def registrable_domain(host: str) -> str | None:
    """The domain a site owns, or None for an address, a single label and a bare suffix.

    >>> registrable_domain("gw.shop.example.co.uk"), registrable_domain("127.0.0.1"), registrable_domain("localhost")
    ('example.co.uk', None, None)
    """
    if len(host) > _LONGEST_HOST:
        return None
    name = host.strip().rstrip(".").lower()
    return _domain_of(name) if "." in name and _HOST.fullmatch(name) else None


@functools.lru_cache(maxsize=1024)
def _domain_of(name: str) -> str | None:
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


class Kept(NamedTuple):
    """What became of a browser's request: its events, and the Set-Cookie values of its answer."""

    events: tuple[Event, ...]
    set_cookies: tuple[str, ...] = ()


class CookieSetter:
    """Has a visitor's browser keep the page's click id, and an id of the visitor where the settings ask for one.

    ``may_set`` says whether the visitor's consent lets a cookie be set. A cookie is for the whole site when the page
    and this host are on it, for this host alone where there is no registrable domain, and not set when the page is on
    another site. What is written into a header is held against the few characters that may stand there.
    """

    def __init__(
        self, config: CookiesConfig, *, may_set: Callable[[Consent], bool], clock: Clock, rng: random.Random
    ) -> None:
        self._config = config
        self._may_set = may_set
        self._clock = clock
        self._rng = rng
        self._domain = config.domain.strip().strip(".").lower()

    def keep(self, events: Sequence[Event], *, host: str, ttp: str | None) -> Kept:
        """Say what the answer to a browser's request sets; ``host`` is its Host header, ``ttp`` its ``_ttp`` cookie.

        A ``_ttp`` made here goes into the events of this request too; one that the browser has is never changed.
        """
        click_id = pixel = pixel_id = None
        kept: list[Event] = []
        for event in events:
            page_url = event.page_url
            if isinstance(page_url, str) and self._may_set(event.consent):
                known = event.visitor.ttclid_cookie
                click_id = self.click_id_cookie(page_url, host=host, known=known) or click_id
                if ttp is None and self._lacks_pixel_id(event):
                    pixel_id = pixel_id or new_pixel_id(self._clock.now(), self._rng)
                    if made := self._pixel_cookie(pixel_id, page_url, host=host):
                        pixel = made
                        visitor = msgspec.structs.replace(event.visitor, ttp_cookie=pixel_id)
                        event = msgspec.structs.replace(event, visitor=visitor)  # noqa: PLW2901  the event with its id
            kept.append(event)
        return Kept(tuple(kept), tuple(cookie for cookie in (click_id, pixel) if cookie))

    def click_id_cookie(self, page_url: str, *, host: str, known: str | None = None) -> str | None:
        """Give the Set-Cookie value that keeps the click id in a page's address, or None.

        One that the browser has already (``known``) is not set again: it is as old as the click.
        """
        if not self._config.ttclid or CLICK_ID not in page_url:
            return None
        value = _parameter(_read_page(page_url).query)
        if value == known:
            return None
        return self._cookie(CLICK_ID, value, page_url, host=host, max_age_s=self._config.ttclid_max_age)

    def _lacks_pixel_id(self, event: Event) -> bool:
        """Say whether an id is to be made: not beside one that the page itself read out and gave."""
        return self._config.generate_ttp and not (event.data.get("ttp") or event.data.get(PIXEL))

    def _pixel_cookie(self, value: str, page_url: str, *, host: str) -> str | None:
        return self._cookie(PIXEL, value, page_url, host=host, max_age_s=self._config.ttp_max_age)

    def _cookie(self, name: str, value: str | None, page_url: str, *, host: str, max_age_s: float) -> str | None:
        if value is None or not _MAY_STAND_IN_A_HEADER.fullmatch(value) or max_age_s < 1:
            return None
        scope = self._scope(page_url, host_of(host).removesuffix("."))
        if scope is None:
            return None
        hidden = "; HttpOnly" if self._config.http_only else ""
        lasting = f"Max-Age={int(max_age_s)}; Path=/{scope}"
        return f"{name}={value}; {lasting}; Secure; SameSite={self._config.same_site}{hidden}"

    def _scope(self, page_url: str, here: str) -> str | None:
        """Say for which hosts a cookie is set, or None where it must not be."""
        page_host = _read_page(page_url).host
        site = registrable_domain(here)
        if site != registrable_domain(page_host) or (site is None and (not here or here != page_host)):
            return None
        if not self._config.domain:
            return f"; Domain={site}" if site else ""
        domain = self._domain
        is_below = here.endswith(f".{domain}") and registrable_domain(domain) is not None  # no browser takes a suffix
        return f"; Domain={domain}" if _HOST.fullmatch(domain) and (here == domain or is_below) else None


def new_pixel_id(now: float, rng: random.Random) -> str:
    """Make a visitor's id in the form of today's pixel: a ULID (48 bits of time, 80 of chance), then ``_.tt.1``.

    >>> new_pixel_id(1795312345.5, random.Random(1))[:10], new_pixel_id(0, random.Random(1))[26:]
    ('01M80F8RCW', '_.tt.1')
    """
    number = int(now * 1000) << 80 | rng.getrandbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)) + _PIXEL_ENDS


class _Page(NamedTuple):
    host: str = ""
    query: str = ""


def _read_page(url: str) -> _Page:
    """Read the host of a page's address, in lower case and without port, and the query; nothing where it is none.

    >>> _read_page("https://Shop.Example.:8443/a?b=1#c"), _read_page("http://[::1]:80"), _read_page("/a?b=1")
    (_Page(host='shop.example', query='b=1'), _Page(host='::1', query=''), _Page(host='', query=''))
    """
    match = _PAGE.match(url.strip()) if len(url) <= _LONGEST_URL else None
    return _Page(host_of(match[1]).removesuffix("."), match[2] or "") if match else _Page()


def _parameter(query: str) -> str | None:
    """The first click id of a query that can be kept."""
    for part in query.split("&"):
        name, _, given = part.partition("=")
        if name == CLICK_ID and (value := unquote(given)) != CLICK_ID_MACRO and _MAY_STAND_IN_A_HEADER.fullmatch(value):
            return value
    return None
