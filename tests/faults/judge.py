"""What is wrong once the faults have ended: lost, invented, changed, buried without cause, miscounted, vacuous.

The promise is about events that were answered 2xx; what ended unknown may have arrived or not. A refused request stored
nothing.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from faults.ledger import Ledger
from faults.mint import BAD, DENIED, GOOD, IGNORED, expected
from faults.post import End

READY_WITHIN_S = 30.0
DRAINED_WITHIN_S = 120.0
PROGRESS_WITHIN_S = 40.0  # an event that failed six times waits up to 32 s for its next turn, later up to 300 s
PROBE_WITHIN_S = 5.0
LETTERS_A_PAGE = 1000
_SHOWN = 5


@dataclass(frozen=True)
class Run:
    """Where the parts are, and what the run did to them.

    ``repeats``  how many events may have been sent again: by each kill at most a batch of each worker, and a batch for
                 each answer that TikTok's end kept to itself
    ``needs``    what must have happened, else the run proved nothing: a figure's name to its least value
    """

    gateway: str
    admin: str
    sandbox: str
    repeats: int
    needs: dict[str, int] = field(default_factory=dict)
    drained_within_s: float = DRAINED_WITHIN_S
    progress_within_s: float = PROGRESS_WITHIN_S


@dataclass
class Verdict:
    """What is wrong, in words, and the figures it was found in."""

    faults: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def none_of(self, ids: Iterable[str], what: str) -> None:
        """Say what is wrong when there is any such id."""
        if wrong := sorted(ids):
            self.faults.append(f"{len(wrong)} {what}: {', '.join(wrong[:_SHOWN])}")

    def holds(self, *, true: bool, what: str) -> None:
        """Say what is wrong when it does not hold."""
        if not true:
            self.faults.append(what)


def judge(run: Run, ledger: Ledger, probe: Callable[[], str | None]) -> Verdict:
    """Wait until all is settled, then hold what arrived against what was sent.

    ``probe`` sends one more event and returns its id, or None when it was not taken.
    """
    verdict = Verdict()
    began = time.monotonic()
    ready = _wait(lambda: _get(f"{run.gateway}/readyz") is not None, within_s=READY_WITHIN_S)
    verdict.holds(true=ready, what=f"not ready within {READY_WITHIN_S:.0f} s")
    verdict.figures["ready_s"] = round(time.monotonic() - began, 2)
    status = _drained(run)
    verdict.holds(true=status is not None, what=f"not drained within {run.drained_within_s:.0f} s, or without progress")
    verdict.figures["drained_s"] = round(time.monotonic() - began, 2)
    if status is None:
        verdict.figures["books"] = (_json(f"{run.admin}/api/status") or {}).get("books")
        return verdict
    verdict.figures["books"] = books = status["books"]
    arrived = _arrived(run.sandbox)
    letters = _letters(run.admin)
    _judge_ids(verdict, ledger, arrived, letters)
    _judge_books(verdict, ledger, books, letters)
    _judge_repeats(verdict, run, books, arrived)
    _judge_worth(verdict, run, ledger, books)
    probed = probe()
    fresh = probed is not None and _wait(lambda: _has_arrived(run.sandbox, probed), within_s=PROBE_WITHIN_S)
    verdict.holds(true=fresh, what=f"a fresh event did not arrive within {PROBE_WITHIN_S:.0f} s")
    return verdict


def _judge_ids(
    verdict: Verdict, ledger: Ledger, arrived: dict[str, dict[str, Any]], letters: list[dict[str, Any]]
) -> None:
    dead = {letter["event_id"] for letter in letters}
    may_be_stored = ledger.ids(End.ACKED, End.UNKNOWN, kinds=(GOOD,))
    verdict.none_of(ledger.ids(End.ACKED, kinds=(GOOD,)) - arrived.keys(), "acknowledged and lost")
    verdict.none_of(arrived.keys() - may_be_stored, "delivered, and never taken or to be dropped")
    verdict.none_of(
        (key for key, event in arrived.items() if {k: v for k, v in event.items() if k != "_"} != expected(key)),
        "changed on the way",
    )
    verdict.none_of(
        (key for key, event in arrived.items() if not event["_"]["same_body"]), "repeated with another body"
    )
    made = {letter["event_id"] for letter in letters if letter["reason"] == "refused"} & ledger.ids(
        End.ACKED, End.UNKNOWN, kinds=(BAD,)
    )
    verdict.none_of(dead - made, "dead without a cause of the script's")
    to_be_dead = ledger.ids(End.ACKED, kinds=(BAD,))
    verdict.none_of(to_be_dead - dead, "acknowledged, to be refused, and in no dead letter")


def _judge_books(verdict: Verdict, ledger: Ledger, books: dict[str, int], letters: list[dict[str, Any]]) -> None:
    """Hold the product's books against the ledger: to the event where no exchange ended unknown."""
    outcomes = books["accepted"] + books["waiting"] + books["dead"] + books["dropped"]
    verdict.holds(true=books["received"] == outcomes, what=f"the books do not add up: {books}")
    verdict.holds(
        true=books["dead"] == len(letters),
        what=f"{books['dead']} dead in the books, {len(letters)} dead letters",
    )
    unsure = ledger.uncertain_drops()
    for column, kinds, missing in (
        ("received", (GOOD, BAD, IGNORED, DENIED), unsure),
        ("accepted", (GOOD,), 0),
        ("dead", (BAD,), 0),
        ("dropped", (IGNORED, DENIED), unsure),
    ):
        least = ledger.count(End.ACKED, kinds=kinds)
        most = least + ledger.count(End.UNKNOWN, kinds=kinds)
        told = f"{column}: the books say {books[column]}, the oracle {least - missing} to {most}"
        verdict.holds(true=least - missing <= books[column] <= most, what=told)


