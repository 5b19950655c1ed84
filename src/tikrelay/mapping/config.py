"""The settings of mapping: ``[mapping]`` and ``[privacy]``."""

from typing import Literal

import msgspec

ConsentRule = Literal["ignore", "required_or_unknown", "required"]


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

    custom_properties: dict[str, str | int | float | bool] = {}
    """Added to the properties of every event."""

    events: dict[str, str] = {}
    """Your own event names: { trial_started = "StartTrial" }; an empty name drops the event, and counts it."""


class PrivacyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the visitor's consent decides."""

    consent: ConsentRule = "required_or_unknown"
    """ignore; required_or_unknown: an explicit no is obeyed; required: only an explicit yes is sent."""
