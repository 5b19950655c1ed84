"""How the parent and a worker talk: one JSON object a line, over a socket pair that both inherit.

Each side may ask and answers by number; a message without a number is a report nobody answers. When the other side is
gone the link ends, which is how a worker learns that its parent died and the parent that a worker did.
"""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

import msgspec

_LONGEST_LINE: Final = 64 * 1024 * 1024
_ANSWER_WITHIN_S: Final = 10.0

Message = dict[str, Any]
Handler = Callable[[Message], Awaitable[Message | None]]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells a new worker: the settings as text (so that all workers read the same), and its place.

    ``tokens`` are the destinations', in their order, as they were at start: a token's file that is gone since must not
    keep a worker from being replaced.
    """

    settings: str
    path: str
    tokens: list[str]
    index: int
    workers: int
    folder: str
    outbox: str


class LinkClosedError(ConnectionError):
    """The other side is gone."""


class AskFailedError(Exception):
    """The other side could not do what was asked."""


class Link:
    """One end. ``handle`` gets what the other side asks or reports; its return value is the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    @classmethod
    async def over(cls, end: socket.socket, handle: Handler) -> Self:
        """Wrap one end of a socket pair."""
        reader, writer = await asyncio.open_connection(sock=end, limit=_LONGEST_LINE)
        return cls(reader, writer, handle)

    async def run(self) -> None:
        """Read until the other side is gone."""
        try:
            while line := await self._reader.readline():
                self._take(msgspec.json.decode(line))
        except (ConnectionError, ValueError, msgspec.MsgspecError):
            pass  # a line that is cut off or endless is the end, too
        finally:
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(LinkClosedError("the other process is gone"))
            self._writer.close()

    def _take(self, message: Message) -> None:
        if (number := message.pop("answers", None)) is not None:
            future = self._asked.pop(number, None)
            if future is not None and not future.done():
                future.set_result(message)
            return
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._answering.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Message) -> None:
        number = message.pop("asks", None)
        try:
            answer = await self._handle(message)
        except Exception as error:
            if number is None:
                raise
            answer = {"error": type(error).__name__}  # its words may quote what a visitor sent
        if number is not None:
            self.report({"answers": number, **(answer or {})})

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def report(self, message: Message) -> None:
        """Tell the other side something. A side that is gone is not told."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def ask(self, do: str, *, within_s: float = _ANSWER_WITHIN_S, **details: Any) -> Message:
        """Ask for something and wait for the answer. Raises LinkClosedError, AskFailedError, TimeoutError."""
        if self._writer.is_closing():
            raise LinkClosedError("the other process is gone")
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self.report({"asks": number, "do": do, **details})
        try:
            answer: Message = await asyncio.wait_for(future, within_s)
        finally:
            self._asked.pop(number, None)
        if "error" in answer:
            raise AskFailedError(answer["error"])
        return answer
