"""One HTTP exchange at a time over a socket of our own, and how it ended."""

import asyncio
import contextlib
from enum import StrEnum

from faults.mint import AGENT, Request

ANSWER_WITHIN_S = 60.0


class End(StrEnum):
    """How an exchange ended."""

    ACKED = "acked"  # a 2xx, read to its last byte
    REFUSED = "refused"  # any other answer, read to its last byte
    UNKNOWN = "unknown"  # it was sent, at least in part, and not answered in full
    UNSENT = "unsent"  # nobody took the connection


class Connection:
    """One connection that is kept alive while the server lets it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.status = 0
        self.how = ""  # the error of an unknown end, and on which connection
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: Request, *, pause_s: float = 0.0) -> End:
        """Send one request and read its answer; with a pause its body comes in two parts."""
        self.status, self.how = 0, ""
        is_new = not self._is_open()
        try:
            reader, writer = await self._open()
        except OSError:
            return End.UNSENT
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._send(writer, request, pause_s=pause_s)
                await self._read(reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.how = f"{type(error).__name__} on a {'new' if is_new else 'kept'} connection"
            self.close()
            return End.UNKNOWN
        return End.ACKED if 200 <= self.status < 300 else End.REFUSED

    def _is_open(self) -> bool:
        return bool(self._streams and not self._streams[0].at_eof() and not self._streams[0].exception())

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self._is_open():
            self.close()
        if not self._streams:
            self._streams = await asyncio.open_connection(self.host, self.port)
        return self._streams

    async def _send(self, writer: asyncio.StreamWriter, request: Request, *, pause_s: float) -> None:
        headers = {"Host": f"{self.host}:{self.port}", "User-Agent": AGENT, **request.headers}
        if request.method == "POST":
            headers["Content-Length"] = str(len(request.body))
        lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{key}: {text}" for key, text in headers.items())]
        raw = "\r\n".join([*lines, "", ""]).encode() + request.body
        if pause_s and request.body:
            half = len(request.body) // 2
            writer.write(raw[:-half])
            await writer.drain()
            await asyncio.sleep(pause_s)
            raw = raw[-half:]
        writer.write(raw)
        await writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.split("\r\n")
        headers = {key.strip().lower(): text.strip() for key, _, text in (line.partition(":") for line in rest)}
        await reader.readexactly(int(headers.get("content-length", 0)))
        self.status = int(first.split(" ")[1])
        if headers.get("connection", "").lower() == "close":
            self.close()

    def close(self) -> None:
        if self._streams:
            with contextlib.suppress(OSError):
                self._streams[1].close()
        self._streams = None
