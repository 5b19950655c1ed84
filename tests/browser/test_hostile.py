"""Texts of strangers in every field of events, as the console shows them: nothing runs, and no page breaks."""

import asyncio
import json
import time

import pytest

from browser.chrome import Tab, needs_chromium
from browser.hostile import CANARY, COUNT, hostile_texts, seed_hostile
from harness import Gateway, Sandbox, get, get_json, wait_for
from html_page import Page
from tikrelay.watch.console.page import NAVIGATION

pytestmark = pytest.mark.timeout(600)

ONE_OF = [pytest.param(250, id="some"), pytest.param(1, id="every", marks=pytest.mark.faults)]
"""Every so-manieth event is opened, or each."""


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory):
    """A server that has been sent all of them, and has been answered with them, too."""
    folder = tmp_path_factory.mktemp("hostile")
    sandbox = Sandbox(folder)
    gateway = Gateway(folder / "gateway", sandbox.url)
    gateway.outbox.mkdir(mode=0o700)
    written = asyncio.run(seed_hostile(gateway.outbox / "outbox-000.db", now=time.time()))
    assert written > 1.9 * COUNT
    gateway.start()
    yield gateway, sandbox
    gateway.close()
    sandbox.close()


def refs_of(gateway: Gateway) -> list[str]:
    """Every event there is."""
    return [event["ref"] for event in get_json(f"{gateway.admin_url}/api/events?most=1000")["events"]]


def paths_of(gateway: Gateway, one_of: int) -> list[str]:
    """Pages that show them: each that lists, and some events."""
    refs = refs_of(gateway)
    lists = ["/events?state=dead", "/coverage?range=7d", "/?range=7d"]
    return [*(path for path, _ in NAVIGATION), *lists, *(f"/events/{ref}" for ref in refs[::one_of])]


async def is_unharmed(tab: Tab) -> bool:
    """Say whether a tab ran nothing but its own, asked nobody else, and has the elements of its own pages."""
    others = [url for url in tab.requests if not url.startswith(f"{tab.base}/")]
    assert ([], [], []) == (tab.console, tab.dialogs, others)
    assert ([], False) == (await tab.audit("foreign()"), await tab.ask(f"'{CANARY}' in window"))
    return True


@pytest.mark.parametrize("one_of", ONE_OF)
def test_a_strict_reader_finds_every_page_whole(hostile, one_of: int):
    gateway, _ = hostile
    faults = {}
    for path in paths_of(gateway, one_of):
        status, _, body = get(gateway.admin_url + path, headers={"Accept": "text/html"})
        if status != 200 or Page(body.decode()).faults:
            faults[path] = (status, Page(body.decode()).faults)

    assert {} == faults


@needs_chromium
@pytest.mark.parametrize("one_of", ONE_OF)
async def test_nothing_runs_and_no_page_breaks(hostile, chromium, one_of: int):
    gateway, _ = hostile
    async with chromium.tab(gateway.admin_url) as tab:
        for path in paths_of(gateway, one_of):
            await tab.open(path)

            assert await is_unharmed(tab), path


@needs_chromium
async def test_no_word_is_too_long_for_a_phone(hostile, chromium):
    gateway, _ = hostile
    longest = [
        event["ref"]
        for event in get_json(f"{gateway.admin_url}/api/events?most=1000")["events"]
        if "xxxxxx" in json.dumps(event)
    ]
    assert len(longest) > 2
    async with chromium.tab(gateway.admin_url, width=360, height=740) as tab:
        for path in [
            "/events",
            "/events?state=dead",
            "/letters",
            "/dedup",
            "/coverage",
            "/",
            *(f"/events/{ref}" for ref in longest[::20]),
        ]:
            await tab.open(path)

            assert [] == await tab.audit("tooWide()"), path


@needs_chromium
async def test_what_arrives_while_live_is_open_is_shown_as_text(hostile, chromium):
    gateway, _ = hostile
    async with chromium.tab(gateway.admin_url) as tab:
        await tab.open("/live")
        await tab.until_text("Connected")
        texts = hostile_texts()[::5]
        for text in texts:
            gateway.data(
                {"event_name": "purchase", "event_id": text, "currency": text, "page_location": f"https://{text}/"}
            )
        await tab.until("document.querySelectorAll('tbody tr').length > 20")
        await tab.until("document.querySelector('tbody').innerText.includes('<script>')")
        elements = await tab.ask(
            "[...new Set([...document.querySelectorAll('tbody *')].map((one) => one.tagName))].sort()"
        )

        assert ["A", "SPAN", "TD", "TIME", "TR"] == elements
        assert await is_unharmed(tab)


@needs_chromium
async def test_what_is_searched_for_and_tried_is_shown_as_text(hostile, chromium):
    gateway, _ = hostile
    async with chromium.tab(gateway.admin_url) as tab:
        for text in hostile_texts()[:48:16]:
            await tab.open("/")
            await tab.click("#search", leads_on=False)
            await tab.write(f"{text} not there")
            await tab.press("Enter", leads_on=True)
            await tab.open("/try")
            await tab.click("#hit", leads_on=False)
            await tab.write(
                json.dumps({"event_name": text, "event_id": text, "page_location": f"https://shop.example/{text}"})
            )
            await tab.click_text("Explain")

            assert await is_unharmed(tab), text


@needs_chromium
async def test_what_tiktok_answers_is_shown_as_text(hostile, chromium):
    """Sent as tests, for refused tests pause nothing."""
    gateway, sandbox = hostile
    texts = [text for text in hostile_texts()[:48:12] if "\x00" not in text]
    dead = gateway.books()["dead"]
    for number, text in enumerate(texts, 1):
        answer = json.dumps({"code": 40002, "message": text, "request_id": text, "data": {}})
        sandbox.fault("body", body=answer, times=1)
        gateway.data({"event_name": "purchase", "event_id": f"A-{number}", "x-ttq-test-event-code": "TEST1"})
        wait_for(lambda number=number: gateway.books()["dead"] == dead + number)
    answered = [event for event in gateway.dead() if event["event_id"].startswith("A-")]
    assert len(texts) == len(answered)
    async with chromium.tab(gateway.admin_url) as tab:
        for path in ["/letters", "/events?state=dead", *(f"/events/{one['ref']}" for one in answered)]:
            await tab.open(path)

            assert await is_unharmed(tab), path
