"""One worker process: it collects, stores in its own outbox file, and sends from it.

Run as ``python -m tikrelay.app.worker LINK_FD LISTEN_FD PARENT`` by the parent (``app/serve.py``), which tells it
over the link what to serve. Nothing is shared with other workers but the listening socket. The worker ends with its
parent: by the kernel's parent-death signal where there is one, and by the end of the link anywhere.
"""

import asyncio
import contextlib
import ctypes
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tikrelay.app.accept import Route, accept
from tikrelay.app.clock_watch import LOOK_EVERY_S, ClockWatch
from tikrelay.app.files import OwnFiles
from tikrelay.app.http_server import HttpServer
from tikrelay.app.link import Link, Message, Order
from tikrelay.app.live import LookLive
from tikrelay.app.load import Loaded, parse_settings
from tikrelay.app.lookout import Lookout
from tikrelay.app.tend import tend
from tikrelay.app.token import Token
from tikrelay.app.traces import MOST_PER_S, Traces
from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import EXIT_SOFTWARE, OutboxUnavailable, TikrelayError
from tikrelay.base.failpoints import passing
from tikrelay.base.happenings import Happening, InputTurnedAway, OutboxAdopted
from tikrelay.base.secret import Secret
from tikrelay.collect.config import LimitsConfig
from tikrelay.collect.cookies import CookieSetter
from tikrelay.collect.http import CollectApp
from tikrelay.event import Consent, Event, Json, Receipt
from tikrelay.mapping.config import ConsentRule, MappedDestination
from tikrelay.mapping.consent import may_set_cookie
from tikrelay.mapping.convert import Rules
from tikrelay.mapping.explain import FALLBACK_ID, explain
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Books
from tikrelay.send.rate_limit import RateLimiter
from tikrelay.send.worker import Sender
from tikrelay.tiktok.api import TikTokApi
from tikrelay.watch.log import configure_logs, log_defect, log_happening
from tikrelay.watch.meter import Meter
from tikrelay.watch.status import StoreStatus

_IDLE_CONNECTIONS_WITHIN_S: Final = 1.0
_BEGUN_BATCHES_WITHIN_S: Final = 8.0
_HEARD_AFTER_S: Final = 0.05  # until a last report is on its way
_PR_SET_PDEATHSIG: Final = 1


class Store:
    """One outbox file this worker owns, and the senders that empty it."""

    def __init__(self, path: Path, outbox: SqliteOutbox) -> None:
        self.path = path
        self.outbox = outbox
        self.senders: list[Sender] = []
        self.sending: asyncio.Task[None] | None = None


