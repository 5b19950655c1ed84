"""Every page of the console: how it is made, where it leads, and what it says of what it refuses."""

import socket
import urllib.parse

import pytest

from harness import get
from html_page import Page
from tikrelay.base.clock import SystemClock
from tikrelay.base.secret import Secret
from tikrelay.watch.admin import admin_app
from tikrelay.watch.console.page import NAVIGATION

PAGES = [path for path, _ in NAVIGATION]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_sound_and_marks_where_one_is(console, path: str):
    page = console.page(path)
    text = console.ask(path)[2]

    assert [path for path, _ in NAVIGATION if f'href="{path}" aria-current="page"' in text] == [path]
    assert set(PAGES) <= set(page.links)
    assert "Skip to the content" in page.text


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/static/console.js", "/static/nothing", "/live/stream"])
def test_no_answer_lets_a_browser_run_or_fetch_anything_of_others(console, path: str):
    headers = console.ask(path)[1] if path != "/live/stream" else headers_of_stream(console)
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    fetched = {rule: policy.pop(rule) for rule in ("script-src", "style-src", "img-src", "connect-src")}

    assert {"'self'"} == set(fetched.values())
    assert {
        "default-src": "'none'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    } == policy
    assert ("nosniff", "same-origin") == (headers["x-content-type-options"], headers["referrer-policy"])


def headers_of_stream(console) -> dict[str, str]:
    with socket.create_connection(("127.0.0.1", console.gateway.admin_port), timeout=10) as connection:
        connection.sendall(b"GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
    lines = head.decode().partition("\r\n\r\n")[0].split("\r\n")
    return dict(line.lower().split(": ", 1) for line in lines[1:])


def test_every_link_of_every_page_leads_somewhere(console):
    """Two steps deep from each page, and each address once."""
    seen: set[str] = set()
    ahead = list(PAGES)
    for _ in range(3):
        pages = [console.page(path) for path in ahead if path not in seen and not path.startswith("#")]
        seen.update(ahead)
        ahead = sorted({link for page in pages for link in page.links if not link.endswith(".toml")} - seen)

    assert len(seen) > len(PAGES) + 6


def test_the_own_files_may_be_kept_for_ever_for_their_address_changes_with_them(console):
    page = console.page("/")
    own = [address for address in page.addresses if address.startswith("/static/")]
    answers = [console.ask(address) for address in own]

    assert {"/static/console.css", "/static/console.js", "/static/icon.svg"} == {one.partition("?")[0] for one in own}
    assert all("?" in address for address in own)
    assert {200} == {status for status, _, _ in answers}
    assert {"private, max-age=31536000, immutable"} == {headers["cache-control"] for _, headers, _ in answers}
    assert "no-store" == console.ask("/")[1]["cache-control"]


def test_where_nothing_is_a_person_gets_a_page_and_a_program_json(console):
    page = console.page("/nothing", status=404)

    assert "Nothing is served here" in page.headings[0]
    assert console.ask("/nothing", Accept="*/*")[2].startswith('{"error":{"code":"no_such_route"')
    assert console.ask("/api/nothing")[2].startswith('{"error":{"code":"no_such_route"')
    assert "This route does not take that method" in console.page("/letters", {"x": "1"}, status=405).headings[0]


def test_an_event_that_is_not_there_says_so(console):
    assert "There is no event 000-1" in console.page("/events/000-1", status=404).headings[0]
    assert 400 == console.ask("/events/%3Cscript%3E")[0]
    assert Page(console.ask("/events/%3Cscript%3E")[2]).faults == []


def test_another_name_for_this_machine_gets_a_page_that_says_how_to_come_in(console):
    page = Page(console.ask("/", Host="evil.example")[2])

    assert [] == page.faults
    assert "The admin port answers on this machine only" in page.text


def test_without_the_password_there_is_a_page_that_says_which(gateways):
    gateway = gateways(server={"admin_password": "a long and random one"}).start()
    status, headers, body = get(gateway.admin_url + "/", headers={"Accept": "text/html"})
    page = Page(body.decode())

    assert (401, 'Basic realm="tikrelay", charset="UTF-8"') == (status, headers["www-authenticate"])
    assert [] == page.faults
    assert "server.admin_password" in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json"}, 415),
    ],
)
@pytest.mark.parametrize("path", ["/events", "/replay", "/try"])
def test_a_form_is_taken_from_the_consoles_own_pages_alone(console, path: str, headers: dict[str, str], status: int):
    assert status == console.ask(path, {"text": "R-1001"}, **headers)[0]


def test_a_form_that_is_too_large_is_refused_before_it_is_read(console):
    assert 413 == console.ask("/events", {"text": "x" * 100_000})[0]
    assert 413 == console.ask("/try", {"text": "x" * 300_000})[0]


def test_a_filter_that_cannot_be_read_is_refused_in_words(console):
    assert "A filter cannot be read" in console.page("/events?state=nonsense", status=400).headings[0]
    assert "A filter cannot be read" in console.page("/events?nonsense=1", status=400).headings[0]


async def test_a_defect_gets_a_page_without_a_traceback(capsys):
    async def status():
        raise ZeroDivisionError("a secret")

    app = admin_app(
        status=status, metrics=None, operations=None, host="127.0.0.1", password=lambda: Secret(""), clock=SystemClock()
    )
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"accept", b"text/html")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b"", "client": None}
    with pytest.raises(ZeroDivisionError):  # Starlette lets it go on, for the server to log; the answer is out
        await app(scope, None, send)
    page = Page(b"".join(message.get("body", b"") for message in sent).decode())

    assert 500 == sent[0]["status"]
    assert [] == page.faults
    assert "Tikrelay has a defect" in page.headings[0]
    assert "secret" not in page.text + capsys.readouterr().err


def test_addresses_are_written_so_that_any_name_survives_them(console):
    name = 'a&b="c"/d?e#f<g> %41+é'
    page = console.page(f"/events?{urllib.parse.urlencode({'event': name})}")

    assert name == page.form_to("/events", event=name).fields["event"]


def test_signs_that_steer_the_reading_are_shown_by_their_codes(console):
    page = console.page(f"/events?{urllib.parse.urlencode({'text': 'a' + chr(0x202E) + chr(7) + 'b'})}")

    assert "Events with “a⟨202E⟩⟨0007⟩b”" == " ".join(page.headings[0].split())
