"""The answers of the collecting routes: status, headers and body, nothing of the request echoed but its origin."""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tikrelay.base.errors import InputRefused
from tikrelay.collect.request_id import HEADER

Headers = list[tuple[bytes, bytes]]

# As Google's own collector answers: nothing of a hit may be cached.
_NOT_CACHED: Final[Headers] = [
    (b"cache-control", b"no-cache, no-store, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"expires", b"Fri, 01 Jan 1990 00:00:00 GMT"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
]
_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_ORIGIN: Final = re.compile(r"null|[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[A-Za-z0-9._:\[\]-]{1,300}")
_HEADER_NAMES: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}(?:[ \t]*,[ \t]*[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}){0,30}"
)
PREFLIGHT_FOR_S: Final = 86400
RETRY_AFTER_S: Final = 5


class Answer(msgspec.Struct, frozen=True):
    """What goes back; ``document`` is the JSON that ``body`` holds."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    document: Mapping[str, Any] | None = None


def cors(origin: str | None) -> Headers:
    """Let the page that asked read the answer: its exact origin, with credentials; nothing where no page asked."""
    if not origin or not _ORIGIN.fullmatch(origin):
        return []
    return [
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]


def no_content() -> Answer:
    """204, as gtag.js expects."""
    return Answer(204, b"", (*_NOT_CACHED, (b"content-type", b"text/plain")))


def pixel() -> Answer:
    """A 1x1 GIF, for an <img>."""
    return Answer(200, _GIF, (*_NOT_CACHED, (b"content-type", b"image/gif")))


def plain(status: int, text: str) -> Answer:
    """A word."""
    return Answer(status, text.encode() + b"\n", ((b"content-type", b"text/plain; charset=utf-8"),))


def of_json(status: int, document: Mapping[str, Any], *more: tuple[bytes, bytes]) -> Answer:
    """A JSON document."""
    headers = (*_NOT_CACHED, (b"content-type", b"application/json"), *more)
    return Answer(status, msgspec.json.encode(document), headers, document)


def with_id(answer: Answer, request_id: str) -> Answer:
    """Say in an answer which request it is for: in a header, and in an error.

    >>> with_id(of_json(400, {"error": {"code": "bad"}}), "r-1").body
    b'{"error":{"code":"bad","request_id":"r-1"}}'
    """
    document = answer.document or {}
    body = answer.body
    if error := document.get("error"):
        body = msgspec.json.encode({**document, "error": {**error, "request_id": request_id}})
    return Answer(answer.status, body, (*answer.headers, (HEADER.encode(), request_id.encode())), document)


def error(status: int, code: str, message: str, hint: str = "", *more: tuple[bytes, bytes]) -> Answer:
    """The one shape of every error."""
    return of_json(status, {"error": {"code": code, "message": message, "hint": hint}}, *more)


def refusal(refused: InputRefused) -> Answer:
    """Say why a request cannot be taken."""
    more = ((b"www-authenticate", b"Bearer"),) if refused.status == 401 else ()
    return error(refused.status, refused.code, refused.what, refused.hint, *more)


def unavailable() -> Answer:
    """Nothing can be stored; the sender should come again."""
    retry_after = (b"retry-after", str(RETRY_AFTER_S).encode())
    return error(503, "cannot_store", "events cannot be stored at this moment", "send it again", retry_after)


def too_fast(seconds: int) -> Answer:
    """One address sends more than it may."""
    retry_after = (b"retry-after", str(seconds).encode())
    return error(429, "rate", "too many requests from this address", "send it again later", retry_after)


def preflight(asked: str) -> Answer:
    """Allow what a page asks to send."""
    headers: Headers = [
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-max-age", str(PREFLIGHT_FOR_S).encode()),
    ]
    if _HEADER_NAMES.fullmatch(asked):
        headers.append((b"access-control-allow-headers", asked.encode("ascii")))
    return Answer(204, b"", tuple(headers))
