"""The settings of TikTok's end: ``[tiktok]`` and ``[[destinations]]``."""

import re
from typing import Final

import msgspec

from tikrelay.base.secret import Secret
from tikrelay.event import DestinationName
from tikrelay.tiktok.payload import EventSource

TEST_EVENT_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""What can be a code of the Test Events tab; those that were seen are TEST and digits."""


class TikTokConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the Events API is, and how long a call may take."""

    base_url: str = "https://business-api.tiktok.com"
    """https to any host; http to loopback only."""

    connect_timeout_s: float = 5
    """Seconds until a connection must stand: the name looked up, TCP and TLS."""

    timeout_s: float = 15
    """Seconds for a whole call. The outcome of one that ran out of time is unknown; it is retried with the same ids."""


class DestinationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pixel, app or event set that events are sent to."""

    name: DestinationName = DestinationName("shop")
    """Stands in logs, metrics and the outbox; the rest of this section may change under it without loss."""

    event_source: EventSource = "web"
    """web, app, offline or crm."""

    event_source_id: str
    """Pixel code (web), TikTok app id (app) or event set id (offline, crm)."""

    access_token: Secret = Secret("")
    """From Events Manager: your pixel, Settings, Generate Access Token."""

    access_token_file: str = ""
    """A file that holds the token, instead of access_token; when the file changes, the next call takes the new one."""

    test_event_code: str = ""
    """From the Test Events tab; sends every event as a test."""
