"""The workers as the parent sees them: started, replaced when they die or freeze, each with its outbox files.

The crew says which worker owns which file: a worker's own is the lowest free one, and files that nobody owns (after a
crash, with fewer workers, after a hand-over) are given to living workers, who empty them.

All workers that serve one reading of the settings are a generation. New settings bring a new one, on files of its own;
when all of it accept requests the older one drains, and its files are given away as after a crash.
"""

import asyncio
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from tikrelay.app.handle import WorkerHandle
from tikrelay.app.link import AskFailedError, LinkClosedError, Message, Order
from tikrelay.app.load import Loaded
from tikrelay.base.errors import EXIT_SOFTWARE, EXIT_TEMPORARY, OutboxError
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.watch.log import say

_ORPHANS_EVERY_S: Final = 2.0
_QUICK_DEATH_S: Final = 5.0
_TRIES_TO_START: Final = 5
_RESTART_AFTER_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
_PING_EVERY_S: Final = 5.0
_PONG_WITHIN_S: Final = 12.0
_MISSED_PINGS: Final = 2  # one may be missed by a machine that slept
_STATUS_WITHIN_S: Final = 5.0
_DRAIN_WITHIN_S: Final = 14.0
_NEWCOMERS_READY_WITHIN_S: Final = 60.0
DEATHS_COUNT_FOR_S: Final = 600.0


