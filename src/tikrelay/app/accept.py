"""The main path: events are mapped, stored, and only then receipted. The file to read first."""

import asyncio
import secrets
import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain

import msgspec

from tikrelay.app.traces import Traces
from tikrelay.base.failpoints import passing
from tikrelay.base.happenings import Emit, EventDropped, EventsTaken, EventWarned
from tikrelay.event import DestinationName, Dropped, DropReason, Event, EventId, EventReceipt, Receipt
from tikrelay.mapping.convert import Rules, map_event
from tikrelay.mapping.marks import marks_of
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.texts import shown_name
from tikrelay.mapping.trace import site_of
from tikrelay.outbox.store import Drop, Outbox, Record
from tikrelay.tiktok.payload import TikTokEvent


class Route(msgspec.Struct, frozen=True):
    """One destination, and the rules events are mapped by on their way to it.

    ``max_waiting``  how many events may wait for it; 0 is any number
    """

    destination: DestinationName
    rules: Rules
    max_waiting: int = 0


Mapped = tuple[TikTokEvent | Dropped, ...]
"""What one event becomes for one destination."""


async def accept(
    events: Sequence[Event], *, routes: Sequence[Route], outbox: Outbox, traces: Traces, emit: Emit
) -> Receipt:
    """Map a request's events, store them, and receipt them.

    It returns when they are durable, and not before: what the sender is answered is made of the receipt. Raises
    OutboxUnavailable when they could not be stored; then none of them is.
    """
    mapped: list[list[Mapped]] = []
    for event in events:
        mapped.append(_map(event, routes))
        await asyncio.sleep(0)  # a request of many events leaves room for others
    mapped = _within_quotas(mapped, routes, outbox)
    filed: list[Record | Drop] = []
    for event, by_route in zip(events, mapped, strict=True):
        for route, outcomes in zip(routes, by_route, strict=True):
            written = traces.of(event, route.rules, outcomes)
            filed += map(partial(_file, event, route.destination), outcomes, written)
            if any(written):
                await asyncio.sleep(0)
    records = [entry for entry in filed if isinstance(entry, Record)]
    drops = [entry for entry in filed if isinstance(entry, Drop)]
    passing("parsed")
    await outbox.put(records, drops)

    for event, by_route in zip(events, mapped, strict=True):
        for route, outcomes in zip(routes, by_route, strict=True):
            for outcome in outcomes:
                _tell(event, route.destination, outcome, emit)
    for place, route in enumerate(routes):
        stored = [one for by_route in mapped for one in by_route[place] if isinstance(one, TikTokEvent)]
        if stored:
            emit(_taken(route.destination, stored))
    return Receipt(tuple(_receipt(event, routes, by_route) for event, by_route in zip(events, mapped, strict=True)))


def _map(event: Event, routes: Sequence[Route]) -> list[Mapped]:
    """Map one event for every destination; an id made here is the same for all of them."""
    fallback_id = secrets.token_hex(16)
    return [map_event(event, route.rules, fallback_id=fallback_id) for route in routes]


def _within_quotas(mapped: list[list[Mapped]], routes: Sequence[Route], outbox: Outbox) -> list[list[Mapped]]:
    """Drop what a destination has no room for; its other events, and other destinations, go on."""
    if not any(route.max_waiting for route in routes):
        return mapped
    room = [(route.max_waiting or sys.maxsize) - outbox.waiting(route.destination) for route in routes]

    def admit(number: int, outcome: TikTokEvent | Dropped) -> TikTokEvent | Dropped:
        if isinstance(outcome, Dropped):
            return outcome
        room[number] -= 1
        return outcome if room[number] >= 0 else Dropped(DropReason.OVER_QUOTA)

    return [
        [tuple(admit(number, outcome) for outcome in outcomes) for number, outcomes in enumerate(by_route)]
        for by_route in mapped
    ]


def _file(event: Event, destination: DestinationName, outcome: TikTokEvent | Dropped, trace: bytes) -> Record | Drop:
    match outcome:
        case TikTokEvent(body=body):
            return Record(
                destination=destination,
                source=event.source,
                name=shown_name(event.name),
                event=body["event"],
                event_id=EventId(body["event_id"]),
                body=msgspec.json.encode(body),
                test_event_code=outcome.test_event_code,
                marks=marks_of(outcome),
                warned=tuple(dict.fromkeys(notice.kind for notice in outcome.notices)),
                trace=trace,
            )
        case Dropped(reason=reason):
            return Drop(destination=destination, source=event.source, name=shown_name(event.name), reason=reason)


def _tell(event: Event, destination: DestinationName, outcome: TikTokEvent | Dropped, emit: Emit) -> None:
    match outcome:
        case TikTokEvent(notices=notices):
            for notice in notices:
                emit(EventWarned(kind=notice.kind, field=notice.field))
        case Dropped(reason=reason):
            name, site = shown_name(event.name), site_of(event)
            emit(EventDropped(destination=destination, reason=reason, name=name, site=site))


def _taken(destination: DestinationName, stored: Sequence[TikTokEvent]) -> EventsTaken:
    """Count what TikTok cannot tell from the browser's copy, and what it cannot tell the click of."""
    return EventsTaken(
        destination=destination,
        events=len(stored),
        no_event_id=sum(any(notice.kind == NoticeKind.NO_EVENT_ID for notice in one.notices) for one in stored),
        no_click_id=sum("ttclid" not in one.body.get("user", {}) for one in stored),
    )


def _receipt(event: Event, routes: Sequence[Route], by_route: Sequence[Mapped]) -> EventReceipt:
    """Say stored when any destination gets the event, and which do not."""
    dropped = [
        (route.destination, outcome.reason)
        for route, outcomes in zip(routes, by_route, strict=True)
        for outcome in outcomes
        if isinstance(outcome, Dropped)
    ]
    stored = [outcome for outcome in chain.from_iterable(by_route) if isinstance(outcome, TikTokEvent)]
    name = shown_name(event.name)  # senders log receipts, and a name may hold anything
    if not stored:
        return EventReceipt(event=name, outcome="dropped", reason=", ".join(sorted({why for _, why in dropped})))
    warnings = (notice.text for outcome in stored for notice in outcome.notices)
    return EventReceipt(
        event=name,
        outcome="stored",
        event_id=stored[0].body["event_id"],
        tiktok_event=", ".join(dict.fromkeys(outcome.body["event"] for outcome in stored)),
        warnings=(
            *dict.fromkeys(warnings),
            *(f"not for destination {name}: dropped, {why}" for name, why in dropped),
        ),
    )
