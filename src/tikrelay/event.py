"""Event: the one shape everything in the middle speaks.

``collect/`` makes it from a GA4 hit, a Measurement Protocol body or event data; ``mapping/`` reads it. It keeps what
the sender said under the names Google's server container gives it ("event data"), because the table of fields in
``mapping/fields.py`` names its sources by them. Personal data is still plain in here: an Event lives in memory only,
between the parse and the commit, and is never logged.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NewType, TypeAlias

import msgspec

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value as JSON or a query string gives it."""

CLICK_ID: Final = "ttclid"
"""TikTok's click id: a parameter of the page's address, and the cookie that keeps it (no underscore)."""

CLICK_ID_MACRO: Final = "__CLICKID__"
"""What an advertiser writes for the click id; where TikTok did not fill it in, it is none."""

PAGE_URL: Final = ("x-ttq-ct-page-url", "page_location", "page_url")
"""Where the address of the page stands in event data; the first that is given counts."""

Source = Literal["ga4_web", "ga4_mp", "data"]
"""By which route an event came: ``/g/collect``, ``/mp/collect``, ``/data``."""

DestinationName = NewType("DestinationName", str)
EventId = NewType("EventId", str)

Signal = Literal["granted", "denied"] | None
"""What a visitor said about one purpose; None is neither yes nor no."""


class Consent(msgspec.Struct, frozen=True):
    """What the sender says the visitor agreed to (facts: Consent Mode's ad_storage and ad_user_data).

    ``sending`` decides whether the event may go out at all: ad_storage, or ad_user_data where a source has no
    ad_storage (Measurement Protocol). ``user_data`` is ad_user_data. ``is_update`` marks gtag's repeat of a hit after
    the visitor chose (``gcu=1``).
    """

    sending: Signal = None
    user_data: Signal = None
    is_update: bool = False


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """What the request itself tells of the visitor's browser; empty where a server sent the request for somebody."""

    ip: str | None = None
    user_agent: str | None = None
    ttclid_cookie: str | None = None
    ttp_cookie: str | None = None


class HitKey(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one hit from another, for the derived event id. None where the source has no such thing.

    ``content`` and ``nth`` stand only in a hit that gtag.js repeats or may repeat later, whose count and line tell
    nothing: a digest of what the site said of the event, and which of the hits alike in all of this it is, from 0.
    """

    measurement_id: str | None = None
    client_id: str | None = None
    page_id: str | None = None
    page_location: str | None = None
    request_count: str | None = None
    line: int = 0
    content: str = ""
    nth: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event as its sender told it.

    ``name``             as the sender wrote it (``x-ttq-event-name`` wins over the GA4 name)
    ``received_at``      Unix seconds, UTC
    ``data``             event data by Google's names (``page_location``, ``currency``, ``items`` ...) and ``x-ttq-*``
    ``user_data``        flattened: ``email_address``, ``phone_number``, ``sha256_email_address``,
                         ``address.first_name`` (of the first address) ..., each with every value given
    ``user_properties``  name to value
    ``client_hints``     ``architecture``, ``bitness``, ``full_version_list``, ``mobile``, ``model``, ``platform``,
                         ``platform_version`` as event data has them
    """

    name: str
    source: Source
    received_at: float
    data: Mapping[str, Json] = {}
    user_data: Mapping[str, tuple[str, ...]] = {}
    user_properties: Mapping[str, Json] = {}
    client_hints: Mapping[str, Json] = {}
    visitor: Visitor = Visitor()
    consent: Consent = Consent()
    key: HitKey = HitKey()

    @property
    def page_url(self) -> "Json":
        """The address of the page as it was given, whole and not cleaned; None without one."""
        return next((given for key in PAGE_URL if (given := self.data.get(key))), None)


class DropReason(StrEnum):
    """Why an event is not sent, by a rule the operator set or left at its default. Every member is documented."""

    NO_MAPPING = "no_mapping"
    """One of GA4's own housekeeping events (user_engagement, scroll, session_start, first_visit)."""

    BY_RULE = "by_rule"
    """The operator's ``[mapping] events``, or a rule, sends nothing for it."""

    NOT_ROUTED = "not_routed"
    """The destination's ``measurement_ids`` or ``hosts``, or a rule's ``destinations``, leave it to others."""

    DENY_LISTED = "deny_listed"
    """Its page or its name stands in ``[privacy] denied_hosts``, ``denied_paths`` or ``denied_events``."""

    CONSENT_DENIED = "consent_denied"
    """The visitor said no, and ``[privacy] consent`` obeys that."""

    CONSENT_MISSING = "consent_missing"
    """``[privacy] consent = "required"``, and no signal says yes."""

    OVER_QUOTA = "over_quota"
    """As many events wait for the destination as its ``max_waiting`` allows."""

    FORGOTTEN = "forgotten"
    """It waited, and ``tikrelay forget`` erased it."""


class Notice(msgspec.Struct, frozen=True):
    """Something left out or doubtful in one event: a kind to count, the field, and words without personal data."""

    kind: str
    field: str
    text: str


class Dropped(msgspec.Struct, frozen=True):
    """An event that a rule keeps from being sent."""

    reason: DropReason


class EventReceipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one event of a request; the answer's JSON."""

    event: str
    outcome: Literal["stored", "dropped", "refused"]
    event_id: str = ""
    tiktok_event: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What became of a request's events. It exists only after the store has made them durable."""

    events: tuple[EventReceipt, ...] = ()
