"""Event data at ``/data``: keys as a Google server container has them, and/or ``x-ttq-*``, in whatever dress they come.

A query string, a form, one JSON object, a JSON array, or a JSON object on each line; a query beside a body holds what
all its events share. One input that cannot be read costs its neighbours nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tikrelay.base.errors import InputRefused
from tikrelay.collect import consent, user_data
from tikrelay.collect.hit import Hit, Parsed, TurnedAway
from tikrelay.collect.query import pairs
from tikrelay.collect.shared import check_shared
from tikrelay.collect.strict_json import read_json
from tikrelay.event import Consent, Event, HitKey, Json, Notice, Visitor

MOST_EVENTS: Final = 1000
MOST_PARAMETERS: Final = 1000
_HINT: Final = "name it with x-ttq-event-name or event_name"
_OBJECTS: Final = (
    "user_data", "consent_state", "user_properties", "x-ga-mp2-user_properties", "client_hints", "items", "ecommerce",
)  # fmt: skip
_DOTTED: Final = ("consent_state", "consent", "client_hints")
_PROPERTIES: Final = ("x-ga-mp2-user_properties", "user_properties")
_SAY_LINES: Final = ("ndjson", "jsonl", "json-lines")
_NAME_KEYS: Final = ("x-ttq-event-name", "event_name", "event")  # the last as a push to the dataLayer has it
_ECOMMERCE: Final = ("items", "value", "currency", "transaction_id")
_MEASUREMENT_IDS: Final = ("x-ga-measurement_id", "measurement_id")


def parse(hit: Hit) -> Parsed:
    """Read the events of a request. Raises InputRefused (400) when nothing in it can be read."""
    shared = _parameters(hit.query)
    unread = _unpack(shared)
    inputs = _inputs(hit) if hit.body.strip() else [shared] if shared else []
    if not inputs:
        raise InputRefused(400, "no_event", "the request holds no event", hint="send event data as JSON, form or query")
    if len(inputs) > MOST_EVENTS:
        what = f"the request holds more than {MOST_EVENTS} events"
        raise InputRefused(413, "too_many_events", what, hint="send fewer at once")
    check_shared(hit, len(inputs), parameters=len(shared))
    events: list[Event] = []
    notices: list[tuple[int, Notice]] = []
    turned_away: list[TurnedAway] = []
    for place, given in enumerate(inputs):
        if isinstance(given, TurnedAway):
            turned_away.append(given)
        elif not isinstance(given, dict):
            turned_away.append(TurnedAway("not_an_object", f"input {place + 1} is JSON, but not an object", place))
        elif not (name := _first_text(data := {**shared, **given}, _NAME_KEYS)):
            turned_away.append(TurnedAway("event_without_name", f"input {place + 1} has no name: {_HINT}", place))
        else:
            told = [*unread, *_unpack(data)]
            event = _event(name, data, hit)
            if data.get("consent_state") and event.consent == Consent():
                told.append(Notice("unusable", "consent_state", "consent_state says neither yes nor no to ad_storage"))
            notices += [(len(events), notice) for notice in told]
            events.append(event)
    return Parsed(tuple(events), tuple(turned_away), tuple(notices))


def _parameters(text: str) -> dict[str, Json]:
    """Read a query or form: the last of a repeated name counts, JSON text in a value stays text."""
    found = pairs(text)
    if len(found) > MOST_PARAMETERS:
        what = f"the request holds more than {MOST_PARAMETERS} parameters"
        raise InputRefused(413, "too_many_parameters", what, hint="send event data as JSON")
    return dict(found)


def _inputs(hit: Hit) -> "list[Json | TurnedAway]":
    """Read the body by what it is, whatever its Content-Type says: many senders leave a wrong one."""
    first = hit.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    lines = [line for line in hit.body.splitlines() if line.strip()]
    says_lines = len(lines) > 1 and any(word in hit.content_type for word in _SAY_LINES)
    if first not in {b"{", b"["} and not says_lines:
        if "json" in hit.content_type:
            read_json(hit.body)  # says what is wrong with it
        return [_parameters(hit.body.decode("utf-8", "replace").strip())]
    if not says_lines or first == b"[":
        try:
            whole = read_json(hit.body)
        except InputRefused:
            if not says_lines and not _looks_like_lines(lines):
                raise
        else:
            return [*whole] if isinstance(whole, list) else [whole]
    if len(lines) > MOST_EVENTS:
        raise InputRefused(
            413, "too_many_events", f"the body has more than {MOST_EVENTS} lines", hint="send fewer at once"
        )
    return [_line(number, line) for number, line in enumerate(lines, 1)]


def _properties(data: Mapping[str, Json]) -> dict[str, Json]:
    """User properties as an object, bare or with each value in a ``{"value": ...}``, or one key for each."""
    found: dict[str, Json] = {}
    for prefix in _PROPERTIES:
        whole = data.get(prefix)
        found |= {
            name: inner.get("value") if isinstance(inner, dict) else inner
            for name, inner in (whole.items() if isinstance(whole, dict) else ())
        }
        found |= {name[len(prefix) + 1 :]: value for name, value in data.items() if name.startswith(prefix + ".")}
    return found


def _looks_like_lines(lines: Sequence[bytes]) -> bool:
    """Say whether a body that is not one JSON text is one on each line, though maybe not on every line."""
    begin = sum(line.startswith((b"{", b"\xef\xbb\xbf{")) for line in lines)
    return begin > 1 or (len(lines) > 1 and begin == 1 and lines[0].rstrip().endswith(b"}"))


def _line(number: int, line: bytes) -> "Json | TurnedAway":
    try:
        return read_json(line)
    except InputRefused as error:
        return TurnedAway("bad_line", f"line {number}: {error.what}", number - 1)


def _first_text(data: Mapping[str, Json], keys: Sequence[str]) -> str:
    for key in keys:
        value = data.get(key)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _event(name: str, data: dict[str, Json], hit: Hit) -> Event:
    hints = data.get("client_hints")
    visitor = Visitor()
    if hit.from_browser:
        visitor = Visitor(
            ip=hit.ip, user_agent=hit.user_agent, ttclid_cookie=hit.cookies.ttclid, ttp_cookie=hit.cookies.ttp
        )
    unflatten(data)
    spread_ecommerce(data)
    people = user_data.from_parameters(data)
    data.pop("user_data", None)
    return Event(
        name=name,
        source="data",
        received_at=hit.received_at,
        data=data,
        user_data=people,
        user_properties=_properties(data),
        client_hints=hints if isinstance(hints, dict) else {},
        visitor=visitor,
        consent=consent.of_event_data(data),
        key=HitKey(measurement_id=_first_text(data, _MEASUREMENT_IDS) or None),
    )


def unflatten(data: dict[str, Json]) -> None:
    """Read ``consent_state.ad_storage=denied`` as a query or a form writes what an object holds."""
    for prefix in _DOTTED:
        dotted = {name[len(prefix) + 1 :]: value for name, value in data.items() if name.startswith(f"{prefix}.")}
        if dotted:
            whole = data.get(prefix)
            data[prefix] = {**(whole if isinstance(whole, dict) else {}), **dotted}


def spread_ecommerce(data: dict[str, Json]) -> None:
    """Take from ``ecommerce``, as a push to the dataLayer has it, what the event itself does not say.

    >>> data: dict[str, Json] = {"value": 0, "currency": "", "ecommerce": {"value": 9, "currency": "EUR", "tax": 2}}
    >>> spread_ecommerce(data)
    >>> data
    {'value': 0, 'currency': 'EUR', 'ecommerce': {'tax': 2}}
    """
    whole = data.get("ecommerce")
    if not isinstance(whole, dict):
        return
    rest = dict(whole)
    for key in _ECOMMERCE:
        value = rest.pop(key, None)
        if value is not None and data.get(key) in (None, "", []):
            data[key] = value
    if rest:
        data["ecommerce"] = rest
    else:
        del data["ecommerce"]


def _unpack(data: dict[str, Json]) -> tuple[Notice, ...]:
    """Read what a query or form holds as JSON text because it can hold nothing else; tell what is left out."""
    notices: list[Notice] = []
    for key in _OBJECTS:
        value = data.get(key)
        if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            try:
                data[key] = read_json(value.encode("utf-8", "replace"))
            except InputRefused:
                data[key] = None
                notices.append(Notice("unusable", key, f"{key} is not readable JSON and was left out"))
    return tuple(notices)
