"""What is measured: every metric, its words, its labels, and how many series it can make.

A scrape stays below MOST_SERIES with one destination, whatever strangers send: what they can make up is counted by
name only until a metric has ``named`` series, and what comes after as ``other``. ``docs/reference/metrics.md`` is
written from these rows.
"""

from typing import Final, Literal, get_args

import msgspec

from tikrelay.event import DropReason
from tikrelay.mapping.notices import NoticeKind
from tikrelay.outbox.memory import MOST_NAMES
from tikrelay.outbox.room import FAILED, GONE, MAX_BYTES, REPLACED, RESERVE, SLOW_DISK
from tikrelay.outbox.store import DeadReason
from tikrelay.tiktok.answers import Verdict
from tikrelay.watch.status import Kind

MOST_SERIES: Final = 300
"""Our own bound on a scrape of one destination."""

OTHER: Final = "other"

DESTINATION: Final = "destination"
ROUTES: Final = ("ga4", "mp", "debug_mp", "data", "not_ours")
STATUSES: Final = ("2xx", "4xx", "5xx")
OUTCOMES: Final = ("accepted", "dead", "dropped")
VERDICTS: Final = tuple(verdict.__name__.lower() for verdict in get_args(Verdict))
TRAITS: Final = ("no_event_id", "no_click_id")
STORE_FAILURES: Final = (
    MAX_BYTES, RESERVE, GONE, REPLACED, FAILED, SLOW_DISK, "FullError", "IOError", "CorruptError",
)  # fmt: skip
_SOURCES: Final = 5  # the three of tikrelay.event.Source, copies of dead letters, and what was salvaged
_REASONS: Final = 40  # codes of refusals: about as many as docs/troubleshooting.md tells of

ANSWER_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 15.0)
COMMIT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0)
CALL_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
LAG_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 21600.0, 86400.0)
EVENTS: Final = (1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1000.0)


