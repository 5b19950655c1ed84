"""What a step reports while it works; ``watch/`` turns each into a metric, a log line or a trace row.

Steps are handed an ``Emit`` and call it; nothing here does any I/O, and no happening carries personal data or a token.
"""

from collections.abc import Callable
from typing import Literal

import msgspec


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all happenings."""


class HitAnswered(Happening, frozen=True, kw_only=True):
    """One request on a collecting route was answered."""

    route: str
    status: int
    events: int
    seconds: float


class InputTurnedAway(Happening, frozen=True, kw_only=True):
    """A request, or an input in it, never became an event. Counted apart from the books of events."""

    route: str
    reason: str
    count: int = 1


class EventDropped(Happening, frozen=True, kw_only=True):
    """A rule kept an event from a destination. ``name`` and ``site`` are fit to be shown."""

    destination: str
    reason: str
    name: str
    site: str


class EventWarned(Happening, frozen=True, kw_only=True):
    """An event was taken with something left out or doubtful."""

    kind: str
    field: str


class CommitDone(Happening, frozen=True, kw_only=True):
    """One group commit reached the disk."""

    jobs: int
    events: int
    seconds: float


class StoreFailed(Happening, frozen=True, kw_only=True):
    """A commit did not reach the disk; its senders were answered 503. ``what`` is in SQLite's own words."""

    path: str
    reason: str
    what: str
    hint: str


class StoreStopped(Happening, frozen=True, kw_only=True):
    """An outbox takes no more events, for the reason given; told again each minute while it lasts."""

    path: str
    reason: str
    what: str
    hint: str


class StoreResumed(Happening, frozen=True, kw_only=True):
    """An outbox takes events again."""

    path: str


class PutRefused(Happening, frozen=True, kw_only=True):
    """One request's events were not tried to be stored; its sender was answered 503."""

    reason: str


class NotStored(Happening, frozen=True, kw_only=True):
    """One request was answered 503, for its events could not be stored."""

    route: str
    why: str
    hint: str
    request_id: str


class OutboxDamaged(Happening, frozen=True, kw_only=True):
    """SQLite found a file damaged; it is marked and left alone, and its events wait in it for a repair."""

    path: str
    what: str
    hint: str


class LogKept(Happening, frozen=True, kw_only=True):
    """SQLite left out the end of a file's log, for something before it is damaged; the log is kept beside the file."""

    path: str
    kept: str
    frames: int
    hint: str


class OutboxVanished(Happening, frozen=True, kw_only=True):
    """A file that held something was gone, or empty, when it was opened; it was begun anew."""

    path: str
    what: str
    hint: str


class TakenBack(Happening, frozen=True, kw_only=True):
    """What could be read of a kept log, and was in no table, waits again."""

    path: str
    kept: str
    events: int


class BatchAnswered(Happening, frozen=True, kw_only=True):
    """One call to TikTok ended; ``outcome`` is the verdict's name."""

    destination: str
    events: int
    outcome: str
    code: int | None
    message: str
    request_id: str
    seconds: float


class EventsDelivered(Happening, frozen=True, kw_only=True):
    """TikTok accepted events; each took so many seconds since its receipt, or since it was replayed."""

    destination: str
    lags_s: tuple[float, ...]


class EventsBuried(Happening, frozen=True, kw_only=True):
    """Events became dead letters."""

    destination: str
    reason: str
    count: int
    code: int | None = None
    message: str = ""
    request_id: str = ""


class DestinationPaused(Happening, frozen=True, kw_only=True):
    """Nothing but probes is sent to a destination until TikTok accepts again."""

    destination: str
    reason: str
    hint: str
    next_probe_s: float


class DestinationResumed(Happening, frozen=True, kw_only=True):
    """TikTok accepts events for a destination again."""

    destination: str


class OutboxAdopted(Happening, frozen=True, kw_only=True):
    """A file that no process owned was taken over, with what waits in it."""

    path: str
    waiting: int


class SettingsRead(Happening, frozen=True, kw_only=True):
    """A running server read its settings again: taken, refused (the file is wrong), failed (no worker could begin)."""

    outcome: str


class ClockSet(Happening, frozen=True, kw_only=True):
    """The wall clock was set by so many seconds while the program ran."""

    seconds: int


class AlarmPosted(Happening, frozen=True, kw_only=True):
    """An alarm was taken at the address of ``alarms.webhook`` (sent), or was not (failed)."""

    outcome: str


class EventsTaken(Happening, frozen=True, kw_only=True):
    """Events of one request were stored for a destination; so many cannot be told from the browser's or its click."""

    destination: str
    events: int
    no_event_id: int
    no_click_id: int


class Unexpected(Happening, frozen=True, kw_only=True):
    """An error that should never happen: a defect of ours. Its place is logged, its words are not.

    ``request_id``  of the request that met it, if it was one
    """

    where: str
    error: BaseException
    request_id: str = ""


class Advice(Happening, frozen=True, kw_only=True):
    """Something the operator should know, in plain words; told at start and in ``check``."""

    kind: str
    text: str
    level: Literal["info", "warning"] = "warning"


Emit = Callable[[Happening], None]


def silent(_: Happening) -> None:
    """Take a happening and do nothing with it."""
