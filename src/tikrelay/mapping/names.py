"""Which TikTok event a name becomes.

An exact GA4 name comes first, so that GA4's ``purchase`` is the operator's purchase event and TikTok's ``Purchase``
stays ``Purchase``; then TikTok's own names in any case; anything else goes through unchanged.
"""

import re
from collections.abc import Mapping
from typing import Final

from tikrelay.event import DropReason
from tikrelay.mapping.config import MappingConfig
from tikrelay.tiktok.payload import EventSource

# The mapping that was asked for; three names are settings.
GA4_NAMES: Final[Mapping[str, str]] = {
    "page_view": "PageView",
    "view_item": "ViewContent",
    "click": "ClickButton",
    "search": "Search",
    "add_to_wishlist": "AddToWishlist",
    "add_to_cart": "AddToCart",
    "begin_checkout": "InitiateCheckout",
    "add_payment_info": "AddPaymentInfo",
    "purchase": "PlaceAnOrder",
    "contact": "Contact",
    "file_download": "Download",
    "download": "Download",
    "generate_lead": "SubmitForm",
    "complete_registration": "CompleteRegistration",
    "sign_up": "CompleteRegistration",
    "subscribe": "Subscribe",
}

# GA4's own housekeeping: a large part of its traffic, and nothing to TikTok.
DROPPED_NAMES: Final = frozenset({"user_engagement", "scroll", "session_start", "first_visit"})

# "Supported standard events" (TikTok help centre, May and Sep 2025), the names it replaced in May 2025, and page view.
STANDARD_NAMES: Final = (
    "AddPaymentInfo", "AddToCart", "AddToWishlist", "ApplicationApproval", "CompletePayment", "CompleteRegistration",
    "Contact", "CustomizeProduct", "Download", "FindLocation", "InitiateCheckout", "Lead", "Purchase", "Schedule",
    "Search", "StartTrial", "SubmitApplication", "SubmitForm", "Subscribe", "ViewContent", "ClickButton",
    "PlaceAnOrder",
)  # fmt: skip

# Standard events of apps, as Segment's destination lists them.
APP_NAMES: Final = (
    "AchieveLevel", "AddPaymentInfo", "AddToCart", "AddToWishlist", "Checkout", "CompleteTutorial", "CreateGroup",
    "CreateRole", "GenerateLead", "InAppADClick", "InAppADImpr", "InstallApp", "JoinGroup", "LaunchAPP",
    "LoanApplication", "LoanApproval", "LoanDisbursal", "Login", "Purchase", "Rate", "Registration", "Search",
    "SpendCredits", "StartTrial", "Subscribe", "UnlockAchievement", "ViewContent",
)  # fmt: skip

PURCHASES: Final = frozenset({"PlaceAnOrder", "CompletePayment", "Purchase"})

# TikTok counts these as another event ("Reserved events", TikTok help centre, May 2025).
RESERVED_NAMES: Final[Mapping[str, str]] = {
    "AddBilling": "AddPaymentInfo", "Browse": "PageView", "Checkout": "PlaceAnOrder", "ClickForm": "Lead",
    "ClickInDownloadPage": "ClickButton", "ClickToDownload": "Download", "Consult": "Contact",
    "ConsultByPhone": "Contact", "Registration": "CompleteRegistration", "StartCheckout": "InitiateCheckout",
    "ViewConsultationPage": "ViewContent", "ViewDownloadPage": "ViewContent", "ViewForm": "ViewContent",
}  # fmt: skip

# Out of TikTok's documentation in 2025, "supported until 2027" ("How to adopt updated standard events", May 2025).
ENDING_NAMES: Final[Mapping[str, str]] = {
    "PlaceAnOrder": "Purchase",
    "ClickButton": "Lead, Purchase or ViewContent",
}

# "Custom events" (TikTok help centre, Feb 2026): a letter, then letters, digits, underscores and hyphens, 50 in all.
_CUSTOM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}", re.ASCII)


class Names:
    """The names of one destination: the tables above with the operator's settings in them."""

    def __init__(self, config: MappingConfig, event_source: EventSource) -> None:
        self._own = dict(config.events)
        page_view = config.page_view_event
        settings = {"purchase": config.purchase_event, "page_view": page_view, "generate_lead": config.lead_event}
        self._ga4 = {**GA4_NAMES, **settings}
        known = (*STANDARD_NAMES, *APP_NAMES) if event_source == "app" else STANDARD_NAMES
        self._tiktok = {name.lower(): name for name in known} | {"pageview": page_view}
        reserved = {} if event_source == "app" else RESERVED_NAMES
        self._reserved = {name.lower(): becomes for name, becomes in reserved.items()}

    def of(self, name: str) -> str | DropReason:
        """Name the TikTok event of a name, or say why it is dropped."""
        key = name.strip()
        own = self._own.get(key)
        if own is not None:
            name = key = own.strip()
            if not key:
                return DropReason.BY_RULE
        elif key in DROPPED_NAMES:
            return DropReason.NO_MAPPING
        return self._ga4.get(key) or self._tiktok.get(key.lower()) or name

    def is_standard(self, name: str) -> bool:
        """Say whether TikTok knows a name."""
        return name.lower() in self._tiktok

    def reserved_for(self, name: str) -> str | None:
        """The event that TikTok counts a reserved name as."""
        return self._reserved.get(name.lower())


def breaks_custom_rules(name: str) -> bool:
    """Say whether a name breaks TikTok's rules for custom events.

    >>> breaks_custom_rules("view_cart"), breaks_custom_rules("1st order"), breaks_custom_rules("a" * 51)
    (False, True, True)
    """
    return _CUSTOM.fullmatch(name) is None


def ending_names(config: MappingConfig) -> list[str]:
    """Say in plain words which names of these settings stop working in 2027, and what to set instead.

    >>> ending_names(MappingConfig(purchase_event="Purchase", events={"click": ""}))
    []
    """
    found: list[str] = []
    for ga4_name, key in (("purchase", "mapping.purchase_event"), ("click", "mapping.events")):
        own = config.events.get(ga4_name)
        sent_as = own if own is not None else config.purchase_event if ga4_name == "purchase" else GA4_NAMES[ga4_name]
        if instead := ENDING_NAMES.get(sent_as):
            how = '{ click = "" } drops it' if ga4_name == "click" else f'"{instead}", as the page\'s pixel must too'
            found.append(
                f"GA4 {ga4_name} is sent as {sent_as}, which TikTok stops taking in 2027 (it suggests {instead}): "
                f"set {key}, {how}"
            )
    return found
