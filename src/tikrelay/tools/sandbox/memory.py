"""What the sandbox remembers: requests, and the events it accepted, repeats recognised.

Nothing is written to disk. Kept are the newest 10,000 requests with at most 200 MB of bodies, and the newest million
unique events with at most 2 GB of their JSON; the counts go on over what was forgotten.

A repeat is known as TikTok knows it (help centre, "Event deduplication"): the same event_source_id, event and event_id
within 48 hours of the first. An event without an id is never a repeat.
"""

from collections import Counter, deque
from itertools import islice
from sys import intern
from typing import Any, Final

import msgspec

from tikrelay.tools.sandbox.rules import Event

MOST_REQUESTS: Final = 10_000
MOST_REQUEST_BYTES: Final = 200 * 1024 * 1024
MOST_EVENTS: Final = 1_000_000
MOST_EVENT_BYTES: Final = 2 * 1024 * 1024 * 1024
DEDUPLICATED_FOR_S: Final = 48 * 3600
MOST_NAMES: Final = 1000  # counted apart; the others together
OTHER_NAMES: Final = "(other)"

Key = tuple[str, str, str]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call and what was answered.

    ``status``, ``code``  None when nothing of the kind was answered
    ``answer``            what the counts go by: the code as text, or what happened instead, such as "reset"
    ``accepted``          whether any event of it was
    """

    at: float
    status: int | None
    code: int | None
    message: str
    request_id: str
    events: int
    token_last4: str
    body: bytes
    answer: str
    accepted: bool
    warnings: tuple[str, ...] = ()


class Kept(msgspec.Struct, gc=False):
    """A unique event: the first copy's bytes, and how many copies came."""

    number: int
    event_source_id: str
    test_event_code: str
    first_request_id: str
    at: float
    raw: bytes
    key: Key | None
    copies: int = 1
    same_body: bool = True


class EventView(msgspec.Struct, frozen=True):
    """A unique event as it is shown; ``n`` counts first acceptances from 1 and is what ``?after=`` takes."""

    n: int
    event_source_id: str
    test_event_code: str
    copies: int
    same_body: bool
    first_request_id: str
    at: float
    event: msgspec.Raw


class RequestView(msgspec.Struct, frozen=True):
    """A request as it is shown. ``body`` is its JSON, or its text where it is none."""

    at: float
    status: int | None
    code: int | None
    message: str
    request_id: str
    events: int
    token_last4: str
    warnings: tuple[str, ...]
    body: Any


class Counts(msgspec.Struct, frozen=True):
    """How much came, since the start or the last clearing."""

    requests: int
    accepted_events: int
    unique_events: int
    refused_requests: int
    by_code: dict[str, int]
    by_event: dict[str, int]


class Memory:
    """Everything the sandbox knows; one thread's."""

    def __init__(self, *, most_requests: int = MOST_REQUESTS, most_events: int = MOST_EVENTS) -> None:
        self._most_requests = most_requests
        self._most_events = most_events
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._requests: deque[Request] = deque()
        self._request_bytes = 0
        self._events: deque[Kept] = deque()
        self._event_bytes = 0
        self._by_key: dict[Key, Kept] = {}
        self._seen_requests = 0
        self._refused = 0
        self._accepted = 0
        self._unique = 0
        self._by_code: Counter[str] = Counter()
        self._by_event: Counter[str] = Counter()

    def add_request(self, request: Request) -> None:
        """Keep one request, and forget the oldest beyond the bounds."""
        self._seen_requests += 1
        self._refused += not request.accepted
        self._by_code[request.answer] += 1
        self._requests.append(request)
        self._request_bytes += len(request.body)
        while len(self._requests) > self._most_requests or self._request_bytes > MOST_REQUEST_BYTES:
            self._request_bytes -= len(self._requests.popleft().body)

    def accept(
        self, events: list[Event], *, event_source_id: str, test_event_code: str, request_id: str, now: float
    ) -> None:
        """Keep the events of one call, repeats with their first."""
        source_id = intern(event_source_id)
        test_code = intern(test_event_code)

        for event in events:
            self._accepted += 1
            name = event.name if event.name in self._by_event or len(self._by_event) < MOST_NAMES else OTHER_NAMES
            self._by_event[name] += 1
            key = (source_id, intern(event.name), event.event_id) if event.event_id else None
            first = self._by_key.get(key) if key else None
            if first is not None and now - first.at < DEDUPLICATED_FOR_S:
                first.copies += 1
                first.same_body = first.same_body and first.raw == event.raw
                continue
            self._unique += 1
            kept = Kept(self._unique, source_id, test_code, request_id, now, event.raw, key)
            self._events.append(kept)
            self._event_bytes += len(event.raw)
            if key:
                self._by_key[key] = kept
        while len(self._events) > self._most_events or self._event_bytes > MOST_EVENT_BYTES:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._events.popleft()
        self._event_bytes -= len(oldest.raw)
        if oldest.key and self._by_key.get(oldest.key) is oldest:
            del self._by_key[oldest.key]

    def counts(self) -> Counts:
        """Add up."""
        return Counts(
            requests=self._seen_requests,
            accepted_events=self._accepted,
            unique_events=self._unique,
            refused_requests=self._refused,
            by_code=dict(self._by_code),
            by_event=dict(self._by_event),
        )

    def events(self, *, after: int = 0, limit: int) -> list[EventView]:
        """Show unique events in the order of their first acceptance, those behind number ``after``."""
        forgotten = self._events[0].number - 1 if self._events else 0
        begin = max(after - forgotten, 0)
        return [_event_view(kept) for kept in islice(self._events, begin, begin + limit)]

    def newest_events(self, limit: int) -> list[EventView]:
        """Show the newest unique events, newest first."""
        return [_event_view(kept) for kept in islice(reversed(self._events), limit)]

    def requests(self, *, limit: int) -> list[RequestView]:
        """Show the newest requests, newest last."""
        return [_request_view(request) for request in self.newest_requests(limit)][::-1]

    def newest_requests(self, limit: int) -> list[Request]:
        """Give the newest requests, newest first."""
        return list(islice(reversed(self._requests), limit))


def _event_view(kept: Kept) -> EventView:
    return EventView(
        kept.number,
        kept.event_source_id,
        kept.test_event_code,
        kept.copies,
        kept.same_body,
        kept.first_request_id,
        kept.at,
        msgspec.Raw(kept.raw),
    )


def _request_view(request: Request) -> RequestView:
    try:
        body = msgspec.json.decode(request.body)
    except (ValueError, RecursionError):
        body = request.body.decode("utf-8", "replace")
    return RequestView(
        request.at,
        request.status,
        request.code,
        request.message,
        request.request_id,
        request.events,
        request.token_last4,
        request.warnings,
        body,
    )
