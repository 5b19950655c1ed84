"""Stored events: the list with its filters, the search, and one event with its whole way."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, get_args
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tikrelay.base.errors import InputRefused
from tikrelay.mapping.explain import masked
from tikrelay.mapping.person import digests_in_search
from tikrelay.mapping.personal import text_gives_away
from tikrelay.outbox.store import DeadReason, State
from tikrelay.watch.console.fields import explanation_of, rows_of
from tikrelay.watch.console.page import HEADERS, Parts, page, words
from tikrelay.watch.operations import EventQuery
from tikrelay.watch.reading import read_form

PER_PAGE: Final = 50
_MOST_ROWS: Final = 500  # events that came at one moment stand on one page, and one request may bring thousands
_HOUR_S: Final = 3600

# The times "received" offers, and how long each is.
SINCE: Final = {"1h": "the last hour", "24h": "the last 24 hours", "7d": "the last 7 days", "30d": "the last 30 days"}
_SINCE_S: Final = {"1h": _HOUR_S, "24h": 24 * _HOUR_S, "7d": 7 * 24 * _HOUR_S, "30d": 30 * 24 * _HOUR_S}


# By which route an event came, in words.
ROUTES: Final = {
    "ga4_web": "gtag.js in the visitor's browser",
    "ga4_mp": "the Measurement Protocol",
    "data": "event data (/data)",
}


async def listed(request: Request, parts: Parts) -> Response:
    """List events that match the address. Raises InputRefused."""
    return await _list(dict(request.query_params), parts, is_posted=False)


async def found(request: Request, parts: Parts) -> Response:
    """Look for a text; where one event has it, show that. Raises InputRefused.

    It is posted, so that an e-mail address stands in no address line and no history.
    """
    given = await read_form(request)
    if set(given) == {"text"}:
        page_of = await parts.operations.page(EventQuery(text=given["text"].strip(), most=2))
        if len(page_of.events) == 1 and not page_of.unanswered:
            return await _event(page_of.events[0].ref, parts)
    return await _list(given, parts, is_posted=True)


async def shown(request: Request, parts: Parts) -> Response:
    """Show one event. Raises InputRefused."""
    return await _event(request.path_params["ref"], parts)


async def example(request: Request, parts: Parts) -> Response:
    """Give an event as an example file. Raises InputRefused."""
    ref = request.path_params["ref"]
    text = await parts.operations.example(ref)
    headers = {**HEADERS, "content-disposition": f'attachment; filename="event-{ref}.toml"'}
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


# The list.


async def _list(given: Mapping[str, str], parts: Parts, *, is_posted: bool) -> Response:
    filters = {name: value.strip() for name, value in given.items() if value.strip()}
    query = _query(filters, now=parts.clock.now())
    told = await parts.operations.page(query)
    status = await parts.status()
    older = {**filters, "received_to": repr(told.events[-1].received_at)} if len(told.events) >= query.most else {}
    return page(
        "events.html",
        title="Events",
        here="/events",
        filters=filters,
        sought=await asyncio.to_thread(_shown, filters.get("text", "")),
        events=told.events[:_MOST_ROWS],
        left_out=len(told.events[_MOST_ROWS:]),
        dead=[event.ref for event in told.events[:_MOST_ROWS] if event.state == "dead" and not event.damaged],
        unanswered=told.unanswered,
        older=older,
        older_address=f"/events?{urlencode(older)}",
        is_posted=is_posted,
        newest_address=f"/events?{urlencode({**filters, 'received_to': ''})}",
        destinations=[(name, name) for name in sorted({*status.destinations, filters.get("destination", "")} - {""})],
        states=[(state, state) for state in get_args(State)],
        reasons=[(reason.value, words(reason.value)) for reason in DeadReason],
        since=list(SINCE.items()),
    )


def _shown(text: str) -> str:
    """Show what is looked for; of a person's address or number, however it is written, only how it begins.

    >>> _shown("R-1001"), _shown("ann@shop.example"), _shown("(213) 373-4253")
    ('R-1001', 'a*** (16 characters)', '(*** (14 characters)')
    """
    return masked(text) if digests_in_search(text) or text_gives_away(text) else text


def _query(filters: Mapping[str, str], *, now: float) -> EventQuery:
    """Read the filters of a form or an address. Raises InputRefused."""
    asked: dict[str, Any] = {"most": PER_PAGE, **filters}
    since = asked.pop("since", "")
    try:
        if since:
            asked["received_from"] = now - _SINCE_S[since]
        return msgspec.convert(asked, EventQuery, strict=False)
    except (msgspec.ValidationError, KeyError) as error:
        hint = f"known here: since, {', '.join(EventQuery.__struct_fields__)}"
        raise InputRefused(400, "bad_filter", f"a filter cannot be read: {str(error)[:200]}", hint=hint) from None


# One event.


async def _event(ref: str, parts: Parts) -> Response:
    event = await parts.operations.shown(ref)
    has_body = bytes(event.body)[:1] == b"{"
    explained = explanation_of(event, event.trace) if event.trace is not None and has_body else None
    return page(
        "event.html",
        title=f"{event.event} {event.event_id}",
        here="/events",
        event=event,
        has_body=has_body,
        trace=event.trace,
        routes=ROUTES,
        rows=rows_of(explained) if explained else [],
    )
