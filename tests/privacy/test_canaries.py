"""Nobody's address, number or name, and no secret, is anywhere but where it must be: the disk, logs, answers, commands.

A made-up person and made-up secrets go in by every route and in every place of a request, whole and broken. TikTok is
down, refuses with words that quote the person and the token, and takes the rest; the server is killed. Then every byte
that is left is searched. What may stay is said in docs/security.md: a city, a state, a country, and what nobody can
know for a name in words that people type.
"""

import contextlib
import gzip
import json
import signal
import sqlite3
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from harness import TOKEN, Gateway, Sandbox, free_port, get, wait_for
from privacy.search import Search, spellings
from tikrelay.app.hits.request import Request, read_request
from tikrelay.base.errors import InputRefused
from tikrelay.event import Event
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.explain import Explanation, explain
from tikrelay.mapping.rules import Rules
from tikrelay.mapping.trace import read_trace, write_trace

EMAIL = "canary.ann@canary-shop.example"
PHONE = "+4915155501234"
FIRST, LAST, STREET, EXTERNAL = "Canaryfirst", "Canarylast", "Canarystreet 17", "canary-external-0001"
SPACED, HALF_SPACED = EMAIL.replace("@", " @ "), EMAIL.replace("@", "@\u00a0")
PERSON = {
    "e-mail": EMAIL, "e-mail with spaces": SPACED, "e-mail with a space": HALF_SPACED,
    "e-mail without signs": "canaryanncanaryshop", "phone": "4915155501234", "first name": FIRST,
    "last name": LAST, "street": STREET, "external id": EXTERNAL,
}  # fmt: skip
SECRETS = {
    "token": TOKEN, "data_key": "canary-key-of-data-0001", "mp_api_secret": "canary-secret-of-protocol",
    "admin_password": "canary-password-of-admin", "webhook": "canary-path-of-webhook",
}  # fmt: skip
PAGE = "https://shop.example/thanks"
KEY = {"Authorization": f"Bearer {SECRETS['data_key']}"}
MP = f"/mp/collect?measurement_id=G-A1&api_secret={SECRETS['mp_api_secret']}"
IN_URLS = [
    "?email={}",
    "?q={}",
    "?{}=1",
    "?{}",
    "#{}",
    "#/a?b={}",
    "/u/{}/x",
    "/{}?x=1",
    "?a=1;b={}",
    "?next=%3Fb%3D{}",
]

Sent = tuple[str, bytes | None, dict[str, str]]


