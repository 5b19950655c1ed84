"""Hits as gtag.js sends them to ``/g/collect``: a query, and lines in the body when it sends several events at once.

The rules are the encoder's own, read from gtag.js and from recorded hits: the query holds what all events of the
request share, a line holds the rest and overrides it, and nothing carries over from one line to the next. A request
with lines makes no event of the query alone.
"""

from collections.abc import Mapping
from typing import Final

from tikrelay.base.errors import InputRefused
from tikrelay.collect import client_hints, consent, user_data
from tikrelay.collect.hit import Hit, Parsed, TurnedAway
from tikrelay.collect.items import items_of
from tikrelay.collect.numbers import read_float
from tikrelay.collect.query import last_of_each
from tikrelay.collect.shared import check_shared
from tikrelay.event import Event, HitKey, Json, Visitor

MOST_LINES: Final = 1000
MOST_PARAMETERS: Final = 1000
_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_HINT: Final = "a GA4 hit has v=2, tid=G-..., and en= in its query or in each line of its body"

# Parameters of the protocol and their names in event data. The protocol's value wins over a parameter of the site's own
# that happens to have the name.
_NAMES: Final = {
    "dl": "page_location", "dr": "page_referrer", "dt": "page_title", "ul": "language", "uid": "user_id",
    "cu": "currency", "cid": "client_id", "sid": "ga_session_id", "sr": "screen_resolution", "_uip": "ip_override",
}  # fmt: skip
_REDACTED: Final = ("::", "0.0.0.0")  # noqa: S104  an _uip that hides the visitor's address
# Names a site's own parameter cannot take: what they mean is the protocol's, and the visitor's, to say.
_RESERVED: Final = frozenset({"event_name", "client_id", "user_agent", "ip_override", "items", "user_data"})


def parse(hit: Hit) -> Parsed:
    """Read the events of a request. Raises InputRefused (400) when it is no GA4 hit."""
    query = _parameters(hit.query)
    if query.get("v") != "2" or not query.get("tid"):
        raise InputRefused(400, "no_ga4_hit", "this is no GA4 hit: v=2 or tid is missing", hint=_HINT)
    text = hit.body.decode("utf-8", "replace")
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    if len(lines) > MOST_LINES:
        what = f"the body has more than {MOST_LINES} lines"
        raise InputRefused(413, "too_many_lines", what, hint="send fewer at once")
    check_shared(hit, len(lines), parameters=len(query))
    if not lines:
        if not query.get("en", "").strip():
            raise InputRefused(400, "no_event", "this GA4 hit holds no event: en is missing", hint=_HINT)
        return Parsed((_event(query, hit, 0),))
    events: list[Event] = []
    turned_away: list[TurnedAway] = []
    for number, line in enumerate(lines, 1):
        merged = {**query, **_parameters(line)}
        if merged.get("en", "").strip():
            events.append(_event(merged, hit, number))
        else:
            turned_away.append(TurnedAway("line_without_name", f"line {number} has no en", number - 1))
    if not events:
        raise InputRefused(400, "no_event", "no line of this GA4 hit holds an event: en is missing", hint=_HINT)
    return Parsed(tuple(events), tuple(turned_away))


def _parameters(text: str) -> dict[str, str]:
    if text.count("&") > MOST_PARAMETERS:
        what = f"the request, or a line of it, holds more than {MOST_PARAMETERS} parameters"
        raise InputRefused(413, "too_many_parameters", what, hint="send fewer items and parameters")
    return last_of_each(text)


def measurement_id(query: str) -> str:
    """The ``tid`` of a query, or nothing."""
    return last_of_each(query).get("tid", "")


def _event(parameters: Mapping[str, str], hit: Hit, line: int) -> Event:
    data, properties = _own_parameters(parameters)
    for key, name in _NAMES.items():
        if value := parameters.get(key):
            data[name] = value
    if location := _location(parameters.get("ur", "")):
        data["event_location"] = location
    if not data.get("page_location") and hit.referer:
        data["page_location"] = hit.referer
    if "client_id" not in data and (client_id := _client_id(hit.cookies.ga)):
        data["client_id"] = client_id
    if items := items_of(parameters):
        data["items"] = items
    people = user_data.from_parameters(data)
    if "em" in parameters:
        people = {**user_data.from_em(parameters["em"]), **people}
    hints = client_hints.from_parameters(parameters) or client_hints.from_headers(hit.hints)
    return Event(
        name=_name(parameters["en"], data),
        source="ga4_web",
        received_at=hit.received_at,
        data=data,
        user_data=people,
        user_properties=properties,
        client_hints=hints,
        visitor=Visitor(
            ip=None if data.get("ip_override") in _REDACTED else hit.ip,
            user_agent=hit.user_agent,
            ttclid_cookie=hit.cookies.ttclid,
            ttp_cookie=hit.cookies.ttp,
        ),
        consent=consent.of_web_hit(parameters),
        key=HitKey(
            measurement_id=parameters["tid"],
            client_id=parameters.get("cid") or _client_id(hit.cookies.ga),
            page_id=parameters.get("_p"),
            page_location=parameters.get("dl"),
            request_count=parameters.get("_s"),
            line=line,
        ),
    )


def _name(given: str, data: Mapping[str, Json]) -> str:
    own = data.get("x-ttq-event-name")
    return own if isinstance(own, str) and own.strip() else given


def _own_parameters(parameters: Mapping[str, str]) -> tuple[dict[str, Json], dict[str, Json]]:
    """Sort ``ep.``, ``epn.``, ``up.`` and ``upn.`` by name; a number that is none stays text, NaN is left out."""
    data: dict[str, Json] = {}
    properties: dict[str, Json] = {}
    for key, value in parameters.items():
        kind, dot, name = key.partition(".")
        if not dot or not name or kind not in {"ep", "epn", "up", "upn"}:
            continue
        if (kind[0] == "e" and name in _RESERVED) or (kind[-1] == "n" and value in _NO_NUMBERS):
            continue
        number = read_float(value) if kind[-1] == "n" else None
        kept: Json = value if number is None else number
        (data if kind[0] == "e" else properties)[name] = kept
    return data, properties


def _location(region: str) -> Json:
    """The place in ``ur``, as event data has it.

    >>> _location("US-CA"), _location("DE"), _location("")
    ({'country': 'US', 'region': 'CA'}, {'country': 'DE'}, None)
    """
    country, _, part = region[:10].partition("-")
    if not country:
        return None
    return {"country": country, "region": part} if part else {"country": country}


def _client_id(ga: str | None) -> str | None:
    """The client id in a ``_ga`` cookie: all after the second dot.

    >>> _client_id("GA1.1.185462604.1795400464")
    '185462604.1795400464'
    """
    parts = ga.split(".", 2) if ga else []
    return parts[2] if len(parts) == 3 else None
