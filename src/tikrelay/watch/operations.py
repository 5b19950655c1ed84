"""What an operator may ask about events, and what is answered: the JSON of the admin port."""

from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta

from tikrelay.outbox.figures import Period, Span, Tally
from tikrelay.outbox.store import DeadReason, NoCode, State

MOST_EVENTS: Final = 1000
MOST_REFS: Final = 1000
MOST_DIGESTS: Final = 100
LONGEST_TEXT: Final = 1024
"""Of a text that is looked for."""
LONGEST_HIT: Final = 65_536
"""Of a hit that is tried, with all that stands around it."""

Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events to list: the newest ``most`` that match all of this; what is empty matches all.

    ``code``           TikTok's, of dead letters; "none" of those it gave no code of
    ``text``           a whole value that stands anywhere in the event: an event id, an order id, a product's id
    ``warned``         a kind of warning that its trace has; among the newest MOST_EVENTS that match else
    ``received_from``  Unix seconds, of the first that may come
    ``received_to``    Unix seconds, before which all were received: for the next page, when the last of this one was
    """

    state: State | None = None
    destination: Text = ""
    event: Text = ""
    event_id: Text = ""
    reason: DeadReason | None = None
    code: int | NoCode | None = None
    text: Text = ""
    warned: Text = ""
    received_from: Annotated[float, Meta(ge=0, le=1e11)] | None = None
    received_to: Annotated[float, Meta(ge=0, le=1e11)] | None = None
    most: Annotated[int, Meta(ge=1, le=MOST_EVENTS)] = 100


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event. Times are Unix seconds; ``words`` are TikTok's code in plain words.

    ``ref``         names it for ``tikrelay events`` and ``replay``: the number of its file, and its key there
    ``ended_at``    when it was delivered or died
    ``not_before``  when it is tried again
    ``leased``      it is on its way at this moment
    ``damaged``     its bytes are not those that were stored
    ``traced``      a trace of it is kept
    ``warned``      what its trace warns of: of each kind the text of the last
    ``given``, ``site``, ``value``, ``currency``, ``keys``  as in its trace (``mapping.trace``); empty where none is
                    kept, but for the last three of an event that is shown by itself, which are those of its body
    """

    ref: str
    state: State
    destination: str
    event: str
    event_id: str
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
    words: str = ""
    message: str = ""
    request_id: str = ""
    test_event_code: str = ""
    traced: bool = False
    warned: dict[str, str] = {}
    given: str = ""
    site: str = ""
    value: str = ""
    currency: str = ""
    keys: tuple[str, ...] = ()


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events, the newest first, and more than were asked for where many came at one moment.

    ``unanswered``  files nobody could look into, and why
    """

    events: list[EventRow]
    unanswered: dict[str, str] = {}


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call to TikTok that the event was part of, and how many events it carried."""

    began_at: float
    seconds: float
    events: int
    outcome: str
    status: int | None = None
    code: int | None = None
    words: str = ""
    message: str = ""
    request_id: str = ""


class EventShown(EventRow, frozen=True, kw_only=True):
    """One event with its history.

    ``next``   what happens with it now
    ``body``   its exact JSON, but for the visitor's address, of which a part is hidden; null where it is damaged
    ``trace``  how it came about; null where no trace is kept
    """

    next: str
    body: msgspec.Raw
    calls: list[CallRow]
    trace: "TraceShown | None" = None


class SourceShown(msgspec.Struct, frozen=True, kw_only=True):
    """One source of one field, and how the field is cleaned."""

    field: str
    source: str
    given: str
    outcome: str
    cleaning: str = ""


class TraceShown(msgspec.Struct, frozen=True, kw_only=True):
    """How an event came about; see ``mapping.trace.Trace``."""

    route: str
    sources: list[SourceShown] = []
    warnings: list[dict[str, str]] = []
    rules: list[dict[str, str]] = []
    not_sent: list[str] = []
    cut: bool = False


# Live.


class LiveRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it arrived, or what has become of one since.

    ``at``       Unix seconds of its receipt
    ``ref``      names it; empty of what was dropped or turned away, which is nowhere to be looked up
    ``verdict``  ``waiting``, ``delivered``, ``dead``, ``gone`` (kept no more), ``dropped`` or ``turned_away``
    ``why``      the reason of the last four, of a dead one with TikTok's code in words; how often what waits was tried
    """

    at: float
    ref: str = ""
    destination: str = ""
    given: str = ""
    event: str = ""
    event_id: str = ""
    site: str = ""
    value: str = ""
    currency: str = ""
    keys: tuple[str, ...] = ()
    verdict: str
    why: str = ""


class LiveRows(msgspec.Struct, frozen=True, kw_only=True):
    """What is new since a cursor. ``skipped``: so many more came than are told of one by one."""

    rows: list[LiveRow]
    cursor: str
    skipped: int = 0


# Figures.


class FiguresQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which figures: of whole hours or days (UTC), from the one that holds ``begin`` to the one before ``end``.

    Times are Unix seconds; None is now.
    """

    span: Span = "hour"
    begin: Annotated[float, Meta(ge=0, le=1e11)]
    end: Annotated[float, Meta(ge=0, le=1e11)] | None = None


