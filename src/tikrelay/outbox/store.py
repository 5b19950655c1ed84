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
- ``begin`` notes on disk that a lease is about to be sent. What was begun and never settled, because the process ended
  in the middle of the call, is found at the next opening: nobody knows whether TikTok took it.
- ``books`` counts. For each destination: received = accepted + waiting + dead + dropped, to the event, at every commit.
- Events that were delivered, and dead letters, can be looked at until the store's retention removes them. What is
  removed stays in the counts.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final, Literal, Protocol

import msgspec

from tikrelay.event import DestinationName, DropReason, EventId, Source
from tikrelay.outbox.figures import Figures, Id, Letters, Look, Traced
from tikrelay.tiktok.answers import LONGEST_RETRY_AFTER_S

LONGEST_WAIT_S: Final = LONGEST_RETRY_AFTER_S
"""No event is put off for longer."""

UNKNOWN_FOR_S: Final = 36 * 3600.0
"""How long an event may be sent again after an attempt whose outcome nobody knows.

TikTok drops a repeat of an event id for 48 h after the first (help centre, event deduplication); this is well inside.
"""

MOST_GROUPS: Final = 200
"""Of dead letters that died of the same."""

MOST_CALLS_KEPT: Final = 20
"""An event remembers the last so many calls it was part of."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One TikTok event for one destination, as it is stored. ``body`` is its exact JSON.

    ``source``           "replay" is a copy of a stored event, made to be sent as a test
    ``test_event_code``  of this event alone; empty is the destination's
    ``marks``            one bit for each of ``figures.MARKS``, the first the lowest
    ``warned``           the kinds of warnings there were on the way here
    ``trace``            where its fields came from (``mapping.trace``), kept beside it for as long as it is; or empty
    """

    destination: DestinationName
    source: Source | Literal["replay"]
    name: str
    event: str
    event_id: EventId
    body: bytes
    test_event_code: str = ""
    marks: int = 0
    warned: tuple[str, ...] = ()
    trace: bytes = b""


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
    ``replayed_at``    Unix seconds when it was last taken back from the dead letters, or None
    ``attempts``       calls it was part of so far, or since it was replayed: then it has all its tries again
    ``unknown_since``  Unix seconds of its first attempt whose outcome nobody knows, or None

    ``test_event_code``  as in its Record
    """

    key: int
    event: str
    event_id: EventId
    body: bytes
    received_at: float
    replayed_at: float | None = None
    attempts: int = 0
    unknown_since: float | None = None
    test_event_code: str = ""

    @property
    def waits_since(self) -> float:
        """Unix seconds from which its age counts."""
        return self.received_at if self.replayed_at is None else self.replayed_at


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


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call to TikTok, as the history of its events tells it.

    ``began_at``  Unix seconds
    ``keys``      of the events it carried; empty where a call is read back, then ``events`` counts them
    ``outcome``   the verdict's name in lower case (accepted, retry, refused ...), or "cut_off": the process ended in it
    ``status``    HTTP status, None without an answer
    ``seconds``   until the answer
    """

    began_at: float
    keys: tuple[int, ...] = ()
    events: int = 0
    outcome: str
    status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str = ""
    seconds: float = 0.0


State = Literal["waiting", "dead", "delivered"]

NoCode = Literal["none"]
"""Chooses dead letters of which TikTok gave no code."""


