"""What is kept beside a stored event of how it came about: the explanation, small enough to be kept.

It holds nothing that ``explain`` would not show: what identifies a person is masked before it comes in here. It holds
less than that, for it is kept on a disk: of the visitor's address the network, of a page's address what is sent of it,
of products how many they were.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tikrelay.base.addresses import mask_address
from tikrelay.base.shown import one_line
from tikrelay.event import Event
from tikrelay.mapping.cleaning import whole_signs
from tikrelay.mapping.explain import Explanation, Origin, Outcome, masked
from tikrelay.mapping.marks import match_keys
from tikrelay.mapping.page import host_of_url
from tikrelay.mapping.personal import mask_and_cut
from tikrelay.mapping.texts import shown_name
from tikrelay.tiktok.payload import EventBody

MOST_BYTES: Final = 1024
"""A trace is no larger; what does not fit is left out, and ``cut`` says so."""

_FORMAT: Final = b"\x01"
_MOST_READ: Final = 65_536  # of a trace once it is unpacked
_LONGEST_GIVEN: Final = 120
_LONGEST_SITE: Final = 100
_LONGEST_VALUE: Final = 40
_OF_PAGES: Final = frozenset({"page.url", "page.referrer"})
_IN_PART_ONLY: Final = _OF_PAGES | {"properties.contents"}  # not all that was given is sent, so it is not kept either
_IN_AN_ADDRESS: Final = "ttclid in "  # how a source's name begins that is a part of a page's address


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


def write_trace(event: Event, explanation: Explanation) -> bytes:
    """Write down how an event became what the explanation says; empty where it became nothing."""
    if explanation.tiktok is None:
        return b""
    trace = _whole(event, explanation, explanation.tiktok)
    packed = _packed(trace)
    for shorter in _SHORTER:
        if len(packed) <= MOST_BYTES:
            break
        trace = msgspec.structs.replace(shorter(trace), cut=True)
        packed = _packed(trace)
    return packed


def read_trace(written: bytes) -> Trace | None:
    """Read a trace; None for what is none, or was written by another version."""
    if not written.startswith(_FORMAT):
        return None
    try:
        plain = zlib.decompressobj().decompress(written[len(_FORMAT) :], _MOST_READ)
        return msgspec.msgpack.decode(plain, type=Trace)
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def site_of(event: Event) -> str:
    """Say which site an event is of: the host of its page, else the measurement id it came with."""
    site = host_of_url(event.page_url) or event.key.measurement_id or ""
    return one_line(mask_and_cut(whole_signs(site), longest=_LONGEST_SITE, is_typed=False))


def _whole(event: Event, explanation: Explanation, body: EventBody) -> Trace:
    properties: dict[str, Any] = body.get("properties", {})
    return Trace(
        name=shown_name(event.name),
        route=event.source,
        site=site_of(event),
        value=_text_of(properties.get("value")),
        currency=_text_of(properties.get("currency")),
        keys=match_keys(body),
        sources=tuple(_source(event, origin) for origin in explanation.origins if not _says_nothing(origin)),
        warnings=tuple(TracedWarning(one.kind, one.field, one.text) for one in explanation.warnings),
        rules=tuple(TracedRule(one.rule, one.text) for one in explanation.rules),
        not_sent=explanation.not_sent,
    )


def _text_of(value: Any) -> str:
    """Write a value of TikTok's JSON.

    >>> _text_of(19.5), _text_of(None), _text_of("EUR")
    ('19.5', '', 'EUR')
    """
    text = "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return _shortened(one_line(text), _LONGEST_VALUE)


def _says_nothing(origin: Origin) -> bool:
    """An address without a click id is no news, nor is one whose click id was not asked for."""
    return origin.outcome in {"empty", "not_asked"} and origin.source.startswith(_IN_AN_ADDRESS)


def _source(event: Event, origin: Origin) -> TracedSource:
    given = one_line(_given(event, origin))
    return TracedSource(origin.field, origin.source, _shortened(given, _LONGEST_GIVEN), origin.outcome)


def _given(event: Event, origin: Origin) -> str:
    """What a source gave, as far as it may be kept."""
    if origin.field == "user.ip":
        return mask_address(origin.given)
    if origin.source.startswith(_IN_AN_ADDRESS):
        return str(origin.value or "")
    if origin.field in _OF_PAGES and origin.outcome == "taken":
        return str(origin.value)
    return masked(event.data.get(origin.source)) if origin.field in _IN_PART_ONLY else origin.given


# Shorter and shorter: first what was not asked for, then long values, then what a reader misses least.


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _without_not_asked(trace: Trace) -> Trace:
    return msgspec.structs.replace(trace, sources=tuple(one for one in trace.sources if one.outcome != "not_asked"))


def _with_short_givens(longest: int) -> Callable[[Trace], Trace]:
    def shorter(trace: Trace) -> Trace:
        short = (msgspec.structs.replace(one, given=_shortened(one.given, longest)) for one in trace.sources)
        return msgspec.structs.replace(trace, sources=tuple(short))

    return shorter


def _without_not_sent(trace: Trace) -> Trace:
    return msgspec.structs.replace(trace, not_sent=())


def _with_few(most: int) -> Callable[[Trace], Trace]:
    def shorter(trace: Trace) -> Trace:
        return msgspec.structs.replace(
            trace,
            sources=trace.sources[:most],
            warnings=trace.warnings[: most // 2],
            rules=trace.rules[: most // 2],
        )

    return shorter


def _with_short_names(trace: Trace) -> Trace:
    name, site = _shortened(trace.name, _LONGEST_VALUE), _shortened(trace.site, _LONGEST_VALUE)
    return msgspec.structs.replace(trace, name=name, site=site, sources=(), warnings=(), rules=())


_SHORTER: Final[Sequence[Callable[[Trace], Trace]]] = (
    _without_not_asked,
    _with_short_givens(40),
    _without_not_sent,
    _with_short_givens(20),
    *(_with_few(most) for most in (30, 24, 18, 12, 6)),
    _with_short_names,
)


def _packed(trace: Trace) -> bytes:
    return _FORMAT + zlib.compress(msgspec.msgpack.encode(trace), 6)
