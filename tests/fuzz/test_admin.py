"""Whatever is asked of the admin port: no 5xx, no token, and no stranger's words but as JSON or as text of a page."""

import http.client
import json
import random
import re
from pathlib import Path
from urllib.parse import quote

import pytest

import tikrelay.watch.admin
from conftest import SEED
from fuzz.hits import TEXTS, as_json, odd, odd_json, spoil
from fuzz.shares import inputs
from harness import TOKEN, Gateway
from tikrelay.watch.console.app import console_routes

ROW = "B18 the admin port"
PASSWORD = "the-password-of-the-fuzz"
SCRIPT = "<script>alert(1)</script>"
CSP = "content-security-policy"
OF_JSON = re.findall(r'Route\(\s*"([^"]+)"', Path(tikrelay.watch.admin.__file__).read_text(encoding="utf-8"))
OF_PAGES = [route.path for route in console_routes(None) if route.path != "/live/stream"]  # which does not end
ROUTES = [*OF_JSON, *OF_PAGES]
METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]
PARAMETERS = ["state", "destination", "event", "event_id", "reason", "since", "most", "ref", "text", "code", "begin",
              "end", "span", "cursor", "zz"]  # fmt: skip
KEYS = ["all", "refs", "reason", "destination", "event", "event_id", "confirm", "dry_run", "test_event_code",
        "accept_duplicates", "external_id", "email", "phone", "text", "code", "zz"]  # fmt: skip
pytestmark = pytest.mark.timeout(7200)


def path_of(rng: random.Random) -> str:
    path = re.sub(r"\{\w+\}", lambda _: quote(odd(rng)[:200], safe="", errors="replace"), rng.choice([*ROUTES, "/"]))
    if rng.random() < 0.3:
        path += rng.choice(
            ["/", "//", "/..", "/../../etc/passwd", "%00", ";x", "/" + quote(odd(rng)[:200], errors="replace")]
        )
    if rng.random() < 0.5:
        names = [rng.choice(PARAMETERS) for _ in range(rng.randrange(4))]
        path += "?" + "&".join(f"{name}={quote(odd(rng)[:300], errors='replace')}" for name in names)
    return path


def body_of(rng: random.Random) -> bytes:
    told = {rng.choice(KEYS): odd_json(rng) for _ in range(rng.randrange(5))}
    told |= {"confirm": True} if rng.random() < 0.3 else {}
    told = {"text": odd(rng)} if rng.random() < 0.2 else told
    raw = as_json(told)
    return rng.choice([raw, raw, raw, spoil(rng, raw), b"", b"[" * 50_000, b"x" * 70_000, as_json(odd_json(rng))])


def headers_of(rng: random.Random) -> dict[str, str]:
    given = {"Authorization": f"Bearer {PASSWORD}"} if rng.random() < 0.8 else {}
    given |= {"Content-Type": "application/json"} if rng.random() < 0.5 else {}
    for name in ("Authorization", "Origin", "Sec-Fetch-Site", "Content-Type", "Cookie", "Accept", "X-Forwarded-For"):
        if rng.random() < 0.1:
            value = rng.choice([*TEXTS, "https://evil.example", "cross-site", "Basic OmE=", "Basic %", "Bearer"])
            given[name] = "".join(sign for sign in value if 31 < ord(sign) < 256)
    return given


def test_nothing_asked_of_the_admin_port_breaks_it(gateways, tried):
    gateway: Gateway = gateways(server={"admin_password": PASSWORD}).start()
    gateway.data({"event_name": SCRIPT, "event_id": SCRIPT, "x-ttq-pt-description": SCRIPT})
    asking = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=30)
    statuses = set()
    for number in range(count := inputs(ROW, few=300)):
        rng = random.Random(f"{SEED} {ROW} {number}")
        method, path, headers = rng.choice(METHODS), path_of(rng), headers_of(rng)
        try:
            asking.request(method, path, body=body_of(rng) if method in {"POST", "PUT"} else None, headers=headers)
            with asking.getresponse() as answer:  # one that breaks off holds the socket of a connection to be closed
                said = answer.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            asking.close()  # a body that is too long is not read to its end
            continue
        statuses.add(answer.status)

        where = f"SEED={SEED}, {number}: {method} {path} {headers} -> {answer.status} {said[:300]!r}"
        assert answer.status < 500 or (answer.status == 503 and b'"code"' in said), where
        assert TOKEN.encode() not in said, where
        assert PASSWORD.encode() not in said, where
        assert b"Traceback" not in said, where
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert kind != "text/html" or SCRIPT.encode() not in said, where
        assert kind != "text/html" or "default-src 'none'; script-src 'self';" in answer.headers[CSP], where
        assert kind in {"text/html", "text/plain"} or b"<script" not in said or json.loads(said), where
        assert answer.status == 400 or answer.headers["x-content-type-options"] == "nosniff", where
        if answer.headers.get("connection") == "close":
            asking.close()
    asking.close()
    tried(ROW, count)

    assert statuses >= {200, 401, 404, 405}
    assert gateway.process.terminate() == 0
    assert "Traceback" not in gateway.log.read_text()
    assert gateway.said("defect") == []
