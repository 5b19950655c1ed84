"""One piece of work for the outbox's thread, and which pieces share a fate."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, Self

from tikrelay.outbox.failures import NO_FAULT_OF_A_JOB
from tikrelay.outbox.memory import Memory


class Long(Protocol):
    """Something too long for one transaction, as far as it is done.

    A step changes nothing of it, but returns how far it is then: what holds only when its transaction was committed.
    """

    @property
    def is_done(self) -> bool:
        """Say whether no step is left."""
        ...

    def step(self, memory: Memory) -> Self:
        """Do a little of it."""
        ...


class Job:
    """Work for the thread, and who waits for it.

    ``writes``    it waits for the commit; others are done each by itself, outside of any transaction
    ``optional``  on a full disk it is left undone, and nobody is told
    """

    __slots__ = ("events", "future", "optional", "result", "work", "writes")

    def __init__(
        self,
        work: Callable[[], Any],
        future: asyncio.Future[Any],
        *,
        writes: bool,
        events: int = 0,
        optional: bool = False,
    ) -> None:
        self.work = work
        self.future = future
        self.writes = writes
        self.events = events
        self.optional = optional
        self.result: Any = None

    @property
    def kind(self) -> tuple[bool, bool]:
        """Jobs of one kind succeed or fail together."""
        return self.optional, bool(self.events)


def parts_of(jobs: list[Job], error: Exception) -> list[list[Job]]:
    """Split jobs whose common transaction failed into those that may still succeed without the others."""
    if not isinstance(error, NO_FAULT_OF_A_JOB):
        return [[job] for job in jobs]
    found: dict[tuple[bool, bool], list[Job]] = {}
    for job in jobs:
        found.setdefault(job.kind, []).append(job)
    return [found[kind] for kind in sorted(found)]
