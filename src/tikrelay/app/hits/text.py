"""Which requests a text stands for: a hit's address, a HAR, a curl or fetch command, JSON, or a file of those."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tikrelay.app.hits.curl import is_curl, read_curl
from tikrelay.app.hits.har import is_har, is_request, request_of, requests_of
from tikrelay.app.hits.request import Request
from tikrelay.base.errors import InputRefused
from tikrelay.collect.http import route_of
from tikrelay.collect.query import last_of_each
from tikrelay.mapping.cleaning import is_object, is_several
from tikrelay.mapping.personal import mask_and_cut

MAX_INPUT_BYTES: Final = 20 * 1024 * 1024  # recordings are large; more than this is a mistake
MOST_HITS: Final = 2000
OWN_ID: Final = "G-EXPLAIN"  # of a body that comes without an address
READABLE: Final = (
    "a hit can be given as its URL (with ?v=2&...), a HAR file or an entry of one, a curl command, Copy as fetch, JSON "
    "(event data, a Measurement Protocol body, a list, one object a line)"
)
_COLLECTING: Final = frozenset({"ga4", "data", "mp", "debug_mp"})
_FETCH: Final = re.compile(r"(?:await\s+)?fetch\(\s*")
_URL: Final = re.compile(r"https?://\S+|/\S*\?\S*", re.IGNORECASE)
_NAMES_OF_EVENTS: Final = ("event_name", "x-ttq-event-name")


class Hits(msgspec.Struct, frozen=True):
    """What was found: the hits, and what else was in it, by method, host and path, with how often."""

    requests: tuple[Request, ...]
    left_out: tuple[tuple[str, int], ...] = ()


def hits_of(text: str, *, body: str | None = None) -> Hits:
    """Find the hits in a text. Raises InputRefused."""
    check_size(len(text))
    text = text.removeprefix("\ufeff").strip()
    if is_curl(text):
        return _sorted_out(read_curl(text), "curl command")
    if _FETCH.match(text):
        return _sorted_out(_read_fetch(text), "fetch")
    if text[:1] in {"{", "["}:
        return _of_json(text)
    return _of_urls(text, body)


def looks_like_hits(text: str) -> bool:
    """Say whether a text is meant to hold hits, whether they can be read or not."""
    return "?" in text or "://" in text or text[:1] in {"{", "["} or is_curl(text) or _FETCH.match(text) is not None


def check_size(size: int) -> None:
    """Refuse what is too large. Raises InputRefused."""
    if size > MAX_INPUT_BYTES:
        what = f"the input is larger than {MAX_INPUT_BYTES // 1024 // 1024} MB"
        raise InputRefused(413, "input_too_large", what, hint="give a part of it")


def unreadable(what: str) -> InputRefused:
    """Say what is wrong, and what can be read."""
    return InputRefused(400, "no_hit", what, hint=READABLE)


# Which requests are hits.


def _sorted_out(requests: Iterable[Request], kind: str) -> Hits:
    """Part hits from whatever else was recorded. Raises InputRefused when there is no hit."""
    hits: list[Request] = []
    others: Counter[str] = Counter()
    for request in requests:
        if _is_hit(request):
            hits.append(request)
        else:
            others[_named(request)] += 1
    _check_count(len(hits))
    if not hits:
        what = f"no hit among the requests of this {kind}" if others else f"no request in this {kind}"
        named = "; ".join(f"{name} ({count})" for name, count in others.most_common(5))
        hint = "a hit goes to .../g/collect?v=2, /mp/collect or /data"
        raise InputRefused(400, "no_hit", what + (f": {named}" if named else ""), hint=hint)
    return Hits(tuple(hits), tuple(others.most_common()))


def _is_hit(request: Request) -> bool:
    try:
        url = urlsplit(request.url)
        version = last_of_each(url.query).get("v")
    except ValueError:  # also for half of a sign
        return False
    found = route_of(url.path)
    if found is None or found[0] not in _COLLECTING or request.method.upper() not in found[1]:
        return False
    return found[0] != "ga4" or version == "2"


def _named(request: Request) -> str:
    """Name a request without its query, which may hold anything."""
    try:
        url = urlsplit(request.url)
        return f"{request.method.upper()} {mask_and_cut((url.hostname or '') + url.path, longest=100)}"
    except ValueError:
        return f"{request.method.upper()} (an address that cannot be read)"


def _check_count(count: int) -> None:
    if count > MOST_HITS:
        raise InputRefused(413, "input_too_large", f"there are more than {MOST_HITS} hits in it", hint="give fewer")


# Addresses.


def _of_urls(text: str, body: str | None) -> Hits:
    """Read one address, with what follows it as its body, or one address a line."""
    requests: list[Request] = []
    lines: list[str] = []
    for line in text.splitlines():
        stripped = line.strip().strip("'\"")
        if not requests or _URL.fullmatch(stripped):
            if "?" not in stripped and route_of(_path_of(stripped)) is None:
                raise unreadable("this is neither a URL of a hit nor anything else that can be read")
            requests, lines = _with_body(requests, lines), []
            requests.append(Request(url=stripped))
        else:
            lines.append(line)
    if not requests:
        raise unreadable("nothing is given")
    requests = _with_body(requests, lines if body is None else [body])
    _check_count(len(requests))
    return Hits(tuple(requests))


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _with_body(requests: list[Request], lines: list[str]) -> list[Request]:
    """Give the last request the lines that came after it."""
    sent = "\r\n".join(lines).strip("\r\n")
    if not requests or not sent:
        return requests
    headers = {"content-type": "application/json"} if sent.lstrip()[:1] in {"{", "["} else {}
    return [*requests[:-1], Request(method="POST", url=requests[-1].url, headers=headers, body=sent)]


# fetch, as Chrome and Firefox copy it: both arguments are JSON.


def _read_fetch(text: str) -> list[Request]:
    reader = json.JSONDecoder()
    requests: list[Request] = []
    at = 0
    while call := _FETCH.search(text, at):
        try:
            url, at = reader.raw_decode(text, call.end())
            options: Any = {}
            if comma := re.compile(r"\s*,\s*(?=\{)").match(text, at):
                options, at = reader.raw_decode(text, comma.end())
        except (ValueError, RecursionError):
            raise _bad_fetch() from None
        if not isinstance(url, str) or not is_object(options):
            raise _bad_fetch()
        made = request_of({**options, "url": url})
        referrer = options.get("referrer")
        if isinstance(referrer, str) and referrer and "referer" not in made.headers:
            made = msgspec.structs.replace(made, headers={**made.headers, "referer": referrer})
        requests.append(made)
    return requests


def _bad_fetch() -> InputRefused:
    what = "the fetch call cannot be read; it must be as Copy as fetch of a browser writes it"
    return InputRefused(400, "bad_fetch", what, hint=READABLE)


# JSON.


def _of_json(text: str) -> Hits:
    try:
        whole: Any = json.loads(text)
    except RecursionError:
        raise unreadable("the JSON is nested too deeply") from None
    except ValueError:
        return _of_json_lines(text)
    if is_har(whole):
        return _sorted_out(requests_of(whole), "HAR")
    if is_several(whole) and whole and all(is_request(one) or _is_protocol(one) for one in whole):
        return _of_each(whole)
    return _of_each([whole]) if is_request(whole) else Hits((_posted(whole, text),))


def _of_json_lines(text: str) -> Hits:
    """Read one JSON value a line: requests and Measurement Protocol bodies each, event data together as it came."""
    values: list[Any] = []
    for line in text.splitlines():
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError):
                values.append(None)
    if len(values) > 1 and any(is_request(one) or _is_protocol(one) for one in values):
        if None in values:
            raise unreadable(f"line {values.index(None) + 1} is no JSON")
        return _of_each(values)
    return Hits((_posted(None, text),))  # /data says which line it cannot read


def _of_each(values: Sequence[Any]) -> Hits:
    requests = [request_of(one) if is_request(one) else _posted(one, json.dumps(one)) for one in values]
    return _sorted_out(requests, "JSON")


def _is_protocol(value: object) -> bool:
    """A Measurement Protocol body has a list of events; anything else is event data."""
    return is_object(value) and "events" in value and not any(name in value for name in _NAMES_OF_EVENTS)


def _posted(value: object, text: str) -> Request:
    url = f"/mp/collect?measurement_id={OWN_ID}" if _is_protocol(value) else "/data"
    return Request(method="POST", url=url, headers={"content-type": "application/json"}, body=text)
