"""The settings of watching: ``[alarms]``."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tikrelay.base.secret import Secret
from tikrelay.base.units import Duration


class AlarmsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody is told that something needs a human, and where; ``tikrelay doctor`` looks at the same."""

    webhook: Secret = Secret("")
    """An address that each alarm is posted to, as JSON with a ``text`` that Slack, Teams and others show as it is.

    https to any host; http to this machine only.
    """

    after: Duration = Duration(120)
    """How long a trouble must last before it is told; one that ends sooner is not worth a call."""

    repeat: Duration = Duration(6 * 3600)
    """How often it is told again while it lasts."""

    lag: Duration = Duration(15 * 60)
    """An event that has waited for longer is a trouble."""

    dead_letters: Annotated[int, Meta(ge=1)] = 1
    """So many new dead letters are a trouble."""
