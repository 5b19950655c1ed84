"""A hundred thousand events of mixed fate in an outbox, as a shop's ten days leave them: for tests, pictures and hands.

``PYTHONPATH=src:tests .venv/bin/python -m browser.seed`` seeds a temporary folder, starts a server on it with the
sandbox in TikTok's place, and prints where its console is.

Some hundred events of each name are mapped as the server maps them; the rest are their copies, with an id and a time of
their own. Those of the last hours are no copies, so they keep their traces.
"""

import asyncio
import itertools
import random
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from clocks import HandTurnedClock
from harness import PIXEL, Gateway, Sandbox
from tikrelay.app.accept import Route, accept
from tikrelay.app.hits.request import Request, read_request
from tikrelay.app.traces import Traces
from tikrelay.base.happenings import silent
from tikrelay.event import DestinationName, DropReason, Event, EventId
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.rules import Rules
from tikrelay.outbox.figures import MARKS
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Drop, Outcome, Record, Retention, RetryAt

EVENTS: Final = 100_000
FEW: Final = 6_000
"""Enough for each page to have something to say."""

DAYS: Final = 10
ORDER: Final = "R-1001"
REFUSED_PRODUCT: Final = "SKU-13"
REFUSED_ORDERS: Final = 41
WHY_REFUSED: Final = "Batch.0.properties.contents.0.price: Not a valid value"
LOST_EMAILS: Final = "CompleteRegistration"
LOST_DAYS: Final = 4
SHOP, OUTLET = DestinationName("shop"), DestinationName("outlet")
OUTLET_PIXEL: Final = "C0EXAMPLE0000000002"
DESTINATIONS: Final = [{}, {"name": OUTLET, "event_source_id": OUTLET_PIXEL, "hosts": ["outlet.example"]}]
BEHIND_A_PROXY: Final = {"trusted_proxies": ["127.0.0.0/8"]}
KEEPS: Final = {"keep_delivered": "30d", "keep_delivered_events": 2 * EVENTS}

_KEPT: Final = Retention(delivered_s=30 * 86400.0, delivered_events=2 * EVENTS)
_RULES: Final = Rules.of(MappingConfig(), PrivacyConfig(), MappedDestination(event_source_id=PIXEL))
_HOUR_S: Final = 3600
_POOL: Final = 120
_AT_ONCE: Final = 1000
_EMAIL: Final = 1 << MARKS.index("email")
_OWN_HOURS: Final = 2
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
_SITES: Final = ("shop.example", "shop.example", "shop.example", "outlet.example", "m.shop.example")
_PRODUCTS: Final = ("Mug", "Bowl", "Green tea", "Teapot", "Whisk", "Kettle", "Tray", "Cup", "Jar", "Spoon", "Strainer")


class Kind(NamedTuple):
    """How often a GA4 event comes, how many of its senders give an e-mail address, and how many products it has."""

    weight: int
    email: float
    products: int = 0


KINDS: Final = {
    "page_view": Kind(530, 0.22),
    "view_item": Kind(210, 0.24, 1),
    "search": Kind(40, 0.2),
    "add_to_cart": Kind(80, 0.35, 1),
    "begin_checkout": Kind(42, 0.6, 2),
    "add_payment_info": Kind(32, 0.85, 2),
    "purchase": Kind(30, 0.92, 2),
    "sign_up": Kind(30, 0.88),
    "wishlist_opened": Kind(6, 0.3),
}

# What some events die of, besides the orders of REFUSED_PRODUCT; how many of them, and under which names.
_DEATHS: Final = (
    (17, "ViewContent", Dead(DeadReason.REFUSED, 40002, "Batch.0.properties.currency: Not a valid value")),
    (9, "Search", Dead(DeadReason.UNKNOWN_ANSWER, 48123, "Something new happened")),
    (6, "AddToCart", Dead(DeadReason.MAYBE_DELIVERED)),
    (5, "PageView", Dead(DeadReason.TOO_OLD)),
    (3, "InitiateCheckout", Dead(DeadReason.PARTIAL, 20001, "Partially succeeded.")),
)
_DROPS: Final = (
    ("scroll", DropReason.NO_MAPPING, 30),
    ("user_engagement", DropReason.NO_MAPPING, 55),
    ("page_view", DropReason.CONSENT_DENIED, 24),
    ("purchase", DropReason.CONSENT_DENIED, 1),
    ("add_to_cart", DropReason.BY_RULE, 2),
)


