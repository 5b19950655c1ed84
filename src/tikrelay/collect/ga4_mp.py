"""Measurement Protocol bodies at ``/mp/collect``: one JSON object with events, sent by a shop's own server.

The call's own address and agent are that server's and never the visitor's. More is taken than Google takes: a purchase
is not lost for a name of 41 characters.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from tikrelay.base.errors import InputRefused
from tikrelay.collect import consent, user_data
from tikrelay.collect.event_data import spread_ecommerce, unflatten
from tikrelay.collect.hit import Hit, Parsed, TurnedAway
from tikrelay.collect.numbers import read_float
from tikrelay.collect.query import last_of_each
from tikrelay.collect.shared import check_shared
from tikrelay.collect.strict_json import read_json
from tikrelay.event import Event, HitKey, Json, Visitor

MOST_EVENTS: Final = 1000
GOOGLES_LONGEST_AGE_S: Final = 72 * 3600
GOOGLES_MOST_EVENTS: Final = 25  # Measurement Protocol reference
# What the request says of its visitor; a parameter of an event that happens to have the name does not win over it.
_SHARED: Final = ("client_id", "user_id", "user_agent", "ip_override", "app_instance_id")
GOOGLES_MOST_PARAMETERS: Final = 25
_RESERVED_NAMES: Final = frozenset({
    "ad_activeview", "ad_click", "ad_exposure", "ad_query", "ad_reward", "adunit_exposure", "app_clear_data",
    "app_exception", "app_install", "app_remove", "app_store_refund", "app_update", "app_upgrade", "error",
    "first_open", "first_visit", "in_app_purchase", "os_update", "screen_view", "session_start", "user_engagement",
})  # fmt: skip
_RESERVED_NAME_STARTS: Final = ("dynamic_link_", "firebase_", "notification_")
_RESERVED_PARAMETER_STARTS: Final = ("_", "firebase_", "ga_", "google_", "gtag.")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)


def parse(hit: Hit) -> Parsed:
    """Read the events of a body. Raises InputRefused (400) when it is not readable or holds none."""
    body = _object(hit.body)
    given_events = _events(body)
    shared = _shared(body)
    said = consent.of_event_data(body)
    properties = _properties(body.get("user_properties"))
    size = len(msgspec.json.encode((shared, properties)))
    check_shared(hit, len(given_events), parameters=len(shared), size=size)
    identifier = last_of_each(hit.query)
    key = HitKey(
        measurement_id=identifier.get("measurement_id") or identifier.get("firebase_app_id"),
        client_id=_text(body.get("client_id")) or _text(body.get("app_instance_id")),
    )
    events: list[Event] = []
    turned_away: list[TurnedAway] = []
    for number, given in enumerate(given_events, 1):
        name = _text(given.get("name")) if isinstance(given, dict) else ""
        parameters = given.get("params") if isinstance(given, dict) else None
        data = _data(parameters if isinstance(parameters, dict) else {}, shared)
        if isinstance(given, dict) and given.get("timestamp_micros") is not None:
            data["timestamp_micros"] = given["timestamp_micros"]
        name = _text(data.get("x-ttq-event-name")) or name
        if not name.strip():
            turned_away.append(TurnedAway("event_without_name", f"event {number} has no name", number - 1))
            continue
        unflatten(data)
        spread_ecommerce(data)
        people = user_data.from_parameters(data)
        data.pop("user_data", None)
        events.append(
            Event(
                name=name,
                source="ga4_mp",
                received_at=hit.received_at,
                data=data,
                user_data=people,
                user_properties=properties,
                visitor=Visitor(),
                consent=consent.of_measurement_protocol(said, data),
                key=key,
            )
        )
    return Parsed(tuple(events), tuple(turned_away))


def _object(raw: bytes) -> dict[str, Json]:
    body = read_json(raw)
    if not isinstance(body, dict):
        raise InputRefused(400, "no_object", "the body is JSON, but not an object", hint='send {"client_id", "events"}')
    return body


def _events(body: Mapping[str, Json]) -> list[Json]:
    """The list of events; one emitter writes a single event as an object."""
    events = body.get("events")
    if isinstance(events, dict):
        return [events]
    if not isinstance(events, list) or not events:
        raise InputRefused(400, "no_event", "the body holds no events", hint='send "events": [{"name", "params"}]')
    if len(events) > MOST_EVENTS:
        raise InputRefused(
            413, "too_many_events", f"the body holds more than {MOST_EVENTS} events", hint="send fewer at once"
        )
    return events


def _shared(body: Mapping[str, Json]) -> dict[str, Json]:
    """What the request says for all its events, by event data's names."""
    shared = {name: body[name] for name in _SHARED if body.get(name) not in (None, "")}
    if "timestamp_micros" in body:
        shared["request.timestamp_micros"] = body["timestamp_micros"]
    for name, own in (("user_data", "user_data"), ("user_location", "event_location"), ("session_id", "session_id")):
        if body.get(name) not in (None, ""):
            shared[own] = body[name]
    device = body.get("device")
    if isinstance(device, dict) and device.get("language"):
        shared["language"] = device["language"]
    return shared