class Find(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to look for; what is empty or None matches all.

    ``event``            TikTok's name
    ``reason``, ``code`` of dead letters: a DeadReason; TikTok's code, or "none" of those that died without one
    ``text``             a whole text that is its event id, or stands as a value anywhere in its body
    ``received_from``, ``received_to``  Unix seconds
    ``keys``             these alone
    ``most``             the newest so many; with ``oldest_first`` the oldest
    """

    state: State | None = None
    destination: str = ""
    event: str = ""
    event_id: str = ""
    reason: str = ""
    code: int | NoCode | None = None
    text: str = ""
    test_event_code: str | None = None
    received_from: float | None = None
    received_to: float | None = None
    keys: tuple[int, ...] = ()
    most: int = 100
    oldest_first: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event as tools show it.

    ``ended_at``    Unix seconds when it was delivered or died, None while it waits
    ``not_before``  Unix seconds of its next attempt, while it waits
    ``leased``      it is on its way at this moment
    ``reason``, ``code``, ``message``, ``request_id``  of a dead letter; a delivered event has the last
    ``body``        its exact JSON; empty in a list
    ``damaged``     its bytes are not those that were stored
    ``calls``       the last calls it was part of, oldest first; empty in a list
    ``trace``       as its Record had it; empty where none was kept
    """

    key: int
    state: State
    destination: DestinationName
    event: str
    event_id: EventId
    received_at: float
    replayed_at: float | None = None
    ended_at: float | None = None
    not_before: float | None = None
    unknown_since: float | None = None
    leased: bool = False
    damaged: bool = False
    attempts: int = 0
    reason: str = ""
    code: int | None = None
    message: str = ""
    request_id: str = ""
    test_event_code: str = ""
    body: bytes = b""
    calls: tuple[Call, ...] = ()
    trace: bytes = b""


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters are sent again, and how.

    ``which``              its ``state`` is not looked at: with ``keys`` and a ``test_event_code`` events of any state
                           are meant, else dead letters
    ``destinations``       those the settings know; letters of others stay where they are
    ``test_event_code``    sends a copy as a test; the event stays as it is, for a test does not count for ads
    ``accept_duplicates``  also those that TikTok may have taken already, longer ago than it drops repeats
    ``dry_run``            only counts
    """

    which: Find
    destinations: tuple[str, ...]
    test_event_code: str = ""
    accept_duplicates: bool = False
    dry_run: bool = False


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay did: how many letters go out again, and how many stay, by why.

    ``kept`` has the keys ``may_be_delivered`` (needs accept_duplicates), ``damaged`` and ``no_destination``.
    """

    replayed: int = 0
    kept: dict[str, int] = {}


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """How many events were erased, by where they were. Those that waited are counted as dropped, ``forgotten``."""

    waiting: int = 0
    dead: int = 0
    delivered: int = 0


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is settled can still be looked at; 0 events keeps none.

    ``figures_s``  how long the figures of days are kept; those of hours no longer than ``figures.KEEP_HOURS_S``
    ``traces``     so many in a file, and none for longer than its event; 0 keeps none
    """

    delivered_s: float = 24 * 3600.0
    delivered_events: int = 100_000
    dead_s: float = 30 * 86400.0
    figures_s: float = 90 * 86400.0
    traces: int = 20_000


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """All counts of a store, since it was made.

    ``received`` by (destination, source, name); ``accepted`` by destination; ``dead`` by (destination, reason), without
    those that were replayed; ``replayed`` and ``dropped`` by (destination, reason); ``waiting`` by destination;
    ``oldest_waiting`` Unix seconds by destination.
    """

    received: dict[tuple[str, str, str], int] = {}
    accepted: dict[str, int] = {}
    waiting: dict[str, int] = {}
    dead: dict[tuple[str, str], int] = {}
    replayed: dict[tuple[str, str], int] = {}
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
        self,
        destination: DestinationName,
        *,
        most: int,
        max_bytes: int,
        now: float,
        tests: bool = True,
        newest: bool = False,
    ) -> Lease:
        """Take up to ``most`` events due at ``now``, and no more than ``max_bytes`` of bodies (but at least one).

        ``tests`` False leaves out every event with a test code of its own. ``newest`` takes of those never tried the
        last ones that came, without a test code, instead of the first.
        """
        ...

    async def begin(self, lease: Lease) -> None:
        """Note that the events of a lease are about to be sent.

        On a disk without room nothing is noted, and they may be sent all the same: that is what makes room. Raises
        OutboxUnavailable when the store is closed or has failed.
        """
        ...

    async def settle(self, lease: Lease, outcomes: Sequence[Outcome], calls: Sequence[Call] = ()) -> None:
        """Write what became of each event of the lease, in order, with the calls it took, and end it."""
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

    def waiting(self, destination: DestinationName) -> int:
        """How many events wait for a destination, as of the last commit."""
        ...

    async def find(self, which: Find) -> list[Entry]:
        """Look for events, without their bodies and calls."""
        ...

    async def show(self, key: int) -> Entry | None:
        """One event with its body and its history."""
        ...

    async def figures(self, look: Look) -> Figures:
        """What happened in each hour or on each day, as of the last commit."""
        ...

    async def letters(self) -> list[Letters]:
        """The dead letters in groups that died of the same, the largest first, and no more than MOST_GROUPS."""
        ...

    async def ids(self, *, most: int) -> list[Id]:
        """The ids of the newest events that are kept, whatever became of them, the newest first."""
        ...

    async def traced(self, *, after: int, most: int) -> list[Traced]:
        """The newest traces of events with a key above ``after``, in order of key."""
        ...

    async def replay(self, order: Replay) -> Replayed:
        """Let dead letters wait again, some hundred in each transaction, lest a put waits for all of them.

        What waits again stays so where a later part fails; the rest can be replayed by the same order.
        """
        ...

    async def forget(self, digests: Collection[str]) -> Forgotten:
        """Erase every event whose body holds one of these SHA-256 hex digests, from the file and its log.

        An event that is on its way at this moment is erased too, and may still arrive.
        """
        ...

    async def shift(self, seconds: float) -> None:
        """The wall clock was set by so many seconds: what waits keeps its age."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the file."""
        ...