async def seed(path: Path, *, now: float, events: int = EVENTS, number: int = 1) -> None:
    """Write an outbox file in which so many events came within ten days, until ``now`` (Unix seconds)."""
    await Seeding(now=now, events=events, chance=random.Random(number)).write(path)


class _Catcher:
    """Takes what ``accept`` would store."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def put(self, records: list[Record], _: list[Drop]) -> None:
        self.records += records

    def waiting(self, _: DestinationName) -> int:
        return 0


async def records_of(events: Sequence[Event], *, to: DestinationName, clock: HandTurnedClock) -> list[Record]:
    """Map events as the server does; every one has a trace."""
    catcher: Any = _Catcher()
    traces = Traces(clock=clock, emit=silent, most_per_s=len(events))
    await accept(events, routes=[Route(to, _RULES)], outbox=catcher, traces=traces, emit=silent)
    return catcher.records


class Seeding:
    """One run: what came hour by hour, and what became of it."""

    def __init__(self, *, now: float, events: int, chance: random.Random) -> None:
        self.now, self.events, self.chance = now, events, chance
        self.clock = HandTurnedClock()
        self.clock.time = now
        self.fates: dict[str, Outcome] = {}
        self.numbers = itertools.count(1)

    async def write(self, path: Path) -> None:
        """Write the file."""
        self.clock.time = self.now - DAYS * 86400
        outbox = await SqliteOutbox.open(path, clock=self.clock, emit=silent, retention=_KEPT)
        pools = {name: await self._pool(name) for name in KINDS}
        hours = DAYS * 24
        shares = list(self._shares(hours))
        for place in range(hours):
            self.clock.time = self.now - (hours - place) * _HOUR_S
            is_lost = place >= hours - LOST_DAYS * 24
            count = shares[place]
            names = self.chance.choices(list(KINDS), [kind.weight for kind in KINDS.values()], k=count)
            own = place >= hours - _OWN_HOURS
            made = [
                await self._own(name, is_lost=is_lost)
                if own
                else self._copy(self.chance.choice(pools[name]), is_lost=is_lost)
                for name in names
            ]
            special = await self._special(place, hours)
            await self._store(outbox, [*made, *special], self._drops(count))
        await outbox.close()

    def _shares(self, hours: int) -> Iterator[int]:
        """How many events come in each hour: more by day than by night, and all in all as many as wanted."""
        weights = [1.0 + 0.8 * (8 <= (place + 4) % 24 <= 22) + self.chance.random() / 4 for place in range(hours)]
        ends = [round(self.events * part / sum(weights)) for part in itertools.accumulate(weights)]
        yield from (end - begin for begin, end in itertools.pairwise([0, *ends]))

    # What comes.

    async def _pool(self, name: str) -> list[Record]:
        return [await self._own(name, is_lost=False) for _ in range(min(_POOL, 1 + self.events // 800))]

    async def _own(self, name: str, *, is_lost: bool, to: DestinationName = SHOP, **more: str) -> Record:
        """One event as the server makes it of a hit."""
        url, headers = self.hit(name, is_lost=is_lost, **more)
        found = read_request(Request(url=url, headers=headers), received_at=self.clock.now())
        (record,) = await records_of(found.events, to=to, clock=self.clock)
        return record

    def hit(self, name: str, *, is_lost: bool, **more: str) -> tuple[str, dict[str, str]]:
        """A hit of a visitor of the shop, as gtag sends it, and the headers that come with it."""
        chance, kind, count = self.chance, KINDS[name], next(self.numbers)
        click = f"ttclid=E.C.P.{chance.getrandbits(60):x}&" if chance.random() < 0.3 else ""
        page = f"https://{chance.choice(_SITES)}/{name.replace('_', '-')}?{click}utm_source=tiktok"
        hit = {
            "v": "2", "tid": "G-SHOP000001", "cid": f"{chance.getrandbits(31)}.{count}", "_p": str(count), "_s": "1",
            "sid": "1795312000", "dl": page, "dr": "https://shop.example/", "ul": "de-de", "gcs": "G111", "en": name,
        }  # fmt: skip
        if chance.random() < kind.email and not self._is_without_email(name, is_lost=is_lost):
            hit["ep.user_data.email"] = f"somebody-{chance.randrange(9000)}@shop.example"
        if chance.random() < kind.email / 2:
            hit["uid"] = f"C-{chance.randrange(9000)}"
        if name == "search":
            hit["ep.search_term"] = chance.choice(_PRODUCTS).lower()
        value = 0.0
        for place in range(1, kind.products + 1):
            product, price = chance.randrange(len(_PRODUCTS)), chance.randrange(4, 40) + 0.5
            value += price
            hit[f"pr{place}"] = f"idSKU-{20 + product}~nm{_PRODUCTS[product]}~caKitchen~pr{price}~qt1"
        if value:
            hit.update({"cu": "EUR", "epn.value": f"{value:.2f}"})
        if name in {"purchase", "begin_checkout"}:
            hit["ep.transaction_id"] = f"R-{20_000 + count}"
        cookies = {"Cookie": f"_ttp=01JQ7Z{count:020X}"} if chance.random() < 0.7 else {}
        address = {"X-Forwarded-For": f"8.8.{chance.randrange(256)}.{chance.randrange(1, 255)}"}
        return f"/g/collect?{urllib.parse.urlencode({**hit, **more})}", {"User-Agent": _AGENT, **address, **cookies}

    def _copy(self, record: Record, *, is_lost: bool) -> Record:
        """The same event from another visit: its own id, now; nobody kept how it came about."""
        event_id = f"{self.chance.getrandbits(128):032x}"
        if record.name == "purchase":
            event_id = f"R-{20_000 + next(self.numbers)}"
        body: dict[str, Any] = msgspec.json.decode(record.body)
        body |= {"event_id": event_id, "event_time": int(self.clock.now())}
        marks = record.marks
        if self._is_without_email(record.name, is_lost=is_lost):
            body["user"].pop("email", None)
            marks &= ~_EMAIL
        return msgspec.structs.replace(
            record,
            event_id=EventId(event_id),
            body=msgspec.json.encode(body),
            marks=marks,
            trace=b"",
            destination=self._to(),
        )

    def _is_without_email(self, name: str, *, is_lost: bool) -> bool:
        """Say whether the release lost an event's e-mail address."""
        return is_lost and name == "sign_up" and self.chance.random() < 0.95

    def _to(self) -> DestinationName:
        return OUTLET if self.chance.random() < 0.06 else SHOP

    async def _special(self, place: int, hours: int) -> list[Record]:
        """What tests look for: an order, a refused product, ids that repeat, and what waits."""
        left = hours - place
        special: list[Record] = []
        if left == 20:
            special.append(await self._purchase(ORDER))
        first, last = (round(REFUSED_ORDERS * part / 48) for part in (max(0, 50 - left - 1), max(0, 50 - left)))
        for order in range(first, min(last, REFUSED_ORDERS)):
            event_id = f"R-13{order:03}"
            special.append(await self._purchase(event_id, product=REFUSED_PRODUCT))
            self.fates[event_id] = Dead(DeadReason.REFUSED, 40002, WHY_REFUSED, request_id_of(self.chance))
        if left in {3, 5, 9}:
            twice = await self._purchase(f"R-9{place}")
            spelled = await self._purchase(f"W-{place}a"), await self._purchase(f"w-{place}A")
            special += [twice, twice, *spelled]
        if left == 1:
            waits = [await self._own("view_item", is_lost=True, to=OUTLET) for _ in range(60)]
            self.fates |= {one.event_id: RetryAt(self.now + _HOUR_S) for one in waits}
            special += waits
        return special

    async def _purchase(self, order: str, *, product: str = "SKU-21") -> Record:
        item = f"id{product}~nmTeapot~caKitchen~pr19.5~qt2"
        more = {"pr1": item, "pr2": "idSKU-25~nmKettle~caKitchen~pr21~qt1", "epn.value": "60.00"}
        person = {"ep.user_data.email": "ann@shop.example", "uid": "C-77"}
        return await self._own("purchase", is_lost=False, **{"ep.transaction_id": order, **more, **person})

    def _drops(self, count: int) -> list[Drop]:
        return [
            Drop(destination=SHOP, source="ga4_web", name=name, reason=reason)
            for name, reason, per_thousand in _DROPS
            for _ in range(round(count * per_thousand / 1000))
        ]

    # What becomes of it.

    async def _store(self, outbox: SqliteOutbox, records: list[Record], drops: list[Drop]) -> None:
        await outbox.put(records, drops)
        self._doom(records)
        self.clock.time += 1
        for destination in {record.destination for record in records}:
            while await self._settle(outbox, destination) == _AT_ONCE:
                pass

    def _doom(self, records: list[Record]) -> None:
        """Let some die of other things."""
        for count, event, death in _DEATHS:
            mine = [record for record in records if record.event == event and record.event_id not in self.fates]
            if mine and self.chance.random() < count / (DAYS * 24) * 1.2:
                request_id = request_id_of(self.chance) if death.code else ""
                self.fates[mine[0].event_id] = msgspec.structs.replace(death, request_id=request_id)

    async def _settle(self, outbox: SqliteOutbox, destination: DestinationName) -> int:
        lease = await outbox.lease(destination, most=_AT_ONCE, max_bytes=1 << 30, now=self.clock.now())
        if not lease.events:
            return 0
        outcomes = [self.fates.get(leased.event_id, Accepted()) for leased in lease.events]
        taken = tuple(e.key for e, one in zip(lease.events, outcomes, strict=True) if isinstance(one, Accepted))
        seconds = 0.08 + self.chance.random() / 8
        at = {"began_at": self.clock.now(), "seconds": seconds, "status": 200}
        accepted = Call(
            keys=taken, outcome="accepted", code=0, message="OK", request_id=request_id_of(self.chance), **at
        )
        refused = [
            Call(
                keys=(leased.key,), events=1, outcome="refused", code=one.code, message=one.message,
                request_id=one.request_id, **at,
            )
            for leased, one in zip(lease.events, outcomes, strict=True)
            if isinstance(one, Dead) and one.code is not None
        ]  # fmt: skip
        await outbox.settle(lease, outcomes, [*([accepted] if taken else []), *refused])
        return len(lease.events)