def _data(parameters: Mapping[str, Json], shared: Mapping[str, Json]) -> dict[str, Json]:
    """The parameters of one event and what the request says for all, by event data's names."""
    visitor = {name: shared[name] for name in _SHARED if name in shared}
    data = {**shared, **parameters, **visitor}
    if "session_id" in data:
        data.setdefault("ga_session_id", data["session_id"])
    return data


def _properties(given: Json) -> dict[str, Json]:
    """Unpack ``{name: {value: ...}}``; a bare value is taken too."""
    if not isinstance(given, dict):
        return {}
    return {name: prop.get("value") if isinstance(prop, dict) else prop for name, prop in given.items()}


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def validate(hit: Hit) -> list[dict[str, str]]:
    """Say what Google's own validation would, in its shape; an empty list is a valid body."""
    try:
        body = _object(hit.body)
    except InputRefused as error:
        return [_message("", error.what, "VALUE_INVALID")]
    found: list[dict[str, str]] = []
    if not body.get("client_id") and not body.get("app_instance_id"):
        found.append(_message("client_id", "client_id is missing (app_instance_id for an app)", "VALUE_REQUIRED"))
    elif not isinstance(body.get("client_id", ""), str):
        found.append(_message("client_id", "client_id is a text", "VALUE_INVALID"))
    found += _of_time("timestamp_micros", body.get("timestamp_micros"), hit.received_at)
    events = body.get("events")
    if not isinstance(events, list | dict) or not events:
        return [*found, _message("events", "at least one event is needed", "VALUE_REQUIRED")]
    listed: list[Json] = [events] if isinstance(events, dict) else events
    if len(listed) > GOOGLES_MOST_EVENTS:
        found.append(_message("events", "Google takes at most 25 events a request", "EXCEEDED_MAX_ENTITIES"))
    for number, event in enumerate(listed[:MOST_EVENTS]):
        found += _of_event(f"events[{number}]", event)
        if isinstance(event, dict):
            found += _of_time(f"events[{number}].timestamp_micros", event.get("timestamp_micros"), hit.received_at)
    return found


def _of_time(path: str, given: Json, now: float) -> list[dict[str, str]]:
    if given is None:
        return []
    micros = read_float(given) if isinstance(given, str) else given
    if isinstance(micros, bool) or not isinstance(micros, int | float):
        return [_message(path, "a time is a number of microseconds since 1970", "VALUE_INVALID")]
    if micros < (now - GOOGLES_LONGEST_AGE_S) * 1_000_000:
        return [_message(path, "Google takes events of the last 72 hours", "VALUE_OUT_OF_BOUNDS")]
    return []


def _of_event(path: str, event: Json) -> list[dict[str, str]]:
    if not isinstance(event, dict):
        return [_message(path, "an event is an object", "VALUE_INVALID")]
    name = event.get("name")
    if not isinstance(name, str) or not name:
        return [_message(f"{path}.name", "an event needs a name", "VALUE_REQUIRED")]
    if not _NAME.fullmatch(name):
        return [
            _message(f"{path}.name", "Google takes a letter, then letters, digits and _, 40 in all", "NAME_INVALID")
        ]
    if name in _RESERVED_NAMES or name.startswith(_RESERVED_NAME_STARTS):
        return [_message(f"{path}.name", "Google keeps this name for itself", "NAME_RESERVED")]
    parameters = event.get("params", {})
    if not isinstance(parameters, dict):
        return [_message(f"{path}.params", "params is an object", "VALUE_INVALID")]
    return _of_parameters(f"{path}.params", parameters)


def _of_parameters(path: str, parameters: Mapping[str, Json]) -> list[dict[str, str]]:
    names = [name for name in parameters if not name.startswith("x-ttq-")]  # ours, and never Google's to judge
    found: list[dict[str, str]] = []
    if len(names) > GOOGLES_MOST_PARAMETERS:
        found.append(_message(path, "Google takes at most 25 parameters an event", "EXCEEDED_MAX_ENTITIES"))
    for name in names[:GOOGLES_MOST_PARAMETERS]:
        if name.startswith(_RESERVED_PARAMETER_STARTS):
            found.append(_message(f"{path}.{name}", "Google keeps this prefix for itself", "NAME_RESERVED"))
        elif not _NAME.fullmatch(name):
            text = "Google takes a letter, then letters, digits and _, 40 in all"
            found.append(_message(f"{path}.{name[:40]}", text, "NAME_INVALID"))
    return found


def _message(path: str, text: str, code: str) -> dict[str, str]:
    return {"fieldPath": path, "description": text, "validationCode": code}
