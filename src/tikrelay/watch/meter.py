"""What one process counts of what happens in it: counters and histograms, which begin at zero with the process."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import Any

from tikrelay.base.happenings import (
    AlarmPosted,
    BatchAnswered,
    ClockSet,
    CommitDone,
    EventsDelivered,
    EventsTaken,
    EventWarned,
    Happening,
    HitAnswered,
    InputTurnedAway,
    PutRefused,
    SettingsRead,
    StoreFailed,
    Unexpected,
)
from tikrelay.watch.measures import (
    ALARMS,
    ANSWER_TIME,
    CALL_EVENTS,
    CALL_TIME,
    CALLS,
    CLOCK_SET,
    COMMIT_EVENTS,
    COMMITS,
    DEFECTS,
    FAILED_COMMITS,
    LACKING,
    LAG,
    OF_PROCESSES,
    RELOADS,
    REQUESTS,
    STORED,
    TURNED_AWAY,
    WARNINGS,
    Measure,
)

Snapshot = dict[str, list[list[Any]]]
"""The name of a measure to rows: the values of its labels, then its numbers."""


class Meter:
    """One process's counters and histograms."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, ...]]] = {
            one.name: Counter() for one in OF_PROCESSES if not one.buckets
        }
        self._sums: dict[str, dict[tuple[str, ...], list[float]]] = {
            one.name: {} for one in OF_PROCESSES if one.buckets
        }
        self._listeners: dict[type[Happening], Callable[[Any], None]] = {
            HitAnswered: self._hit,
            InputTurnedAway: lambda h: self._add(TURNED_AWAY, (h.reason,), h.count),
            EventWarned: lambda h: self._add(WARNINGS, (h.kind, h.field)),
            CommitDone: self._commit,
            StoreFailed: lambda h: self._add(FAILED_COMMITS, (h.reason,)),
            PutRefused: lambda h: self._add(FAILED_COMMITS, (h.reason,)),
            BatchAnswered: self._call,
            EventsDelivered: self._delivered,
            EventsTaken: self._taken,
            SettingsRead: lambda h: self._add(RELOADS, (h.outcome,)),
            ClockSet: lambda _: self._add(CLOCK_SET, ()),
            AlarmPosted: lambda h: self._add(ALARMS, (h.outcome,)),
            Unexpected: lambda _: self._add(DEFECTS, ()),
        }

    def listen(self, happening: Happening) -> None:
        """Count what is counted."""
        if (listener := self._listeners.get(type(happening))) is not None:
            listener(happening)

    def _taken(self, taken: EventsTaken) -> None:
        self._add(STORED, (taken.destination,), taken.events)
        self._add(LACKING, (taken.destination, "no_event_id"), taken.no_event_id)
        self._add(LACKING, (taken.destination, "no_click_id"), taken.no_click_id)

    def _hit(self, hit: HitAnswered) -> None:
        self._add(REQUESTS, (hit.route, f"{hit.status // 100}xx"))
        self._observe(ANSWER_TIME, (), hit.seconds)

    def _commit(self, commit: CommitDone) -> None:
        self._observe(COMMITS, (), commit.seconds)
        self._observe(COMMIT_EVENTS, (), commit.events)

    def _call(self, call: BatchAnswered) -> None:
        self._add(CALLS, (call.destination, call.outcome))
        self._observe(CALL_TIME, (call.destination,), call.seconds)
        self._observe(CALL_EVENTS, (call.destination,), call.events)

    def _delivered(self, delivered: EventsDelivered) -> None:
        for seconds in delivered.lags_s:
            self._observe(LAG, (delivered.destination,), seconds)

    def _add(self, measure: Measure, labels: tuple[str, ...], count: int = 1) -> None:
        self._counts[measure.name][labels] += count

    def _observe(self, measure: Measure, labels: tuple[str, ...], value: float) -> None:
        """Add to the one bucket a value falls into; the last two places hold the rest and the sum."""
        kept = self._sums[measure.name]
        row = kept.get(labels)
        if row is None:
            row = kept[labels] = [0.0] * (len(measure.buckets) + 2)
        row[bisect_left(measure.buckets, value)] += 1
        row[-1] += value

    def snapshot(self) -> Snapshot:
        """Everything, as JSON can hold it."""
        counts = {name: [[*labels, count] for labels, count in kept.items()] for name, kept in self._counts.items()}
        sums = {name: [[*labels, *row] for labels, row in kept.items()] for name, kept in self._sums.items()}
        return counts | sums
