"""The settings of the outbox: ``[outbox]``."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tikrelay.base.units import Duration


class OutboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events lie until TikTok has answered."""

    url: str = "sqlite:tikrelay-data"
    """sqlite: and a folder on a local disk."""

    spill: str = ""
    """With nats: a local folder."""

    max_bytes: int = 0
    """Answer 503 when the outbox holds this much; 0 is until the disk's reserve (64 MiB) is reached."""

    keep_delivered: Duration = Duration(86400)
    """How long an event that TikTok took can still be looked at (tikrelay events)."""

    keep_delivered_events: Annotated[int, Meta(ge=0, le=100_000_000)] = 100_000
    """No more of them than this in each file; 0 keeps none."""

    keep_dead: Duration = Duration(30 * 86400)
    """How long a dead letter can be looked at and replayed; then it is removed, and stays counted."""

    keep_figures: Duration = Duration(90 * 86400)
    """How long the console can show the figures of a day; those of its hours for 8 days at most."""

    keep_traces: Annotated[int, Meta(ge=0, le=1_000_000)] = 20_000
    """How many events of each file keep beside them where their fields came from, at most 1 KiB each; 0 keeps none."""
