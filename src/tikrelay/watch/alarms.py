"""What in a server's status needs a human, and when somebody is told of it.

``troubles`` reads a status and decides; ``Alarms`` remembers what was told. Neither does anything: ``app/health.py``
asks every few seconds and sends what is to be told, ``tikrelay doctor`` shows the same troubles.
"""

import shlex
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from tikrelay.outbox.damage import TAKEN_BACK, how_to_mend
from tikrelay.outbox.room import FREE_SOME_ROOM
from tikrelay.outbox.sqlite import RESERVE_BYTES
from tikrelay.watch.config import AlarmsConfig
from tikrelay.watch.status import DestinationStatus, Kind, Status, Trouble

State = Literal["begun", "goes on", "ended"]

_DAY_S: Final = 86400.0
LITTLE_ROOM_BYTES: Final = 8 * RESERVE_BYTES
_LONG_S: Final = 3600.0  # an event of a destination that fails has waited this long
_LONG_FOR_ALL_S: Final = 900.0  # an event of each destination has, and all of them fail
WAY_TO_TIKTOK: Final = "look at this machine's DNS, firewall and route, and at tiktok.base_url"
_SAY_WHAT_WAITS: Final[dict[str, Kind]] = {"paused": "destination_paused", "failing": "destination_failing"}
"""States of a destination whose trouble says what waits and for how long: it does not lag besides."""
_CRASH_LOOP: Final = 3  # deaths of workers in ten minutes; a single one is met by itself


def troubles(status: Status, *, limits: AlarmsConfig) -> list[Trouble]:
    """Find what needs a human, the most urgent first."""
    found = [
        *_server(status), *_disk(status), *_what_may_be_lost(status),
        *(one for name, row in status.destinations.items() for one in _destination(name, row, limits)),
        *_failing(status.destinations),
    ]  # fmt: skip
    return sorted(found, key=lambda trouble: trouble.level != "now")


def _server(status: Status) -> Iterator[Trouble]:
    if not status.accepting:
        yield Trouble(
            kind="nobody_collects",
            level="now",
            what="no worker accepts requests: every hit gets 503",
            hint="read the log lines worker_died and worker_failed: their why names the cause",
        )
    if status.deaths >= _CRASH_LOOP:
        yield Trouble(
            kind="workers_die",
            level="now",
            what=f"workers ended by themselves {status.deaths} times in ten minutes",
            hint="read the log lines worker_died and defect; exit code -9 alone is mostly want of memory",
        )
    if status.settings.reload in {"refused", "failed"}:
        yield Trouble(
            kind="settings_not_taken",
            level="soon",
            what=f"the last reload of the settings was {status.settings.reload}, and the older ones are in force",
            hint="mend the file (tikrelay check says where), then reload again",
        )
    if status.clock and status.clock.ago_s < 3600:
        yield Trouble(
            kind="clock_set",
            level="soon",
            what=f"this machine's clock was set by {status.clock.by_s:+.0f} s while the server ran",
            hint="events received before may carry a wrong time; have the clock kept by NTP",
        )


def _disk(status: Status) -> Iterator[Trouble]:
    for store in status.stores:
        if not store.ready:
            yield Trouble(
                kind="store_not_taking",
                about=store.outbox,
                level="now",
                what=f"{store.outbox} takes no events, and their senders get 503: {store.what or 'it is closing'}",
                hint=store.hint or "read the log line store_failed",
            )
    if status.free_bytes is not None and status.free_bytes < LITTLE_ROOM_BYTES:
        yield Trouble(
            kind="disk_nearly_full",
            level="soon",
            what=f"{status.free_bytes / 1e6:.0f} MB are free on the outbox's disk; {_what_is_left(status.free_bytes)}",
            hint=FREE_SOME_ROOM,
        )
    for file in status.damaged:
        yield Trouble(
            kind="file_damaged",
            about=file,
            level="now",
            what=f"{file} is damaged and what waits in it is not sent",
            hint=how_to_mend(Path(file)),
        )


def _what_may_be_lost(status: Status) -> Iterator[Trouble]:
    begun_anew = {store.outbox for store in status.stores}
    for file in status.vanished:
        yield Trouble(
            kind="file_vanished",
            about=file,
            level="now",
            what=f"{file} held events, and was gone or empty; what waited in it is lost, unless it was moved away",
            hint=f"look at the disk, and for a backup; {_until_when_told(file, is_begun_anew=file in begun_anew)}",
        )
    for log in status.kept_logs:
        is_back = log.endswith(TAKEN_BACK)
        back = "is back in the file" if is_back else "comes back when the file is opened next"
        then = f"then delete {log}" if is_back else f"restart the server; delete it when its name ends in {TAKEN_BACK}"
        yield Trouble(
            kind="log_kept",
            about=log,
            level="now",
            what=f"a log had a damaged place; what could be read behind it {back}, and some of it may be lost",
            hint=f"look at the disk (SMART, dmesg); {then}",
        )


