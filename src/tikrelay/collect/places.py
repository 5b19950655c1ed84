"""To which names this server answers, and whose pages may send: ``sources.hosts`` and ``sources.origins``."""

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

HOST: Final = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", re.ASCII)
ORIGIN: Final = re.compile(rf"https?://({HOST.pattern})(:[0-9]{{1,5}})?", re.ASCII)
_PORT: Final = re.compile(r":[0-9]*$", re.ASCII)
_ITS_OWN_PORT: Final = {"http": ":80", "https": ":443"}

Knows = Callable[[str], bool]


def host_list(hosts: Sequence[str]) -> Knows:
    """Make the test of a Host header; an empty list knows every name. Ports do not count.

    >>> knows = host_list(["gw.shop.example", "*.shop.test"])
    >>> [knows(host) for host in ("GW.shop.example.:8443", "a.b.shop.test", "shop.test", "xshop.test", "")]
    [True, True, False, False, False]
    """
    if not hosts:
        return lambda _: True
    whole, ends = _split(hosts)

    def knows(host: str) -> bool:
        name = _PORT.sub("", host.strip()).removesuffix(".").lower()
        return name in whole or name.endswith(ends)

    return knows


def origin_list(origins: Sequence[str]) -> Knows:
    """Make the test of a page's origin; an empty list knows every origin, and no list knows "null".

    >>> knows = origin_list(["https://shop.example", "https://*.shop.test"])
    >>> [knows(origin) for origin in ("https://shop.example", "https://a.shop.test", "http://shop.example", "null")]
    [True, True, False, False]
    """
    if not origins:
        return lambda _: True
    starred = [origin.partition("*") for origin in origins]
    whole = frozenset(_plain(before) for before, star, _ in starred if not star)
    ends = tuple((before.lower(), _plain(after)) for before, star, after in starred if star)

    def knows(origin: str) -> bool:
        plain = _plain(origin)
        return plain in whole or any(
            plain.startswith(before) and plain.endswith(after) and len(plain) > len(before) + len(after)
            for before, after in ends
        )

    return knows


def origin_of(origin: str, referer: str) -> str:
    """Say which page sends: its Origin, or the site of its Referer, where a browser sends no Origin; else nothing.

    >>> origin_of("", "https://shop.example/cart?x=1"), origin_of("null", "https://shop.example/")
    ('https://shop.example', 'null')
    """
    if origin or not referer:
        return origin
    try:
        page = urlsplit(referer)
    except ValueError:
        return "null"
    return f"{page.scheme}://{page.netloc}"


def _split(hosts: Sequence[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    names = [host.lower().removesuffix(".") for host in hosts]
    return frozenset(name for name in names if "*" not in name), tuple(name[1:] for name in names if "*" in name)


def _plain(origin: str) -> str:
    lower = origin.strip().lower().removesuffix("/")
    scheme = lower.partition(":")[0]
    return lower.removesuffix(_ITS_OWN_PORT.get(scheme, "\0"))
