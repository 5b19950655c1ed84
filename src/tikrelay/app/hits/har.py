"""Which requests a HAR file stands for: the recording of a browser's network view, or one entry of it."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard
from urllib.parse import urlencode

from tikrelay.app.hits.request import Request
from tikrelay.mapping.cleaning import is_object, is_several

# Of the connection, not of the hit; the recorded body is neither compressed nor cut to its length.
_OF_CONNECTION: Final = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "host"})


def is_har(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a JSON value is a whole recording.

    >>> is_har({"log": {"entries": []}}), is_har({"event_name": "log"})
    (True, False)
    """
    return is_object(value) and is_object(log := value.get("log")) and is_several(log.get("entries"))


def is_request(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a JSON value is an entry, or the request of one, and not event data that has an address.

    >>> is_request({"request": {"url": "https://gw/g/collect?v=2"}}), is_request({"event_name": "a", "url": "b"})
    (True, False)
    """
    if not is_object(value):
        return False
    request = _request_in(value)
    about = {"method", "headers", "postData", "body", "queryString"}
    return isinstance(request.get("url"), str) and (not about.isdisjoint(request) or request.keys() == {"url"})


def _request_in(given: dict[str, Any]) -> dict[str, Any]:
    """The request of an entry; what is no entry is one itself."""
    return request if is_object(request := given.get("request")) else given


def requests_of(har: Mapping[str, Any]) -> Iterator[Request]:
    """Every request of a recording, in order; entries that are none are passed over."""
    for entry in har["log"]["entries"]:
        if is_request(entry):
            yield request_of(entry)


def request_of(given: dict[str, Any]) -> Request:
    """Make a request of an entry, or of a request alone."""
    request = _request_in(given)
    headers = dict(_headers(request.get("headers")))
    if "cookie" not in headers and (cookie := _cookies(request.get("cookies"))):
        headers["cookie"] = cookie
    body, kind = _body(request)
    if body and kind:
        headers.setdefault("content-type", kind)
    method = request.get("method")
    named = method.upper() if isinstance(method, str) and method else "POST" if body else "GET"
    return Request(method=named, url=request["url"], headers=headers, body=body)


def _headers(given: object) -> Iterator[tuple[str, str]]:
    """Headers as HAR lists them, or as an object; those of the connection and HTTP/2's own stay out."""
    pairs = _pairs(given) if is_several(given) else given.items() if is_object(given) else ()
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if not isinstance(value, str) or not key or key.startswith(":") or key in _OF_CONNECTION:
            continue
        found[key] = f"{found[key]}; {value}" if key == "cookie" and key in found else found.get(key, value)
    yield from found.items()


def _cookies(given: object) -> str:
    return "; ".join(f"{name}={value}" for name, value in _pairs(given))


def _body(request: Mapping[str, Any]) -> tuple[str, str]:
    """The body and its type: ``postData`` of HAR, or ``body``."""
    posted = request.get("postData")
    if not is_object(posted):
        body = request.get("body")
        return (body, "") if isinstance(body, str) else ("", "")
    kind = posted.get("mimeType")
    text = posted.get("text")
    if isinstance(text, str) and text:
        if "base64" in {posted.get("encoding"), posted.get("_encoding")}:
            text = _decoded(text)
    else:
        text = urlencode(list(_pairs(posted.get("params"))))
    return text, kind if isinstance(kind, str) else ""


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return text


def _pairs(given: object) -> Iterator[tuple[str, str]]:
    """Name and value of each object of a list."""
    for one in given if is_several(given) else ():
        if is_object(one) and isinstance(name := one.get("name"), str) and isinstance(value := one.get("value"), str):
            yield name, value
