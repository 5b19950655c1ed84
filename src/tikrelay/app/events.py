"""Events as an operator sees and handles them: over all outbox files, with codes in words and what comes next."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from tikrelay.app.arrivals import Arrivals, Ask, nobody
from tikrelay.app.config import Config
from tikrelay.app.examples.stored import write_example
from tikrelay.app.explained import try_hit
from tikrelay.app.files import Files, Told, read_refs
from tikrelay.app.groups import find_repeats, group_letters, newest_of
from tikrelay.app.questions import AddUp, FindEvents, ForgetEvents, GroupLetters, ListIds, ReplayEvents, ShowEvent
from tikrelay.app.rows import call_row, event_row, shown_body, trace_shown
from tikrelay.app.sums import add_up
from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused
from tikrelay.mapping.person import digests_in_search
from tikrelay.outbox.figures import SECONDS, Look
from tikrelay.outbox.store import DeadReason, Entry, Find, Replay
from tikrelay.tiktok.answers import explain_pause
from tikrelay.tiktok.config import TEST_EVENT_CODE
from tikrelay.watch.operations import (
    MOST_EVENTS,
    EventPage,
    EventQuery,
    EventRow,
    EventShown,
    FiguresQuery,
    FiguresShown,
    ForgetDone,
    ForgetOrder,
    LetterGroups,
    LiveRows,
    RepeatedIds,
    ReplayDone,
    ReplayOrder,
    TryOrder,
)

NO_DEAD_LETTER: Final = "no_dead_letter"
NO_EVENT: Final = "no_event"
_ALL_OF_THEM: Final = 2**31
MOST_IDS: Final = 20_000
"""Among so many events, the newest, ids are compared: with them the answer of a worker is 2 MB."""

States = Mapping[str, Mapping[str, str]]
"""Of each destination that is served its ``state`` and the ``reason`` for it."""


class Events:
    """All events there are.

    ``settings``  those in force
    ``states``    how the destinations are; None where nobody sends
    ``ask_live``  asks the workers what arrives; left out where there are none
    """

    def __init__(
        self,
        files: Files,
        *,
        settings: Callable[[], Config],
        states: Callable[[], Awaitable[States]] | None,
        clock: Clock,
        ask_live: Ask = nobody,
    ) -> None:
        self._files = files
        self._settings = settings
        self._states = states
        self._clock = clock
        self._arrivals = Arrivals(ask_live, clock=clock)

    async def page(self, query: EventQuery) -> EventPage:
        """The newest that match; those of one moment, as a batch is, stand on one page: the next begins after it.

        A person's address or number is looked for by its hashes; as it stands it goes no further than this.
        """
        wanted: dict[str, Any] = {**msgspec.structs.asdict(query), "reason": query.reason or "", "most": query.most + 1}
        warned = wanted.pop("warned")
        which = Find(**wanted)
        if warned:
            rows, failed = await self._find(msgspec.structs.replace(which, most=MOST_EVENTS))
            return EventPage(events=[row for row in rows if warned in row.warned][: query.most], unanswered=failed)
        rows, failed = await self._find(which)
        if len(rows) > query.most and rows[-1].received_at == rows[-2].received_at:
            at = rows[-1].received_at
            end = math.nextafter(at, math.inf)
            moment = msgspec.structs.replace(which, received_from=at, received_to=end, most=_ALL_OF_THEM)
            same, failed = await self._find(moment)
            rows = [*(row for row in rows if row.received_at > at), *same]
            return EventPage(events=rows, unanswered=failed)
        return EventPage(events=rows[: query.most], unanswered=failed)

    async def _find(self, which: Find) -> tuple[list[EventRow], dict[str, str]]:
        text = which.text.strip()
        texts = await asyncio.to_thread(digests_in_search, text) or (text,)
        told = [await self._files.ask(FindEvents(msgspec.structs.replace(which, text=one))) for one in texts]
        rows = await asyncio.to_thread(_rows_of, told)
        return rows[: which.most], {file: why for one in told for file, why in one.failed.items()}

    async def shown(self, ref: str) -> EventShown:
        """One event, with its history. Raises InputRefused when there is none."""
        file, entry = await self._entry(ref)
        return event_row(
            EventShown,
            file,
            entry,
            next=await self._next(entry, ref),
            body=shown_body(entry),
            calls=[call_row(call) for call in entry.calls],
            trace=trace_shown(entry),
        )

    async def example(self, ref: str) -> str:
        """Write an event as an example file, which comes true under the settings in force. Raises InputRefused."""
        _, entry = await self._entry(ref)
        return await asyncio.to_thread(write_example, entry, self._settings())

    async def _entry(self, ref: str) -> tuple[str, Entry]:
        """Find an event, and the name of its file. Raises InputRefused when there is none."""
        ((file, (key,)),) = read_refs([ref]).items()
        told = await self._files.ask(ShowEvent(file, key))
        entry = told.by_file.get(file)
        if entry is None:
            why = told.failed.get(file) or "it was erased, or its time to be kept is over (outbox.keep_delivered)"
            raise InputRefused(404, "no_such_event", f"there is no event {ref}", hint=why)
        return file, entry

    async def _next(self, entry: Entry, ref: str) -> str:
        states = await self._states() if self._states and entry.state == "waiting" else None
        return what_comes_next(entry, ref, now=self._clock.now(), states=states)

    async def replay(self, order: ReplayOrder) -> ReplayDone:
        """Let dead letters wait again, or copy events to be sent as a test. Raises InputRefused."""
        if not order.chooses:
            raise InputRefused(400, "nothing_chosen", "nothing says which dead letters", hint="give all, or a filter")
        if order.test_event_code and not TEST_EVENT_CODE.fullmatch(order.test_event_code):
            hint = "it stands in Events Manager, Test Events: letters, digits, - and _"
            raise InputRefused(400, "bad_test_code", "test_event_code is none", hint=hint)
        keys = read_refs(order.refs) if order.refs else None
        which = Find(
            destination=order.destination,
            event=order.event,
            event_id=order.event_id,
            reason=order.reason or "",
            code=order.code,
            most=_ALL_OF_THEM,
            oldest_first=True,
        )
        asked = Replay(
            which=which,
            destinations=tuple(destination.name for destination in self._settings().destinations),
            test_event_code=order.test_event_code,
            accept_duplicates=order.accept_duplicates,
            dry_run=order.dry_run,
        )
        told = await self._files.ask(ReplayEvents(asked, keys))
        kept: Counter[str] = Counter()
        for one in told.by_file.values():
            kept.update(one.kept)
        replayed = sum(one.replayed for one in told.by_file.values())
        if missing := len(set(order.refs)) - replayed - kept.total():
            kept[NO_EVENT if order.test_event_code else NO_DEAD_LETTER] = max(0, missing if order.refs else 0)
        failed = {file: why for file, why in told.failed.items() if keys is None or file in keys}
        kept_why = {why: count for why, count in kept.items() if count}
        return ReplayDone(replayed=replayed, kept=kept_why, dry_run=order.dry_run, unanswered=failed)

    async def figures(self, query: FiguresQuery) -> FiguresShown:
        """Add up what happened. Raises InputRefused."""
        seconds = SECONDS[query.span]
        last = self._clock.now() if query.end is None else query.end
        begin, end = int(query.begin // seconds) * seconds, math.ceil(last / seconds) * seconds
        if begin >= end:
            raise InputRefused(400, "bad_time", "the time ends before it begins", hint="give begin, and end after it")
        told = await self._files.ask(AddUp(Look(span=query.span, begin=begin, end=end)))
        sums = await asyncio.to_thread(add_up, told.by_file.values())
        return FiguresShown(
            span=query.span, begin=begin, end=end, periods=sums.periods, tallies=sums.tallies, unanswered=told.failed
        )

    async def letters(self) -> LetterGroups:
        """Group the dead letters by what they died of."""
        told = await self._files.ask(GroupLetters())
        return LetterGroups(groups=group_letters(told.by_file), unanswered=told.failed)

    async def repeats(self) -> RepeatedIds:
        """Find ids that come more than once among the newest events."""
        told = await self._files.ask(ListIds(MOST_IDS))
        newest = newest_of(told.by_file, MOST_IDS)
        found = await asyncio.to_thread(find_repeats, newest)
        looked_at = sum(map(len, newest.values()))
        return RepeatedIds(looked_at=looked_at, **found._asdict(), unanswered=told.failed)

    async def live(self, cursor: str) -> LiveRows:
        """Tell what is new. Raises InputRefused."""
        return await self._arrivals.since(cursor)

    async def try_hit(self, order: TryOrder) -> dict[str, Any]:
        """Explain a hit under the settings in force. Raises InputRefused."""
        return await asyncio.to_thread(try_hit, order.text, self._settings(), received_at=self._clock.now())

    async def forget(self, order: ForgetOrder) -> ForgetDone:
        """Erase what can be tied to digests."""
        told = await self._files.ask(ForgetEvents(order.digests))
        sums: Counter[str] = Counter()
        for forgotten in told.by_file.values():
            sums.update(msgspec.structs.asdict(forgotten))
        return ForgetDone(**sums, unanswered=told.failed)


def _rows_of(told: Iterable[Told[list[Entry]]]) -> list[EventRow]:
    """All that was found, the newest first, each once."""
    rows = {
        (file, entry.key): event_row(EventRow, file, entry)
        for one in told
        for file, entries in one.by_file.items()
        for entry in entries
    }
    return sorted(rows.values(), key=lambda row: (row.received_at, row.ref), reverse=True)


def what_comes_next(entry: Entry, ref: str, *, now: float, states: States | None) -> str:
    """Say what happens with an event now. ``states`` None: nobody sends.

    >>> what_comes_next(Entry(key=1, state="waiting", destination="shop", event="Lead", event_id="e", received_at=0,
    ...     not_before=140.0), "000-1", now=100.0, states={"shop": {"state": "failing", "reason": ""}})
    'tried again in 40 s'
    """
    if entry.state == "delivered":
        return "nothing: TikTok took it"
    if entry.state == "dead":
        flag = " --accept-duplicates" if entry.reason == DeadReason.MAYBE_DELIVERED else ""
        return "nothing, for it is damaged" if entry.damaged else f"nothing, until you run: tikrelay replay {ref}{flag}"
    if entry.leased:
        return "it is on its way at this moment"
    if states is None:
        return "it goes out once the server runs"
    state = states.get(entry.destination)
    if state is None:
        return f"it waits until the settings name a destination {entry.destination!r}"
    if state["state"] == "unknown":
        return "it goes out once a worker runs"
    if state["state"] == "paused":
        return f"it waits while {entry.destination} is paused: {explain_pause(state['reason'])}"
    wait_s = (entry.not_before or 0) - now
    return f"tried again in {wait_s:.0f} s" if wait_s >= 1 else "it is due, and goes with the next call"
