"""In what an example's expectation and its outcome differ, field by field."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tikrelay.app.examples.file import Example, Expected
from tikrelay.app.examples.run import Became, Outcome, came_from

_NOTHING: Final = msgspec.UNSET


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference. A side that has no such field is left out; ``source`` says where the value got came from."""

    where: str
    field: str
    expected: Any = _NOTHING
    got: Any = _NOTHING
    source: str = ""


def differences(example: Example, became: Became) -> list[Difference]:
    """Compare all that an example expects with what became of it; what it does not say is not compared."""
    found = [*_of_events(example, became)]
    if example.expect is None:
        return found
    for number in range(max(len(example.expect), len(became.outcomes))):
        expected = example.expect[number] if number < len(example.expect) else None
        outcome = became.outcomes[number] if number < len(became.outcomes) else None
        where = f"outcome {number + 1}" if max(len(example.expect), len(became.outcomes)) > 1 else "outcome"
        if outcome is None:
            found.append(Difference(where=where, field="", expected=_summary_expected(expected)))
        elif expected is None:
            found.append(Difference(where=where, field="", got=_summary(outcome)))
        else:
            found += _of_outcome(where, expected, outcome)
    return found


def looks_alike(difference: Difference) -> bool:
    """Say whether nothing is left to see of a difference, its sides being masked."""
    return _same(difference.expected, difference.got)


def _summary(outcome: Outcome) -> str:
    sent = f"dropped, {outcome.dropped}" if outcome.tiktok is None else str(outcome.tiktok["event"])
    return f"{sent} (event {outcome.event}, destination {outcome.destination})"


def _summary_expected(expected: Expected | None) -> str:
    if expected is None or (expected.tiktok is None and expected.dropped is None):
        return "one more"
    return f"dropped, {expected.dropped}" if expected.tiktok is None else str(expected.tiktok.get("event"))


def _of_events(example: Example, became: Became) -> Iterator[Difference]:
    if example.turned_away is not None and example.turned_away != became.turned_away:
        yield Difference(where="event", field="turned_away", expected=example.turned_away, got=became.turned_away)
    if example.events is None:
        return
    if len(example.events) != len(became.events):
        yield Difference(where="event", field="number", expected=len(example.events), got=len(became.events))
    for number, (expected, event) in enumerate(zip(example.events, became.events, strict=False), 1):
        where = f"event {number}" if len(became.events) > 1 else "event"
        for key, value in expected.items():
            yield from _of_values(where, {key: value}, {key: event[key]} if key in event else {})


def _of_outcome(where: str, expected: Expected, outcome: Outcome) -> Iterator[Difference]:
    for key in ("destination", "dropped", "by", "test_event_code", "rules"):
        wanted, got = getattr(expected, key), getattr(outcome, key)
        if wanted is not None and wanted != got:
            yield Difference(where=where, field=key, expected=wanted, got=got)
    if expected.tiktok is not None:
        yield from _of_tiktok(where, expected.tiktok, outcome)
    if expected.warnings is not None and not _same_warnings(expected.warnings, outcome.warnings):
        texts = "; ".join(one.text for one in outcome.explanation.warnings)
        yield Difference(where=where, field="warnings", expected=expected.warnings, got=outcome.warnings, source=texts)
    for key in ("sources", "passed_over"):
        fields: Mapping[str, Any] = getattr(expected, key) or {}
        of_outcome = getattr(outcome, key)
        for field, value in fields.items():
            if (there := of_outcome.get(field, _NOTHING)) != value:
                yield Difference(where=where, field=f"{key} {field}", expected=value, got=there)


def _of_tiktok(where: str, expected: dict[str, Any], outcome: Outcome) -> Iterator[Difference]:
    if outcome.tiktok is None:
        reason = f"dropped, {outcome.dropped}"
        yield Difference(where=where, field="", expected=expected.get("event"), got=reason, source=outcome.by)
        return
    found = [*_of_values(where, expected, outcome.tiktok)]
    for one in found:
        yield msgspec.structs.replace(one, source=came_from(outcome, one.field))
    if not found and (wanted := _order(expected)) != (got := _order(outcome.tiktok)):
        first = next(number for number, pair in enumerate(zip(wanted, got, strict=True)) if pair[0] != pair[1])
        yield Difference(where=where, field="order of keys", expected=wanted[first], got=got[first])


def _same_warnings(expected: Sequence[str], got: Sequence[str]) -> bool:
    """Compare in order; a kind without a field fits every field."""
    if len(expected) != len(got):
        return False
    return all(one == other or one == other.partition(":")[0] for one, other in zip(expected, got, strict=True))


def _of_values(where: str, expected: Any, got: Any) -> Iterator[Difference]:
    one, other = dict(_leaves("", expected)), dict(_leaves("", got))
    for path in dict.fromkeys([*one, *other]):
        wanted, there = one.get(path, _NOTHING), other.get(path, _NOTHING)
        if wanted is _NOTHING or there is _NOTHING or not _same(wanted, there):
            yield Difference(where=where, field=path, expected=wanted, got=there)


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does, where true is not 1 and 1.0 is not 1."""
    return type(one) is type(other) and one == other


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every single value with its place: an example is exact, also where a person would compare a list as a whole."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]  JSON
            yield from _leaves(f"{path}.{key}" if path else str(key), inner)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from _leaves(f"{path}[{number}]", inner)
    else:
        yield path, value


def _order(value: Any) -> list[str]:
    return [path for path, _ in _leaves("", value)]
