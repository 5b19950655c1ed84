"""The settings of collecting: ``[sources]`` and ``[cookies]``."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tikrelay.base.secret import Secret
from tikrelay.base.units import Duration


class SourcesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send."""

    measurement_ids: tuple[str, ...] = ()
    """GA4 measurement ids (G-...) that are taken; empty takes any, with a warning at start."""

    mp_api_secret: Secret = Secret("")
    """When set, /mp/collect takes only calls whose api_secret is this."""

    data_key: Secret = Secret("")
    """When set, /data takes only calls with the header Authorization: Bearer and this."""

    hosts: tuple[str, ...] = ()
    """Names this server answers to, such as "gw.shop.example" or "*.shop.example"; empty is any. Others get 421.

    A supervisor may ask for /healthy and /readyz by any name.
    """

    origins: tuple[str, ...] = ()
    """Sites whose pages may send, such as "https://shop.example" or "https://*.shop.example"; empty is any.

    Other pages get 403. What names no page, in Origin or Referer, is a server's and passes.
    """


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one request, one connection and one address may cost."""

    line_bytes: Annotated[int, Meta(ge=1024, le=65_536)] = 8192
    """Bytes of a request's line; more gets 414. gtag.js keeps its addresses under 2,048."""

    headers: Annotated[int, Meta(ge=10, le=1000)] = 100
    """Headers of a request; more get 431."""

    headers_bytes: Annotated[int, Meta(ge=1024, le=131_072)] = 32_768
    """Bytes of all headers together; more get 431."""

    body_bytes: Annotated[int, Meta(ge=1024, le=64_000_000)] = 524_288
    """Bytes of a body as it is sent; more get 413 before the rest is read."""

    inflated_bytes: Annotated[int, Meta(ge=1024, le=256_000_000)] = 2_097_152
    """Bytes of a compressed body once it is inflated; more get 413."""

    inflated_ratio: Annotated[int, Meta(ge=2, le=1032)] = 100
    """How many times larger a body may become when it is inflated; bodies of up to 16 KiB are not held to it."""

    head_within_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Seconds for a request's line and headers to arrive; then 408, and the connection is closed."""

    body_within_s: Annotated[float, Meta(gt=0, le=300)] = 15.0
    """Seconds for a body to arrive; then 408. An answer that is not read for as long ends its connection."""

    idle_s: Annotated[float, Meta(gt=0, le=3600)] = 75.0
    """Seconds a connection may stay open without a request."""

    connections: Annotated[int, Meta(ge=16, le=1_000_000)] = 10_000
    """Connections at once, shared out among workers, and never more than the files the process may open allow.

    Of more, the one that has waited longest without a request makes room.
    """

    requests_per_address_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0
    """Requests a second from one visitor's address, shared out among workers; more get 429. 0 is off.

    Ten at once, or two seconds' worth, are a burst. This machine and trusted proxies are never limited; of IPv6 the
    first 64 bits count.
    """


class CookiesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cookies that answers set; [privacy] cookies says whether they may."""

    ttclid: bool = True
    """Keeps the click id of a page's address in the cookie ttclid; set for pages of the gateway's own site alone."""

    ttclid_max_age: Duration = Duration(30 * 86400)
    """How long; TikTok attributes up to 28 days after a click."""

    generate_ttp: bool = False
    """Makes the cookie _ttp, in the form of TikTok's pixel, for a visitor who has none.

    TikTok does not know it; it only tells a returning visitor, until the pixel takes it over.
    """

    ttp_max_age: Duration = Duration(395 * 86400)
    """How long; the pixel keeps its own for 13 months."""

    domain: str = ""
    """The domain they are set for; empty is the registrable domain of the request's host.

    Under a host that is neither the domain nor below it none is set.
    """

    same_site: Literal["Lax", "None", "Strict"] = "Lax"
    """None has the browser send them from pages of other sites too, where it still allows that."""

    http_only: bool = False
    """Hides them from scripts of the page; TikTok's pixel then can neither read them nor write its own."""