def requests() -> list[Sent]:
    """Every place of a request in which a person may stand."""
    mail, number = quote(EMAIL), quote(PHONE)
    hit = f"/g/collect?v=2&tid=G-A1&cid=1.2&_p=1&en=purchase&dl={quote(PAGE)}"
    sent: list[Sent] = []
    for plain in (EMAIL, PHONE, SPACED, HALF_SPACED, b64encode(EMAIL.encode()).decode()):
        given = quote(plain)
        gtag = [
            *(f"&{key}={given}" for key in ("dr", "dt", "cid", "_p", "sid", "ul", "_uip", "em", "gcs", "zz", "uafvl")),
            *(f"&ep.{key}={given}" for key in ("event_id", "transaction_id", "search_term", "description", "currency")),
            *(f"&ep.{key}={given}" for key in ("value", "coupon", "own", "user_agent", "tt_contents", "ttclid", "ttp")),
            *(f"&ep.{key}={given}" for key in ("city", "state", "country", "lead_id", "shop_id", "content_type")),
            *(f"&ep.user_data.address.{key}={given}" for key in ("city", "region", "postal_code", "country")),
            *(f"&{kind}{given}=1" for kind in ("ep.", "epn.", "up.", "", "pr1")),
            *(f"&ep.x-ttq-{key}={given}" for key in (
                "event-name", "timestamp", "event-id", "ct-ip-adress", "ct-user-agent", "ttclid", "pt-contents",
                "pt-currency", "pt-value", "pt-description", "pt-query", "ct-page-url", "ct-page-referrer",
            )),
            *(f"&pr1={key}{given}" for key in ("id", "nm", "br", "ca", "va", "k0a~v0", "zz")),
            f"&epn.value={given}", f"&up.email={given}", f"&upn.age={given}", f"&en={given}",
        ]  # fmt: skip
        sent += [(hit + query, None, {}) for query in gtag]
        sent += [
            (f"/p/{given}/g/collect?v=2&tid=G-A1&en=a", None, {}),
            (f"/{given}", None, {}),
            (f"/data/{given}", b"", {}),
        ]
        sent += [
            (hit, None, {name: value.format(plain)})
            for name, value in {
                "Referer": PAGE + "?q={}", "User-Agent": "Shop/1 ({})",
                "X-Forwarded-For": "{}", "Cookie": "ttclid={0}; _ttp={0}",
                "Origin": "https://" + plain.lower(),  # as browsers write a host
                "X-Own": "{}", "Accept-Language": "{}", "Sec-CH-UA": '"{}";v="1"',
            }.items()
        ]  # fmt: skip
        sent += [(hit + "&dl=" + quote(PAGE + form.format(plain)), None, {}) for form in IN_URLS]
        sent += [(hit + "&dr=" + quote(f"https://{plain}@shop.example/"), None, {})]
    data = {
        "event_name": "purchase", "page_location": PAGE, "value": 5,
        "user_data": {"email_address": EMAIL, "phone_number": PHONE, "address": [
            {"first_name": FIRST, "last_name": LAST, "street": STREET, "city": "Kiel", "country": "DE"}]},
        "user_properties": {"email": EMAIL, "phone_number": PHONE}, "external_id": EXTERNAL, "user_id": EXTERNAL,
        "x-ttq-ud-external-id": EXTERNAL, "x-ttq-ud-email": [EMAIL], "x-ttq-ud-phone-number": PHONE,
        "items": [{"item_id": EMAIL, "item_name": f"for {PHONE}", EMAIL: PHONE}], EMAIL: PHONE,
        SPACED: HALF_SPACED, "query": SPACED, "city": HALF_SPACED, "state": SPACED, "lead_id": HALF_SPACED,
    }  # fmt: skip
    body = json.dumps(data).encode()
    form = f"event_name=purchase&email={mail}&phone={number}&external_id={EXTERNAL}".encode()
    protocol = {
        "client_id": EMAIL, "user_id": EXTERNAL, "user_data": data["user_data"],
        "user_properties": {"email": {"value": EMAIL}, EXTERNAL: {"value": PHONE}}, "device": {"model": EMAIL},
        "events": [{"name": "purchase", "params": data}, {"name": EMAIL, "params": {EMAIL: PHONE}}, EMAIL, PHONE],
    }  # fmt: skip
    whole = json.dumps(protocol).encode()
    utf16 = json.dumps(data).encode("utf-16")
    lines = {"Content-Type": "application/x-ndjson"}
    sent += [("/data", raw, {**KEY, **more}) for raw, more in [
        (body, {}), (form, {"Content-Type": "application/x-www-form-urlencoded"}), (body + b"\n" + body, lines),
        (body + b"\n{broken " + body, lines), (body[:-9], {}), (b"{" + body, {}), (b'"' + mail.encode() + b'"', {}),
        (utf16, {}), (gzip.compress(body), {"Content-Encoding": "gzip"}), (body, {"Content-Encoding": "gzip"}),
        (body, {"Content-Encoding": EMAIL}), (body, {"Content-Type": EMAIL}), (body + b" " * 600_000, {}),
        (b"[" + body + b"," + body + b"]", {}), (body.replace(b"purchase", b"\xff\xfe"), {}), (b"\x00" + body, {}),
    ]]  # fmt: skip
    sent += [("/data", body, {"Authorization": f"Bearer {EMAIL}"}), ("/data?" + form.decode(), b"", KEY)]
    sent += [(MP, raw, {}) for raw in (whole, whole[:-5], b"[" + whole + b"]", json.dumps(EMAIL).encode())]
    sent += [
        (f"/mp/collect?measurement_id={mail}&api_secret={mail}", whole, {}),
        (f"/debug{MP}", b'{"client_id":5}', {}),
    ]
    sent += [
        (
            hit,
            b"en=a&uid=" + EXTERNAL.encode() + b"&ep.user_data.email=" + mail.encode() + b"\r\nen=" + mail.encode(),
            {},
        )
    ]
    sent += [
        (
            f"{hit}&uid={EXTERNAL}&ep.user_data.address.0.first_name={FIRST}&ep.user_data.address.0.street={quote(STREET)}",
            None,
            {},
        )
    ]
    sent += [(f"{hit}&ep.{key}={FIRST}", None, {}) for key in ("user_data.first_name", "user_data.address.first_name")]
    return sent


