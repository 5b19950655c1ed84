"""The console in a real Chromium, with ten days of a shop behind it: every page, every link, and what people do there.

``make faults`` does all of it once more with 100,000 events.
"""

import re

import pytest

from browser.chrome import Tab, needs_chromium
from browser.seed import EVENTS, FEW, LOST_EMAILS, ORDER, REFUSED_ORDERS, REFUSED_PRODUCT, WHY_REFUSED
from harness import get_json, purchase
from tikrelay.watch.console.page import NAVIGATION

pytestmark = [needs_chromium, pytest.mark.timeout(300)]

PAGES = [path for path, _ in NAVIGATION]
USED = frozenset({"button", "checkbox", "combobox", "link", "searchbox", "spinbutton", "textbox"})
"""Roles of what can be used."""

READABLE = 4.5
"""The contrast of text that WCAG 2.2 asks for (1.4.3, level AA)."""

PHONE = 360
"""Pixels."""

MOST_PAGES = {FEW: 16, EVENTS: 200}


def is_clean(tab: Tab) -> bool:
    """Say whether nothing went wrong in a tab, and nobody but the server was asked."""
    others = [url for url in tab.requests if not url.startswith(f"{tab.base}/")]
    assert ([], [], []) == (tab.console, tab.dialogs, others)
    return True


def a_ref(gateway, **query: str) -> str:
    """Some event."""
    asked = "&".join(f"{name}={value}" for name, value in {"most": "1", **query}.items())
    return get_json(f"{gateway.admin_url}/api/events?{asked}")["events"][0]["ref"]


def some_events(gateway) -> list[str]:
    """The pages of an event of each state."""
    return [f"/events/{a_ref(gateway, state=state)}" for state in ("waiting", "dead", "delivered")]


# Every page.


async def test_wherever_a_link_leads_is_a_sound_page(tabs, request, record_property):
    """No error, no other host; to be read in light and dark, named and ordered, and no wider than a phone."""
    paints: dict[str, int] = {}
    faults: dict[str, list[str]] = {}
    async with tabs() as tab:
        ahead = ["/", f"/coverage?event={LOST_EMAILS}"]
        while ahead and len(paints) < MOST_PAGES[request.node.callspec.params["seeded"]]:
            path = ahead.pop(0)
            await tab.open(path)
            paints[path] = round(await tab.first_paint_ms())
            if found := await faults_of(tab):
                faults[path] = found
            links = await tab.ask("[...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))")
            kinds = {kind_of(one) for one in [*paints, *ahead]}
            for link in links:
                # Of pages that differ in the value of a filter alone, one is enough, and of events.
                if link.startswith("/") and not link.endswith(".toml") and kind_of(link) not in kinds:
                    kinds.add(kind_of(link))
                    ahead.append(link)

        assert is_clean(tab)
    record_property("first_paint_ms", paints)
    assert {} == faults
    assert set(PAGES) < paints.keys()
    assert any(path.startswith("/events/") for path in paints)


async def faults_of(tab: Tab) -> list[str]:
    """What is wrong with a page, by the browser's own reckoning."""
    named = await tab.named()
    faults = [f"{role} without a name" for role, name in named if role in USED and not name.strip()]
    faults += await tab.audit("headingFaults()")
    for dark in (True, False):
        await tab.look(dark=dark)
        faults += await tab.audit(f"faintTexts({READABLE})")
    await tab.look(width=PHONE)
    faults += [f"too wide: {one}" for one in await tab.audit("tooWide()")]
    await tab.look()
    return faults


def kind_of(link: str) -> str:
    """The page of an address, and by which values it is asked for."""
    path, _, query = link.partition("?")
    names = sorted(re.findall(r"(?:^|&)([^=]*)=", query))
    return "".join((re.sub(r"^/events/.*", "/events/*", path), *names))


async def test_every_entry_of_the_frame_is_reached_by_a_click(tabs):
    async with tabs() as tab:
        await tab.open("/")
        for path, name in NAVIGATION:
            await tab.click_text(name, "nav a")
            assert [path, name] == await tab.ask(
                "[location.pathname, document.querySelector('nav [aria-current=page]').innerText]"
            )

        assert is_clean(tab)


# The three tasks, each begun at the first page.


async def test_yesterdays_order_and_what_tiktok_said_is_one_search(tabs):
    async with tabs() as tab:
        await tab.open("/")
        await tab.press("/")
        await tab.write(ORDER)
        await tab.press("Enter", leads_on=True)
        heading, text = await tab.text("h1"), await tab.text()

        assert f"PlaceAnOrder {ORDER}" == heading
        assert "TikTok took it" in text
        assert re.search(r"request id\s+20261124[0-9A-F]{26}", text)
        assert 0 == tab.clicks
        assert is_clean(tab)


async def test_why_a_product_is_refused_and_sending_it_again_is_three_clicks(tabs, seeded):
    async with tabs() as tab:
        await tab.open("/")
        await tab.click_text("Dead letters", "nav a")
        text = await tab.text()
        assert f"“{WHY_REFUSED}”" in text

        await tab.click_text("Send again…")
        assert f"Send {REFUSED_ORDERS} dead letters again?" == await tab.text("h1")

        await tab.click_text("Yes, send again")
        assert f"{REFUSED_ORDERS} dead letters wait to be sent again" == await tab.text("h1")
        assert 3 == tab.clicks
        assert is_clean(tab)
    left = get_json(f"{seeded.admin_url}/api/events?state=dead&text={REFUSED_PRODUCT}")["events"]
    assert [] == left