class Generation:
    """The workers that serve one reading of the settings."""

    def __init__(self, loaded: Loaded, outboxes: Iterable[str]) -> None:
        self.loaded = loaded
        self.workers = [WorkerHandle(index, name) for index, name in enumerate(outboxes)]
        self.keepers: list[asyncio.Task[None]] = []
        self.started = False
        self.leaving = False
        self.failed = asyncio.Event()  # one of them could not start
        self.exit_code = 0
        self.why = ""

    def fail(self, worker: WorkerHandle, exit_code: int) -> None:
        """Note that a worker could not start."""
        self.exit_code = exit_code if exit_code > 0 else EXIT_SOFTWARE
        self.why = worker.failure or words_for(exit_code)
        say("worker_failed", level="error", worker=worker.index, exit_code=exit_code, why=self.why)
        self.failed.set()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal every worker."""
        for worker in self.workers:
            worker.send_signal(number)


class Crew:
    """All workers of one server."""

    def __init__(self, loaded: Loaded, folder: OutboxFolder, listener: socket.socket) -> None:
        self.folder = folder
        self.listener = listener
        self.stopping = asyncio.Event()
        self.somebody = asyncio.Event()  # accepts requests
        self.adopting = asyncio.Lock()  # held while somebody else chooses among the free files
        self.exit_code = 0
        self.last_word: Callable[[int, Message], None] | None = None  # hears what a worker counted until its end
        self.keeper_ended: Callable[[asyncio.Task[None]], None] | None = None
        self._deaths: deque[float] = deque(maxlen=1000)
        self._unusable: dict[str, str] = {}  # files whose locks cannot be looked at, and why
        self.now = Generation(loaded, folder.free_names(loaded.config.server.workers))
        self._generations = [self.now]

    @property
    def workers(self) -> list[WorkerHandle]:
        """Everybody, those who come and those who leave included."""
        return [worker for generation in self._generations for worker in generation.workers]

    @property
    def recent_deaths(self) -> int:
        """How many workers ended by themselves in the last ten minutes."""
        return sum(time.monotonic() - at < DEATHS_COUNT_FOR_S for at in self._deaths)

    def stop(self, exit_code: int = 0) -> None:
        """Replace nobody any more."""
        self.exit_code = self.exit_code or exit_code
        self.stopping.set()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal every worker."""
        for worker in self.workers:
            worker.send_signal(number)

    # Beginning and ending.

    async def begin(self) -> bool:
        """Start the first workers; False when one could not start, and then the crew stops."""
        self._begin(self.now)
        if await self._all_ready(self.now, within_s=None):
            return True
        self.stop(self.now.exit_code)
        return False

    async def drain(self) -> None:
        """Let every worker answer begun requests and settle begun batches, and end."""
        await self._drain(self._generations)

    async def renew(self, loaded: Loaded) -> str:
        """Have workers with other settings take over; returns why they could not, or nothing.

        The older ones go on until all of the new ones accept requests.
        """
        async with self.adopting:
            try:
                coming = await self._coming(loaded)
            except (OSError, OutboxError) as error:
                return str(error)
            if not await self._all_ready(coming, within_s=_NEWCOMERS_READY_WITHIN_S):
                await self._drain([coming])
                self._generations.remove(coming)
                await self._share_out()
                return coming.why or f"not all new workers were ready within {_NEWCOMERS_READY_WITHIN_S:.0f} s"
            self.now = coming
        return ""

    async def dismiss_older(self) -> None:
        """Let the workers of older settings drain and end."""
        older = [generation for generation in self._generations if generation is not self.now]
        await self._drain(older)
        self._generations = [self.now]
        await self._share_out()

    async def _coming(self, loaded: Loaded) -> Generation:
        await self.let_go()  # so that the new ones take files there are
        outboxes = self.folder.free_names(loaded.config.server.workers, besides=self._owned())
        coming = Generation(loaded, outboxes)
        self._generations.append(coming)
        await self._share_out()
        self._begin(coming)
        return coming

    def _begin(self, generation: Generation) -> None:
        for worker in generation.workers:
            keeper = asyncio.create_task(self._keep(generation, worker))
            if self.keeper_ended:
                keeper.add_done_callback(self.keeper_ended)
            generation.keepers.append(keeper)

    async def _all_ready(self, generation: Generation, *, within_s: float | None) -> bool:
        """Wait until every worker serves; False when one could not start, the time is up, or the crew stops."""
        ready = [asyncio.ensure_future(worker.ready.wait()) for worker in generation.workers]
        ends = [asyncio.ensure_future(event.wait()) for event in (self.stopping, generation.failed)]
        every = asyncio.gather(*ready)
        try:
            watched: list[asyncio.Future[Any]] = [every, *ends, *generation.keepers]
            await asyncio.wait(watched, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            generation.started = every.done() and not generation.failed.is_set()
        finally:
            every.cancel()
            for future in (*ready, *ends):
                future.cancel()
            await asyncio.gather(every, *ends, return_exceptions=True)
        return generation.started

    async def _drain(self, generations: list[Generation]) -> None:
        keepers = [keeper for generation in generations for keeper in generation.keepers]
        for generation in generations:
            generation.leaving = True
            generation.send_signal(signal.SIGTERM)
        if not keepers:
            return
        _, late = await asyncio.wait(keepers, timeout=_DRAIN_WITHIN_S)
        if late:
            say("drain_cut_short", level="warning", workers=len(late))
            for generation in generations:
                generation.send_signal(signal.SIGKILL)
            await asyncio.wait(keepers)

    async def _share_out(self) -> None:
        """Tell the workers among how many the rate is shared: also while two generations live it is not exceeded."""
        await self.ask_all("share", among=len(self.workers))

    # Keeping them alive.

    async def _keep(self, generation: Generation, worker: WorkerHandle) -> None:
        """Run one worker, and another in its place whenever it ends, until it leaves or the crew stops."""
        deaths, in_vain = 0, 0
        while not (self.stopping.is_set() or generation.leaving):
            began = time.monotonic()
            self._choose_another_file(worker, is_taken=in_vain > 0)
            code = await self._run_once(generation, worker)
            if self.stopping.is_set() or generation.leaving:
                return
            if not generation.started and worker.outbox not in self.damaged():
                in_vain += 1
                if in_vain >= _TRIES_TO_START or not _may_start_yet(code):
                    generation.fail(worker, code)
                    return
            self._deaths.append(time.monotonic())
            deaths = deaths + 1 if time.monotonic() - began < _QUICK_DEATH_S else 0
            wait_s = _RESTART_AFTER_S[min(deaths, len(_RESTART_AFTER_S) - 1)]
            why = worker.failure or words_for(code)
            say("worker_died", level="error", worker=worker.index, exit_code=code, why=why, restart_in_s=wait_s)
            await asyncio.sleep(wait_s)

    def _choose_another_file(self, worker: WorkerHandle, *, is_taken: bool) -> None:
        """Give a worker another file when its own is damaged, or may be taken: what waits in a damaged one stays there.

        While a newer server takes over, a worker of the older one that begins anew chooses among the same free files.
        """
        try:
            if worker.outbox in self.damaged() or (is_taken and not self.folder.is_free(worker.outbox)):
                (worker.outbox,) = self.folder.free_names(1, besides=self._owned())
        except (OSError, OutboxError) as error:
            say("no_other_file", level="error", worker=worker.index, why=str(error))

    def damaged(self) -> list[str]:
        """The files that wait for a repair."""
        try:
            return self.folder.damaged()
        except OSError:
            return []

    async def _run_once(self, generation: Generation, worker: WorkerHandle) -> int:
        among = len(self.workers)

        def hear(message: Message) -> None:
            if message["do"] == "ready":
                self.somebody.set()
                if worker.link and among != len(self.workers):
                    worker.link.report({"do": "share", "among": len(self.workers)})
            elif message["do"] == "ending" and self.last_word:
                self.last_word(worker.pid, message)

        try:
            return await worker.run(self._order(generation.loaded, worker, among=among), self.listener, hear=hear)
        finally:
            if not any(other.ready.is_set() for other in self.workers):
                self.somebody.clear()

    def _order(self, loaded: Loaded, worker: WorkerHandle, *, among: int) -> Order:
        return Order(
            settings=loaded.text,
            path=str(loaded.path or ""),
            tokens=[destination.access_token.reveal() for destination in loaded.config.destinations],
            index=worker.index,
            workers=among,
            folder=str(self.folder.path),
            outbox=worker.outbox,
        )

    async def replace_frozen(self) -> None:
        """Kill a worker that answers nothing, so that another takes its place."""
        missed: dict[int, int] = {}
        while not self.stopping.is_set():
            await asyncio.sleep(_PING_EVERY_S)
            answered = {worker.pid for worker, _ in await self.ask_all("ping", within_s=_PONG_WITHIN_S)}
            for worker in self.workers:
                if worker.pid in answered or not worker.ready.is_set():
                    missed.pop(worker.pid, None)
                    continue
                missed[worker.pid] = missed.get(worker.pid, 0) + 1
                if missed[worker.pid] >= _MISSED_PINGS:
                    say("worker_frozen", level="error", worker=worker.index, pid=worker.pid)
                    missed.pop(worker.pid)
                    worker.send_signal(signal.SIGKILL)

    # Asking them.

    async def ask_all(
        self, do: str, *, within_s: float = _STATUS_WITHIN_S, **details: Any
    ) -> list[tuple[WorkerHandle, Message]]:
        """Ask every living worker; one that does not answer is left out."""

        async def ask(worker: WorkerHandle) -> Message | None:
            if worker.link is None or not worker.ready.is_set():
                return None
            try:
                return await worker.link.ask(do, within_s=within_s, **details)
            except (LinkClosedError, AskFailedError, TimeoutError):
                return None

        workers = self.workers
        answers = await asyncio.gather(*(ask(worker) for worker in workers))
        return [(worker, answer) for worker, answer in zip(workers, answers, strict=True) if answer is not None]

    # Files that nobody owns.

    def _owned(self) -> set[str]:
        """The files of those who stay; who leaves holds the lock of a file as long as it has it."""
        staying = [
            worker for generation in self._generations if not generation.leaving for worker in generation.workers
        ]
        return {name for worker in staying for name in (worker.outbox, *worker.adopted)}

    async def give_away_orphans(self) -> None:
        """Have files that nobody owns emptied by a living worker."""
        told = ""
        while not self.stopping.is_set():
            await asyncio.sleep(_ORPHANS_EVERY_S)
            try:
                async with self.adopting:
                    await self._give_away()
            except (OSError, OutboxError) as error:
                if str(error) != told:
                    say("outbox_folder_unreadable", level="error", folder=str(self.folder.path), why=str(error))
                told = str(error)
            else:
                told = ""

    async def _give_away(self) -> None:
        living = [worker for worker in self.now.workers if worker.ready.is_set()]
        for number, name in enumerate(sorted(set(self.folder.to_open()) - self._owned())):
            if living and self._is_free(name):
                await self._adopt(living[number % len(living)], name)

    def _is_free(self, name: str) -> bool:
        """Look whether a file may be taken; one that cannot be looked at keeps nobody from the others."""
        try:
            is_free = self.folder.is_free(name)
        except OutboxError as error:
            if self._unusable.get(name) != str(error):
                say("not_adopted", level="warning", outbox=name, why=str(error))
            self._unusable[name] = str(error)
            return False
        self._unusable.pop(name, None)
        return is_free

    async def _adopt(self, worker: WorkerHandle, name: str) -> None:
        try:
            answer = await worker.link.ask("adopt", outbox=name) if worker.link else {}
        except (LinkClosedError, AskFailedError, TimeoutError):
            return
        if answer.get("adopted"):
            worker.adopted.append(name)
        else:
            say("not_adopted", level="warning", outbox=name, why=answer.get("why"))

    async def let_go(self) -> None:
        """Have adopted files closed in which nothing waits, so that a newer worker can write to them."""
        for worker, _ in await self.ask_all("let_go"):
            worker.adopted = []  # asked again by the next look for orphans


def _may_start_yet(exit_code: int) -> bool:
    """Say whether a worker that did not start was kept from it by others: killed, or its file was just taken.

    >>> _may_start_yet(-9), _may_start_yet(EXIT_TEMPORARY), _may_start_yet(EXIT_SOFTWARE)
    (True, True, False)
    """
    return exit_code < 0 or exit_code == EXIT_TEMPORARY


def words_for(exit_code: int) -> str:
    """Name the signal that ended a process, if one did."""
    return f"ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else ""
