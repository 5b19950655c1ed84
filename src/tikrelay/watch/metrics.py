"""The page that Prometheus reads: what all processes counted, what the books say, and how the server is.

The parent asks every worker for its Meter and its books when the page is read, and adds them up, so that no label
tells workers apart. Counts of events come from the books in the outbox and survive restarts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from tikrelay.outbox.store import Books
from tikrelay.watch.measures import (
    BUILD,
    DEAD,
    DESTINATION,
    DROPPED,
    EVENTS_BY_OUTCOME,
    FLOWING,
    FREE,
    HELD,
    LETTERS,
    MEASURES,
    OF_PROCESSES,
    OLDEST,
    OTHER,
    RECEIVED,
    REPLAYED,
    STARTED,
    TROUBLES,
    WAITING,
    Measure,
)
from tikrelay.watch.meter import Snapshot

Labels = tuple[str, ...]
Rows = Mapping[Labels, Sequence[float]]
"""Values of labels to numbers: one, or those of a histogram's buckets, of the rest, and the sum."""

_FAMILIES: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is written of.

    ``states``       of each destination of the settings
    ``troubles``     the kind of each trouble there is
    ``held_bytes``   of the outbox on disk; ``free_bytes`` on that disk; None while nobody can tell
    ``started_at``   Unix seconds
    """

    snapshots: Sequence[Snapshot] = ()
    books: Books = Books()
    states: Mapping[str, str] = {}
    troubles: Sequence[str] = ()
    held_bytes: int | None = None
    free_bytes: int | None = None
    version: str = ""
    started_at: float = 0.0
    now: float


class MetricsPage:
    """Writes the page, and remembers which names it tells: a name once told is never taken back."""

    def __init__(self) -> None:
        self._told: dict[str, set[Labels]] = {measure.name: set(measure.values) for measure in MEASURES}

    def render(self, moment: Moment) -> bytes:
        """Write the page."""
        metrics = [_family(measure, self._bounded(measure, rows)) for measure, rows in _rows(moment).items()]

        class _Page:
            def collect(self) -> Iterable[Metric]:
                return metrics

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Page())
        return generate_latest(registry)

    def _bounded(self, measure: Measure, rows: Rows) -> Rows:
        """Tell no more combinations of labels by name than there is room for, the most frequent first."""
        if not measure.named:
            return rows
        told = self._told[measure.name]
        bounded: dict[Labels, list[float]] = {}
        for labels, numbers in sorted(rows.items(), key=lambda row: (-row[1][0], row[0])):
            by_name = sum(one[-1] != OTHER for one in told)
            shown = labels if labels in told or by_name < measure.named else (*labels[:-1], OTHER)
            told.add(shown)
            bounded[shown] = _sum(bounded.get(shown), numbers)
        return bounded


def _rows(moment: Moment) -> dict[Measure, Rows]:
    """Everything there is to tell, in order."""
    found = {**_of_books(moment), **_of_server(moment)}
    found |= {measure: _of_processes(measure, moment) for measure in OF_PROCESSES}
    return found


def _of_processes(measure: Measure, moment: Moment) -> Rows:
    counted = len(measure.labels) + len(measure.detail)
    rows = _from_the_start(measure, moment.states)
    for row in (row for snapshot in moment.snapshots for row in snapshot[measure.name]):
        labels = tuple(row[: len(measure.labels)])
        rows[labels] = _sum(rows.get(labels), row[counted:])
    return rows


def _from_the_start(measure: Measure, destinations: Iterable[str]) -> dict[Labels, list[float]]:
    """Zero for each combination of labels that is known beforehand."""
    nothing = [0.0] * (len(measure.buckets) + 2 if measure.buckets else 1)
    values = measure.values or ((),)
    if DESTINATION in measure.labels:
        return {(name, *labels): nothing for name in destinations for labels in values}
    return dict.fromkeys(values, nothing) if measure.values or not measure.labels else {}


def _sum(first: Sequence[float] | None, second: Sequence[float]) -> list[float]:
    return list(second) if first is None else [a + b for a, b in zip(first, second, strict=True)]


def _of_books(moment: Moment) -> dict[Measure, Rows]:
    books = moment.books
    received: Counter[Labels] = Counter()
    for (_, source, name), count in books.received.items():
        received[source, name] += count
    # A replayed letter is dead no more; a counter that fell would be taken for a restart.
    died = Counter(books.dead) + Counter(books.replayed)
    dropped: Counter[Labels] = Counter()
    letters: Counter[Labels] = Counter()
    outcomes: Counter[Labels] = Counter({(name, "accepted"): count for name, count in books.accepted.items()})
    for (name, reason), count in books.dropped.items():
        dropped[reason,] += count
        outcomes[name, "dropped"] += count
    for (name, _), count in died.items():
        outcomes[name, "dead"] += count
    for (name, _), count in books.dead.items():
        letters[name,] += count
    names = {*moment.states, *books.destinations()}  # also those that the settings no longer have
    ages = {name: max(0.0, moment.now - at) for name, at in books.oldest_waiting.items()}
    counted: dict[Measure, Mapping[Any, float]] = {
        RECEIVED: received,
        EVENTS_BY_OUTCOME: outcomes,
        DROPPED: dropped,
        DEAD: died,
        REPLAYED: books.replayed,
        LETTERS: letters,
        WAITING: {(name,): count for name, count in books.waiting.items()},
        OLDEST: {(name,): age for name, age in ages.items()},
    }
    return {
        measure: _from_the_start(measure, names) | {labels: [count] for labels, count in rows.items()}
        for measure, rows in counted.items()
    }


def _of_server(moment: Moment) -> dict[Measure, Rows]:
    troubles: Counter[Labels] = Counter((kind,) for kind in moment.troubles)
    single = {HELD: moment.held_bytes, FREE: moment.free_bytes, STARTED: moment.started_at}
    return {
        FLOWING: {(name,): [float(state == "flowing")] for name, state in moment.states.items()},
        TROUBLES: _from_the_start(TROUBLES, ()) | {labels: [count] for labels, count in troubles.items()},
        **{measure: {} if number is None else {(): [number]} for measure, number in single.items()},
        BUILD: {(moment.version,): [1]},
    }


def _family(measure: Measure, rows: Rows) -> Metric:
    if measure.buckets:
        return _histogram(measure, rows)
    made_by = _FAMILIES[measure.kind]
    family: CounterMetricFamily | GaugeMetricFamily = made_by(measure.name, measure.text, labels=measure.labels)
    for labels, (number,) in sorted(rows.items()):
        family.add_metric(labels, number)
    return family


def _histogram(measure: Measure, rows: Rows) -> Metric:
    family = HistogramMetricFamily(measure.name, measure.text, labels=measure.labels)
    for labels, row in sorted(rows.items()):
        total, buckets = 0.0, list[tuple[str, float]]()
        for bound, count in zip([*map(str, measure.buckets), "+Inf"], row[:-1], strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(labels, buckets, row[-1])
    return family