def test_every_place_of_a_request_is_tried():
    assert len(requests()) >= 150


@pytest.mark.parametrize("around", [b"", b"x", b"xy", b"\0\xff"])
def test_a_planted_text_is_found_however_it_is_written(around: bytes, tmp_path: Path):
    for name, text in {**PERSON, **SECRETS}.items():
        search = Search({name: text})
        for how, needle in spellings(text):
            (tmp_path / "planted").write_bytes(around + needle + around)

            assert any(how in found for found in search.in_files(tmp_path)), (name, how)


EVERYTHING = Search({**PERSON, **SECRETS})
NOT_SEARCHED = frozenset({"tikrelay.toml"})  # the operator's own file holds the secrets


def send_all(gateway: Gateway) -> bytes:
    """Send it all; returns all that was answered."""
    said = b""
    for path, body, headers in requests():
        status, told, answer = get(gateway.url + path, data=body, headers=headers)
        assert status < 500, (status, path, body)
        said += str(told).encode() + answer
    return said


def admin(gateway: Gateway) -> bytes:
    """All that the admin port shows, to who knows the password and to who does not."""
    said = b""
    paths = [
        "/metrics",
        "/api/status",
        "/api/events?most=1000",
        f"/api/events/{quote(EMAIL)}",
        f"/{quote(EMAIL)}",
        f"/?q={EMAIL}",
    ]
    operator = {"Authorization": f"Bearer {SECRETS['admin_password']}"}
    asked = [(path, headers) for headers in (operator, {}, {"Authorization": f"Bearer {EMAIL}"}) for path in paths]
    listed = json.loads(get(gateway.admin_url + "/api/events?most=1000", headers=operator)[2])["events"]
    for ref in [event["ref"] for event in listed if event["given"]][:20]:  # those that have a trace
        asked += [
            (f"/api/events/{ref}", operator),
            (f"/api/events/{ref}/example", operator),
            (f"/events/{ref}", operator),
        ]
    for path in (
        "/api/live",
        "/api/letters",
        "/api/repeats",
        "/",
        "/live",
        "/events",
        "/letters",
        "/dedup",
        "/coverage",
    ):
        asked.append((path, operator))
    for path, headers in asked:
        _, told, answer = get(gateway.admin_url + path, headers=headers)
        said += str(told).encode() + answer
    return said


