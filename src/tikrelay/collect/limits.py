"""Limits on a request, enforced before anything of it is parsed: ``[limits]``.

The defaults are ours: gtag.js keeps a URL under 2,048 and a body under 16,384 bytes, Google takes Measurement Protocol
bodies up to 130 kB, so each leaves room and bounds what one request can cost. What a connection may cost stands in
``app/connection.py``.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tikrelay.base.errors import InputRefused
from tikrelay.base.failpoints import passing
from tikrelay.collect.config import LimitsConfig

SMALL_BYTES: Final = 16 * 1024
"""A compressed body that is inflated to no more is not held to ``inflated_ratio``: a few alike hits compress well."""

_SMALLER: Final = "send fewer events at once"
_WINDOW: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # zlib's wbits: gzip only; gzip or zlib by its header

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


def check_head(scope: Mapping[str, Any], limits: LimitsConfig) -> None:
    """Refuse a request whose line or headers are too large. Raises InputRefused (414, 431)."""
    query = scope["query_string"]
    target = len(scope.get("raw_path") or b"") + len(query) + (1 if query else 0)
    if len(scope["method"]) + target + len("  HTTP/1.1") > limits.line_bytes:
        what = f"the request's line is longer than {limits.line_bytes} bytes"
        raise InputRefused(414, "uri_too_long", what, hint="send the event in the body")
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > limits.headers or size > limits.headers_bytes:
        what = "the headers are too many or too large"
        raise InputRefused(431, "headers_too_large", what, hint="clear this site's cookies")


async def read_body(receive: Receive, headers: Mapping[str, str], limits: LimitsConfig) -> bytes:
    """Read the whole body, inflated. Raises InputRefused (400, 408, 413, 415)."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 12 or int(length) > limits.body_bytes):
        raise _too_large(limits)
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", *_WINDOW}:
        raise InputRefused(415, "unknown_encoding", "the Content-Encoding is not known here", hint="use gzip, or none")
    try:
        async with asyncio.timeout(limits.body_within_s):
            raw = await _collect(receive, limits)
    except TimeoutError:
        raise InputRefused(408, "body_too_slow", "the body did not arrive in time", hint="try again") from None
    return inflate(raw, _WINDOW[encoding], limits) if encoding in _WINDOW and raw else raw


async def _collect(receive: Receive, limits: LimitsConfig) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InputRefused(400, "body_cut_off", "the connection ended before the body did", hint="try again")
        body += message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body", False):
            return bytes(body)
        passing("body_begun")


def inflate(raw: bytes, window: int, limits: LimitsConfig) -> bytes:
    """Inflate one stream as far as the limits allow; nothing may come after it. Raises InputRefused (400, 413)."""
    most = min(limits.inflated_bytes, max(SMALL_BYTES, limits.inflated_ratio * len(raw)))
    stream = zlib.decompressobj(wbits=window)
    try:
        inflated = stream.decompress(raw, most + 1)
    except zlib.error:
        raise InputRefused(400, "bad_encoding", "the body is not what its Content-Encoding says") from None
    if len(inflated) > most:
        raise _too_large(limits)
    if not stream.eof or stream.unused_data:
        raise InputRefused(400, "bad_encoding", "the compressed body is cut off, or something follows it")
    return inflated


def _too_large(limits: LimitsConfig) -> InputRefused:
    what = f"the body is larger than {limits.body_bytes} bytes, or inflates to more than {limits.inflated_bytes}"
    return InputRefused(413, "body_too_large", f"{what} or {limits.inflated_ratio} times its size", hint=_SMALLER)
