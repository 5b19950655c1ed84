"""Limits on a request, enforced before anything of it is parsed.

Numbers are ours: gtag.js keeps a URL under 2,048 and a body under 16,384 bytes, Google takes Measurement Protocol
bodies up to 130 kB, so each leaves room and bounds what one request can cost.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tikrelay.base.errors import InputRefused
from tikrelay.base.failpoints import passing

MAX_TARGET_BYTES: Final = 32 * 1024  # the HTTP parser itself ends at 64 KiB, with a 400
MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_BODY_BYTES: Final = 512 * 1024
MAX_INFLATED_BYTES: Final = 2 * 1024 * 1024
BODY_WITHIN_S: Final = 15.0

_SMALLER: Final = "send fewer events at once"
_WINDOW: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # zlib's wbits: gzip only; gzip or zlib by its header

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


def check_head(scope: Mapping[str, Any]) -> None:
    """Refuse a request whose line or headers are too large. Raises InputRefused (414, 431)."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET_BYTES:
        raise InputRefused(414, "uri_too_long", "the address is longer than 32 KiB", hint="send the event in the body")
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        raise InputRefused(
            431, "headers_too_large", "the headers are too many or too large", hint="clear this site's cookies"
        )


async def read_body(receive: Receive, headers: Mapping[str, str], *, within_s: float = BODY_WITHIN_S) -> bytes:
    """Read the whole body, inflated. Raises InputRefused (400, 408, 413, 415)."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 12 or int(length) > MAX_BODY_BYTES):
        raise _too_large()
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", *_WINDOW}:
        raise InputRefused(415, "unknown_encoding", "the Content-Encoding is not known here", hint="use gzip, or none")
    try:
        async with asyncio.timeout(within_s):
            raw = await _collect(receive)
    except TimeoutError:
        raise InputRefused(408, "body_too_slow", "the body did not arrive in time", hint="try again") from None
    return inflate(raw, _WINDOW[encoding]) if encoding in _WINDOW and raw else raw


async def _collect(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InputRefused(400, "body_cut_off", "the connection ended before the body did", hint="try again")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        passing("body_begun")


def inflate(raw: bytes, window: int) -> bytes:
    """Inflate one stream to at most MAX_INFLATED_BYTES; nothing may come after it. Raises InputRefused (400, 413)."""
    stream = zlib.decompressobj(wbits=window)
    try:
        inflated = stream.decompress(raw, MAX_INFLATED_BYTES + 1)
    except zlib.error:
        raise InputRefused(400, "bad_encoding", "the body is not what its Content-Encoding says") from None
    if len(inflated) > MAX_INFLATED_BYTES:
        raise _too_large()
    if not stream.eof or stream.unused_data:
        raise InputRefused(400, "bad_encoding", "the compressed body is cut off, or something follows it")
    return inflated


def _too_large() -> InputRefused:
    return InputRefused(413, "body_too_large", "the body is larger than 512 KiB, or 2 MiB inflated", hint=_SMALLER)
