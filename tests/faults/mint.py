"""What an event looks like on its way in, and what must arrive of it: both follow from its id alone.

An id is ``RUN-NUMBER-TIME-KIND``; its kind says what must become of it (``KINDS``).
"""

import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

PAGE = "https://shop.example/products?utm_source=oracle"
AGENT = "Mozilla/5.0 (oracle)"
SPOILT = "refused by the oracle's script"
"""The description of an event that TikTok's end is told to refuse."""

GOOD, BAD, IGNORED, DENIED = KINDS = ("g", "b", "i", "d")  # delivered, a dead letter, dropped by name, by consent
NAMES = (("add_to_cart", "AddToCart"), ("view_item", "ViewContent"), ("begin_checkout", "InitiateCheckout"))


@dataclass(frozen=True)
class Request:
    """One request, and the events it carries."""

    route: str
    method: str
    target: str
    ids: tuple[str, ...]
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def kind_of(event_id: str) -> str:
    return event_id.rpartition("-")[2]


def expected(event_id: str) -> dict[str, Any]:
    """The event TikTok must get, whole."""
    value, quantity, name = _drawn(event_id)
    content = {"content_id": f"SKU-{event_id}", "content_type": "product", "price": value, "quantity": quantity}
    spoilt = {"description": SPOILT} if kind_of(event_id) == BAD else {}
    return {
        "event": name[1],
        "event_time": _time(event_id),
        "event_id": event_id,
        "user": {"email": hashlib.sha256(_email(event_id).encode()).hexdigest(), "user_agent": AGENT},
        "page": {"url": PAGE},
        "properties": {
            "contents": [content],
            "content_type": "product",
            "content_ids": [f"SKU-{event_id}"],
            "num_items": quantity,
            "currency": "EUR",
            "value": value,
            **spoilt,
        },
    }


def _drawn(event_id: str) -> tuple[int, int, tuple[str, str]]:
    digest = hashlib.sha256(event_id.encode()).digest()
    return digest[0] + 1, digest[1] % 5 + 1, NAMES[digest[2] % len(NAMES)]


def _time(event_id: str) -> int:
    return int(event_id.split("-")[2])


def _email(event_id: str) -> str:
    return f"{event_id}@shop.example"


def _ga4_name(event_id: str) -> str:
    return "user_engagement" if kind_of(event_id) == IGNORED else _drawn(event_id)[2][0]


# How each source writes an event.


def _line(event_id: str) -> dict[str, str]:
    value, quantity, _ = _drawn(event_id)
    spoilt = {"ep.x-ttq-pt-description": SPOILT} if kind_of(event_id) == BAD else {}
    return {
        "en": _ga4_name(event_id),
        "ep.event_id": event_id,
        "ep.x-ttq-timestamp": str(_time(event_id)),
        "epn.value": str(value),
        "cu": "EUR",
        "pr1": f"idSKU-{event_id}~pr{value}~qt{quantity}",
        "ep.user_data.email": _email(event_id),
        **spoilt,
    }


def _params(event_id: str) -> dict[str, Any]:
    value, quantity, _ = _drawn(event_id)
    spoilt = {"x-ttq-pt-description": SPOILT} if kind_of(event_id) == BAD else {}
    return {
        "event_id": event_id,
        "x-ttq-timestamp": _time(event_id),
        "value": value,
        "currency": "EUR",
        "items": [{"item_id": f"SKU-{event_id}", "price": value, "quantity": quantity}],
        "user_data": {"email": _email(event_id)},
        "page_location": PAGE,
        "user_agent": AGENT,
        **spoilt,
    }


def _flat(event_id: str) -> dict[str, Any]:
    params = _params(event_id)
    (item,) = params.pop("items")
    del params["user_data"]
    contents = [{"content_id": item["item_id"], "price": item["price"], "quantity": item["quantity"]}]
    named = {"event_name": _ga4_name(event_id), "email": _email(event_id)}
    return {**params, **named, "x-ttq-pt-contents": json.dumps(contents)}


# The routes. Each takes the ids of one request and writes it.


def _hit(ids: list[str], *, denied: bool, **more: str) -> str:
    consent = {"gcs": "G100"} if denied else {"gcs": "G111"}
    return urlencode(
        {"v": "2", "tid": "G-ORACLE0001", "cid": "1.2", "_p": "1", "_s": "1", "dl": PAGE, **consent, **more}
    )