def traces_in(folder: Path) -> list[bytes]:
    """Every trace in the files of a server that has ended, as it reads once it is unpacked."""
    found: list[bytes] = []
    for path in folder.glob("outbox-*.db"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            found += [unpacked(trace) for (trace,) in database.execute("SELECT trace FROM traces")]
    return found


def unpacked(written: bytes) -> bytes:
    trace = read_trace(written)
    assert trace is not None
    return msgspec.json.encode(trace)


def test_no_trace_of_any_request_holds_a_person():
    """In a server only some of them have one."""
    rules = Rules.of(
        MappingConfig(default_phone_country="DE"), PrivacyConfig(), MappedDestination(event_source_id="C0")
    )
    found: list[bytes] = []
    for path, body, headers in requests():
        method = "GET" if body is None else "POST"
        text = (body or b"").decode(errors="surrogateescape")
        with contextlib.suppress(InputRefused):
            events = read_request(Request(method=method, url=path, headers=headers, body=text)).events
            found += [unpacked(write_trace(event, one)) for event in events for one in explained(event, rules)]

    assert len(found) > 400
    assert [] == [(trace, EVERYTHING.in_(trace)) for trace in found if EVERYTHING.in_(trace)]


def explained(event: Event, rules: Rules) -> list[Explanation]:
    return [one for one in explain(event, rules, fallback_id="made") if one.tiktok]


def command(gateway: Gateway, *arguments: str) -> bytes:
    """All that a command writes."""
    ran = subprocess.run(
        [sys.executable, "-m", "tikrelay", *arguments, "--config", str(gateway.config)],
        capture_output=True,
        check=False,
        cwd=gateway.folder,
    )
    assert b"Traceback" not in ran.stderr, ran.stderr
    return ran.stdout + ran.stderr


COMMANDS = [["status", "--json"], ["events", "--json"], ["doctor", "--json"], ["backup", "kept"]]


def status_of(gateway: Gateway) -> dict[str, Any]:
    password = {"Authorization": f"Bearer {SECRETS['admin_password']}"}
    return json.loads(get(gateway.admin_url + "/api/status", headers=password)[2])


def processes(gateway: Gateway) -> list[int]:
    """The server and its workers."""
    parent = gateway.process.pid
    return [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]


def shown_to_others(pids: list[int]) -> bytes:
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in ("cmdline", "comm", "environ"))


def test_no_person_and_no_secret_is_left_anywhere(gateways, sandbox: Sandbox):
    gateway: Gateway = gateways(
        server={"admin_password": SECRETS["admin_password"], "trusted_proxies": ["127.0.0.0/8"]},
        sources={"data_key": SECRETS["data_key"], "mp_api_secret": SECRETS["mp_api_secret"]},
        alarms={"webhook": f"http://127.0.0.1:{free_port()}/{SECRETS['webhook']}", "after": "1s", "lag": "1s"},
    ).start()
    sandbox.fault("body", status=503, body=f"down for {EMAIL}, {TOKEN}", times=3)
    quoting = {"code": 40002, "message": f"no address: {EMAIL}, {PHONE}, of {TOKEN}", "request_id": EMAIL}
    sandbox.fault("body", body=json.dumps(quoting), times=20)
    answered = send_all(gateway)
    pids = processes(gateway)

    assert [] == EVERYTHING.in_(answered)
    assert [] == EVERYTHING.in_(shown_to_others(pids))
    assert [] == EVERYTHING.in_files(gateway.folder, but=NOT_SEARCHED)

    gateway.process.kill()  # with events in hand, and others waiting
    assert [] == EVERYTHING.in_files(gateway.folder, but=NOT_SEARCHED)

    sandbox.heal()
    sandbox.fault("refuse", event="AddToCart", message=quoting["message"])
    gateway.start()
    gateway.hit(f"v=2&tid=G-A1&en=add_to_cart&ep.user_data.email={quote(EMAIL)}&ep.search_term={quote(PHONE)}")
    wait_for(lambda: status_of(gateway)["books"]["waiting"] == 0, within_s=60)
    books = status_of(gateway)["books"]
    told = admin(gateway)
    told += b"".join(command(gateway, *arguments) for arguments in COMMANDS)
    gateway.process.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: status_of(gateway)["settings"]["reload"] == "taken", within_s=60)

    assert books["received"] > 100
    assert books["dead"] >= 1
    assert list((gateway.folder / "kept").glob("*.db"))
    assert [] == EVERYTHING.in_(told), [line for line in told.splitlines() if EVERYTHING.in_(line)]
    assert [] == EVERYTHING.in_files(gateway.folder, but=NOT_SEARCHED)
    assert gateway.process.terminate() == 0
    traces = traces_in(gateway.outbox)
    assert len(traces) > 20
    assert [] == [(trace, EVERYTHING.in_(trace)) for trace in traces if EVERYTHING.in_(trace)]
    assert [] == EVERYTHING.in_files(gateway.folder, but=NOT_SEARCHED)
    assert [] == Search(PERSON).in_(json.dumps(sandbox.events()).encode())
