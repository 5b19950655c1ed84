"""The Outbox: what every store promises.

- ``put`` returns after its events are durable, and not before. All that wait at one moment share one commit; counts of
  drops go with the next one, or soon after.
- ``lease`` hands out waiting events, those first whose time came first, each to one holder at a time. A lease lives in
  memory: the owner of a store is its only sender, so a crash ends every lease.
- A lease holds events of one ``test_event_code`` only, as a call to TikTok does. Events without one of their own go
  first: while one of them is due, no other is handed out. Whoever can post a hit can mark it as a test, and tests must
  not hold up what counts. Among tests the code goes first whose event has been due for longest.
- ``settle`` writes one outcome for each event of a lease, in one transaction, and ends the lease. ``release`` gives it
  back untouched. A lease that has ended settles nothing.
- ``books`` counts. For each destination: received = accepted + waiting + dead + dropped, to the event, at every commit.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from tikrelay.event import DestinationName, DropReason, EventId, Source

LONGEST_WAIT_S: Final = 3600.0
"""No event is put off for longer; as long as the longest Retry-After that is obeyed (``tiktok.api``)."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One TikTok event for one destination, as it is stored. ``body`` is its exact JSON.

    ``test_event_code``  of this event alone; empty is the destination's
    """

    destination: DestinationName
    source: Source
    name: str
    event: str
    event_id: EventId
    body: bytes
    test_event_code: str = ""


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """One event that a rule kept from one destination; only its count is stored."""

    destination: DestinationName
    source: Source
    name: str
    reason: DropReason


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """One waiting event in a lease.

    ``key``            the store's own key, in order of arrival
    ``received_at``    Unix seconds
    ``attempts``       calls it was part of so far
    ``unknown_since``  Unix seconds of its first attempt whose outcome nobody knows, or None

    ``test_event_code``  as in its Record
    """

    key: int
    event: str
    event_id: EventId
    body: bytes
    received_at: float
    attempts: int = 0
    unknown_since: float | None = None
    test_event_code: str = ""


class Lease(msgspec.Struct, frozen=True):
    """Events that one sender holds, all of one test_event_code."""

    destination: DestinationName
    events: tuple[Leased, ...]


class DeadReason(StrEnum):
    """Why an event became a dead letter. Every member is documented."""

    REFUSED = "refused"
    """TikTok refuses this very event; its code and message say why."""

    UNKNOWN_ANSWER = "unknown_answer"
    """TikTok answered with a code that nobody has described, three times."""

    PARTIAL = "partial"
    """TikTok reported a partial success for a call with this one event and did not say that it was accepted."""

    MAYBE_DELIVERED = "maybe_delivered"
    """An attempt ended without an answer, and no later one succeeded while TikTok still drops repeats."""

    TOO_OLD = "too_old"
    """It could not be delivered within ``send.max_age``."""

    DAMAGED = "damaged"
    """Its stored bytes no longer match their checksum, or were written in a format this version cannot read."""


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """TikTok took it."""


class RetryAt(msgspec.Struct, frozen=True, tag=True):
    """It stays, and is tried again at ``at`` (Unix seconds), or after LONGEST_WAIT_S where that is sooner.

    ``unknown``: nobody knows whether TikTok took it.

    ``counts`` False leaves the number of attempts as it was (nothing was sent).
    """

    at: float
    unknown: bool = False
    counts: bool = True


class Dead(msgspec.Struct, frozen=True, tag=True):
    """It becomes a dead letter, with what TikTok said."""

    reason: DeadReason
    code: int | None = None
    message: str = ""
    request_id: str = ""


Outcome = Accepted | RetryAt | Dead


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter as tools show it."""

    key: int
    destination: DestinationName
    event: str
    event_id: EventId
    body: bytes
    received_at: float
    died_at: float
    attempts: int
    reason: DeadReason
    code: int | None
    message: str
    request_id: str
    test_event_code: str = ""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """All counts of a store, since it was made.

    ``received`` by (destination, source, name); ``accepted`` by destination; ``dead`` by (destination, reason);
    ``dropped`` by (destination, reason); ``waiting`` by destination; ``oldest_waiting`` Unix seconds by destination.
    """

    received: dict[tuple[str, str, str], int] = {}
    accepted: dict[str, int] = {}
    waiting: dict[str, int] = {}
    dead: dict[tuple[str, str], int] = {}
    dropped: dict[tuple[str, str], int] = {}
    oldest_waiting: dict[str, float] = {}

    def destinations(self) -> set[str]:
        """Every destination that has a count, whether the settings still know it or not."""
        first = {key[0] for kept in (self.received, self.dead, self.dropped) for key in kept}
        return first | self.accepted.keys() | self.waiting.keys()


class Outbox(Protocol):
    """Keeps events from the answer to their sender until TikTok's answer."""

    async def put(self, records: Sequence[Record], drops: Sequence[Drop] = ()) -> None:
        """Make events durable. Raises OutboxUnavailable when that cannot be done; then none of them is stored."""
        ...

    async def lease(
        self, destination: DestinationName, *, most: int, max_bytes: int, now: float, tests: bool = True
    ) -> Lease:
        """Take up to ``most`` events due at ``now``, and no more than ``max_bytes`` of bodies (but at least one).

        ``tests`` False leaves out every event with a test code of its own.
        """
        ...

    async def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        """Write what became of each event of the lease, in order, and end it."""
        ...

    def release(self, lease: Lease) -> None:
        """End a lease; its events are as they were."""
        ...

    async def wait_for_work(self, destination: DestinationName, *, timeout_s: float) -> None:
        """Return when events for the destination have been put since the last call, or after the time."""
        ...

    async def books(self) -> Books:
        """Count everything."""
        ...

    async def dead_letters(self, *, most: int = 100) -> list[DeadLetter]:
        """The newest dead letters."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the file."""
        ...