def _until_when_told(file: str, *, is_begun_anew: bool) -> str:
    return "it is told for an hour" if is_begun_anew else f"to hear no more of it: tikrelay doctor --salvage {file}"


def _what_is_left(free_bytes: int) -> str:
    return "no event is taken" if free_bytes < RESERVE_BYTES else f"below {RESERVE_BYTES / 1e6:.0f} MB none is taken"


def _destination(name: str, row: DestinationStatus, limits: AlarmsConfig) -> Iterator[Trouble]:
    age = _span(row.oldest_waiting_s)
    if row.state == "paused":
        yield Trouble(
            kind="destination_paused",
            about=name,
            level="now",
            what=f"{name} is paused ({row.reason}); {row.waiting} events wait, the oldest for {age}",
            hint=row.explained or "see docs/troubleshooting.md, a destination is paused",
        )
    if row.state == "removed" and row.waiting:
        yield Trouble(
            kind="events_without_destination",
            about=name,
            level="soon",
            what=f"{row.waiting} events wait for {name}, which the settings do not name",
            hint=f"name a destination {name} again, and they are sent",
        )
    elif row.oldest_waiting_s > limits.lag and row.state not in _SAY_WHAT_WAITS:
        yield Trouble(
            kind="lag",
            about=name,
            level="now" if row.oldest_waiting_s > _DAY_S else "soon",
            what=f"{row.waiting} events wait for {name}, the oldest for {age}",
            hint="send.max_requests_per_s may be too low, or TikTok slow",
        )
    if row.new_dead >= limits.dead_letters:
        yield Trouble(
            kind="dead_letters",
            about=name,
            level="soon",
            what=f"{row.new_dead} events of {name} were given up within the last hour",
            hint="tikrelay events --state dead says why; after mending it:"
            f" tikrelay replay --destination {shlex.quote(name)} --dry-run",
        )


def _failing(destinations: dict[str, DestinationStatus]) -> Iterator[Trouble]:
    """Failing calls are made again by themselves, and are urgent when that has not helped for long."""
    all_fail = all(row.state == "failing" for row in destinations.values())
    all_wait_s = min((row.oldest_waiting_s for row in destinations.values()), default=0.0)
    for name, row in destinations.items():
        if row.state == "failing":
            lasts = row.oldest_waiting_s > _LONG_S or (all_fail and all_wait_s > _LONG_FOR_ALL_S)
            age = _span(row.oldest_waiting_s)
            yield Trouble(
                kind="destination_failing",
                about=name,
                level="now" if lasts else "soon",
                what=f"calls for {name} fail ({row.reason}); {row.waiting} events wait, the oldest for {age}",
                hint=WAY_TO_TIKTOK,
            )


def _span(seconds: float) -> str:
    """Say a length of time as people do.

    >>> _span(59), _span(7300), _span(200_000)
    ('59 s', '2 h', '2 d')
    """
    size, unit = next((one for one in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= one[0]), (1, "s"))
    return f"{seconds / size:.0f} {unit}"


class Told(msgspec.Struct, frozen=True):
    """What somebody is told of a trouble."""

    trouble: Trouble
    state: State


TroubleKey = tuple[str, str]
"""Its kind, and what it is about."""


class _Known(msgspec.Struct):
    """A trouble that was seen at the last look."""

    trouble: Trouble
    since: float
    told_at: float | None = None


def _is_part_of_another(key: TroubleKey, there: Collection[TroubleKey]) -> bool:
    """Say whether a trouble is not over, but told with a larger one of the same destination."""
    kind, about = key
    return kind == "lag" and any((larger, about) in there for larger in _SAY_WHAT_WAITS.values())


class Alarms:
    """Remembers troubles from look to look, and says when somebody is to be told."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[TroubleKey, _Known] = {}

    def look(self, found: Sequence[Trouble], *, after_s: float, repeat_s: float) -> list[Told]:
        """Take what is found now; returns what is to be told: once after a while, again now and then, and the end."""
        now = self._monotonic()
        there = {(trouble.kind, trouble.about): trouble for trouble in found}
        held = {
            key: known for key, known in self._known.items() if key not in there and _is_part_of_another(key, there)
        }
        over = [known for key, known in self._known.items() if key not in {*there, *held} and known.told_at is not None]
        self._known = held | {key: self._known.get(key) or _Known(trouble, now) for key, trouble in there.items()}
        told = [Told(known.trouble, "ended") for known in over]
        for key, trouble in there.items():
            known = self._known[key]
            worse = trouble.level == "now" != known.trouble.level
            known.trouble = trouble
            if known.told_at is None and now - known.since >= after_s:
                told.append(Told(trouble, "begun"))
                known.told_at = now
            elif known.told_at is not None and (worse or now - known.told_at >= repeat_s):
                told.append(Told(trouble, "goes on"))
                known.told_at = now
        return told
