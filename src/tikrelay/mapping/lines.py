"""An explained event field by field: what is sent, from which source, and which others were passed over."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from tikrelay.base.shown import one_line
from tikrelay.mapping.cleaning import is_object
from tikrelay.mapping.explain import Explanation, Origin

VERBS: Final = ("derived ", "made ")
"""How the names of sources begin that say themselves what is done."""
UNCHANGED: Final = "as it is"
_NOT_OF_THE_HIT: Final = (*VERBS, "time of receipt", "app_id of", "limited_data_use of", "place of")  # nothing came in
_NO_RULES: Final = ("mapping.", "x-ttq-")  # settings and parameters that are named as rules are
OTHERS: Final = {
    "taken": "taken, and then replaced or removed by a rule",
    "empty": "passed over: nothing usable in it",
    "unusable": "passed over: cannot be read",
    "withheld": "the sender wants none sent",
    "not_asked": "given too, and not asked: an earlier one was taken",
}


class Line(msgspec.Struct, frozen=True):
    """One field of the event that is sent, or one that came to nothing (``is_sent`` is false then).

    ``taken``   the source of its value; None for what a rule or a setting says
    ``source``  in words, whatever it is
    ``others``  the sources that were refused, or not asked
    """

    field: str
    value: Any
    is_sent: bool
    source: str
    taken: Origin | None = None
    others: tuple[Origin, ...] = ()


def lines_of(explanation: Explanation) -> list[Line]:
    """Every field of the event in its order, then those of which nothing came."""
    sent = dict(_sent(explanation))
    origins: dict[str, list[Origin]] = {}
    for origin in explanation.origins:
        origins.setdefault(origin.field, []).append(origin)
    lines = [_line(explanation, path, value, origins.get(path, ())) for path, value in sent.items()]
    for path, of_field in origins.items():
        if path not in sent:
            words = _ruled(explanation, path)
            others = tuple(of_field)
            lines.append(Line(path, None, is_sent=False, source=words or "nothing usable", others=others))
    return lines


def _line(explanation: Explanation, path: str, value: Any, origins: Sequence[Origin]) -> Line:
    taken = next((one for one in origins if one.outcome == "taken"), None)
    others = tuple(one for one in origins if one is not taken)
    if path == "event":
        return Line(path, value, is_sent=True, source=_ruled(explanation, path) or "name of the event")
    if taken is not None and (taken.value == value or not _ruled(explanation, path)):
        return Line(path, value, is_sent=True, source=taken.source, taken=taken, others=others)
    return Line(path, value, is_sent=True, source=_ruled(explanation, path) or "a setting", others=tuple(origins))


def _sent(explanation: Explanation) -> Iterator[tuple[str, Any]]:
    body: dict[str, Any] = dict(explanation.tiktok or {})
    for key, value in body.items():
        if is_object(value):
            yield from ((f"{key}.{inner}", given) for inner, given in value.items())
        else:
            yield key, value


def _ruled(explanation: Explanation, path: str) -> str:
    """The rule that changed a field, the last of several."""
    group = path.partition(".")[0]
    named = [one.rule for one in explanation.rules if path in one.fields or group in one.fields]
    if not named:
        return ""
    return named[-1] if named[-1].startswith(_NO_RULES) else f"rule {named[-1]}"


def came_in(explanation: Explanation, line: Line) -> tuple[str, str]:
    """What the source gave, and how it was cleaned; nothing where the hit holds no such thing."""
    if line.field == "event":
        return one_line(explanation.name), ""
    if line.taken is None or line.taken.source.startswith(_NOT_OF_THE_HIT):
        return "", ""
    is_unchanged = line.taken.given == shown_value(line.value)
    return one_line(line.taken.given), UNCHANGED if is_unchanged else line.taken.cleaning


def shown_value(value: Any) -> str:
    """Show a value of TikTok's JSON on one line: a text as it is, anything else as JSON.

    >>> shown_value("a b"), shown_value([1]), shown_value(True)
    ('a b', '[1]', 'true')
    """
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
