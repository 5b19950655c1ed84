"""Metrics: what each worker counts, and all workers' counts as one page for Prometheus.

A worker's Meter listens to happenings. The parent asks every worker for its Meter and its books when the page is read,
adds them up and renders them, so that no label tells workers apart. Counts of events come from the books in the
outbox and survive restarts; the others begin at zero with their process.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from tikrelay.base.happenings import (
    AlarmPosted,
    BatchAnswered,
    ClockSet,
    CommitDone,
    EventsTaken,
    EventWarned,
    Happening,
    HitAnswered,
    InputTurnedAway,
    PutRefused,
    SettingsRead,
    StoreFailed,
)
from tikrelay.event import DropReason
from tikrelay.outbox.room import FAILED, GONE, MAX_BYTES, REPLACED, RESERVE
from tikrelay.outbox.store import Books, DeadReason

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


class _Described(msgspec.Struct, frozen=True):
    name: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = ()


HITS = _Described("tikrelay_requests", "Requests on the collecting routes.", ("route", "status"))
ANSWER_TIME = _Described(
    "tikrelay_answer_seconds",
    "From a request's headers to its answer, its body's arrival included.",
    ("route",),
    SECONDS,
)
TURNED_AWAY = _Described("tikrelay_inputs_refused", "Inputs that never became an event.", ("route", "reason"))
WARNINGS = _Described("tikrelay_event_warnings", "Events taken with something left out or doubtful.", ("kind", "field"))
COMMITS = _Described("tikrelay_commit_seconds", "One group commit, its fsync included.", (), SECONDS)
COMMIT_EVENTS = _Described("tikrelay_commit_events", "Events in one group commit.", (), SIZES)
STORE_FAILURES = _Described(
    "tikrelay_store_failures", "Commits that did not reach the disk, and requests that were not tried.", ("reason",)
)
CALLS = _Described("tikrelay_tiktok_calls", "Calls to TikTok by what the answer meant.", ("destination", "outcome"))
CALL_TIME = _Described("tikrelay_tiktok_seconds", "One call to TikTok.", ("destination",), SECONDS)
CALL_EVENTS = _Described("tikrelay_batch_events", "Events in one call.", ("destination",), SIZES)
TRAITS = _Described(
    "tikrelay_event_traits",
    "Events stored (all), those without an event id of the site's own, those without TikTok's click id.",
    ("destination", "trait"),
)
CLOCK_SET = _Described("tikrelay_clock_set", "Times the machine's clock was set by more than a minute.")
ALARMS = _Described("tikrelay_alarms", "Alarms for alarms.webhook, by whether it took them.", ("outcome",))
RELOADS = _Described("tikrelay_config_reloads", "Times a running server read its settings again.", ("outcome",))

DESCRIBED: Final = (HITS, ANSWER_TIME, TURNED_AWAY, WARNINGS, COMMITS, COMMIT_EVENTS, STORE_FAILURES, CALLS, CALL_TIME,
                    CALL_EVENTS, TRAITS, RELOADS, CLOCK_SET, ALARMS)  # fmt: skip

_FORESEEN_REASONS: Final = (MAX_BYTES, RESERVE, GONE, REPLACED, FAILED, "FullError", "IOError", "CorruptError")
_RELOAD_OUTCOMES: Final = ("taken", "refused", "failed")

Snapshot = dict[str, list[list[Any]]]


class Meter:
    """One process's counters and histograms."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, ...]]] = {d.name: Counter() for d in DESCRIBED if not d.buckets}
        self._sums: dict[str, dict[tuple[str, ...], list[float]]] = {d.name: {} for d in DESCRIBED if d.buckets}
        for reason in _FORESEEN_REASONS:
            self._add(STORE_FAILURES, (reason,), 0)  # Prometheus sees no increase in what began above zero
        for outcome in _RELOAD_OUTCOMES:
            self._add(RELOADS, (outcome,), 0)
        self._add(CLOCK_SET, (), 0)
        for outcome in ("sent", "failed"):
            self._add(ALARMS, (outcome,), 0)
        self._listeners: dict[type[Happening], Callable[[Any], None]] = {
            HitAnswered: self._hit,
            InputTurnedAway: lambda h: self._add(TURNED_AWAY, (h.route, h.reason), h.count),
            EventWarned: lambda h: self._add(WARNINGS, (h.kind, h.field)),
            CommitDone: self._commit,
            StoreFailed: lambda h: self._add(STORE_FAILURES, (h.reason,)),
            PutRefused: lambda h: self._add(STORE_FAILURES, (h.reason,)),
            BatchAnswered: self._call,
            EventsTaken: self._taken,
            SettingsRead: lambda h: self._add(RELOADS, (h.outcome,)),
            ClockSet: lambda _: self._add(CLOCK_SET, ()),
            AlarmPosted: lambda h: self._add(ALARMS, (h.outcome,)),
        }

    def listen(self, happening: Happening) -> None:
        """Count what is counted."""
        if (listener := self._listeners.get(type(happening))) is not None:
            listener(happening)

    def _taken(self, taken: EventsTaken) -> None:
        for trait, count in (
            ("all", taken.events),
            ("no_event_id", taken.no_event_id),
            ("no_click_id", taken.no_click_id),
        ):
            self._add(TRAITS, (taken.destination, trait), count)

    def _hit(self, hit: HitAnswered) -> None:
        self._add(HITS, (hit.route, str(hit.status)))
        self._observe(ANSWER_TIME, (hit.route,), hit.seconds)

    def _commit(self, commit: CommitDone) -> None:
        self._observe(COMMITS, (), commit.seconds)
        self._observe(COMMIT_EVENTS, (), commit.events)

    def _call(self, call: BatchAnswered) -> None:
        self._add(CALLS, (call.destination, call.outcome))
        self._observe(CALL_TIME, (call.destination,), call.seconds)
        self._observe(CALL_EVENTS, (call.destination,), call.events)

    def _add(self, described: _Described, labels: tuple[str, ...], count: int = 1) -> None:
        self._counts[described.name][labels] += count

    def _observe(self, described: _Described, labels: tuple[str, ...], value: float) -> None:
        """Add to the one bucket a value falls into; the last two places hold the rest and the sum."""
        kept = self._sums[described.name]
        row = kept.get(labels)
        if row is None:
            row = kept[labels] = [0.0] * (len(described.buckets) + 2)
        row[bisect_left(described.buckets, value)] += 1
        row[-1] += value

    def snapshot(self) -> Snapshot:
        """Everything, as JSON can hold it: a name to rows of labels and numbers."""
        counts = {name: [[*labels, count] for labels, count in kept.items()] for name, kept in self._counts.items()}
        sums = {name: [[*labels, *row] for labels, row in kept.items()] for name, kept in self._sums.items()}
        return counts | sums