async def test_the_event_that_lost_its_emails_is_named_at_once_and_shown_by_a_click(tabs):
    async with tabs() as tab:
        await tab.open("/")
        assert f"{LOST_EMAILS} lost E-mail" in await tab.text()

        await tab.click_text("Match coverage", "nav a")
        fallen = await tab.ask("[...document.querySelectorAll('tbody tr:has(.fell) a')].map((one) => one.innerText)")
        assert [LOST_EMAILS] == fallen
        assert 1 == tab.clicks


# Live.


async def test_a_hit_shows_on_live_by_itself_and_its_verdict_follows(tabs, seeded):
    async with tabs() as tab:
        await tab.open("/live")
        await tab.until_text("Connected")
        seeded.hit(purchase(70_001))
        await tab.until("[...document.querySelectorAll('tbody tr')].some((row) => row.innerText.includes('R-70001'))")
        row = "[...document.querySelectorAll('tbody tr')].find((one) => one.innerText.includes('R-70001'))"
        await tab.until(f"{row}.innerText.includes('delivered')")
        await tab.click_text("PlaceAnOrder", "tbody a")

        assert "PlaceAnOrder R-70001" == await tab.text("h1")
        assert is_clean(tab)


async def test_live_shows_hidden_signs_as_the_other_pages_do(tabs, seeded):
    async with tabs() as tab:
        await tab.open("/live")
        await tab.until_text("Connected")
        seeded.data([{"event_name": "\u202eesahcrup", "event_id": "\u202e1008-R\u202c\u3164\U000e0101\n\u2800x"}])
        await tab.until_text("⟨202E⟩esahcrup")

        assert "⟨202E⟩1008-R⟨202C⟩⟨3164⟩⟨E0101⟩ ⟨2800⟩x" in await tab.text("tbody")


async def test_live_pauses_and_tells_how_many_came_meanwhile(tabs, seeded):
    async with tabs() as tab:
        await tab.open("/live")
        await tab.until_text("Connected")
        await tab.click("#live-pause", leads_on=False)
        seeded.hit(purchase(70_002))
        await tab.until_text("came since you paused")
        assert "R-70002" not in await tab.text("tbody")

        await tab.click("#live-pause", leads_on=False)
        assert "R-70002" in await tab.text("tbody")


async def test_what_is_no_hit_is_told_on_the_page_and_no_error_to_the_browser(tabs):
    async with tabs() as tab:
        await tab.open("/try")
        await tab.click("#hit", leads_on=False)
        await tab.write("no hit at all")
        await tab.click_text("Explain")

        assert "This is neither a URL of a hit nor" in await tab.text("[role=alert]")
        assert is_clean(tab)


async def test_the_charts_of_a_row_stand_on_one_line_whatever_their_titles(tabs):
    async with tabs() as tab:
        for path in ("/", "/coverage"):
            await tab.open(path)
            for width in (1280, 900, 700, PHONE):
                await tab.look(width=width)
                assert [] == await tab.audit("crookedRows()"), (path, width)


# How a page is used.


async def test_pages_are_used_with_the_keyboard_alone(tabs):
    """From the address line: skip what leads the page, the frame, its entries; each in its order, seen, and marked."""
    async with tabs() as tab:
        await tab.open("/")
        await tab.press("Tab")
        assert "a Skip to the content" == (await tab.audit("focused()"))["name"]

        await tab.press("Enter")
        assert "main" == await tab.ask("document.activeElement.id")

        await tab.open("/")
        stops = []
        for _ in range(14):
            await tab.press("Tab")
            stops.append(await tab.audit("focused()"))
        places = [stop["place"] for stop in stops]
        assert sorted(set(places)) == places
        assert [] == [stop for stop in stops if not (stop["isSeen"] and stop["hasRing"])]

        await tab.open("/")
        while "Dead letters" not in (await tab.audit("focused()"))["name"]:
            await tab.press("Tab")
        await tab.press("Enter", leads_on=True)
        assert "Dead letters" == await tab.text("h1")


async def test_an_event_of_each_state_has_a_sound_page(tabs, seeded):
    async with tabs() as tab:
        for path in some_events(seeded):
            await tab.open(path)

            assert [] == await faults_of(tab), path


async def test_without_script_every_page_says_what_it_has_to_say(tabs, seeded):
    async with tabs(script=False) as tab:
        for path in [*PAGES, *some_events(seeded)]:
            await tab.open(path)
            assert len(await tab.text()) > 60, path

        await tab.open("/live")
        assert "shows the newest without one" in await tab.text()
        assert "Pause" not in await tab.text()
        assert "Nothing has come" not in await tab.text()

        await tab.click("#search", leads_on=False)
        await tab.write(ORDER)
        await tab.press("Enter", leads_on=True)
        assert f"PlaceAnOrder {ORDER}" == await tab.text("h1")
