"""How a stored event is told of: in a list, by itself, and as it arrives."""

from typing import Any, Final, TypeVar

import msgspec

from tikrelay.app.files import ref_of
from tikrelay.base.addresses import mask_address
from tikrelay.mapping.explain import cleaning_of
from tikrelay.mapping.marks import match_keys_of
from tikrelay.mapping.trace import Trace, read_trace
from tikrelay.outbox.store import Call, Entry
from tikrelay.tiktok.answers import explain_code
from tikrelay.watch.operations import CallRow, EventRow, LiveRow, SourceShown, TraceShown

R = TypeVar("R", bound=EventRow)

_NULL: Final = msgspec.Raw(b"null")


def event_row(kind: type[R], file: str, entry: Entry, **more: Any) -> R:
    """Name an event, and say its code in words, with what its trace says in short."""
    names = EventRow.__struct_fields__
    fields: dict[str, Any] = {name: value for name in names if (value := getattr(entry, name, None)) is not None}
    trace = read_trace(entry.trace)
    fields |= {"ref": ref_of(file, entry.key), "words": words_of(entry.code), "traced": trace is not None}
    fields["warned"] = {one.kind: one.text for one in trace.warnings} if trace else {}
    fields |= _in_short(trace) | in_short_of_body(b"" if entry.damaged else entry.body)
    return kind(**fields, **more)


def live_row(file: str, entry: Entry) -> LiveRow:
    """Tell of an event that has arrived."""
    verdict, why = verdict_of(entry)
    return LiveRow(
        at=entry.received_at,
        ref=ref_of(file, entry.key),
        destination=entry.destination,
        event=entry.event,
        event_id=entry.event_id,
        verdict=verdict,
        why=why,
        **_in_short(read_trace(entry.trace)),
    )


def _in_short(trace: Trace | None) -> dict[str, Any]:
    if trace is None:
        return {}
    return {
        "given": trace.name,
        "site": trace.site,
        "value": trace.value,
        "currency": trace.currency,
        "keys": trace.keys,
    }


class _Sent(msgspec.Struct, frozen=True):
    """What is looked at of an event's JSON."""

    user: dict[str, Any] = {}
    properties: dict[str, Any] = {}


def in_short_of_body(body: bytes) -> dict[str, Any]:
    """Say an event's value, currency and match keys, which its JSON has where no trace is kept; {} of what is no JSON.

    >>> in_short_of_body(b'{"user":{"email":"0a"},"properties":{"value":19,"currency":"EUR"}}')
    {'value': '19', 'currency': 'EUR', 'keys': ('email',)}
    """
    try:
        sent = msgspec.json.decode(body, type=_Sent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    value, currency = (sent.properties.get(name, "") for name in ("value", "currency"))
    return {"value": str(value), "currency": str(currency), "keys": match_keys_of(sent.user)}


def verdict_of(entry: Entry) -> tuple[str, str]:
    """Say in which state an event is, and why.

    >>> about = {"key": 1, "destination": "shop", "event": "Lead", "event_id": "e", "received_at": 0.0}
    >>> verdict_of(Entry(state="dead", reason="refused", code=40002, **about))[1][:9]
    'refused: '
    >>> verdict_of(Entry(state="waiting", attempts=2, **about))
    ('waiting', 'tried 2 times')
    """
    if entry.state == "dead":
        words = words_of(entry.code)
        return "dead", f"{entry.reason}: {words}" if words else entry.reason
    if entry.state == "waiting" and entry.attempts:
        return "waiting", "tried once" if entry.attempts == 1 else f"tried {entry.attempts} times"
    return entry.state, ""


def trace_shown(entry: Entry) -> TraceShown | None:
    """Tell how an event came about, where a trace of it is kept."""
    trace = read_trace(entry.trace)
    if trace is None:
        return None
    return TraceShown(
        route=trace.route,
        sources=[
            SourceShown(
                field=one.field,
                source=one.source,
                given=one.given,
                outcome=one.outcome,
                cleaning=cleaning_of(one.field) if one.outcome == "taken" else "",
            )
            for one in trace.sources
        ],
        warnings=[{"kind": one.kind, "field": one.field, "text": one.text} for one in trace.warnings],
        rules=[{"rule": one.rule, "text": one.text} for one in trace.rules],
        not_sent=list(trace.not_sent),
        cut=trace.cut,
    )


def call_row(call: Call) -> CallRow:
    """Tell of a call, with its code in words."""
    fields = {name: value for name, value in msgspec.structs.asdict(call).items() if name != "keys"}
    return CallRow(**fields, words=words_of(call.code))


def words_of(code: int | None) -> str:
    """Say a code of TikTok's in words."""
    return "" if code is None else explain_code(code)


def shown_body(entry: Entry) -> msgspec.Raw:
    """Hide a part of the visitor's address; every other byte stays; null when it is no JSON, or damaged.

    >>> about = {"key": 1, "state": "dead", "destination": "shop", "event": "Lead", "event_id": "e", "received_at": 0.0}
    >>> bytes(shown_body(Entry(body=b'{"event":"Lead","user":{"ip":"203.0.113.7"}}', **about)))
    b'{"event":"Lead","user":{"ip":"203.0.113.x"}}'
    """
    if entry.damaged:
        return _NULL
    try:
        event: Any = msgspec.json.decode(entry.body)
        address = event["user"]["ip"]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NULL
    except (KeyError, TypeError):
        return msgspec.Raw(entry.body)
    event["user"]["ip"] = mask_address(str(address))
    return msgspec.Raw(msgspec.json.encode(event))
