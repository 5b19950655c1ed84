"""One connection at the edge: what a stranger may cost in time and memory, and how it ends.

uvicorn's protocol over llhttp, with a deadline in every state (waiting for a request, reading its head, writing an
answer; the body's is the application's, ``collect/limits.py``), strict framing (``framing.py``), and a bound on all
that is kept. What cannot be believed gets one answer, after those of the requests before it, and nothing that
follows it on the connection is read as a request.
"""

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tikrelay.app.framing import find_fault
from tikrelay.collect.config import LimitsConfig

LONGEST_TARGET_BYTES: Final = 65_535  # llhttp's parse_url counts in 16 bits
LINGER_S: Final = 2.0
"""How long the other end may take to read its last answer; closing at once would lose what it has not read."""
_PIECE_BYTES: Final = 16 * 1024
_MOST_UNTOLD_BYTES: Final = 64 * 1024


class Refusal(msgspec.Struct, frozen=True):
    """Why a connection ends: the status and the code of its last answer, and words."""

    status: int
    code: str
    message: str

    def answer(self) -> bytes:
        """Write it as the application writes its errors."""
        body = msgspec.json.encode({"error": {"code": self.code, "message": self.message, "hint": ""}})
        phrase = HTTPStatus(self.status).phrase
        head = f"HTTP/1.1 {self.status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        retry = "retry-after: 5\r\n" if self.status == HTTPStatus.SERVICE_UNAVAILABLE else ""
        return f"{head}{retry}connection: close\r\n\r\n".encode() + body


_UNREADABLE: Final = Refusal(400, "bad_request", "the request is no readable HTTP")
_TRAILERS: Final = Refusal(400, "bad_request", "headers behind a body are not taken")
_LINE_TOO_LONG: Final = Refusal(414, "uri_too_long", "the address is too long")
_HEAD_TOO_LARGE: Final = Refusal(431, "headers_too_large", "the head of the request is too large")
_HEAD_TOO_SLOW: Final = Refusal(408, "head_too_slow", "the head of the request did not arrive in time")
_TOO_MANY: Final = Refusal(503, "too_many_connections", "all connections are busy")


class Door:
    """What the connections of one server share: the limits, which of them wait for a request, and whom to tell."""

    def __init__(self, limits: LimitsConfig, *, most: Callable[[], int], tell: Callable[[str], None]) -> None:
        self.limits = limits
        self.most = most
        self.tell = tell
        self.waiting: dict[Connection, None] = {}  # those longest without a whole head first

    def make_room(self, *, open_now: int) -> bool:
        """Let go the connection that has waited longest, if there are too many; False when none waits."""
        if open_now <= self.most():
            return True
        longest = next(iter(self.waiting), None)
        if longest is None:
            return False
        longest.end()
        return True


class _Refused(Exception):
    """Ends llhttp's run."""