def _judge_repeats(verdict: Verdict, run: Run, books: dict[str, int], arrived: dict[str, dict[str, Any]]) -> None:
    """Sent more often than it was delivered: what a kill or a lost answer made the sender repeat."""
    repeats = sum(event["_"]["copies"] for event in arrived.values()) - books["accepted"]
    verdict.figures["repeats"] = repeats
    verdict.holds(true=0 <= repeats <= run.repeats, what=f"{repeats} events sent again, at most {run.repeats} may be")


def _judge_worth(verdict: Verdict, run: Run, ledger: Ledger, books: dict[str, int]) -> None:
    counts = _json(f"{run.sandbox}/sandbox/counts")
    verdict.figures |= {"dead": books["dead"], "calls": counts["requests"], "retries": counts["refused_requests"]}
    known = {"acked": ledger.count(End.ACKED), **verdict.figures}
    for name, least in run.needs.items():
        verdict.holds(true=known.get(name, 0) >= least, what=f"vacuous: {name} {known.get(name, 0)}, not {least}")


# What is asked of the parts.


def _drained(run: Run) -> dict[str, Any] | None:
    """Wait until nothing waits; None when the time is up, or nothing has moved for long."""
    ends = time.monotonic() + run.drained_within_s
    moved_at, last = time.monotonic(), None
    while time.monotonic() < ends and time.monotonic() - moved_at < run.progress_within_s:
        status = _json(f"{run.admin}/api/status")
        if status and not status["uncounted"] and not status["books"]["waiting"]:
            return status
        here = status and (status["books"], status["uncounted"])
        if here != last:
            moved_at, last = time.monotonic(), here
        time.sleep(0.1)
    return None


def _arrived(sandbox: str) -> dict[str, dict[str, Any]]:
    """The events TikTok's end accepted, by id; what it noted about each stands under ``_``."""
    found: dict[str, dict[str, Any]] = {}
    after = 0
    while page := _json(f"{sandbox}/sandbox/events?after={after}&limit=10000"):
        found |= {entry["event"]["event_id"]: {**entry["event"], "_": entry} for entry in page}
        after = page[-1]["n"]
    return found


def _letters(admin: str) -> list[dict[str, Any]]:
    """All dead letters: a page ends where the next one begins."""
    found: dict[str, dict[str, Any]] = {}
    ends = ""
    while True:
        page = _json(f"{admin}/api/events?state=dead&most={LETTERS_A_PAGE}{ends}")["events"]
        known = len(found)
        found |= {letter["ref"]: letter for letter in page}
        if len(found) == known:
            return list(found.values())
        ends = f"&received_to={page[-1]['received_at']}"


def _has_arrived(sandbox: str, event_id: str) -> bool:
    newest = max(0, (_json(f"{sandbox}/sandbox/counts") or {"unique_events": 0})["unique_events"] - 100)
    page = _json(f"{sandbox}/sandbox/events?after={newest}&limit=1000") or []
    return any(entry["event"]["event_id"] == event_id for entry in page)


def _get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read()
    except (OSError, urllib.error.URLError):
        return None


def _json(url: str) -> Any:
    raw = _get(url)
    return None if raw is None else json.loads(raw)


def _wait(ask: Callable[[], bool], *, within_s: float) -> bool:
    ends = time.monotonic() + within_s
    while not ask():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True
