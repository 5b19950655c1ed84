"""How a stored event becomes an example file: a request that would make the event again, with nobody real in it.

The request is put together from the event's trace, or, where none is kept, from what went to TikTok. Whatever the way
in was, it is written as event data, for that has the names which the table of fields has. What was masked is made up.
What cannot be told from all this is said in comments: the file holds what its own request becomes under the settings.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.examples.file import parse_example
from tikrelay.app.examples.run import Became, run_example
from tikrelay.app.examples.text import updated, written
from tikrelay.app.hits.request import Request
from tikrelay.base.errors import InputRefused
from tikrelay.base.shown import one_line
from tikrelay.mapping.cleaning import is_object, is_several
from tikrelay.mapping.fields import FIELDS, Field, Source
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.trace import Trace, TracedSource, read_trace
from tikrelay.mapping.user import sha256_hex
from tikrelay.outbox.store import Entry

_SOURCES: Final = {(field.path, source.name): (field, source) for field in FIELDS for source in field.sources}
_MASKED: Final = re.compile(r"(?:.?\*\*\* \(\d+ characters?\)|\d+ values?)", re.DOTALL)
_CUT: Final = "…"
_COPIED: Final = re.compile(r"(\S+) copied from (\S+)")
_OWN_CODE: Final = "x-ttq-test-event-code"
# Nobody's: the address is of a domain that is never given away (RFC 2606), the rest is as short as it can be.
_MADE_UP: Final = {
    "user.email": "ann@shop.example", "user.phone": "+49 151 555 01234", "user.external_id": "C-77",
    "user.first_name": "Ann", "user.last_name": "Example", "user.zip_code": "10115", "user.city": "Berlin",
    "user.state": "BE", "user.country": "DE", "user.ip": "8.8.8.8",
    "user.idfa": "6D92078A-8246-4BA4-AE5B-76104861E7DC", "user.gaid": "38400000-8cf0-11bd-b23e-10b96e40000d",
    "user.idfv": "BFA0F1E2-3B5A-4B9C-9F6A-2C1D8E7F6A5B",
}  # fmt: skip
_UNREADABLE: Final = "-"
_NOTHING: Final = "undefined"
_WITHHELD: Final = "::"  # how a sender says that an address is to be left out
# Sources that are no key of the event: where event data says the same, and where a browser does.
_ELSEWHERE: Final = {
    "cookie ttclid": "ttclid", "cookie _ttp": "ttp", "header User-Agent": "user_agent", "X-Forwarded-For or peer": "ip",
    "transaction_id (purchase only)": "transaction_id", "order_id (purchase only)": "order_id",
}  # fmt: skip
_OF_AN_ITEM: Final = "the first item's currency"
_ITEMS: Final = tuple(source.key for field, source in _SOURCES.values() if field.path == "properties.contents")
_NUMBERS: Final = frozenset({"event_time", "properties.value"})
_MOST_NAMED: Final = 20

Body = Mapping[str, Any]


def write_example(entry: Entry, config: Config) -> str:
    """Write a stored event as an example file that comes true under these settings. Raises InputRefused."""
    try:
        body: Any = msgspec.json.decode(entry.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = None
    if entry.damaged or not is_object(body):
        raise InputRefused(409, "damaged", "the event is damaged", hint="its bytes are not those that were stored")
    trace = read_trace(entry.trace)
    data = _data(body, trace, entry)
    request = Request(
        method="POST",
        url="/data",
        headers={"Content-Type": "application/json"},
        body=json.dumps(data, indent=2, ensure_ascii=False),
    )
    title = f"Written from a stored {one_line(entry.event)}: say here in a sentence what it shows"
    head = written(title, request)
    became = run_example(parse_example(head, "example"), config)
    comments = "".join(f"# {one_line(line)}\n" for line in _comments(body, trace, became, entry.destination))
    return updated(f"{comments}\n{head}", became, "example")


def _data(body: Body, trace: Trace | None, entry: Entry) -> dict[str, Any]:
    """Put event data together, from which the event would be made again."""
    data: dict[str, Any] = {"event_name": trace.name if trace else entry.event}
    if trace and trace.site and "." not in trace.site:
        data["measurement_id"] = trace.site
    for field, source, one in _given(body, trace):
        _place(data, source, _value(body, field, one, trace))
        if source.name == _OF_AN_ITEM:
            _of_first_item(data, one.given)
    for rule in trace.rules if trace else ():
        if copied := _COPIED.fullmatch(rule.text):
            _copied(data, body, target=copied[1], source=copied[2])
        if rule.rule == _OWN_CODE:
            data[_OWN_CODE] = entry.test_event_code
    consent = {"ad_storage": "granted"}
    if trace and any(one.kind == NoticeKind.USER_DATA_DENIED for one in trace.warnings):
        consent["ad_user_data"] = "denied"
    return {**data, "consent_state": consent}


def _given(body: Body, trace: Trace | None) -> Iterator[tuple[Field, Source, TracedSource]]:
    """What each source gave: by the trace, or else the first source of each field that is sent."""
    if trace is None:
        for field in FIELDS:
            source = next((one for one in field.sources if one.place), None)
            if source is not None and _at(body, field.path) is not None and field.path != "event_time":
                yield field, source, TracedSource(field.path, source.name, _CUT, "taken")
        return
    for one in sorted(trace.sources, key=lambda one: one.outcome != "taken"):
        if found := _SOURCES.get((one.field, one.source)):
            yield *found, one


def _value(body: Body, field: Field, one: TracedSource, trace: Trace | None) -> Any:
    """Say what is written for what a source gave: itself, what was made of it, or something made up."""
    if one.outcome == "empty":
        return _NOTHING
    if one.outcome == "withheld":
        return _WITHHELD
    if field.path in _MADE_UP:
        return _of_nobody(field, one)
    if not (_MASKED.fullmatch(one.given) or one.given.endswith(_CUT)):
        return _typed(field, one.given, trace)
    sent = _at(body, field.path) if one.outcome == "taken" else None
    return _UNREADABLE if sent is None else sent


def _of_nobody(field: Field, one: TracedSource) -> Any:
    if one.outcome == "unusable":
        return _UNREADABLE
    made_up = _MADE_UP[field.path]
    return sha256_hex(made_up) if "sha256" in one.source else made_up


def _typed(field: Field, given: str, trace: Trace | None) -> Any:
    """Give back as a number what came as one, as far as that can be told."""
    kinds = {one.kind for one in trace.warnings if one.field == field.path} if trace else set[str]()
    is_number = NoticeKind.ID_AS_NUMBER in kinds or (field.path in _NUMBERS and NoticeKind.NUMBER_READ not in kinds)
    if is_number or given[:1] in {"[", "{"}:
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            return given
    return given


def _place(data: dict[str, Any], source: Source, value: Any) -> None:
    """Put a value where the source reads it; the first that is put there stays."""
    if source.place == "user_data":
        whole = data.setdefault("user_data", {})
        *above, key = source.key.split(".")
        for part in above:
            whole = whole.setdefault(part, {})
        whole.setdefault(key, value)
    elif source.place in {"user_properties", "client_hints"}:
        data.setdefault(source.place, {}).setdefault(source.key, value)
    elif (key := source.key or _ELSEWHERE.get(source.name, "")) and not source.name.startswith("ttclid in "):
        data.setdefault(key, value)


def _of_first_item(data: dict[str, Any], currency: str) -> None:
    """Name the currency where it was: products come before it in the table."""
    for key in _ITEMS:
        listed = data.get(key)
        if is_several(listed) and listed and is_object(listed[0]):
            data[key] = [{**listed[0], "currency": currency}, *listed[1:]]
            return


def _copied(data: dict[str, Any], body: Body, *, target: str, source: str) -> None:
    """Give what a rule reads: what it became, or somebody made up."""
    value = _MADE_UP.get(target, _at(body, target))
    if value is not None and "." not in source:
        data.setdefault(source, value)


def _at(body: Body, path: str) -> Any:
    group, _, key = path.rpartition(".")
    inner = body.get(group, {}) if group else body
    return inner.get(key) if is_object(inner) else None


# What the comments say.


def _comments(body: Body, trace: Trace | None, became: Became, destination: str) -> Iterator[str]:
    yield "Made by tikrelay from a stored event. Persons, addresses and what was masked are made up."
    if trace is None:
        yield "No trace of the event is kept: each field is given by the first of its sources, whichever it was."
    else:
        yield f"It came by the route {trace.route}; here it is event data, whose keys have the same names."
    if trace is not None and trace.cut:
        yield "Its trace was cut, so some of what came in may be missing."
    if trace is not None and trace.not_sent:
        yield f"Left out, for nothing is made of it: {_listed(trace.not_sent)}."
    of_destination = [one.tiktok for one in became.outcomes if one.destination == destination and one.tiktok]
    same = next((one for one in of_destination if one.get("event") == body.get("event")), None)
    if same is None:
        yield f"Under these settings it becomes no {body.get('event')} for {destination}."
    elif found := tuple(_differing(body, same)):
        yield f"What is expected differs from what was stored in {_listed(found)}."


def _differing(stored: Body, expected: Body) -> Iterator[str]:
    for key in dict.fromkeys((*stored, *expected)):
        one, other = stored.get(key), expected.get(key)
        if is_object(one) and is_object(other):
            yield from (f"{key}.{inner}" for inner in _differing(one, other))
        elif one != other:
            yield key


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