class Worker:
    """The parts of one worker, put together from a Config."""

    def __init__(self, order: Order, loaded: Loaded, listener: socket.socket) -> None:
        self.order = order
        self.among = order.workers
        self.config = config = loaded.config
        self.folder = loaded.folder
        self.listener = listener
        self.clock = SystemClock()
        self.meter = Meter()
        self.lookout = Lookout(clock=self.clock)
        self.routes = [
            Route(d.name, Rules.of(config.mapping, config.privacy, d, config.rules), d.max_waiting)
            for d in config.destinations
        ]
        self.consent_rules: list[ConsentRule] = [d.consent or config.privacy.consent for d in config.destinations]
        self.files = OwnFiles(Path(order.folder), config=config.outbox, clock=self.clock, emit=self.emit)
        self.stores: list[Store] = []
        self.limiters: dict[Secret, RateLimiter] = {}  # TikTok counts calls by token
        self.watching: list[asyncio.Task[None]] = []
        self.stopping = asyncio.Event()
        self.exit_code = 0

    def emit(self, happening: Happening) -> None:
        """Tell the listeners."""
        self.meter.listen(happening)
        self.lookout.listen(happening)
        log_happening(happening)

    async def run(self, ready: Callable[[], None]) -> int:
        """Serve until told to stop; returns the exit code."""
        async with TikTokApi(self.config.tiktok) as self.api:
            own = await self._open(Path(self.order.folder) / self.order.outbox)
            self.application = self._application(own.outbox)
            self.server = HttpServer(
                self.application, limits=self.config.limits, workers=self.order.workers, refused=self._refused_unread
            )
            serving = asyncio.create_task(self.server.serve_on(self.listener))
            serving.add_done_callback(lambda task: self._ended(task, where="server"))
            self.watching.append(asyncio.create_task(self._watch_store(own.outbox)))
            self.watching.append(asyncio.create_task(tend(self._watch_clock, where="clock")))
            await self.server.wait_started(serving)
            if serving.done():
                raise TikrelayError("the server did not start", hint="see the log lines before this one")
            ready()
            await self.stopping.wait()
            for watch in self.watching:
                watch.cancel()
            await self._drain(serving)
        return self.exit_code

    def _refused_unread(self, code: str) -> None:
        self.emit(InputTurnedAway(route="none", reason=code))

    def _own_limits(self) -> LimitsConfig:
        """What is shared out among workers: an address may meet any of them."""
        shared = self.config.limits.requests_per_address_per_s / self.order.workers
        return msgspec.structs.replace(self.config.limits, requests_per_address_per_s=shared)

    def _application(self, outbox: SqliteOutbox) -> CollectApp:
        most_traces = MOST_PER_S if self.config.outbox.keep_traces else 0
        traces = Traces(clock=self.clock, emit=self.emit, most_per_s=most_traces)

        async def take(events: Any) -> Receipt:
            return await accept(events, routes=self.routes, outbox=outbox, traces=traces, emit=self.emit)

        def show(event: Event) -> list[Json]:
            told = [one for route in self.routes for one in explain(event, route.rules, fallback_id=FALLBACK_ID)]
            # Strangers may ask: what conditions compare with is the operator's own.
            return [msgspec.to_builtins(msgspec.structs.replace(one, not_applied=())) for one in told]

        def cookie_allowed(consent: Consent) -> bool:
            own_rule = self.config.privacy.cookies
            return any(may_set_cookie(consent, rule, own_rule) for rule in self.consent_rules)

        return CollectApp(
            sources=self.config.sources,
            limits=self._own_limits(),
            trusted_proxies=self.config.server.trusted_proxies,
            accept=take,
            explain=show,
            cookies=CookieSetter(
                self.config.cookies, may_set=cookie_allowed, clock=self.clock, rng=random.SystemRandom()
            ),
            ready=lambda: outbox.ready and not self.stopping.is_set(),
            emit=self.emit,
            clock=self.clock,
        )

    async def _open(self, path: Path) -> Store:
        """Own a file and begin to send from it."""
        outbox = await self.files.open(path.name)
        store = Store(path, outbox)
        store.senders = [self._sender(destination, outbox) for destination in self.config.destinations]
        store.sending = asyncio.create_task(_run_all([sender.run for sender in store.senders]))
        store.sending.add_done_callback(lambda task: self._ended(task, where="sender"))
        self.stores.append(store)
        return store

    def _ended(self, task: asyncio.Task[None], *, where: str) -> None:
        """Server and senders end when they are told to; an error in one is a defect: a new process begins clean."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log_defect(error, where=where)
            self.stop(EXIT_SOFTWARE)

    def _share_of_the_rate(self) -> float:
        return self.config.send.max_requests_per_s / self.among

    def _sender(self, destination: MappedDestination, outbox: SqliteOutbox) -> Sender:
        token = destination.access_token
        limiter = self.limiters.get(token)
        if limiter is None:
            limiter = self.limiters[token] = RateLimiter(self._share_of_the_rate(), clock=self.clock)
        return Sender(
            outbox=outbox,
            destination=destination,
            token=Token(destination, folder=self.folder),
            api=self.api,
            limiter=limiter,
            config=self.config.send,
            clock=self.clock,
            rng=random.Random(),  # noqa: S311  spreads retries; guards nothing
            emit=self.emit,
        )

    async def _watch_store(self, outbox: SqliteOutbox) -> None:
        """After a failed write the file is opened anew by a new process, never written on."""
        await outbox.failed.wait()
        self.stop(EXIT_SOFTWARE)

    async def _watch_clock(self) -> None:
        """What waits keeps its age when the wall clock is set; the parent tells of it."""
        clock = ClockWatch(self.clock.now)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if by_s := clock.jumped_by():
                for store in list(self.stores):
                    with contextlib.suppress(OutboxUnavailable):
                        await store.outbox.shift(by_s)

    def stop(self, exit_code: int = 0) -> None:
        """Begin to drain."""
        self.exit_code = self.exit_code or exit_code
        self.stopping.set()

    async def _drain(self, serving: asyncio.Task[None]) -> None:
        """Answer begun requests, settle begun batches, let go of the files."""
        self.application.draining = True
        self.server.stop_accepting()
        await self.server.take_the_rest()
        passing("draining")
        halts = [asyncio.create_task(s.stop(_BEGUN_BATCHES_WITHIN_S)) for store in self.stores for s in store.senders]
        await self.server.wait_idle(within_s=_IDLE_CONNECTIONS_WITHIN_S)
        self.server.should_exit = True
        sending = [store.sending for store in self.stores if store.sending]
        await asyncio.gather(serving, *halts, *sending, return_exceptions=True)  # a defect was told when it came
        await self.files.close_all()

    # What the parent asks.

    async def answer(self, message: Message) -> Message | None:
        """Do what the parent asks."""
        table: dict[str, Callable[[Message], Awaitable[Message | None]]] = {
            "ping": self._pong,
            "status": self._status,
            "files": self.files.answer,
            "live": self._live,
            "adopt": self._adopt,
            "let_go": self._let_go,
            "share": self._share,
        }
        return await table[message["do"]](message)

    async def _pong(self, _: Message) -> Message:
        return {}

    async def _share(self, message: Message) -> Message:
        """Share the rate among more or fewer workers from now on."""
        self.among = message["among"]
        for limiter in self.limiters.values():
            limiter.allow(self._share_of_the_rate())
        return {}

    async def _status(self, _: Message) -> Message:
        stores = list(self.stores)  # one may be let go meanwhile
        books = [await store.outbox.books() for store in stores]
        states = {
            sender.name: {"state": sender.state, "reason": sender.reason}
            for store in reversed(stores)
            for sender in store.senders
        }
        return {
            "books": [_plain(book) for book in books],
            "destinations": states,
            "outboxes": [store.path.name for store in stores],
            "stores": [_health(store) for store in stores],
            "meter": self.meter.snapshot(),
        }

    async def _live(self, message: Message) -> Message:
        look = msgspec.convert(message["look"], LookLive)
        told = await self.lookout.tell(look, {store.path.name: store.outbox for store in self.stores})
        answer: Message = msgspec.to_builtins(told)
        return answer

    async def _adopt(self, message: Message) -> Message:
        """Take over a file that nobody owns."""
        try:
            store = await self._open(Path(self.order.folder) / message["outbox"])
        except TikrelayError as error:
            return {"adopted": False, "why": str(error)}
        self.watching.append(asyncio.create_task(self._watch_store(store.outbox)))
        books = await store.outbox.books()
        self.emit(OutboxAdopted(path=store.path.name, waiting=sum(books.waiting.values())))
        return {"adopted": True}

    async def _let_go(self, _: Message) -> Message:
        """Close adopted files in which nothing waits, so that a newer server can write to them."""
        for store in self.stores[1:]:
            if not sum((await store.outbox.books()).waiting.values()):
                await asyncio.gather(*(sender.stop(0) for sender in store.senders))
                if store.sending:
                    await store.sending
                await self.files.close(store.path.name)
                self.stores.remove(store)
        return {}


async def _run_all(runs: list[Callable[[], Awaitable[None]]]) -> None:
    async with asyncio.TaskGroup() as group:
        for run in runs:
            group.create_task(_as_coroutine(run))


async def _as_coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _health(store: Store) -> StoreStatus:
    why = store.outbox.why_not
    what, hint = (why.what, why.hint) if why else ("", "")
    return StoreStatus(outbox=store.path.name, ready=store.outbox.ready, what=what, hint=hint)


def _plain(books: Books) -> Message:
    """Write books as JSON can hold them: keys of several parts become lists."""
    return {
        "received": [[*key, count] for key, count in books.received.items()],
        "accepted": [[key, count] for key, count in books.accepted.items()],
        "waiting": [[key, count] for key, count in books.waiting.items()],
        "dead": [[*key, count] for key, count in books.dead.items()],
        "replayed": [[*key, count] for key, count in books.replayed.items()],
        "dropped": [[*key, count] for key, count in books.dropped.items()],
        "oldest_waiting": [[key, at] for key, at in books.oldest_waiting.items()],
    }


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when the parent dies (Linux); the end of the link does it elsewhere."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(EXIT_SOFTWARE)


async def _serve(link_end: socket.socket, listener: socket.socket) -> int:
    ordered: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
    worker: Worker | None = None

    async def handle(message: Message) -> Message | None:
        if message.get("do") == "serve":
            ordered.set_result(msgspec.convert(message["order"], Order))
            return None
        return await worker.answer(message) if worker else {}

    link = await Link.over(link_end, handle)
    reading = asyncio.create_task(link.run())
    reading.add_done_callback(_leave)
    order = await ordered
    try:
        path = Path(order.path) if order.path else None
        loaded = parse_settings(order.settings, path, os.environ, tokens=order.tokens)
        worker = Worker(order, loaded, listener)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        exit_code = await worker.run(ready=lambda: link.report({"do": "ready"}))
        last_word: Message = {"do": "ending", "meter": worker.meter.snapshot()}
    except TikrelayError as error:
        exit_code, last_word = error.exit_code, {"do": "failed", "what": str(error)}
    finally:
        reading.remove_done_callback(_leave)
    link.report(last_word)
    await asyncio.sleep(_HEARD_AFTER_S)
    return exit_code


def _leave(_: asyncio.Task[None]) -> None:
    """End at once when the parent is gone; all that was answered is on disk."""
    os._exit(EXIT_SOFTWARE)


def main(arguments: list[str]) -> int:
    """Run one worker; the arguments are the numbers of the two inherited sockets and of the parent process."""
    link_fd, listen_fd, parent = (int(argument) for argument in arguments)
    _die_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent's to handle
    os.umask(0o077)
    configure_logs()
    import uvloop

    return uvloop.run(_serve(socket.socket(fileno=link_fd), socket.socket(fileno=listen_fd)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