def _hit_get(ids: list[str], *, denied: bool) -> Request:
    target = f"/g/collect?{_hit(ids, denied=denied, **_line(ids[0]))}"
    return Request("hit", "GET", target, tuple(ids[:1]), headers={"Origin": "https://shop.example"})


def _image(ids: list[str], *, denied: bool) -> Request:
    target = f"/metrics/g/collect?{_hit(ids, denied=denied, **_line(ids[0]))}"
    return Request("image", "GET", target, tuple(ids[:1]), headers={"Sec-Fetch-Dest": "image"})


def _beacon(ids: list[str], *, denied: bool) -> Request:
    target = f"/g/collect?{_hit(ids, denied=denied, **_line(ids[0]))}"
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Sec-Fetch-Mode": "no-cors"}
    return Request("beacon", "POST", target, tuple(ids[:1]), headers=headers)


def _hit_batch(ids: list[str], *, denied: bool) -> Request:
    body = "\r\n".join(urlencode(_line(event_id)) for event_id in ids).encode()
    return Request("hit_batch", "POST", f"/g/collect?{_hit(ids, denied=denied)}", tuple(ids), body)


def _measurement_protocol(ids: list[str], *, denied: bool) -> Request:
    events = [{"name": _ga4_name(event_id), "params": _params(event_id)} for event_id in ids[:25]]
    consent = {"consent": {"ad_user_data": "DENIED", "ad_personalization": "DENIED"}} if denied else {}
    body = json.dumps({"client_id": "1.2", "events": events, **consent}).encode()
    return Request("mp", "POST", "/mp/collect?measurement_id=G-ORACLE0001&api_secret=x", tuple(ids[:25]), body)


def _data_objects(ids: list[str]) -> list[dict[str, Any]]:
    return [{"event_name": _ga4_name(event_id), **_params(event_id)} for event_id in ids]


def _data_json(ids: list[str], *, denied: bool) -> Request:
    objects = _data_objects(ids)
    body = json.dumps(objects if len(ids) > 1 else objects[0]).encode()
    return Request("data_json", "POST", "/data", tuple(ids), body, {"Content-Type": "application/json"})


def _data_lines(ids: list[str], *, denied: bool) -> Request:
    body = "\n".join(map(json.dumps, _data_objects(ids))).encode()
    return Request("data_ndjson", "POST", "/data", tuple(ids), body, {"Content-Type": "application/x-ndjson"})


def _data_form(ids: list[str], *, denied: bool) -> Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request("data_form", "POST", "/data", tuple(ids[:1]), urlencode(_flat(ids[0])).encode(), headers)


def _data_query(ids: list[str], *, denied: bool) -> Request:
    return Request("data_query", "GET", f"/data?{urlencode(_flat(ids[0]))}", tuple(ids[:1]))


ROUTES = (
    _hit_get, _image, _beacon, _hit_batch, _measurement_protocol, _data_json, _data_lines, _data_form, _data_query,
)  # fmt: skip
KNOW_CONSENT = (_hit_get, _image, _beacon, _hit_batch, _measurement_protocol)
IGNORED_SHARE, DENIED_SHARE, BAD_SHARE = 0.08, 0.03, 0.004


class Mint:
    """Makes requests; two mints of one run and seed make the same ones, but for the time."""

    def __init__(self, run: str, seed: int) -> None:
        self.run = run
        self.rng = random.Random(seed)
        self.issued = 0

    def request(self, *, most: int, now: float) -> Request:
        """The next request, with up to ``most`` events; ``now`` is the time of its events."""
        denied = self.rng.random() < DENIED_SHARE
        write = self.rng.choice(KNOW_CONSENT if denied else ROUTES)
        count = self.rng.choice((1, 1, self.rng.randint(1, most)))
        return write([self._id(now, denied=denied) for _ in range(count)], denied=denied)

    def good_request(self, now: float) -> Request:
        """A request with one event that must be delivered."""
        return _data_json([self.good_id(now)], denied=False)

    def good_id(self, now: float) -> str:
        """The next id, of an event that must be delivered."""
        self.issued += 1
        return f"{self.run}-{self.issued}-{int(now)}-{GOOD}"

    def _id(self, now: float, *, denied: bool) -> str:
        draw = self.rng.random()
        kind = GOOD if draw > BAD_SHARE + IGNORED_SHARE else (BAD if draw < BAD_SHARE else IGNORED)
        self.issued += 1
        return f"{self.run}-{self.issued}-{int(now)}-{DENIED if denied else kind}"