class _Flow(FlowControl):
    """Does not read on while requests that came before wait for their turn."""

    def __init__(self, transport: asyncio.Transport, *, must_wait: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._must_wait = must_wait

    def resume_reading(self) -> None:
        """Read on, if what was read is used up."""
        if not self._must_wait():
            super().resume_reading()


class _Line:
    """What the answer to a request is written to."""

    def __init__(self, connection: "Connection", transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send on."""
        self._transport.write(data)
        self._connection.end_for_nobody()

    def close(self) -> None:
        """End after the answer; while the other end still sends a body, so that it reads the answer."""
        self._connection.end(kindly=self._connection.cycle.more_body)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, bounded."""

    parser: httptools.HttpRequestParser

    def __init__(self, *arguments: Any, door: Door, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._door = door
        self._limits = door.limits
        self._deadline: asyncio.TimerHandle | None = None  # of a request, or of its head
        self._stalled: asyncio.TimerHandle | None = None  # of an answer that is not read
        self._running: RequestResponseCycle | None = None  # the request that the application has
        self._held = bytearray()  # came behind requests that are not answered yet
        self._reads_head = False
        self._head_bytes = 0
        self._untold_bytes = 0  # since the parser last told of anything
        self._fault: Refusal | None = None
        self._last_words: Refusal | None = None  # waits for the answers before it
        self._is_deaf = False  # nothing that comes now is a request
        self._is_ending = False
        self._has_heard_all = False

    # What the event loop says.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's is typed
        """Begin."""
        super().connection_made(transport)
        self.flow = _Flow(transport, must_wait=lambda: bool(self._held))
        # What waits in the system's own buffers is not seen here; the system ends what is not taken for as long.
        unread_ms = round(self._limits.body_within_s * 1000)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread_ms)
        # After a request that ends the connection nothing is read as another.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        if self._door.make_room(open_now=len(self.connections)):
            self._wait_for_request()
        else:
            self._refuse(_TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._is_deaf = self._is_ending = True
        self._held.clear()
        self._door.waiting.pop(self, None)
        self._cancel_deadline()
        self._cancel_stalled()
        running = self._running
        if running is not None and not running.response_complete:  # uvicorn tells the newest, which may wait for this
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless requests before it wait for their turn."""
        if self._is_deaf:
            return
        if self._held or self.pipeline:
            self._held += data
            self.flow.pause_reading()
        else:
            self._feed(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn closes at once
        """Answer what was asked before the other end said that it sends no more; True keeps the way back open."""
        self._has_heard_all = True
        self.end_for_nobody()
        running = self._running
        return not self._is_ending and self._is_busy() and running is not None and not running.more_body

    def pause_writing(self) -> None:
        """Give the other end a time to read what was written."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._limits.body_within_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it was read."""
        self._cancel_stalled()
        super().resume_writing()

    # What the parser says.

    def on_message_begin(self) -> None:
        """Begin a request: its head must arrive in time."""
        super().on_message_begin()
        self._reads_head = True
        self._head_bytes = self._untold_bytes = 0
        self._set_deadline(self._limits.head_within_s, self._head_too_slow)

    def on_url(self, url: bytes) -> None:
        """Take some of the address."""
        super().on_url(url)
        self._untold_bytes = 0
        if len(self.url) > LONGEST_TARGET_BYTES:
            self._stop(_LINE_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind the body is none."""
        if not self._reads_head:
            self._stop(_TRAILERS)
        super().on_header(name, value)
        self._untold_bytes = 0
        self._head_bytes += len(name) + len(value)
        # The application tells the sender more kindly (collect/limits.py); this bounds memory.
        if self._head_bytes > 2 * self._limits.headers_bytes or len(self.headers) > 2 * self._limits.headers:
            self._stop(_HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Look at the head as a whole, and have it answered."""
        fault = find_fault(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
        if fault is not None:
            self._stop(Refusal(400, "bad_request", fault))
        super().on_headers_complete()
        self._reads_head = False
        self._untold_bytes = 0
        self._cancel_deadline()
        self._door.waiting.pop(self, None)
        self.cycle.transport = _Line(self, self.transport)  # type: ignore[assignment]  # what uvicorn uses of it
        if self.parser.should_upgrade():  # no other protocol is spoken here, and what follows is none of this one
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take some of the body."""
        self._untold_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._untold_bytes = 0
        super().on_message_complete()
        self._is_deaf = self._is_deaf or not self.cycle.keep_alive

    # What the application's answers do.

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it."""
        if self._is_ending:
            return
        super().on_response_complete()
        self._unset_keepalive_if_required()  # the deadline here is not put off by what is no request
        if self._held and not self.pipeline:
            held, self._held = self._held, bytearray()
            self._feed(held)
            self.flow.resume_reading()
        if not self._is_busy():
            self._rest()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_busy(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _rest(self) -> None:
        """No request is being answered."""
        if self._last_words is not None:
            self._say(self._last_words)
        elif self._has_heard_all:
            self.end()
        elif self._running is not None and self._running.more_body:
            self.end(kindly=True)  # what is left of a body that nobody wants is not read
        elif self._reads_head:
            self._door.waiting[self] = None
        else:
            self._wait_for_request()

    # Reading.

    def _feed(self, data: bytes | bytearray) -> None:
        """Parse a piece at a time, so that never more than a piece's requests wait for their turn."""
        whole = memoryview(bytes(data))
        for start in range(0, len(whole), _PIECE_BYTES):
            if self._is_deaf:
                return
            if self.pipeline:
                self._held += whole[start:]
                self.flow.pause_reading()
                return
            self._parse(whole[start : start + _PIECE_BYTES])

    def _parse(self, piece: memoryview) -> None:
        self._untold_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._is_deaf = True
        except httptools.HttpParserError:
            if not self._is_deaf:
                self._refuse(self._fault or _UNREADABLE)
        else:
            if self._untold_bytes > _MOST_UNTOLD_BYTES:  # one endless header, or the extension of a chunk
                self._refuse(_HEAD_TOO_LARGE if self._reads_head else _UNREADABLE)

    def _stop(self, refusal: Refusal) -> None:
        self._fault = refusal
        raise _Refused

    # Ending.

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot be taken, and listen no more; requests before it are answered first."""
        self._is_deaf = True
        self._cancel_deadline()
        self._door.tell(refusal.code)
        if self._running is None or not self._is_busy():
            self._say(refusal)
        elif self.cycle is self._running and self._running.more_body:
            self._cut_off(self._running, refusal)
        else:
            if self.cycle.more_body:  # the newest, which has not begun, and never will
                self.pipeline.popleft()
                self.cycle = self._running
            self._last_words = refusal

    def _cut_off(self, running: RequestResponseCycle, refusal: Refusal) -> None:
        """End the request whose body is bad: the application hears of a connection that ended."""
        if running.response_started:
            self.end(kindly=True)
            return
        running.disconnected = True
        running.message_event.set()
        self._say(refusal)

    def _head_too_slow(self) -> None:
        if self._held or self.pipeline:  # the rest may be here; it is we who do not read on
            self._set_deadline(self._limits.head_within_s, self._head_too_slow)
        else:
            self._refuse(_HEAD_TOO_SLOW)

    def _say(self, refusal: Refusal) -> None:
        self.transport.write(refusal.answer())
        self.end(kindly=True)

    def end(self, *, kindly: bool = False) -> None:
        """Close once what was written is read; kindly: what the other end still sends is thrown away meanwhile."""
        if self._is_ending:
            return
        self._is_deaf = self._is_ending = True
        self._held.clear()
        self._door.waiting.pop(self, None)
        self._cancel_deadline()
        if kindly and not self.transport.is_closing():
            self.flow.resume_reading()
            self.transport.write_eof()
            self._set_deadline(LINGER_S, self.transport.abort)
        else:
            self.transport.close()
            self._set_deadline(self._limits.body_within_s, self.transport.abort)

    def end_for_nobody(self) -> None:
        """End an answer without an end whose reader has said that he sends no more: most such are gone."""
        running = self._running
        if self._has_heard_all and running is not None and self._is_busy() and running.chunked_encoding:
            self.end()

    # Time.

    def _wait_for_request(self) -> None:
        self._door.waiting[self] = None
        self._set_deadline(self._limits.idle_s, self.end)

    def _set_deadline(self, seconds: float, do: Callable[[], None]) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, do)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
