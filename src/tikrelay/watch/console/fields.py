"""Each TikTok field of an event as a page shows it: what is sent, from where, how cleaned, and what was passed over."""

import msgspec

from tikrelay.mapping.explain import Explanation, Origin, Ruled
from tikrelay.mapping.lines import OTHERS, Line, came_in, lines_of, shown_value
from tikrelay.watch.operations import EventShown, TraceShown

_LONGEST_VALUE = 200


class Passed(msgspec.Struct, frozen=True):
    """A source that was not taken: what it gave, and why not."""

    source: str
    given: str
    why: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One field."""

    field: str
    is_sent: bool
    value: str
    source: str
    given: str
    cleaning: str
    others: list[Passed]


def rows_of(explanation: Explanation) -> list[Row]:
    """Every field of an explained event."""
    return [_row(explanation, line) for line in lines_of(explanation)]


def _row(explanation: Explanation, line: Line) -> Row:
    given, cleaning = came_in(explanation, line)
    return Row(
        field=line.field,
        is_sent=line.is_sent,
        value=_cut(shown_value(line.value)) if line.is_sent else "",
        source=line.source,
        given=given,
        cleaning=cleaning,
        others=[Passed(one.source, one.given, OTHERS[one.outcome]) for one in line.others],
    )


def _cut(text: str) -> str:
    """Leave the rest to the event's JSON, which a page shows too."""
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def explanation_of(event: EventShown, trace: TraceShown) -> Explanation:
    """Put an event's trace and its JSON together to what ``explain`` says of a hit."""
    return Explanation(
        name=event.given,
        destination=event.destination,
        tiktok=msgspec.json.decode(event.body),
        test_event_code=event.test_event_code,
        origins=tuple(msgspec.convert(one, Origin, from_attributes=True) for one in trace.sources),
        rules=tuple(msgspec.convert(one, Ruled) for one in trace.rules),
        not_sent=tuple(trace.not_sent),
    )
