"""What is kept beside a stored event of how it came about: the explanation, small enough to be kept.

It holds nothing that ``explain`` would not show: what identifies a person is masked before it comes in here.
"""

from typing import Final

import msgspec

from tikrelay.mapping.explain import Outcome

MOST_BYTES: Final = 1024
"""A trace is no larger; what does not fit is left out, and ``cut`` says so."""


class TracedSource(msgspec.Struct, frozen=True, array_like=True):
    """One source of one field; see ``explain.Origin``. ``given`` is masked, or shortened."""

    field: str
    source: str
    given: str
    outcome: Outcome


class TracedWarning(msgspec.Struct, frozen=True, array_like=True):
    """A warning; see ``explain.Warned``."""

    kind: str
    field: str
    text: str


class TracedRule(msgspec.Struct, frozen=True, array_like=True):
    """What a rule of the operator did; see ``explain.Ruled``."""

    rule: str
    text: str


class Trace(msgspec.Struct, frozen=True, array_like=True):
    """How one event came about.

    ``name``      as the sender wrote it (GA4's name, mostly)
    ``route``     by which it came: ``ga4_web``, ``ga4_mp``, ``data``
    ``site``      the host of its page; else the measurement id it came with; else empty
    ``value``, ``currency``  as they go to TikTok; empty where there are none
    ``keys``      the match keys it carries, by the names in ``outbox.figures.MATCH_KEYS``
    ``not_sent``  parameters that no field is made of
    ``cut``       something was left out to keep it small
    """

    name: str
    route: str
    site: str
    value: str
    currency: str
    keys: tuple[str, ...]
    sources: tuple[TracedSource, ...] = ()
    warnings: tuple[TracedWarning, ...] = ()
    rules: tuple[TracedRule, ...] = ()
    not_sent: tuple[str, ...] = ()
    cut: bool = False
