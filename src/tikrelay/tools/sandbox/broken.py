"""How an answer is broken: every way in which the far end of a connection was ever seen to fail.

What is broken about HTTP itself is written to the connection past the server, which would not let it through.
"""

import asyncio
import contextlib
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.types import Receive, Scope, Send

from tikrelay.tools.sandbox.faults import Fault

Headers = list[tuple[bytes, bytes]]

TRANSPORT: Final = "tikrelay.transport"
JSON: Final = (b"content-type", b"application/json")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")
BROKEN: Final = frozenset(
    {
        "body", "bomb", "endless", "garbage", "half", "hang", "http", "large", "length", "redirect", "reset",
        "reset_after_accepting", "reset_amid", "trickle",
    }
)  # fmt: skip
_MEGABYTE: Final = 1_000_000
_WITHOUT_STATUS: Final = frozenset({"hang", "reset", "reset_after_accepting"})


def status_of(fault: Fault) -> int | None:
    """Say which status goes out, None when there is no answer at all."""
    if fault.kind in _WITHOUT_STATUS:
        return None
    return fault.status or {"http": 502, "redirect": 301}.get(fault.kind, 200)


def retry_after(fault: Fault | None) -> Headers:
    """Say when to come again, if the fault does."""
    return [] if fault is None or fault.retry_after is None else [(b"retry-after", str(fault.retry_after).encode())]


async def break_answer(
    fault: Fault,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    accepting: bytes,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Answer as the fault says; ``accepting`` is the answer that would accept the call."""
    status = status_of(fault) or 0
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    match fault.kind:
        case "http":
            await answer(send, status, [HTML, *retry_after(fault)], gateway_page(status))
        case "redirect":
            location = (b"location", (fault.location or "/").encode())
            await answer(send, status, [HTML, location], gateway_page(status))
        case "garbage":
            await answer(send, status, [JSON], b'{"code": 0, "mess')
        case "body":
            await answer(send, status, [JSON], (fault.body or "").encode())
        case "hang":
            await _until_gone(receive)
        case "length":
            transport.write(_head(fault.length or 0) + accepting)
            transport.close()
            await _until_gone(receive)
        case "half" | "reset_amid":
            transport.write(_head(len(accepting)) + accepting[: len(accepting) // 2])
            await sleep(0.05)  # so that the half arrives
            await (_close(transport, receive) if fault.kind == "half" else reset(scope, receive))
        case "trickle":
            await _pour(send, receive, [JSON], _drops(accepting, fault.seconds or 0.0, sleep))
        case "endless":
            await _pour(send, receive, [JSON], _spaces(None))
        case "large":
            await _pour(send, receive, [JSON], _spaces(fault.megabytes or 0))
        case "bomb":
            await _pour(send, receive, [JSON, (b"content-encoding", b"gzip")], _gzipped(fault.megabytes or 0))
        case _:
            await reset(scope, receive)


def _head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Answer as HTTP wants it."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _pour(send: Send, receive: Receive, headers: Headers, chunks: AsyncIterator[bytes]) -> None:
    """Send a body of unknown length, as fast as it is taken, until its end or the client's."""
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        async for chunk in chunks:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _drops(body: bytes, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> AsyncIterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        await sleep(seconds)


async def _spaces(megabytes: int | None) -> AsyncIterator[bytes]:
    """An object of JSON with so many megabytes of white space in it, without an end when there is no number."""
    yield b'{"code":0,'
    left = megabytes
    while left is None or left > 0:
        yield b" " * _MEGABYTE
        left = None if left is None else left - 1
    yield b'"message":"OK"}'


async def _gzipped(megabytes: int) -> AsyncIterator[bytes]:
    deflate = zlib.compressobj(9, wbits=31)
    async for chunk in _spaces(megabytes):
        yield deflate.compress(chunk)
    yield deflate.flush()


async def reset(scope: Scope, receive: Receive) -> None:
    """End the connection with a TCP reset: closing without lingering throws away what is under way."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _until_gone(receive)


async def _close(transport: asyncio.Transport, receive: Receive) -> None:
    transport.close()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def gateway_page(status: int) -> bytes:
    """A page as a gateway in front of TikTok shows it."""
    return (
        f"<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>sandbox gateway</body></html>".encode()
    )
