"""The reference page of metrics, written from the rows of ``watch/measures.py``."""

from pathlib import Path
from typing import Final

from tikrelay.watch.measures import (
    DESTINATION,
    MOST_SERIES,
    OF_BOOKS,
    OF_PROCESSES,
    OF_SERVER,
    OTHER,
    Measure,
    most_series,
)

METRICS_PAGE: Final = Path("docs/reference/metrics.md")

_SERVER: Final = most_series(0)
_EACH: Final = most_series(1) - _SERVER
_HEAD: Final = f"""\
# Metrics

<!-- Written by `python -m tikrelay.tools.reference` from src/tikrelay/watch/measures.py: change that. -->

Do this first: `curl http://127.0.0.1:8081/metrics`. What to do with them, and which alarms to set, stands in
[metrics](../metrics.md).

All are summed over workers. A scrape holds at most {_SERVER} + {_EACH} x destinations series (lines that are no
comment): {most_series(1)} with one destination, below the {MOST_SERIES} we hold to, and {most_series(5)} with five. A
destination that was removed counts as long as the books know it. Where a label can hold what strangers make up, so
many combinations are told by name, at the start of the server the most frequent, and what comes after is told as
`{OTHER}`. A name that was told once is told until the server ends.
"""
_PARTS: Final = {
    "The books": ("These come from the outbox and survive restarts.", OF_BOOKS),
    "The server": ("These are read when the page is.", OF_SERVER),
    "Since the start": ("These begin at zero with the server.", OF_PROCESSES),
}
_TABLE: Final = ["| metric | kind | labels | what it says | series |", "|---|---|---|---|---|"]


def render_metrics() -> str:
    """Write ``docs/reference/metrics.md``."""
    parts = [
        "\n".join([f"## {title}", "", words, "", *_TABLE, *map(_row, measures), ""])
        for title, (words, measures) in _PARTS.items()
    ]
    return "\n".join([_HEAD, *parts]).rstrip("\n") + "\n"


def _row(measure: Measure) -> str:
    each = " each" if DESTINATION in measure.labels else ""
    buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in measure.buckets)}." if measure.buckets else ""
    cells = (
        f"`{measure.shown_name}`",
        measure.kind,
        _labels(measure),
        measure.text + buckets,
        f"{measure.series}{each}",
    )
    return f"| {' | '.join(cells)} |"


def _labels(measure: Measure) -> str:
    """Name the labels, each with its values where they are few and known.

    >>> from tikrelay.watch.measures import CALLS, RECEIVED
    >>> _labels(RECEIVED)
    'source, event (50 by name)'
    >>> _labels(CALLS)[:44]
    'destination, outcome (`accepted`, `retry`, `'
    """
    of_values = [label for label in measure.labels if label != DESTINATION]
    told = [label for label in measure.labels if label == DESTINATION]
    for place, label in enumerate(of_values):
        values = list(dict.fromkeys(values[place] for values in measure.values if values[place] != OTHER))
        told.append(
            f"{label} ({', '.join(f'`{value}`' for value in values)})" if not measure.named and values else label
        )
    return ", ".join(told) + (f" ({measure.named} by name)" if measure.named else "")
