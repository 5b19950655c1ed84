"""How a server is: what ``/api/status`` answers.

The server makes it (``app/status.py``), ``alarms`` finds the troubles in it, commands read it. What came later than the
first version has a default, so that a command can read the status of an older server, and say that it is older.
"""

from typing import Literal

import msgspec

Level = Literal["soon", "now"]
Kind = Literal[
    "nobody_collects",
    "workers_die",
    "settings_not_taken",
    "clock_set",
    "store_not_taking",
    "disk_nearly_full",
    "file_damaged",
    "log_kept",
    "file_vanished",
    "destination_paused",
    "events_without_destination",
    "lag",
    "dead_letters",
    "destination_failing",
]
"""Of troubles."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the events are: received = accepted + waiting + dead + dropped."""

    received: int = 0
    accepted: int = 0
    waiting: int = 0
    dead: int = 0
    dropped: int = 0


class DestinationStatus(Counts, frozen=True, kw_only=True):
    """How one destination is.

    ``state``             ``flowing``, ``failing``, ``paused``; ``unknown`` while no worker answers; ``removed`` from
                          the settings
    ``reason``            why it is in that state
    ``explained``         the reason of a pause in words
    ``oldest_waiting_s``  for how long its oldest event has waited
    ``new_dead``          how many events became dead letters within the last hour
    ``traits``            what its events lacked since the server began
    """

    state: str
    reason: str
    dead_reasons: dict[str, int] = {}
    drop_reasons: dict[str, int] = {}
    oldest_waiting_s: float = 0.0
    new_dead: int = 0
    explained: str = ""
    traits: dict[str, int] = {}


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an outbox file takes events; ``what`` keeps it from that, ``hint`` is what to do."""

    outbox: str
    ready: bool
    what: str = ""
    hint: str = ""


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that answers; ``outbox`` is its own file, ``outboxes`` also those it has taken over."""

    index: int
    pid: int
    outbox: str
    outboxes: tuple[str, ...]


class ClockStatus(msgspec.Struct, frozen=True, kw_only=True):
    """When the wall clock was set, and how far."""

    ago_s: float
    by_s: float


class SettingsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Which settings are in force, and what became of the last reload."""

    read_at: float = 0.0
    digest: str = ""
    reload: str = ""


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """A warning about events, and how often it came since the server began."""

    kind: str
    field: str
    count: int


class Collects(msgspec.Struct, frozen=True, kw_only=True):
    """Where hits are taken: an address on this machine, and a measurement id that is let in."""

    address: str
    measurement_id: str


class Advised(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the settings; see ``base.happenings.Advice``."""

    kind: str
    text: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs a human, at once or soon. No personal data and no token is in it."""

    kind: Kind
    about: str = ""
    level: Level
    what: str
    hint: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    ``uncounted``  files that nobody could speak for
    ``damaged``    files that wait for a repair
    ``kept_logs``  logs that had a damaged place
    ``vanished``   files that held events and were gone or empty at the next start
    ``deaths``     workers that ended by themselves in the last ten minutes
    ``refused``    inputs that became no event since the server began, by reason
    ``advice``     what in the settings works but may surprise
    """

    pid: int
    version: str
    books: Counts
    destinations: dict[str, DestinationStatus]
    settings: SettingsStatus = SettingsStatus()
    accepting: bool = True
    workers: tuple[WorkerStatus, ...] = ()
    stores: tuple[StoreStatus, ...] = ()
    uncounted: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    kept_logs: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    free_bytes: int | None = None
    deaths: int = 0
    clock: ClockStatus | None = None
    warnings: tuple[Warned, ...] = ()
    refused: dict[str, int] = {}
    advice: tuple[Advised, ...] = ()
    collects: Collects | None = None
    troubles: tuple[Trouble, ...] = ()
