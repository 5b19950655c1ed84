"""One alarm posted to the address the operator named; whatever that does, nothing waits for it.

The address is a secret: what is logged names neither it nor its host.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final

import msgspec

from tikrelay.base.clock import Clock
from tikrelay.base.happenings import AlarmPosted, Emit
from tikrelay.base.secret import Secret
from tikrelay.watch.alarms import Told
from tikrelay.watch.log import say

_WITHIN_S: Final = 10.0
_TRY_AGAIN_AFTER_S: Final = (5.0, 30.0)
_MOST_WAITING: Final = 100
_BEGINS: Final = {"begun": "", "goes on": "still: "}


class Webhook:
    """Posts alarms, one after the other."""

    def __init__(self, address: Callable[[], Secret], *, clock: Clock, emit: Emit) -> None:
        self._address = address
        self._clock = clock
        self._emit = emit
        self._waiting: asyncio.Queue[Told] = asyncio.Queue(_MOST_WAITING)

    def tell(self, told: Told) -> None:
        """Have an alarm posted soon; returns at once."""
        if not self._address():
            return
        if self._waiting.full():
            self._emit(AlarmPosted(outcome="failed"))
            return
        self._waiting.put_nowait(told)

    async def run(self) -> None:
        """Post what is to be told, until cancelled."""
        while True:
            told = await self._waiting.get()
            why = await self._post_until_taken(body_of(told, host=socket.gethostname()))
            if why:
                hint = "look whether the address of alarms.webhook is right and answers with 2xx"
                say("alarm_not_sent", level="error", kind=told.trouble.kind, state=told.state, why=why, hint=hint)
            self._emit(AlarmPosted(outcome="failed" if why else "sent"))

    async def _post_until_taken(self, body: bytes) -> str:
        for pause_s in (*_TRY_AGAIN_AFTER_S, None):
            why = await post(self._address(), body)
            if not why or pause_s is None:
                return why
            await self._clock.sleep(pause_s)
        raise AssertionError("the last pause is None")


def body_of(told: Told, *, host: str) -> bytes:
    """Write an alarm as JSON; ``text`` is what chat programs show."""
    trouble = told.trouble
    text = f"ended: {f'{trouble.kind} {trouble.about}'.strip()}."  # what it said is so no more
    if told.state != "ended":
        text = f"{_BEGINS[told.state]}{trouble.what}. What to do: {trouble.hint}."
    return msgspec.json.encode(
        {
            "text": f"tikrelay on {host}, {text}",
            "kind": trouble.kind,
            "about": trouble.about,
            "level": trouble.level,
            "state": told.state,
            "host": host,
        }
    )


async def post(address: Secret, body: bytes) -> str:
    """Post once; returns nothing, or why it was not taken, in words that do not name the address."""
    import aiohttp  # the parent process does without it until there is an alarm

    tls = ssl.create_default_context()
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls),
                timeout=aiohttp.ClientTimeout(total=_WITHIN_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"User-Agent": "tikrelay", "Content-Type": "application/json"},
            ) as session,
            session.post(address.reveal(), data=body, allow_redirects=False) as answer,
        ):
            return "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"
    except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: also TimeoutError and what TLS refuses
        return type(error).__name__
