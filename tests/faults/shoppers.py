"""Shoppers: mint event ids, send them by every route, and write down which were answered 2xx.

What an event must look like at TikTok's end follows from its id alone (``expected``), so that a changed event is seen.
An id is written down as acknowledged only after the whole answer was read; what ended in an error is kept apart,
because such an event may or may not have been stored.
"""

import asyncio
import contextlib
import itertools
import random
from dataclasses import dataclass, field

import aiohttp

TRIES_WITHIN_S = 20.0


def value_of(event_id: str) -> int:
    """The price that belongs to an id."""
    return int(event_id.rpartition("-")[2]) % 997 + 1


def expected(event_id: str) -> dict[str, object]:
    """What of an event must arrive, whatever happened on the way."""
    return {"event": "AddToCart", "event_id": event_id, "value": value_of(event_id), "content_ids": [f"SKU-{event_id}"]}


def arrived(event: dict) -> dict[str, object]:
    """The same of an event that did arrive."""
    properties = event["properties"]
    return {
        "event": event["event"],
        "event_id": event["event_id"],
        "value": properties["value"],
        "content_ids": properties["content_ids"],
    }


@dataclass
class Shoppers:
    """Concurrent senders against one address."""

    url: str
    seed: int
    acknowledged: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    refused: int = 0
    connection_errors: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.numbers = itertools.count()

    async def shop(self, *, seconds: float, shoppers: int = 8) -> None:
        """Send until the time is up."""
        deadline = asyncio.get_running_loop().time() + seconds
        timeout = aiohttp.ClientTimeout(total=TRIES_WITHIN_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            session._retry_connection = False  # else a GET is sent twice in silence, and gets another time of receipt
            for _ in range(shoppers):
                group.create_task(self._one(session, deadline))

    async def _one(self, session: aiohttp.ClientSession, deadline: float) -> None:
        send = [self._hit, self._batch, self._measurement_protocol, self._event_data]
        while asyncio.get_running_loop().time() < deadline:
            ids = [f"s{self.seed}-{next(self.numbers)}" for _ in range(self.rng.choice((1, 1, 3)))]
            try:
                status = await self.rng.choice(send)(session, ids)
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                self.unsure.update(ids)
                self.connection_errors += 1
                await asyncio.sleep(0.02)
                continue
            if 200 <= status < 300:
                self.acknowledged.update(ids)
            else:
                self.refused += 1
                self.unsure.update(ids)

    async def _hit(self, session: aiohttp.ClientSession, ids: list[str]) -> int:
        """One GET after the other, as a page sends them; the last status counts for all."""
        worst = 204
        for event_id in ids:
            query = {"v": "2", "tid": "G-FAULTS", "cid": "1.2", "_p": "1", "_s": "1", **line_of(event_id)}
            async with session.get(f"{self.url}/g/collect", params=query) as answer:
                await answer.read()
                worst = max(worst, answer.status)
        return worst

    async def _batch(self, session: aiohttp.ClientSession, ids: list[str]) -> int:
        from urllib.parse import urlencode

        body = "\r\n".join(urlencode(line_of(event_id)) for event_id in ids)
        query = {"v": "2", "tid": "G-FAULTS", "cid": "1.2", "_p": "1", "_s": "1"}
        async with session.post(f"{self.url}/metrics/g/collect", params=query, data=body) as answer:
            await answer.read()
            return answer.status

    async def _measurement_protocol(self, session: aiohttp.ClientSession, ids: list[str]) -> int:
        events = [{"name": "add_to_cart", "params": params_of(event_id)} for event_id in ids]
        query = {"measurement_id": "G-FAULTS", "api_secret": "x"}
        async with session.post(
            f"{self.url}/mp/collect", params=query, json={"client_id": "1.2", "events": events}
        ) as answer:
            await answer.read()
            return answer.status

    async def _event_data(self, session: aiohttp.ClientSession, ids: list[str]) -> int:
        events = [{"x-ttq-event-name": "AddToCart", **params_of(event_id)} for event_id in ids]
        async with session.post(f"{self.url}/data", json=events) as answer:
            await answer.read()
            return answer.status


def line_of(event_id: str) -> dict[str, str]:
    """One event as gtag writes it."""
    return {
        "en": "add_to_cart",
        "ep.event_id": event_id,
        "epn.value": str(value_of(event_id)),
        "cu": "EUR",
        "pr1": f"idSKU-{event_id}~pr{value_of(event_id)}~qt1",
        "ep.user_data.email": f"{event_id}@shop.example",
    }


def params_of(event_id: str) -> dict[str, object]:
    """One event as a server writes it."""
    return {
        "event_id": event_id,
        "value": value_of(event_id),
        "currency": "EUR",
        "items": [{"item_id": f"SKU-{event_id}", "price": value_of(event_id), "quantity": 1}],
    }


async def poll(ask, *, within_s: float, every_s: float = 0.1):
    """Ask until the answer is truthy; returns the last answer."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        with contextlib.suppress(OSError, aiohttp.ClientError):
            if (answer := await asyncio.to_thread(ask)) or asyncio.get_running_loop().time() > deadline:
                return answer
        if asyncio.get_running_loop().time() > deadline:
            return None
        await asyncio.sleep(every_s)
