"""What becomes of hits under given settings, explained: what the command, the console and the library show."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.hits.request import Found, Request, read_requests
from tikrelay.app.hits.text import OWN_ID, Hits, hits_of
from tikrelay.base.errors import InputRefused
from tikrelay.base.shown import one_line
from tikrelay.collect.query import last_of_each
from tikrelay.event import Event
from tikrelay.mapping.config import MappedDestination
from tikrelay.mapping.explain import FALLBACK_ID, Explanation, Warned, explain
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.rules import Rules

FOREIGN: Final = "foreign_measurement_id"
MOST_TRIED: Final = 50
"""The console explains so many hits at once: a page of more is not read by anybody."""
_NO_DESTINATION: Final = MappedDestination(event_source_id="-")  # a shop's settings need not be there to explain


class Explained(msgspec.Struct, frozen=True):
    """One outcome, the hit it is of, and the event among all events (both counted from 1)."""

    hit: int
    event: int
    explanation: Explanation


class TurnedAway(msgspec.Struct, frozen=True):
    """A hit, or a part of one, that gives no event: the reason that is counted, and words."""

    hit: int
    reason: str
    text: str


class Report(msgspec.Struct, frozen=True):
    """Everything there is to say about some hits. ``left_out`` are requests that are none, and how often."""

    hits: int
    events: tuple[Explained, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


def rules_of(config: Config) -> list[Rules]:
    """The rules of each destination; those of a plain web pixel where the settings have none."""
    destinations = config.destinations or (_NO_DESTINATION,)
    return [Rules.of(config.mapping, config.privacy, destination, config.rules) for destination in destinations]


def explain_hits(hits: Hits, config: Config, *, received_at: float, show_personal_data: bool = False) -> Report:
    """Run hits through collecting, and explain what each event becomes for each destination."""
    rules = rules_of(config)
    found = read_requests(hits.requests, received_at=received_at, data_key=config.sources.data_key)
    explained: list[Explained] = []
    turned_away: list[TurnedAway] = []
    for number, (request, what) in enumerate(zip(hits.requests, found, strict=True), 1):
        turned_away += [TurnedAway(number, reason, text) for reason, text in _turned_away(what)]
        if foreign := _foreign_id(request, config):
            text = f"these settings turn it away: {one_line(foreign)} is not in sources.measurement_ids"
            turned_away.append(TurnedAway(number, FOREIGN, text))
        for event, unread in zip_longest(what.events, what.left_out[: len(what.events)], fillvalue=()):
            if not isinstance(event, Event):
                continue
            place = 1 + (explained[-1].event if explained else 0)
            for one in rules:
                outcomes = explain(event, one, fallback_id=FALLBACK_ID, show_personal_data=show_personal_data)
                explained += [Explained(number, place, _with(outcome, unread)) for outcome in outcomes]
    return Report(len(hits.requests), tuple(explained), tuple(turned_away), hits.left_out)


def try_hit(text: str, config: Config, *, received_at: float) -> dict[str, Any]:
    """Explain hits that somebody pasted, for machines; nobody's data are shown. Raises InputRefused."""
    hits = hits_of(text)
    if len(hits.requests) > MOST_TRIED:
        hint = "paste fewer; tikrelay explain takes more, from a file"
        raise InputRefused(413, "too_many_hits", f"these are more than {MOST_TRIED} hits", hint=hint)
    return document_of(explain_hits(hits, config, received_at=received_at))


def document_of(report: Report) -> dict[str, Any]:
    """Write a report for machines."""
    return {
        "hits": report.hits,
        "events": [
            {"hit": one.hit, "event": one.event, **msgspec.to_builtins(one.explanation)} for one in report.events
        ],
        "turned_away": msgspec.to_builtins(report.turned_away),
        "left_out": [{"request": name, "count": count} for name, count in report.left_out],
    }


def _with(explanation: Explanation, unread: Sequence[str]) -> Explanation:
    """Add what collecting could not read of the event."""
    if not unread:
        return explanation
    told = [Warned(kind=NoticeKind.UNUSABLE.value, field="", text=text) for text in unread]
    return msgspec.structs.replace(explanation, warnings=(*told, *explanation.warnings))


class Refusal(msgspec.Struct, frozen=True):
    """The error of an answer."""

    code: str = ""
    message: str = ""
    hint: str = ""


class _Answer(msgspec.Struct, frozen=True):
    error: Refusal = Refusal()


def refusal_of(found: Found) -> Refusal:
    """What a refused request would be answered; empty where it would not."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(found.answer, type=_Answer).error
    return Refusal()


def _turned_away(found: Found) -> Iterator[tuple[str, str]]:
    error = refusal_of(found)
    said = f"{error.message} ({error.hint})" if error.hint else error.message
    texts = found.refusals or ((said,) if said else ())
    for reason, text in zip_longest(found.turned_away, texts[: len(found.turned_away)], fillvalue=""):
        yield reason, text or reason.replace("_", " ")
    if not found.turned_away and error.code:
        yield error.code, said


def _foreign_id(request: Request, config: Config) -> str:
    """The measurement id of a hit that these settings do not take."""
    query = last_of_each(urlsplit(request.url).query)
    given = query.get("tid") or query.get("measurement_id") or query.get("firebase_app_id") or ""
    taken = config.sources.measurement_ids
    return given if given and given != OWN_ID and taken and given not in taken else ""