class FiguresShown(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of all files together, in order of time."""

    span: Span
    begin: int
    end: int
    periods: list[Period]
    tallies: list[Tally]
    unanswered: dict[str, str] = {}


# Dead letters, ids, trying.


class LetterGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters that died of the same; ``ref`` is the newest of them, ``words`` the code in plain words."""

    destination: str
    event: str
    reason: DeadReason
    code: int | None = None
    words: str = ""
    message: str = ""
    count: int
    oldest_at: float
    newest_at: float
    ref: str


class LetterGroups(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, the largest first."""

    groups: list[LetterGroup]
    unanswered: dict[str, str] = {}


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one destination and name whose ids are the same, or would be but for case.

    ``ids``   how they are spelled, each once
    ``refs``  some of them
    """

    destination: str
    event: str
    ids: list[str]
    count: int
    refs: list[str]


class RepeatedIds(msgspec.Struct, frozen=True, kw_only=True):
    """What repeats among the newest ``looked_at`` events that are still kept.

    ``doubled``   ids that came more than once: TikTok counts those of one name once (within 48 h)
    ``by_case``   ids that differ in case alone: whether TikTok takes them for one is not documented
    ``more``      there are more of either than are listed, which are the most frequent
    """

    looked_at: int
    doubled: list[Repeated]
    by_case: list[Repeated]
    more: bool = False
    unanswered: dict[str, str] = {}


class TryOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hit as ``tikrelay explain`` takes it: an address, a curl line, a body, lines of a log."""

    text: Annotated[str, Meta(max_length=LONGEST_HIT)]


class ReplayOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters go out again: ``all``, or those that match everything that is given.

    ``refs``               of dead letters; with ``test_event_code`` of any events
    ``code``               as in EventQuery
    ``test_event_code``    sends a copy as a test and leaves the event as it is
    ``accept_duplicates``  also what TikTok may have taken already
    ``dry_run``            only counts
    ``confirm``            must be true, unless it is a dry run
    """

    all: bool = False
    refs: Annotated[tuple[Text, ...], Meta(max_length=MOST_REFS)] = ()
    reason: DeadReason | None = None
    code: int | NoCode | None = None
    event: Text = ""
    event_id: Text = ""
    destination: Text = ""
    test_event_code: Text = ""
    accept_duplicates: bool = False
    dry_run: bool = False
    confirm: bool = False

    @property
    def chooses(self) -> bool:
        """Say whether anything tells which letters are meant."""
        filters = (self.reason, self.event, self.event_id, self.destination)
        return bool(self.all or self.refs or any(filters) or self.code is not None)


class ReplayDone(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters go out again, and how many stay, by why.

    ``kept``  ``may_be_delivered``, ``damaged``, ``no_destination``, or ``no_dead_letter`` of a ref that is none, and
              ``no_event`` where any event was meant
    """

    replayed: int = 0
    kept: dict[str, int] = {}
    dry_run: bool = False
    unanswered: dict[str, str] = {}


class ForgetOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose events are erased: SHA-256 digests in hex, as the events hold them; no plain personal data travels."""

    digests: Annotated[
        tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")], ...], Meta(min_length=1, max_length=MOST_DIGESTS)
    ]
    confirm: bool = False


class ForgetDone(msgspec.Struct, frozen=True, kw_only=True):
    """How many events were erased, by what they were."""

    waiting: int = 0
    dead: int = 0
    delivered: int = 0
    unanswered: dict[str, str] = {}


class Operations(Protocol):
    """All of this together: what the admin port and the console ask (``app/events.py``)."""

    async def page(self, query: EventQuery) -> EventPage:
        """List events."""
        ...

    async def shown(self, ref: str) -> EventShown:
        """Show one."""
        ...

    async def example(self, ref: str) -> str:
        """Write one as an example file, as those in ``examples/steps``."""
        ...

    async def live(self, cursor: str) -> LiveRows:
        """Tell what is new since a cursor; an empty one is that of a viewer who has just come."""
        ...

    async def figures(self, query: FiguresQuery) -> FiguresShown:
        """Add up what happened in each hour or on each day."""
        ...

    async def letters(self) -> LetterGroups:
        """Group the dead letters."""
        ...

    async def repeats(self) -> RepeatedIds:
        """Find ids that come more than once."""
        ...

    async def try_hit(self, order: TryOrder) -> dict[str, Any]:
        """Explain a hit under the settings in force: the document of ``tikrelay explain --json``."""
        ...

    async def replay(self, order: ReplayOrder) -> ReplayDone:
        """Send dead letters again, or any events as a test."""
        ...

    async def forget(self, order: ForgetOrder) -> ForgetDone:
        """Erase a person's events."""
        ...
