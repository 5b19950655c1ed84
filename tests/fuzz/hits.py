"""Requests nobody should send: one generator for each class of bad input, and the worst for each parser.

Each draws from a seeded source, so that a failure names its seed.
"""

import contextlib
import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from tikrelay.app.examples import run
from tikrelay.app.hits.request import as_sent


class Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str = "POST"
    path: str = "/data"
    query: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


# What is drawn from.

TEXTS = [
    "", " ", "a", "\0", "\r\n", "\ufeff", "\u202eabc", "e\u0301", "\u00e9", "\u0130", "\U0001f600", "\ufffd", "\u2028",
    "undefined", "null", "NaN", "[object Object]", "<script>alert(1)</script>", "'; DROP TABLE x;--", "{", "[", "{}",
    "[]",
    '{"a":1}', "~", "~~", "%", "%zz", "../../etc/passwd", "${jndi:ldap://x}", "\x1b[31m", "x" * 300, "=" * 5, "a;b",
    "a,b",
]  # fmt: skip
BYTES = [
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\x80",
    b"\xfe\xff",
    b"%FF",
    b"%00",
    b"%C3",
]
NUMBERS = [
    "-0", "0", "1e308", "1e309", "-1e999", "12,5", "1.234,56", "1,299.00", "42.50 EUR", "9999999999999999999",
    "0x10", "1_0",
    "\u0661\u0662", "NaN", "Infinity", "+5", ".5", "5.", "1e", "--1", "1795312000", "1795312000000", "1795312000000000",
    "2026-11-22T12:00:00Z", "0001-01-01", "99999-12-31", "9" * 400, "1e-400",
]  # fmt: skip
URLS = [
    "javascript:alert(1)", "data:text/html,x", "https://user:pw@shop.example/?ttclid=a",
    "https://xn--bcher-kva.example/?ttclid=b",
    "https://bücher.example/?ttclid=c", "https:\\\\shop.example\\?ttclid=d",
    "https://shop.example@evil.example/?ttclid=e",
    "https://shop.example/?ttclid=a&ttclid=b", "#ttclid=x", "?ttclid=y", "//shop.example?ttclid=z", "http://[::1",
    "http://[v1.x]/",
    "https://shop.example/\r\nSet-Cookie: a=b?ttclid=q", "https://shop.example/?ttclid=a%0D%0Ab",
    "https://shop.example:99999/?ttclid=p",
    "https://\u2100.example/?ttclid=n", "https://shop.example/?ttclid=" + "x" * 5000, "http://", "::",
    "https://..../?ttclid=d",
]  # fmt: skip
PEOPLE = [
    " Ann@Shop.Example ", "ann+tag@shop.example", "ännchen@bücher.example", "a@b", "@", "00491515550123",
    "+49 (151) 555-0123",
    "+4x9", "1" * 40, "ab" * 32, "AB" * 32, "d41d8cd98f00b204e9800998ecf8427e", "q" * 43, "undefined",
    ["a@b.example", None, 5],
    {"0": "a@b.example"}, {}, [], [[]], None, True, 4.5, 1e300, {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}},
]  # fmt: skip
TTQ = [
    "event-name", "timestamp", "event-id", "ct-ip-adress", "ct-ip-address", "ct-user-agent", "ct-page-url",
    "ct-page-referrer",
    "ct-page-referer", "ttclid", "ud-external-id", "ud-email", "ud-phone-number", "pt-contents", "pt-currency",
    "pt-value",
    "pt-description", "pt-query",
]  # fmt: skip
SHARED = ["dl", "dr", "dt", "cid", "uid", "sid", "ul", "sr", "cu", "_p", "_s", "_et", "gcs", "gcd", "gcu", "em",
    "uafvl", "uamb", "uam", "_uip"]  # fmt: skip
