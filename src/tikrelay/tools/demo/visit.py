"""What the demo's shopper does: the requests real clients send, in the order of a visit."""

import json
from typing import Final
from urllib.parse import urlencode

import msgspec

AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_ADDRESS: Final = "8.8.8.8"  # a public address that is nobody's at home
_PAGE: Final = {"v": "2", "tid": "G-DEMO000001", "cid": "1852.1795", "sid": "1795312000", "_p": "1795312000123"}
_JSON: Final = {"Content-Type": "application/json"}
REFUSED_ID: Final = "R-1005"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and the TikTok events it must become, in order. ``dropped`` events are counted and not sent."""

    title: str
    method: str
    path: str
    body: str = ""
    headers: dict[str, str] = {}
    becomes: tuple[str, ...]
    dropped: int = 0


def _hit(number: int, page: str, **more: str) -> str:
    """A query as gtag.js writes it towards a server container; its last parameter has no value."""
    parameters = {**_PAGE, "_s": str(number), "dl": f"https://shop.example{page}", "ul": "en-gb", **_named(more)}
    return f"/g/collect?{urlencode(parameters)}&richsstsse"


def _named(given: dict[str, str]) -> dict[str, str]:
    """Python's names for the protocol's: ``ep__value`` is ``ep.value``."""
    return {name.replace("__", "."): value for name, value in given.items()}


def _browser() -> dict[str, str]:
    return {"User-Agent": AGENT, "Origin": "https://shop.example", "X-Forwarded-For": _ADDRESS}


def _lines(*events: dict[str, str]) -> str:
    """A batch: one line an event, parted by CRLF."""
    return "\r\n".join(urlencode(_named(event)) for event in events)


VISIT: Final = (
    Step(
        title="A visitor lands from a TikTok ad",
        method="GET",
        path=_hit(1, "/?ttclid=E.C.P.demo-click&utm_source=tiktok", en="page_view"),
        headers=_browser(),
        becomes=("PageView",),
    ),
    Step(
        title="looks at a mug",
        method="GET",
        path=_hit(2, "/p/mug", en="view_item", cu="EUR", epn__value="9.5",
                  pr1="idSKU-1~nmMug~brClay & Co~caKitchen~pr9.5"),
        headers={**_browser(), "Cookie": "ttclid=E.C.P.demo-click; _ttp=01J00000000000000000000000_.tt.1"},
        becomes=("ViewContent",),
    ),
    Step(
        title="puts two into the cart",
        method="GET",
        path=_hit(3, "/p/mug", en="add_to_cart", cu="EUR", ep__event_id="cart-1", pr1="idSKU-1~nmMug~pr9.5~qt2"),
        headers={**_browser(), "Cookie": "ttclid=E.C.P.demo-click"},
        becomes=("AddToCart",),
    ),
    Step(
        title="goes on; the browser sends a batch, one line an event",
        method="POST",
        path=_hit(4, "/checkout"),
        body=_lines(
            {"en": "begin_checkout", "ep__event_id": "checkout-1", "cu": "EUR", "epn__value": "29.5"},
            {"en": "add_payment_info", "ep__event_id": "payment-1", "ep__payment_type": "card"},
            {"en": "scroll", "epn__percent_scrolled": "90"},
        ),
        headers={**_browser(), "Content-Type": "text/plain;charset=UTF-8"},
        becomes=("InitiateCheckout", "AddPaymentInfo"),
        dropped=1,
    ),
    Step(
        title="buys: two products, with the person's data as the page has it",
        method="GET",
        path=_hit(5, "/thanks?email=ann%40shop.example&utm_source=tiktok", en="purchase", cu="EUR", epn__value="29.5",
                  ep__transaction_id="R-1001", uid="C-77", pr1="idSKU-1~nmMug~caKitchen~pr9.5~qt2",
                  pr2="idSKU-2~nmTea ~~ Green~caTea~pr10.5~qt1", ep__user_data__email=" Ann@Shop.example",
                  ep__user_data__phone_number="+49 151 555 01234"),
        headers={**_browser(), "Cookie": "ttclid=E.C.P.demo-click"},
        becomes=("PlaceAnOrder",),
    ),
    Step(
        title="The shop's own server reports an order by Measurement Protocol",
        method="POST",
        path="/mp/collect?measurement_id=G-DEMO000001&api_secret=x",
        body=json.dumps({"client_id": "1852.1795", "user_id": "C-78", "events": [{"name": "purchase", "params": {
            "transaction_id": "R-1002", "currency": "EUR", "value": "1.299,00",
            "items": [{"item_id": "SKU-9", "item_name": "Kiln", "price": 1299, "quantity": 1}]}}]}),
        headers=_JSON,
        becomes=("PlaceAnOrder",),
    ),
    Step(
        title="A till sends an event of x-ttq-* keys",
        method="POST",
        path="/data",
        body=json.dumps({"x-ttq-event-name": "CompletePayment", "x-ttq-event-id": "till-7", "x-ttq-pt-value": "14,90",
                         "x-ttq-pt-currency": "eur", "x-ttq-ud-email": "bo@shop.example",
                         "x-ttq-pt-contents": [{"content_id": "SKU-3", "price": 14.9, "quantity": 1}]}),
        headers=_JSON,
        becomes=("CompletePayment",),
    ),
)  # fmt: skip

# One call to TikTok with six orders, of which it refuses one.
ORDERS: Final = tuple(f"R-{1003 + number}" for number in range(6))
BATCH: Final = Step(
    title="Six orders in one batch, and TikTok refuses one of them",
    method="POST",
    path="/data",
    body=json.dumps([
        {"event_name": "purchase", "transaction_id": order, "value": 20, "currency": "EUR", "external_id": f"C-{order}"}
        for order in ORDERS
    ]),
    headers=_JSON,
    becomes=("PlaceAnOrder",) * (len(ORDERS) - 1),
)  # fmt: skip