class Measure(msgspec.Struct, frozen=True):
    """One metric.

    ``name``      without the ``_total`` of a counter
    ``values``    of its labels, where they are known beforehand (without the destination, which comes first): each is
                  there from the start, for an alarm hears no increase in what began above zero
    ``named``     how many combinations of labels are told by name; 0 where only ``values`` can come
    ``folded``    how many more there may be of what comes after, as ``other``
    ``detail``    further labels that are counted and not shown on the page
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    text: str
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    named: int = 0
    folded: int = 1
    detail: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def shown_name(self) -> str:
        """As it stands on the page.

        >>> REQUESTS.shown_name
        'tikrelay_requests_total'
        """
        return f"{self.name}_total" if self.kind == "counter" else self.name

    @property
    def series(self) -> int:
        """How many lines it can make; for each destination, where that is a label.

        >>> FLOWING.series, len(LAG.buckets), LAG.series
        (1, 10, 13)
        """
        combinations = self.named + self.folded if self.named else len(self.values) or 1
        return combinations * (len(self.buckets) + 3 if self.buckets else 1)  # +Inf, the sum and the count


def each(*values: str) -> tuple[tuple[str, ...], ...]:
    """Make of each value the values of one label.

    >>> each("a", "b")
    (('a',), ('b',))
    """
    return tuple((str(value),) for value in values)


# From the books in the outbox: they survive restarts.

RECEIVED: Final = Measure(
    "counter",
    "tikrelay_events_received",
    "Events received, by GA4 or given name. One event to two destinations counts twice.",
    ("source", "event"),
    named=MOST_NAMES,
    folded=_SOURCES,
)
EVENTS_BY_OUTCOME: Final = Measure(
    "counter", "tikrelay_events", "Events by what became of them.", (DESTINATION, "outcome"), values=each(*OUTCOMES)
)
DROPPED: Final = Measure(
    "counter", "tikrelay_events_dropped", "Events that a rule kept back.", ("reason",), values=each(*DropReason)
)
DEAD: Final = Measure(
    "counter",
    "tikrelay_events_dead",
    "Events that became dead letters, also those that were replayed since.",
    (DESTINATION, "reason"),
    values=each(*DeadReason),
)
REPLAYED: Final = Measure(
    "counter",
    "tikrelay_events_replayed",
    "Dead letters that were sent again, by why they had died.",
    (DESTINATION, "reason"),
    values=each(*DeadReason),
)
LETTERS: Final = Measure(
    "gauge", "tikrelay_dead_letters", "Events that are dead letters at this moment.", (DESTINATION,)
)
WAITING: Final = Measure(
    "gauge", "tikrelay_events_waiting", "Events on disk that TikTok has not taken yet.", (DESTINATION,)
)
OLDEST: Final = Measure(
    "gauge", "tikrelay_oldest_waiting_seconds", "Age of the oldest event that waits; 0 when none does.", (DESTINATION,)
)

# What the server is like at this moment.

FLOWING: Final = Measure(
    "gauge", "tikrelay_destination_flowing", "1 while events flow to it, 0 while it fails or is paused.", (DESTINATION,)
)
TROUBLES: Final = Measure(
    "gauge",
    "tikrelay_troubles",
    "What needs a human at this moment: how many there are of each kind of alarm.",
    ("kind",),
    values=each(*get_args(Kind)),
)
HELD: Final = Measure("gauge", "tikrelay_outbox_bytes", "Bytes on disk of the outbox: all its files and their logs.")
FREE: Final = Measure(
    "gauge", "tikrelay_outbox_free_bytes", "Bytes free on the outbox's disk; absent while nobody can tell."
)
STARTED: Final = Measure("gauge", "tikrelay_start_time_seconds", "When the server started, in Unix seconds.")
BUILD: Final = Measure("gauge", "tikrelay_build_info", "1; its label says which version runs.", ("version",))

# Counted by each process since it began.

REQUESTS: Final = Measure(
    "counter",
    "tikrelay_requests",
    "Requests on the collecting routes, by the class of their answer's status.",
    ("route", "status"),
    values=tuple((route, status) for route in ROUTES for status in STATUSES),
)
ANSWER_TIME: Final = Measure(
    "histogram",
    "tikrelay_answer_seconds",
    "From a request's headers to its answer, its body's arrival and the commit included.",
    buckets=ANSWER_S,
)
TURNED_AWAY: Final = Measure(
    "counter",
    "tikrelay_inputs_refused",
    "Requests, and inputs in them, that never became an event.",
    ("reason",),
    values=each("cannot_store", "rate", OTHER),
    named=_REASONS,
)
WARNINGS: Final = Measure(
    "counter",
    "tikrelay_event_warnings",
    "Events taken with something left out or doubtful, by the kind of warning.",
    ("kind",),
    values=each(*NoticeKind),
    detail=("field",),
)
DEFECTS: Final = Measure("counter", "tikrelay_defects", "Errors that should never happen; each is a log line `defect`.")
COMMITS: Final = Measure(
    "histogram", "tikrelay_commit_seconds", "One group commit, its fsync included.", buckets=COMMIT_S
)
COMMIT_EVENTS: Final = Measure("histogram", "tikrelay_commit_events", "Events in one group commit.", buckets=EVENTS)
FAILED_COMMITS: Final = Measure(
    "counter",
    "tikrelay_store_failures",
    "Commits that did not reach the disk, and requests that were not tried.",
    ("reason",),
    values=each(*STORE_FAILURES, OTHER),
    named=len(STORE_FAILURES) + 3,
)
CALLS: Final = Measure(
    "counter",
    "tikrelay_tiktok_calls",
    "Calls to TikTok by what the answer meant.",
    (DESTINATION, "outcome"),
    values=each(*VERDICTS),
)
CALL_TIME: Final = Measure(
    "histogram", "tikrelay_tiktok_call_seconds", "One call to TikTok.", (DESTINATION,), buckets=CALL_S
)
CALL_EVENTS: Final = Measure(
    "histogram", "tikrelay_batch_events", "Events in one call to TikTok.", (DESTINATION,), buckets=EVENTS
)
LAG: Final = Measure(
    "histogram",
    "tikrelay_delivery_lag_seconds",
    "From an event's receipt, or its replay, to TikTok's acceptance.",
    (DESTINATION,),
    buckets=LAG_S,
)
STORED: Final = Measure("counter", "tikrelay_events_stored", "Events stored for a destination.", (DESTINATION,))
LACKING: Final = Measure(
    "counter",
    "tikrelay_event_traits",
    "Of these, those without an event id of the site's own, and those without TikTok's click id.",
    (DESTINATION, "trait"),
    values=each(*TRAITS),
)
ALARMS: Final = Measure(
    "counter",
    "tikrelay_alarms",
    "Alarms for alarms.webhook, by whether it took them.",
    ("outcome",),
    values=each("sent", "failed"),
)
CLOCK_SET: Final = Measure("counter", "tikrelay_clock_set", "Times the machine's clock was set by more than a minute.")
RELOADS: Final = Measure(
    "counter",
    "tikrelay_config_reloads",
    "Times a running server read its settings again.",
    ("outcome",),
    values=each("taken", "refused", "failed"),
)

OF_BOOKS: Final = (RECEIVED, EVENTS_BY_OUTCOME, DROPPED, DEAD, REPLAYED, LETTERS, WAITING, OLDEST)
OF_SERVER: Final = (FLOWING, TROUBLES, HELD, FREE, STARTED, BUILD)
OF_PROCESSES: Final = (
    REQUESTS, ANSWER_TIME, TURNED_AWAY, WARNINGS, DEFECTS, COMMITS, COMMIT_EVENTS, FAILED_COMMITS, CALLS, CALL_TIME,
    CALL_EVENTS, LAG, STORED, LACKING, ALARMS, CLOCK_SET, RELOADS,
)  # fmt: skip
MEASURES: Final = (*OF_BOOKS, *OF_SERVER, *OF_PROCESSES)


def most_series(destinations: int) -> int:
    """How many lines a scrape holds at most.

    >>> most_series(1) <= MOST_SERIES
    True
    """
    each = sum(one.series for one in MEASURES if DESTINATION in one.labels)
    return sum(one.series for one in MEASURES if DESTINATION not in one.labels) + destinations * each
