"""Which TikTok events a name becomes: none, one or several.

The operator's own names come first, those of the destination before those of all. Then an exact GA4 name, so that GA4's
``purchase`` is the operator's purchase event and TikTok's ``Purchase`` stays ``Purchase``; then TikTok's own names in
any case; anything else goes through unchanged. Apps have a list of standard events of their own.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tikrelay.event import DropReason
from tikrelay.mapping.config import MappedDestination, MappingConfig

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

# The same for apps, where their list has another name or one that the web's has not. Which event of GA4 is which of
# TikTok's is our own inference: both lists only name their events. Purchases and leads have one name each in it.
APP_GA4_NAMES: Final[Mapping[str, str]] = {
    "purchase": "Purchase",
    "in_app_purchase": "Purchase",  # logged by Firebase itself, of a purchase in an app store
    "begin_checkout": "Checkout",
    "generate_lead": "GenerateLead",
    "complete_registration": "Registration",
    "sign_up": "Registration",
    "login": "Login",
    "first_open": "InstallApp",
    "app_open": "LaunchAPP",
    "tutorial_complete": "CompleteTutorial",
    "level_up": "AchieveLevel",
    "unlock_achievement": "UnlockAchievement",
    "spend_virtual_currency": "SpendCredits",
    "join_group": "JoinGroup",
    "ad_click": "InAppADClick",
    "ad_impression": "InAppADImpr",
}

# GA4's own housekeeping: a large part of its traffic, and nothing to TikTok.
DROPPED_NAMES: Final = frozenset({"user_engagement", "scroll", "session_start", "first_visit"})

# "Supported standard events" (TikTok help centre, May and Sep 2025) and the names it replaced in May 2025, for web,
# offline and crm. A page view is one too; its spelling is a setting.
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

    def __init__(self, mapping: MappingConfig, destination: MappedDestination | None = None) -> None:
        self._source = "web" if destination is None else destination.event_source
        is_app = self._source == "app"
        settings = {"purchase": mapping.purchase_event, "generate_lead": mapping.lead_event}
        table = {**GA4_NAMES, **settings, "page_view": mapping.page_view_event, **(APP_GA4_NAMES if is_app else {})}
        self._ga4 = {name: (becomes,) for name, becomes in table.items()}
        page_view = {"pageview": mapping.page_view_event}
        web, app = _by_lower_case(STANDARD_NAMES) | page_view, _by_lower_case(APP_NAMES)
        self._spelling = {name: (spelled,) for name, spelled in {**web, **(app if is_app else {})}.items()}
        self._standard = frozenset(app if is_app else web)
        self._reserved = {} if is_app else {name.lower(): becomes for name, becomes in RESERVED_NAMES.items()}
        self._of_destination = frozenset(() if destination is None else map(str.strip, destination.events))
        own = {**mapping.events, **({} if destination is None else destination.events)}
        self._own = {name.strip(): self.all_of(becomes) for name, becomes in own.items()}

    def of(self, name: str) -> tuple[str, ...] | DropReason:
        """Name the TikTok events of a name, or say why it is dropped."""
        key = name.strip()
        if (own := self._own.get(key)) is not None:
            return own
        if key in DROPPED_NAMES:
            return DropReason.NO_MAPPING
        return self._by_table(key) or (name,)

    def setting_of(self, name: str) -> str:
        """The setting in which the operator wrote an own name for an event."""
        return "destinations.events" if name.strip() in self._of_destination else "mapping.events"

    def is_standard(self, name: str) -> bool:
        """Say whether TikTok knows a name."""
        return name.lower() in self._standard

    def reserved_for(self, name: str) -> str | None:
        """The event that TikTok counts a reserved name as."""
        return self._reserved.get(name.lower())

    def ending_of(self, name: str) -> str | None:
        """What TikTok suggests instead of a name it stops taking in 2027; None for any other. No app event ends."""
        return None if self._source == "app" else ENDING_NAMES.get(name)

    def breaks_custom_rules(self, name: str) -> bool:
        """Say whether a name breaks TikTok's rules for custom events; those of a CRM may be in any language."""
        return self._source != "crm" and breaks_custom_rules(name)

    def _by_table(self, key: str) -> tuple[str, ...] | None:
        return self._ga4.get(key) or self._spelling.get(key.lower())

    def all_of(self, becomes: str | tuple[str, ...]) -> tuple[str, ...] | DropReason:
        """Read what the operator wrote for a name; GA4's and TikTok's own names in it are mapped and spelled."""
        written = (becomes,) if isinstance(becomes, str) else becomes
        named = [(self._by_table(key) or (key,))[0] for one in written if (key := one.strip())]
        return tuple(dict.fromkeys(named)) or DropReason.BY_RULE


def _by_lower_case(names: Iterable[str]) -> dict[str, str]:
    return {name.lower(): name for name in names}


def breaks_custom_rules(name: str) -> bool:
    """Say whether a name breaks TikTok's rules for custom events.

    >>> breaks_custom_rules("view_cart"), breaks_custom_rules("1st order"), breaks_custom_rules("a" * 51)
    (False, True, True)
    """
    return _CUSTOM.fullmatch(name) is None


def ending_names(mapping: MappingConfig, destination: MappedDestination | None = None) -> list[str]:
    """Say in plain words which names of these settings stop working in 2027, and what to set instead.

    >>> ending_names(MappingConfig(purchase_event="Purchase", events={"click": ""}))
    []
    """
    names = Names(mapping, destination)
    of_destination = {} if destination is None else destination.events
    found: list[str] = []
    for name in dict.fromkeys(("purchase", "click", *mapping.events, *of_destination)):
        key, how = "mapping.events", '"{}", as the page\'s pixel must too'
        if name in of_destination:
            key = "destinations.events"
        elif name == "purchase" and name not in mapping.events:
            key = "mapping.purchase_event"
        elif name == "click" and name not in mapping.events:
            how = '{{ click = "" }} drops it'
        sent = names.of(name)
        found += [
            f"{name} is sent as {sent_as}, which TikTok stops taking in 2027 (it suggests {instead}): "
            f"set {key}, {how.format(instead)}"
            for sent_as in (() if isinstance(sent, DropReason) else sent)
            if (instead := names.ending_of(sent_as))
        ]
    return found
