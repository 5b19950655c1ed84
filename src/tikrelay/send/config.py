"""The settings of sending: ``[send]``."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tikrelay.base.units import Duration
from tikrelay.tiktok.payload import MAX_EVENTS_PER_CALL


class SendConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events go out."""

    max_batch: Annotated[int, Meta(ge=1, le=MAX_EVENTS_PER_CALL)] = MAX_EVENTS_PER_CALL
    """Events in one call."""

    max_body_mb: Annotated[float, Meta(gt=0, le=64)] = 1
    """Megabytes in one call. TikTok's own limit is not documented; others keep to 1."""

    max_wait_s: Annotated[float, Meta(ge=0, le=300)] = 1.0
    """Seconds a batch waits for more events."""

    max_requests_per_s: Annotated[float, Meta(gt=0, le=1000)] = 10
    """Calls a second for each token, shared among workers. Sources disagree about what TikTok allows."""

    max_age: Duration = Duration(7 * 86400)
    """How long an event that was surely not accepted waits before it becomes a dead letter."""