def render(snapshots: Iterable[Snapshot], books: Books, states: dict[str, str], *, now: float) -> bytes:
    """Write the page Prometheus reads."""
    metrics = [*_process_metrics(list(snapshots)), *_book_metrics(books, states, now)]

    class _Page:
        def collect(self) -> Iterable[Metric]:
            return metrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page())
    return generate_latest(registry)


def _process_metrics(snapshots: list[Snapshot]) -> Iterable[Metric]:
    for described in DESCRIBED:
        rows: dict[tuple[str, ...], list[float]] = {}
        width = len(described.labels)
        for row in (row for snapshot in snapshots for row in snapshot[described.name]):
            labels = tuple(row[:width])
            known = rows.get(labels)
            rows[labels] = row[width:] if known is None else [a + b for a, b in zip(known, row[width:], strict=True)]
        yield _histogram(described, rows) if described.buckets else _counter(described, rows)


def _counter(described: _Described, rows: dict[tuple[str, ...], list[float]]) -> Metric:
    family = CounterMetricFamily(described.name, described.text, labels=described.labels)
    for labels, row in sorted(rows.items()):
        family.add_metric(labels, row[0])
    return family


def _histogram(described: _Described, rows: dict[tuple[str, ...], list[float]]) -> Metric:
    family = HistogramMetricFamily(described.name, described.text, labels=described.labels)
    for labels, row in sorted(rows.items()):
        total, buckets = 0.0, list[tuple[str, float]]()
        for bound, count in zip([*map(str, described.buckets), "+Inf"], row[:-1], strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(labels, buckets, row[-1])
    return family


def _book_metrics(books: Books, states: dict[str, str], now: float) -> Iterable[Metric]:
    received: Counter[tuple[str, str]] = Counter()
    for (_, source, name), count in books.received.items():
        received[source, name] += count
    yield _family("tikrelay_events_received", "Events received, by GA4 or given name.", ("source", "event"), received)
    outcomes = {(name, "accepted"): count for name, count in books.accepted.items()}
    # A replayed letter is dead no more; a counter that fell would be taken for a restart.
    died = Counter(books.dead) + Counter(books.replayed)
    for kind, kept in (("dead", died), ("dropped", books.dropped)):
        for (name, _), count in kept.items():
            outcomes[name, kind] = outcomes.get((name, kind), 0) + count
    yield _family("tikrelay_events", "Events by what became of them.", ("destination", "outcome"), outcomes)
    dropped: Counter[str] = Counter(dict.fromkeys(DropReason, 0))  # an alarm hears a change, not a beginning
    for (_, reason), count in books.dropped.items():
        dropped[reason] += count
    yield _family(
        "tikrelay_events_dropped", "Events dropped by a rule.", ("reason",), {(r,): n for r, n in dropped.items()}
    )
    none = {(name, reason.value): 0 for name in states for reason in DeadReason}
    for name, text, kept in (
        ("tikrelay_events_dead", "Events that became dead letters, also those since replayed.", died),
        ("tikrelay_events_replayed", "Dead letters that were sent again.", books.replayed),
    ):
        yield _family(name, text, ("destination", "reason"), none | kept)

    waiting = GaugeMetricFamily(
        "tikrelay_events_waiting", "Events on disk that TikTok has not taken yet.", labels=["destination"]
    )
    oldest = GaugeMetricFamily("tikrelay_oldest_waiting_seconds", "Age of the oldest of them.", labels=["destination"])
    flowing = GaugeMetricFamily(
        "tikrelay_destination_flowing", "1 while events flow, 0 while failing or paused.", labels=["destination"]
    )
    for name in sorted({*states, *books.destinations()}):  # also those that the settings no longer have
        waiting.add_metric([name], books.waiting.get(name, 0))
        at = books.oldest_waiting.get(name)
        oldest.add_metric([name], max(0.0, now - at) if at is not None else 0)
    for name, state in sorted(states.items()):
        flowing.add_metric([name], 1 if state == "flowing" else 0)
    yield from (waiting, oldest, flowing)


def _family(name: str, text: str, labels: Sequence[str], rows: Any) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, count in sorted(rows.items()):
        family.add_metric(key, count)
    return family
