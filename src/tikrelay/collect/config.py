"""The settings of collecting: ``[sources]`` and ``[cookies]``."""

from typing import Literal

import msgspec

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