PARAMETERS = ["value", "currency", "transaction_id", "event_id", "items", "user_data", "event_name", "timestamp",
              "user_data.email",
              "user_data.address.0.city", "user_data.address", "x-ttq-event-name", "x-ttq-pt-value", "",
    "."]  # fmt: skip
ADDRESSES = [
    "8.8.8.8", "8.8.8.8:443", "[2606:4700::1]:1", "::ffff:8.8.8.8", "fe80::1%eth0", "unknown", "_x", "", " ",
    "10.0.0.1", "fd00::1",
    "999.1.1.1", "08.8.8.8", "8.8.8", "0x8.8.8.8", "::", "[", "]", "[]", "%", "8.8.8.8%0", "1" * 200, "\u0661.1.1.1",
    '"8.8.8.8"',
]  # fmt: skip


def odd(rng: random.Random) -> str:
    return rng.choice([*TEXTS, *NUMBERS, *URLS])


def odd_json(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9 if depth < 4 else 6)
    if kind == 6:
        return [odd_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind >= 7:
        return {odd(rng): odd_json(rng, depth + 1) for _ in range(rng.randrange(4))}
    return rng.choice([None, True, rng.randint(-(2**70), 2**70), rng.uniform(-1e9, 1e9), odd(rng), rng.choice(PEOPLE)])


def spoil(rng: random.Random, raw: bytes, *, times: int = 3) -> bytes:
    """Change, drop, repeat or insert some bytes."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, times)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 20)]
            case _:
                data[at:at] = rng.choice(
                    [*BYTES, b"&", b"=", b"~", b"\r\n", b'"', b"{", b"[", b",", b"\\", b"\\ud800", b"1e999"]
                )
    return bytes(data)


def raw_query(rng: random.Random, *pairs: tuple[str, str]) -> bytes:
    write = rng.choice([quote, quote_plus, lambda text: text])
    joined = "&".join(f"{name}={write(value)}" for name, value in pairs)
    return joined.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")


def hit(rng: random.Random, *pairs: tuple[str, str], **more: Any) -> Request:
    query = b"v=2&tid=G-SHOP&en=purchase&" + raw_query(rng, *pairs)
    return Request(method=rng.choice(["GET", "POST"]), path="/g/collect", query=query, **more)


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


# One generator for each class of bad input.


def text(rng: random.Random) -> Request:
    nasty = rng.choice(BYTES) + rng.choice(TEXTS).encode() + rng.choice(BYTES)
    match rng.randrange(4):
        case 0:
            return Request(path="/g/collect", query=b"v=2&tid=G&en=a&ep.x=" + nasty.replace(b"\r\n", b""), body=b"")
        case 1:
            return Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&ep.x=" + nasty + b"\r\n" + nasty)
        case 2:
            return Request(body=b'{"event_name":"a","x":"' + nasty + b'","y":"\\ud800\\u0000\\udc00"}')
        case _:
            return Request(body=b"event_name=a&x=" + nasty + b"&" + nasty + b"=1")


def broken_json(rng: random.Random) -> Request:
    depth = rng.choice([5, 31, 33, 1000, 50_000])
    body = rng.choice(
        [
            lambda: b"[" * depth,
            lambda: b'{"event_name":"a","x":' + b"[" * depth + b"]" * depth + b"}",
            lambda: b'{"event_name":"a","value":' + rng.choice(NUMBERS).encode() + b"}",
            lambda: b'{"event_name":"a","event_name":"b","x":' + b"1" * rng.choice([10, 5000, 40_000]) + b"}",
            lambda: as_json({"event_name": "a", "k" * 100_000: 1}),
            lambda: as_json([odd_json(rng) for _ in range(rng.randrange(20))]),
            lambda: as_json({**{name: odd_json(rng) for name in PARAMETERS}, "event_name": "a"}),
            lambda: rng.choice([b"", b"1", b'"x"', b"null", b"[]", b"{}", b"[null]", b"[[[]]]", b"[1,2,3]"]),
            lambda: spoil(
                rng, as_json({"event_name": "a", "user_data": {"email": "a@b.example"}, "items": [{"price": 9.5}]})
            ),
        ]
    )()
    path = rng.choice(["/data", "/mp/collect", "/debug/mp/collect"])
    return Request(path=path, body=body + rng.choice([b"", b"", b"x", b"\n{}"]))


def query(rng: random.Random) -> Request:
    piece = rng.choice(
        [
            b"a",
            b"a=1",
            b"=",
            b"a=%",
            b"a=%00",
            b"a=%C3",
            b"a;b=c",
            b"a+b=+",
            b"ep.",
            b"ep.=1",
            b"a[b][]=1",
            b"\xff=\xff",
        ]
    )
    many = b"&".join([piece] * rng.choice([1, 10, 1000, 10_000]))
    start = rng.choice([b"", b"v=2&tid=G&en=a&", b"event_name=a&", b"en=a&en=b&v=2&v=1&v=2&tid=G&"])
    raw = start + spoil(rng, many)
    path = rng.choice(["/data", "/g/collect", "/mp/collect", "/collect"])
    in_body = rng.random() < 0.5
    return Request(path=path, query=b"v=2&tid=G" if in_body else raw, body=raw if in_body else b"")


def gtag(rng: random.Random) -> Request:
    fields = ["id", "nm", "pr", "qt", "k0", "v0", "kA", "k10", "v10", "x", "", "k", "v", "va"]
    lines = []
    for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 25]) if rng.random() < 0.98 else 200):
        item = rng.choice(["~", "~~", "~~~"]).join(rng.choice(fields) + odd(rng) for _ in range(rng.randrange(6)))
        pairs = [
            (rng.choice(["ep.", "epn.", "up.", "upn.", "ep", "epn..", ""]) + rng.choice(PARAMETERS), odd(rng)),
            (rng.choice(SHARED), odd(rng)),
            (f"pr{rng.choice([0, 1, 2, 10, 200, 201, 999999])}", item),
            (rng.choice(["en", "en", "_et", "zz"]), odd(rng)),
        ]
        lines.append(raw_query(rng, *pairs))
    start = rng.choice([b"v=2&tid=G", b"v=2", b"tid=G&v=2&en=a", b"v=2&tid=&en=a", b"v=3&tid=G&en=a"])
    return Request(
        path=rng.choice(["/g/collect", "/p/g/collect"]),
        query=start,
        body=rng.choice([b"\r\n", b"\n", b"\r"]).join(lines),
    )


def protocol(rng: random.Random) -> Request:
    def event() -> Any:
        whole = {
            "name": rng.choice(["purchase", "a" * 40, "a" * 41, odd_json(rng)]),
            "params": rng.choice([{f"p{n}": odd_json(rng) for n in range(rng.choice([0, 25, 26]))}, odd_json(rng)]),
            "timestamp_micros": rng.choice([*NUMBERS, 1795312000000000, odd_json(rng)]),
        }
        return (
            {name: value for name, value in whole.items() if rng.random() < 0.8}
            if rng.random() < 0.9
            else odd_json(rng)
        )

    keys = [
        "client_id",
        "user_id",
        "user_properties",
        "user_data",
        "consent",
        "ip_override",
        "user_agent",
        "device",
        "timestamp_micros",
    ]
    body = {key: odd_json(rng) for key in keys if rng.random() < 0.4}
    body["events"] = rng.choice([[event() for _ in range(rng.choice([0, 1, 25, 26]))], event(), odd_json(rng)])
    return Request(
        path=rng.choice(["/mp/collect", "/debug/mp/collect"]),
        query=rng.choice([b"", b"measurement_id=%FF&api_secret"]),
        body=as_json(body),
    )


def ttq(rng: random.Random) -> Request:
    keys = [f"x-ttq-{rng.choice(TTQ)}" for _ in range(5)]
    if rng.random() < 0.5:
        return Request(
            body=as_json({"event_name": "a", **{key: odd_json(rng) for key in keys}}),
            headers=(("origin", "https://a.example"),),
        )
    if rng.random() < 0.5:
        return hit(rng, *[(rng.choice(["ep.", "epn."]) + key, odd(rng)) for key in [*keys, *keys]])
    return Request(
        method="GET", query=raw_query(rng, ("event_name", "a"), *[(key, odd(rng)) for key in [*keys, *keys]])
    )


def cookies(rng: random.Random) -> Request:
    def cookie() -> str:
        name = rng.choice(["ttclid", "_ttp", "_ga", "bad[]", "", "=", "__Host-x", '"q"'])
        return (
            name
            + rng.choice(["=", "", "=="])
            + rng.choice([*TEXTS, '"', '"a', '"a"', "E.C.P.a", "GA1.1.1.2", "GA1", "x" * 4096, "%", "\x01"])
        )

    count = rng.choice([0, 1, 5, 50, 300])
    return hit(rng, headers=(("cookie", rng.choice(["; ", ";", ";;", ","]).join(cookie() for _ in range(count))),))


def addresses(rng: random.Random) -> Request:
    count = rng.choice([0, 1, 2, 5, 49, 50, 51, 10_000])
    chain = rng.choice([",", ", ", " ,", ";"]).join(rng.choice(ADDRESSES) for _ in range(count))
    host = rng.choice([*ADDRESSES, "shop.example", "a" * 300, "..", "-", "bücher.example", "shop.example:x"])
    url = f"https://{host}/?ttclid=a"
    return hit(rng, ("dl", url), ("_uip", rng.choice(ADDRESSES)), headers=(("x-forwarded-for", chain), ("host", host)))


def people(rng: random.Random) -> Request:
    keys = [
        "email",
        "email_address",
        "phone",
        "phone_number",
        "sha256_email_address",
        "address",
        "address.first_name",
        "address.0.city",
    ]
    told = {rng.choice(keys): rng.choice(PEOPLE) for _ in range(4)}
    if rng.random() < 0.4:
        return Request(
            body=as_json({"event_name": "a", "user_data": rng.choice([told, [told], rng.choice(PEOPLE)]), **told})
        )
    if rng.random() < 0.5:
        return Request(
            query=raw_query(rng, ("event_name", "a"), ("user_data", json.dumps(told)), ("consent_state", odd(rng)))
        )
    em = "tv.1~" + "~".join(
        rng.choice(["em", "pn", "ct", "em[0]", "zz"]) + "." + str(rng.choice(PEOPLE)) for _ in range(4)
    )
    return hit(rng, ("em", em), *[(f"ep.user_data.{key}", str(value)) for key, value in told.items()])


def numbers(rng: random.Random) -> Request:
    keys = ["value", "price", "quantity", "timestamp", "x-ttq-timestamp", "x-ttq-pt-value", "currency"]
    pairs = [(rng.choice(["ep.", "epn."]) + key, rng.choice([*NUMBERS, "eur", "€", "EURO1"])) for key in keys]
    if rng.random() < 0.5:
        return hit(
            rng, *pairs, ("pr1", "pr" + rng.choice(NUMBERS) + "~qt" + rng.choice(NUMBERS)), ("_et", rng.choice(NUMBERS))
        )
    told = ",".join(f'"{key}":{rng.choice(NUMBERS)}' for key in keys)
    return Request(
        path=rng.choice(["/data", "/mp/collect"]),
        body=f'{{"event_name":"a","events":[{{"name":"a"}}],{told}}}'.encode(),
    )


def urls(rng: random.Random) -> Request:
    url = rng.choice(URLS)
    mangled = spoil(rng, url.encode()).decode("utf-8", "replace")
    headers = (
        ("host", rng.choice(["shop.example", "localhost", "[::1]:80", "", mangled[:200]])),
        ("referer", mangled),
        ("origin", mangled),
    )
    if rng.random() < 0.5:
        return hit(rng, ("dl", mangled), ("dr", url), headers=headers)
    return Request(
        body=as_json({"event_name": "a", "page_location": mangled, "x-ttq-ct-page-url": url}), headers=headers
    )


SEEDS = [
    Request(
        method="GET",
        path="/g/collect",
        query=b"v=2&tid=G-A1&cid=1.2&_p=17&_s=1&en=page_view&dl=https%3A%2F%2Fshop.example%2F&dt=Shop&gcs=G111",
    ),
    Request(
        method="GET",
        path="/m/x/g/collect",
        query=b"v=2&tid=G-A1&cid=3.4&en=search&ep.search_term=red%20mug&gcd=13t3t3t3t5l1&richsstsse",
    ),
    Request(
        path="/g/collect",
        query=b"v=2&tid=G-A1&cid=1.2&sid=1795312000",
        body=b"en=view_item&cu=EUR&epn.value=9.5&pr1=idA~nmMug~pr9.5~qt1",
    ),
    Request(
        path="/g/collect",
        query=b"v=2&tid=G-A1&dl=https%3A%2F%2Fa.example%2F",
        body=b"en=a&_et=5\r\nen=b&dl=https%3A%2F%2Fb.example%2F\r\nen=c\r\n",
    ),
    Request(path="/g/collect", query=b"v=2&tid=G-A1&en=user_engagement&_et=4011&seg=1&sct=3", body=b""),
    Request(
        method="GET",
        path="/g/collect",
        query=b"v=2&tid=G-A1&en=purchase&ep.transaction_id=R-1&epn.value=1e%2B3&pr1=idX~~1~k0size~v0L&pr2=nmY~k10c~v10d",
    ),
    Request(
        method="GET",
        path="/g/collect",
        query=b"v=2&tid=G-A1&en=sign_up&ep.user_data.email=%20Ann%40shop.example&ep.user_data.address.0.city=Kiel",
    ),
    Request(
        method="GET",
        path="/g/collect",
        query=b"v=2&tid=G-A1&en=login&uaa=x86&uab=64&uafvl=Not%253BA%3B99.0%7CChromium%3B140.0&uamb=0&uap=Linux",
    ),
    Request(
        method="GET",
        path="/g/collect",
        query=b"v=2&tid=G-A1&en=a&em=tv.1~em." + b"Q" * 43 + b"~co.DE&gcs=G1--&gcu=1&_uip=8.8.8.8",
    ),
    Request(
        path="/g/collect",
        query=b"v=2&tid=G-A1",
        headers=(("content-encoding", "gzip"),),
        body=gzip.compress(b"en=a\r\nen=b&ep.x=%0A"),
    ),
    Request(
        path="/g/collect",
        query=b"v=2&tid=G-A1&up.tier=gold&upn.age=5",
        body=b"en=generate_lead&ep.x-ttq-event-name=Lead&epn.x-ttq-pt-value=5",
    ),
    Request(
        path="/mp/collect",
        query=b"measurement_id=G-A1&api_secret=x",
        body=b'{"client_id":"1.2","events":[{"name":"purchase","params":{"value":5}}]}',
    ),
    Request(
        path="/mp/collect",
        body=b'{"client_id":"1","timestamp_micros":"1795312000000000","events":{"name":"a","params":{"items":[{"item_id":"A"}]}}}',
    ),
    Request(
        path="/mp/collect",
        body=b'{"user_data":{"address":[{"city":"Kiel"}]},"consent":{"ad_user_data":"DENIED"},"events":[{"name":"a"}]}',
    ),
    Request(
        path="/debug/mp/collect", body=b'{"client_id":"1","events":[{"name":"1x","params":{"ga_x":1}},{"name":"ok"}]}'
    ),
    Request(
        body=b'{"event_name":"purchase","value":19.5,"currency":"EUR","user_data":{"email_address":["a@b.example"]}}'
    ),
    Request(body=b'[{"event_name":"a"},{"x-ttq-event-name":"b","x-ttq-pt-contents":[{"content_id":"A"}]},{}]'),
    Request(headers=(("content-type", "application/x-ndjson"),), body=b'{"event_name":"a"}\n{"event_name":"b"}\n'),
    Request(
        headers=(("content-type", "application/x-www-form-urlencoded"),),
        body=b"event_name=a&items=%5B%7B%7D%5D&consent_state=%7B%7D",
    ),
    Request(
        method="GET",
        query=b"x-ttq-event-name=Lead&x-ttq-timestamp=1795312000&x-ttq-ud-email=a%40b.example",
        headers=(("origin", "https://a.example"),),
    ),
]


def _example(name: str) -> Request:
    scope, body = as_sent(run.read_example(name).request)
    headers = tuple((key.decode(), value.decode("latin-1")) for key, value in scope["headers"])
    return Request(method=scope["method"], path=scope["path"], query=scope["query_string"], headers=headers, body=body)


EXAMPLES = [_example(name) for name in run.names()]


def changed(rng: random.Random, value: Any) -> Any:
    """Change one value somewhere in JSON, take it away, or give it another name."""
    if rng.random() < 0.3 or not isinstance(value, dict | list) or not value:
        return odd_json(rng, 2)
    if isinstance(value, list):
        at = rng.randrange(len(value))
        return [changed(rng, inner) if number == at else inner for number, inner in enumerate(value)]
    key = rng.choice(list(value))
    rest = {name: inner for name, inner in value.items() if name != key}
    match rng.randrange(4):
        case 0:
            return rest
        case 1:
            return {**rest, odd(rng): value[key]}
        case _:
            return {**rest, key: changed(rng, value[key])}


def changed_query(rng: random.Random, raw: bytes) -> bytes:
    """Change one parameter of a query, repeat it, or take it away."""
    parts = raw.split(b"&")
    at = rng.randrange(len(parts))
    name = parts[at].partition(b"=")[0]
    parts[at : at + 1] = rng.choice(
        [[], [parts[at], parts[at]], [name], [name + b"=" + quote(odd(rng), errors="replace").encode()]]
    )
    return b"&".join(parts)


def mutated(rng: random.Random) -> Request:
    seed = rng.choice(EXAMPLES if rng.random() < 0.7 else SEEDS)
    if not seed.body or rng.random() < 0.3:
        change = rng.choice([spoil, changed_query])
        return msgspec.structs.replace(seed, query=change(rng, seed.query).replace(b"\r", b"").replace(b"\n", b""))
    with contextlib.suppress(ValueError):
        if rng.random() < 0.6:
            return msgspec.structs.replace(seed, body=as_json(changed(rng, json.loads(seed.body))))
    return msgspec.structs.replace(seed, body=spoil(rng, seed.body, times=6))


def compressed(rng: random.Random) -> Request:
    plain = rng.choice([b'{"event_name":"a"}', b"event_name=a", b"", bytes(rng.choice([100, 100_000, 3_000_000]))])
    packed = rng.choice([gzip.compress, zlib.compress, lambda raw: zlib.compress(raw)[2:-4], bytes])(plain)
    match rng.randrange(6):
        case 0:
            packed = packed[: rng.randrange(len(packed) + 1)]
        case 1:
            packed = spoil(rng, packed)
        case 2:
            packed = gzip.compress(packed)
        case 3:
            packed += packed
        case _:
            pass
    named = rng.choice(
        ["gzip", "gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP ", "", "identity", "\xff"]
    )
    return Request(headers=(("content-encoding", named),), body=packed)


CLASSES: dict[str, Callable[[random.Random], Request]] = {
    "B3 compressed bodies": compressed,
    "B4 text": text,
    "B5 JSON": broken_json,
    "B6 queries and forms": query,
    "B7 hits of gtag.js": gtag,
    "B8 Measurement Protocol": protocol,
    "B9 x-ttq": ttq,
    "B10 cookies": cookies,
    "B11 addresses": addresses,
    "B12 persons": people,
    "B13 numbers, money, times": numbers,
    "B14 URLs": urls,
    "B20 our examples, changed": mutated,
}


# The worst for each parser, large: twice the size may cost twice the time, but never hang.

LARGE = 100_000
WORST = {
    "parameters": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&" + b"a=%41&" * (LARGE // 6)),
    "percent signs": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&ep.x=" + b"%" * LARGE),
    "invalid utf-8": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&ep.x=" + b"%FF" * LARGE),
    "tildes": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&pr1=id" + b"~" * LARGE),
    "unknown fields": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&pr1=id" + b"~xx" * (LARGE // 3)),
    "custom fields": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&pr1=id" + b"~k1~v1" * (LARGE // 6)),
    "brands": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&uafvl=" + b";|" * LARGE),
    "hashes": Request(path="/g/collect", query=b"v=2&tid=G", body=b"en=a&em=" + b"em0.~" * (LARGE // 5)),
    "lines times query": Request(
        path="/g/collect", query=b"v=2&tid=G&" + b"&".join(b"ep.%d=1" % n for n in range(990)), body=b"en=a\n" * 100
    ),
    "most lines": Request(
        path="/g/collect",
        query=b"v=2&tid=G",
        body=(b"en=a&" + b"&".join(b"ep.%d=1" % n for n in range(40)) + b"\n") * 1000,
    ),
    "number": Request(path="/data", body=b'{"event_name":"a","value":' + b"1" * (4 * LARGE) + b"}"),
    "decimal": Request(path="/data", body=b'{"event_name":"a","value":1.' + b"1" * (4 * LARGE) + b"e400}"),
    "nesting": Request(path="/data", body=b'{"a":' * LARGE),
    "nesting of what is odd": Request(path="/data", body=b'{"event_name":NaN,"a":' + b"[" * LARGE),
    "members": Request(path="/data", body=b'{"event_name":"a","x":[' + b"0," * (2 * LARGE) + b"0]}"),
    "surrogates": Request(path="/data", body=b'{"event_name":"a","x":"' + b"\\ud800" * (LARGE // 2) + b'"}'),
    "broken lines": Request(path="/data", body=b"{\n" * 1000),
    "user data of all": Request(
        path="/data",
        query=b"event_name=a&user_data=" + quote(json.dumps({f"k{n}": [] for n in range(1000)}), safe="").encode(),
        body=json.dumps([{}] * 1000).encode(),
    ),
    "user data for many": Request(
        path="/mp/collect",
        body=json.dumps({"user_data": {f"k{n}": {} for n in range(20_000)}, "events": [{"name": "a"}] * 1000}).encode(),
    ),
    "user properties for many": Request(
        path="/data",
        query=b"event_name=a&" + b"&".join(b"user_properties.%d=1" % n for n in range(990)),
        body=json.dumps([{}] * 1000).encode(),
    ),
    "cookies": Request(path="/g/collect", query=b"v=2&tid=G&en=a", headers=(("cookie", ';"=' * 10_000),)),
    "brand header": Request(
        path="/g/collect", query=b"v=2&tid=G&en=a", headers=(("sec-ch-ua", '"\\' * 8_000 + " " * 16_000),)
    ),
    "asked headers": Request(
        method="OPTIONS", path="/data", headers=(("access-control-request-headers", "a , " * 8_000),)
    ),
    "forwarded": Request(
        path="/g/collect", query=b"v=2&tid=G&en=a", headers=(("x-forwarded-for", "10.0.0.1," * 3_500),)
    ),
    "bomb": Request(
        path="/data", headers=(("content-encoding", "gzip"),), body=gzip.compress(bytes(400_000_000), 9)[:500_000]
    ),
}