def request_id_of(chance: random.Random) -> str:
    """An id such as TikTok's answers bear."""
    return f"20261124{chance.getrandbits(104):026X}"[:34]


def serve_seeded(folder: Path, sandbox: Sandbox, *, events: int = EVENTS) -> Gateway:
    """Seed a folder and start a server on it. The outlet's token is refused, so what is for it waits."""
    sandbox.fault("revoke", event_source_id=OUTLET_PIXEL)
    destinations = [dict(one) for one in DESTINATIONS]
    gateway = Gateway(folder / "gateway", sandbox.url, destinations=destinations, outbox=KEEPS, server=BEHIND_A_PROXY)
    gateway.outbox.mkdir(mode=0o700)
    asyncio.run(seed(gateway.outbox / "outbox-000.db", now=time.time(), events=events))
    return gateway.start()


def main() -> int:
    """Serve until the terminal says stop."""
    with tempfile.TemporaryDirectory() as name:
        sandbox = Sandbox(Path(name))
        began = time.monotonic()
        try:
            gateway = serve_seeded(Path(name), sandbox)
            print(f"seeded and started in {time.monotonic() - began:.1f} s: {gateway.admin_url}", flush=True)
            gateway.process.popen.wait()
        except KeyboardInterrupt:
            pass
        finally:
            gateway.close()
            sandbox.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
