"""The settings of mapping: ``[mapping]``, ``[privacy]``, ``[[rules]]``, and a destination's own share of them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tikrelay.base.units import Duration
from tikrelay.tiktok.config import DestinationConfig

ConsentRule = Literal["ignore", "required_or_unknown", "required"]
OwnConsentRule = Literal["", "ignore", "required_or_unknown", "required", "never"]
"""For identifiers and cookies apart; empty follows ``consent``."""
Scalar = str | int | float | bool
Comparison = Scalar | dict[str, Scalar | tuple[Scalar, ...]]
"""What a field is compared with: a value it must equal, or a table such as ``{ at_least = 100 }``."""


class RuleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule of your own. All that match an event apply, in order; of two that say the same thing the later counts."""

    name: str = ""
    """Stands in explanations; without one the rule's number does."""

    events: tuple[str, ...] | str = ()
    """The names it is for, as they come in; empty is every event."""

    when: dict[str, Comparison] | tuple[dict[str, Comparison], ...] = {}
    """Conditions on fields of the event, all of which must hold; of a list of such tables any one."""

    send_as: tuple[str, ...] | str | None = None
    """The TikTok event, or several; an empty list sends none."""

    drop: bool = False
    """Sends nothing, and counts it."""

    destinations: tuple[str, ...] = ()
    """Sends the event to these destinations alone."""

    set: dict[str, Scalar] = {}
    """TikTok fields and what they are: { "properties.status" = "submitted" }."""

    copy: dict[str, str] = {}
    """TikTok fields and the event field each is taken from: { "properties.coupon" = "coupon" }."""

    rename: dict[str, str] = {}
    """Properties and their new names: { "properties.description" = "properties.note" }."""

    remove: tuple[str, ...] = ()
    """TikTok fields that are not sent: ["user.city", "properties.contents"]."""

    test_event_code: str | None = None
    """Sends the event as a test, under this code of the Test Events tab."""

    limited_data_use: bool | None = None
    """Sets limited_data_use, or takes it off."""


class MappingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of names and fields."""

    purchase_event: Literal["PlaceAnOrder", "CompletePayment", "Purchase"] = "PlaceAnOrder"
    """The TikTok event of a GA4 purchase. PlaceAnOrder stops working in 2027.

    The browser pixel must use the same name, or TikTok counts the purchase twice.
    """

    page_view_event: Literal["PageView", "Pageview"] = "PageView"
    """The spelling of a page view."""

    lead_event: Literal["SubmitForm", "Lead"] = "SubmitForm"
    """The TikTok event of generate_lead."""

    default_phone_country: str = ""
    """ISO 3166 country, such as "DE", for phone numbers written without a country code; empty leaves those out."""

    phone_cn: Literal["both", "e164", "national"] = "both"
    """How numbers of China are hashed: with +86, without it, or both, since TikTok's own pages ask for either."""

    external_id_lowercase: bool = False
    """Writes external ids in lower case before they are hashed; set it if the browser pixel is given them so."""

    us_zip_first_five: bool = False
    """Takes the first five digits of a US postal code with four more behind them."""

    warn_older_than: Duration = Duration(7 * 86400)
    """Warns of events of the web and of apps that happened longer ago; TikTok may no longer attribute them."""

    warn_older_than_offline: Duration = Duration(28 * 86400)
    """The same for event_source offline and crm."""

    custom_properties: dict[str, Scalar] = {}
    """Added to the properties of every event."""

    events: dict[str, str | tuple[str, ...]] = {}
    """Your own event names: { trial_started = "StartTrial", order = ["Purchase", "Order"] }.

    An empty name, or an empty list, drops the event and counts it.
    """


class PrivacyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the visitor's consent decides, and what is not sent."""

    consent: ConsentRule = "required_or_unknown"
    """ignore; required_or_unknown: an explicit no is obeyed; required: only an explicit yes is sent."""

    identifiers: OwnConsentRule = ""
    """The same for e-mail, phone, names, address and external id, by ad_user_data; never sends none at all.

    Empty obeys an explicit no, except where consent is ignore.
    """

    cookies: OwnConsentRule = ""
    """The same for the cookies that are set; never sets none. Empty sets them where consent lets the event be sent.

    An event that is dropped for another reason, such as a rule, still sets them.
    """

    strict_urls: bool = False
    """Keeps of a page's address only allowed parameters, and nothing behind #."""

    allowed_parameters: tuple[str, ...] = ()
    """With strict_urls: parameters that are kept beside ttclid and utm_*; a star at the end stands for anything."""

    denied_hosts: tuple[str, ...] = ()
    """Pages whose events are dropped, and counted: "intern.shop.example", or "*.shop.example"."""

    denied_paths: tuple[str, ...] = ()
    """The same by the path of the page: "/checkup", or "/account/*"."""

    denied_events: tuple[str, ...] = ()
    """The same by the event's name as it comes in; a star at the end stands for anything."""

    limited_data_use_regions: tuple[str, ...] = ()
    """Sets limited_data_use on events from these places: "US", "US-CA", as the hit or the address in it says."""


class MappedDestination(DestinationConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pixel, app or event set that events are sent to."""

    limited_data_use: bool = False
    """Sets limited_data_use on every event (opt-out of sale or sharing under some US state laws)."""

    app_id: str = ""
    """event_source app: the store id or package name."""

    consent: Literal["", "ignore", "required_or_unknown", "required"] = ""
    """[privacy] consent for this destination alone."""

    measurement_ids: tuple[str, ...] = ()
    """GA4 measurement ids whose events go here; empty is all."""

    hosts: tuple[str, ...] = ()
    """Pages whose events go here: "shop.example", or "*.shop.example"; empty is all.

    An event without a page goes where measurement_ids names its id.
    """

    events: dict[str, str | tuple[str, ...]] = {}
    """[mapping] events for this destination alone; they come first."""

    max_waiting: Annotated[int, Meta(ge=0)] = 0
    """No more events than this may wait for it, in each worker's file; more are dropped and counted. 0 is any number.

    So one site, or one pixel nobody mends, cannot fill the disk for the others. Requests of one moment may exceed it
    by their own events.
    """

    rules: tuple[RuleConfig, ...] = ()
    """[[rules]] for this destination alone, written [[destinations.rules]]; they come after the others."""
