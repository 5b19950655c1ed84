"""The settings of the outbox: ``[outbox]``."""

import msgspec


class OutboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events lie until TikTok has answered."""

    url: str = "sqlite:tikrelay-data"
    """sqlite: and a folder on a local disk."""

    spill: str = ""
    """With nats: a local folder."""

    max_bytes: int = 0
    """Answer 503 when the outbox holds this much; 0 is until the disk's reserve (64 MiB) is reached."""
