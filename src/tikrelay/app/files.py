"""The outbox files of one process, asked as one; and those of all workers, asked over their links.

A file that cannot answer does not keep the others from it: it stands in ``failed`` with why.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from tikrelay.app.link import Message
from tikrelay.app.questions import AnyQuestion, Keys, Question
from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused, OutboxError
from tikrelay.base.happenings import Emit
from tikrelay.outbox.config import OutboxConfig
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Retention

_REF: Final = re.compile(r"(\d{3})-(\d{1,18})", re.ASCII)
_FILE: Final = re.compile(r"outbox-(\d{3})\.db", re.ASCII)

T = TypeVar("T")


def ref_of(file: str, key: int) -> str:
    """Name an event: keys are unique in one file only.

    >>> ref_of("outbox-000.db", 1795312345000000)
    '000-1795312345000000'
    """
    number = _FILE.fullmatch(file)
    return f"{number[1] if number else file}-{key}"


def read_refs(refs: Iterable[str]) -> Keys:
    """Sort references by file. Raises InputRefused.

    >>> read_refs(["000-12", "001-7", "000-13"])
    {'outbox-000.db': (12, 13), 'outbox-001.db': (7,)}
    """
    keys: Keys = {}
    for ref in refs:
        parts = _REF.fullmatch(ref)
        if parts is None:
            hint = "write it as `tikrelay events` shows it, such as 000-1795312345000000"
            raise InputRefused(400, "bad_reference", "the reference names no event", hint=hint)
        file = f"outbox-{parts[1]}.db"
        keys[file] = (*keys.get(file, ()), int(parts[2]))
    return keys


class Told(msgspec.Struct, Generic[T], frozen=True):
    """What files answered, by their names; ``failed`` are those that could not, and why."""

    by_file: dict[str, T]
    failed: dict[str, str] = {}


class Files(Protocol):
    """Whoever can ask every file there is."""

    async def ask(self, question: Question[T]) -> Told[T]:
        """Ask them all."""
        ...


class OwnFiles:
    """The outbox files this process owns."""

    def __init__(self, folder: Path, *, config: OutboxConfig, clock: Clock, emit: Emit) -> None:
        self._folder = folder
        self._config = config
        self._clock = clock
        self._emit = emit
        self._open: dict[str, SqliteOutbox] = {}
        self._failed: dict[str, str] = {}

    async def open(self, name: str) -> SqliteOutbox:
        """Own one more file. Raises OutboxError."""
        keep = self._config
        outbox = await SqliteOutbox.open(
            self._folder / name,
            clock=self._clock,
            emit=self._emit,
            max_bytes=keep.max_bytes,
            retention=Retention(
                delivered_s=keep.keep_delivered,
                delivered_events=keep.keep_delivered_events,
                dead_s=keep.keep_dead,
                figures_s=keep.keep_figures,
                traces=keep.keep_traces,
            ),
        )
        self._open[name] = outbox
        return outbox

    async def open_all(self, names: Iterable[str]) -> None:
        """Own what can be had; what cannot stands in every answer, with why."""
        for name in names:
            try:
                await self.open(name)
            except OutboxError as error:
                self._failed[name] = str(error)

    async def close(self, name: str) -> None:
        """Let go of one."""
        await self._open.pop(name).close()

    async def close_all(self) -> None:
        """Let go of all."""
        for name in list(self._open):
            await self.close(name)

    async def ask(self, question: Question[T]) -> Told[T]:
        """Ask every file, one after the other."""
        answers: dict[str, T] = {}
        failed = dict(self._failed)
        for name, outbox in list(self._open.items()):
            try:
                answers[name] = await question.of(name, outbox)
            except OutboxError as error:
                failed[name] = str(error)
        return Told(question.shortened(answers), failed)

    async def answer(self, message: Message) -> Message:
        """Answer the parent's question."""
        question = msgspec.convert(message["question"], AnyQuestion)
        told: Message = msgspec.to_builtins(await self.ask(question))
        return told


class FilesOfWorkers:
    """The files of all workers, and those that nobody has at the moment."""

    def __init__(self, ask_all: Callable[..., Awaitable[Sequence[tuple[Any, Message]]]], folder: OutboxFolder) -> None:
        self._ask_all = ask_all
        self._folder = folder

    async def ask(self, question: Question[T]) -> Told[T]:
        """Ask every worker."""
        sent = msgspec.to_builtins(question)
        came = await self._ask_all("files", within_s=question.within_s, question=sent)
        return await asyncio.to_thread(self._read, question, [message for _, message in came])

    def _read(self, question: Question[T], came: Sequence[Message]) -> Told[T]:
        answers: dict[str, T] = {}
        failed: dict[str, str] = {}
        for message in came:
            answers |= question.read(message["by_file"])
            failed |= message["failed"]
        return Told(answers, {**self._unspoken_for({*answers, *failed}), **failed})

    def _unspoken_for(self, known: set[str]) -> dict[str, str]:
        try:
            damaged = set(self._folder.damaged())
            return {
                name: "it is damaged and waits for a repair" if name in damaged else "nobody answers for it; ask again"
                for name in self._folder.names()
                if name not in known
            }
        except OSError as error:
            return {str(self._folder.path): str(error)}
