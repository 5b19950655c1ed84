"""Events as an operator sees and handles them: over all outbox files, with codes in words and what comes next."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from tikrelay.app.files import Files, FindEvents, ForgetEvents, ReplayEvents, ShowEvent, read_refs, ref_of
from tikrelay.base.addresses import mask_address
from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused
from tikrelay.outbox.store import DeadReason, Entry, Find, Replay
from tikrelay.tiktok.answers import explain_code, explain_pause
from tikrelay.tiktok.config import TEST_EVENT_CODE
from tikrelay.watch.operations import (
    CallRow,
    EventPage,
    EventQuery,
    EventRow,
    EventShown,
    ForgetDone,
    ForgetOrder,
    ReplayDone,
    ReplayOrder,
)

R = TypeVar("R", bound=EventRow)

NO_DEAD_LETTER: Final = "no_dead_letter"
_ALL_OF_THEM: Final = 2**31
_NULL: Final = msgspec.Raw(b"null")

States = Mapping[str, Mapping[str, str]]
"""Of each destination that is served its ``state`` and the ``reason`` for it."""


class Events:
    """All events there are.

    ``destinations``  those the settings know
    ``states``        how they are; None where nobody sends
    """

    def __init__(
        self,
        files: Files,
        *,
        destinations: Callable[[], tuple[str, ...]],
        states: Callable[[], Awaitable[States]] | None,
        clock: Clock,
    ) -> None:
        self._files = files
        self._destinations = destinations
        self._states = states
        self._clock = clock

    async def page(self, query: EventQuery) -> EventPage:
        """The newest that match; those of one moment, as a batch is, stand on one page: the next begins after it."""
        wanted: dict[str, Any] = {**msgspec.structs.asdict(query), "reason": query.reason or "", "most": query.most + 1}
        which = Find(**wanted)
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
        told = await self._files.ask(FindEvents(which))
        rows = [_row(EventRow, file, entry) for file, entries in told.by_file.items() for entry in entries]
        rows.sort(key=lambda row: (row.received_at, row.ref), reverse=True)
        return rows[: which.most], told.failed

    async def shown(self, ref: str) -> EventShown:
        """One event, with its history. Raises InputRefused when there is none."""
        ((file, (key,)),) = read_refs([ref]).items()
        told = await self._files.ask(ShowEvent(file, key))
        entry = told.by_file.get(file)
        if entry is None:
            why = told.failed.get(file) or "it was erased, or its time to be kept is over (outbox.keep_delivered)"
            raise InputRefused(404, "no_such_event", f"there is no event {ref}", hint=why)
        body = _NULL if entry.damaged else shown_body(entry.body)
        calls = [_call(call) for call in msgspec.to_builtins(entry.calls)]
        return _row(EventShown, file, entry, next=await self._next(entry, ref), body=body, calls=calls)

    async def _next(self, entry: Entry, ref: str) -> str:
        states = await self._states() if self._states and entry.state == "waiting" else None
        return what_comes_next(entry, ref, now=self._clock.now(), states=states)

    async def replay(self, order: ReplayOrder) -> ReplayDone:
        """Let dead letters wait again. Raises InputRefused."""
        if not order.chooses:
            raise InputRefused(400, "nothing_chosen", "nothing says which dead letters", hint="give all, or a filter")
        if order.test_event_code and not TEST_EVENT_CODE.fullmatch(order.test_event_code):
            hint = "it stands in Events Manager, Test Events: letters, digits, - and _"
            raise InputRefused(400, "bad_test_code", "test_event_code is none", hint=hint)
        keys = read_refs(order.refs) if order.refs else None
        which = Find(
            state="dead",
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
            destinations=self._destinations(),
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
            kept[NO_DEAD_LETTER] = max(0, missing if order.refs else 0)
        failed = {file: why for file, why in told.failed.items() if keys is None or file in keys}
        kept_why = {why: count for why, count in kept.items() if count}
        return ReplayDone(replayed=replayed, kept=kept_why, dry_run=order.dry_run, unanswered=failed)

    async def forget(self, order: ForgetOrder) -> ForgetDone:
        """Erase what can be tied to digests."""
        told = await self._files.ask(ForgetEvents(order.digests))
        sums: Counter[str] = Counter()
        for forgotten in told.by_file.values():
            sums.update(msgspec.structs.asdict(forgotten))
        return ForgetDone(**sums, unanswered=told.failed)


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


def shown_body(body: bytes) -> msgspec.Raw:
    """Hide a part of the visitor's address; every other byte stays; null when it is no JSON.

    >>> bytes(shown_body(b'{"event":"Lead","user":{"ip":"203.0.113.7"}}'))
    b'{"event":"Lead","user":{"ip":"203.0.113.x"}}'
    """
    try:
        event: Any = msgspec.json.decode(body)
        address = event["user"]["ip"]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NULL
    except (KeyError, TypeError):
        return msgspec.Raw(body)
    event["user"]["ip"] = mask_address(str(address))
    return msgspec.Raw(msgspec.json.encode(event))


def _row(kind: type[R], file: str, entry: Entry, **more: Any) -> R:
    """Name an event, and say its code in words."""
    names = EventRow.__struct_fields__
    fields: dict[str, Any] = {name: value for name in names if (value := getattr(entry, name, None)) is not None}
    fields |= {"ref": ref_of(file, entry.key), "words": _words(entry.code)}
    return kind(**fields, **more)


def _call(call: dict[str, Any]) -> CallRow:
    return msgspec.convert({**call, "words": _words(call["code"])}, CallRow)


def _words(code: int | None) -> str:
    return "" if code is None else explain_code(code)
