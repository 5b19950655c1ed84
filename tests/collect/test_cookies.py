"""The cookies that matter, in and out."""

import gc
import random
import re
import weakref
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import get
from tikrelay.base.clock import SystemClock
from tikrelay.base.units import Duration
from tikrelay.collect.config import CookiesConfig
from tikrelay.collect.cookies import CookieSetter, new_pixel_id, read_cookies, registrable_domain
from tikrelay.event import Consent, Event, Visitor

PAGE = "https://www.shop.example/p?a=1&ttclid=E.C.P.abc_-~1&b=2"
PLAIN = "https://www.shop.example/p"
GATEWAY = "gw.shop.example"
NOW = 1795312345.5


class StoppedClock(SystemClock):
    """It is always the same moment."""

    def now(self) -> float:
        return NOW


def setter(**settings) -> CookieSetter:
    """Make the setter of these settings, for visitors of whom none said no."""
    return CookieSetter(
        CookiesConfig(**settings),
        may_set=lambda consent: consent.sending != "denied",
        clock=StoppedClock(),
        rng=random.Random(7),
    )


def click_id_cookie(page: str, *, host: str) -> str | None:
    return setter().click_id_cookie(page, host=host)


def visit(page: str = PLAIN, *, said=None, **data) -> Event:
    """Make an event on a page."""
    data = {"page_location": page, **data}
    return Event(name="a", source="ga4_web", received_at=NOW, data=data, consent=Consent(sending=said))


def test_a_malformed_cookie_costs_only_itself():
    cookies = read_cookies('{"json": "a; b"}; =x; no-equals; ttclid=E.C.P.a; bad[]=\x01; _ttp=2abc; _ga=GA1.1.10.20')

    assert ("E.C.P.a", "2abc", "GA1.1.10.20") == (cookies.ttclid, cookies.ttp, cookies.ga)


def test_of_a_cookie_that_comes_twice_the_first_counts():
    assert "first" == read_cookies("ttclid=first; ttclid=second").ttclid


def test_an_empty_cookie_is_not_given():
    assert "second" == read_cookies('ttclid=; ttclid=""; ttclid=second').ttclid
    assert read_cookies("_ttp=").ttp is None


def test_quotes_and_percent_signs_are_taken_off():
    assert "E.C.P/a" == read_cookies('ttclid="E.C.P%2Fa"').ttclid


def test_names_are_told_apart_by_case_and_in_full():
    assert read_cookies("TTCLID=a; xttclid=b; ttclid2=c").ttclid is None


@pytest.mark.parametrize(
    ("host", "page", "domain"),
    [
        ("gw.shop.example", "https://www.shop.example/?ttclid=a", "shop.example"),
        ("GW.Shop.Example:8443", "https://shop.example:444/?ttclid=a", "shop.example"),
        ("gw.shop.co.uk", "https://shop.co.uk/?ttclid=a", "shop.co.uk"),
        ("gw.shop.example.", "https://shop.example./?ttclid=a", "shop.example"),
        ("a.github.io", "https://a.github.io/?ttclid=a", "a.github.io"),
        ("gw.shop.example", "HTTPS://ann:pw@Shop.Example?ttclid=a#x?ttclid=b", "shop.example"),
        ("gw.shop.example", " https://shop.example/a:b@c/?ttclid=a", "shop.example"),
        ("gw.shop.example", f"https://shop.example/{'x' * 8162}?ttclid=a", "shop.example"),
        (f"{'a.' * 120}shop.example", f"https://{'a.' * 120}shop.example/?ttclid=a", "shop.example"),
    ],
)
def test_the_click_id_is_kept_for_the_whole_site(host, page, domain):
    expected = f"ttclid=a; Max-Age=2592000; Path=/; Domain={domain}; Secure; SameSite=Lax"

    assert expected == click_id_cookie(page, host=host)


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("8.8.8.8:80", "http://8.8.8.8/?ttclid=a"),
        ("localhost:8080", "http://localhost:3000/?ttclid=a"),
        ("[2606:4700::1]", "http://[2606:4700::1]:90/?ttclid=a"),
        ("co.uk", "https://co.uk/?ttclid=a"),
    ],
)
def test_where_no_domain_can_be_owned_it_is_kept_for_the_host_alone(host, page):
    assert "ttclid=a; Max-Age=2592000; Path=/; Secure; SameSite=Lax" == click_id_cookie(page, host=host)


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("gw.vendor.example", PAGE),
        ("shop.co.uk", "https://other.co.uk/?ttclid=a"),
        ("b.github.io", "https://a.github.io/?ttclid=a"),
        ("localhost", "http://intranet/?ttclid=a"),
        ("8.8.8.8", "http://8.8.4.4/?ttclid=a"),
        ("", PAGE),
        ("gw.shop.example", "https://[shop.example/?ttclid=a"),
        ("gw.shop.example", "/p?ttclid=a"),
        ("gw.shop.example", "https://shop.example@other.example/?ttclid=a"),
        ("gw.shop.example", "https://other.example\\@shop.example/?ttclid=a"),
        ("gw.shop.example", "https://shop.example:80x/?ttclid=a"),
        ("gw.shop.example", f"https://shop.example/{'x' * 8163}?ttclid=a"),
        ("gw.shop.example", f"https://{'a.' * 121}shop.example/?ttclid=a"),
    ],
)
def test_a_page_on_another_site_gets_none(host, page):
    assert click_id_cookie(page, host=host) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "__CLICKID__",
        "a%0D%0ASet-Cookie:x=1",
        "a;Domain=evil",
        "a b",
        "a%00",
        "%C3%BC",
        "a%22",
        "a" * 1025,
        "a,b",
        "a%3B",
    ],
)
def test_a_value_that_has_no_place_in_a_header_gets_none(value):
    assert click_id_cookie(f"https://shop.example/?ttclid={value}", host="shop.example") is None


@pytest.mark.parametrize("first", ["__CLICKID__", "", "a%20b", "a" * 1025])
def test_a_value_that_is_no_click_id_gives_way_to_the_next(first):
    cookie = click_id_cookie(f"https://shop.example/?ttclid={first}&ttclid=real", host="shop.example")

    assert "ttclid=real; Max-Age=2592000; Path=/; Domain=shop.example; Secure; SameSite=Lax" == cookie


def test_a_click_id_that_the_browser_has_is_not_set_again():
    setter = CookieSetter(CookiesConfig(), may_set=lambda _: True, clock=StoppedClock(), rng=random.Random(1))
    page = "https://shop.example/?ttclid=old"
    known = {held: setter.click_id_cookie(page, host="shop.example", known=held) for held in ("old", "older", None)}

    assert {"old": False, "older": True, None: True} == {held: cookie is not None for held, cookie in known.items()}


@pytest.mark.parametrize("page", ["https://shop.example/#ttclid=a", "https://shop.example/?xttclid=a", "ttclid"])
def test_only_the_query_of_the_page_counts(page):
    assert click_id_cookie(page, host="shop.example") is None


class Text(str):
    """A text of which can be told whether anything still holds it."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("use", [registrable_domain, lambda text: click_id_cookie(text, host=GATEWAY)])
@pytest.mark.parametrize("given", ["a." * 450_000, f"https://{'a.' * 450_000}example/?ttclid=a", PAGE, "10.0.0.1"])
def test_no_address_and_no_host_of_any_length_is_remembered(use, given):
    text = Text(given)
    alive = weakref.ref(text)
    use(text)
    del text
    gc.collect()

    assert alive() is None


@given(st.text(), st.text())
def test_nothing_can_break_out_of_the_header(value, host):
    cookie = click_id_cookie(f"https://shop.example/?ttclid={value}", host=host or "shop.example")

    assert cookie is None or (cookie.isascii() and cookie.isprintable() and cookie.count(";") <= 5)


# Settings


def test_the_settings_are_written_into_the_cookie():
    made = setter(ttclid_max_age=Duration(7 * 86400), same_site="None", http_only=True)

    expected = "ttclid=E.C.P.abc_-~1; Max-Age=604800; Path=/; Domain=shop.example; Secure; SameSite=None; HttpOnly"

    assert expected == made.click_id_cookie(PAGE, host=GATEWAY)


def test_it_can_be_left_out():
    assert setter(ttclid=False).click_id_cookie(PAGE, host=GATEWAY) is None


def test_a_length_of_nothing_sets_none_and_deletes_none():
    assert setter(ttclid_max_age=Duration(0)).click_id_cookie(PAGE, host=GATEWAY) is None


@pytest.mark.parametrize(
    ("domain", "host", "written"),
    [
        ("eu.shop.example", "gw.eu.shop.example", "eu.shop.example"),
        ("gw.shop.example", "gw.shop.example:8443", "gw.shop.example"),
        (".Shop.Example", "GW.shop.example.", "shop.example"),
        ("shop.example", "shop.example", "shop.example"),
    ],
)
def test_a_domain_set_by_hand_is_taken_where_the_host_is_it_or_below_it(domain, host, written):
    expected = f"ttclid=E.C.P.abc_-~1; Max-Age=2592000; Path=/; Domain={written}; Secure; SameSite=Lax"

    assert expected == setter(domain=domain).click_id_cookie(PAGE, host=host)


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("eu.shop.example", "gw.shop.example"),
        ("other.example", "gw.shop.example"),
        ("op.example", "gw.shop.example"),
        ("example", "gw.shop.example"),
        ("shop.example;x", "gw.shop.example;x"),
        ("shop.example", "gw.vendor.example"),
        ("shop example", "gw.shop example"),
        (".", "gw.shop.example"),
    ],
)
def test_elsewhere_a_domain_set_by_hand_sets_none(domain, host):
    assert setter(domain=domain).click_id_cookie(PAGE, host=host) is None


# An id of the visitor


def test_an_id_made_here_has_the_form_of_the_pixels():
    made = new_pixel_id(NOW, random.Random(7))

    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}_\.tt\.1", made)


def test_its_first_ten_characters_are_the_time_and_the_rest_is_chance():
    one, other, later = (new_pixel_id(at, random.Random(seed)) for at, seed in [(NOW, 1), (NOW, 2), (NOW + 0.001, 1)])

    assert one[:10] == other[:10] < later[:10]
    assert (True, True) == (one[10:] != other[10:], one[10:] == later[10:])


def test_a_visitor_without_one_is_given_one_that_the_event_carries_too():
    kept = setter(generate_ttp=True).keep([visit()], host=GATEWAY, ttp=None)

    made = kept.events[0].visitor.ttp_cookie
    expected = f"_ttp={made}; Max-Age=34128000; Path=/; Domain=shop.example; Secure; SameSite=Lax"

    assert (expected,) == kept.set_cookies


def test_all_events_of_a_request_carry_the_same_but_for_those_of_a_visitor_who_said_no():
    given = [visit(), visit(said="denied"), visit(said="granted")]

    first, denied, granted = setter(generate_ttp=True).keep(given, host=GATEWAY, ttp=None).events

    assert first.visitor.ttp_cookie == granted.visitor.ttp_cookie is not None
    assert denied.visitor.ttp_cookie is None


def test_both_cookies_may_be_set_at_once():
    kept = setter(generate_ttp=True).keep([visit(PAGE)], host=GATEWAY, ttp=None)

    assert ["ttclid", "_ttp"] == [cookie.partition("=")[0] for cookie in kept.set_cookies]


@pytest.mark.parametrize(
    ("settings", "event", "host", "ttp"),
    [
        ({}, visit(), GATEWAY, None),
        ({"generate_ttp": True}, visit(), GATEWAY, "27chars"),
        ({"generate_ttp": True}, visit(said="denied"), GATEWAY, None),
        ({"generate_ttp": True}, visit(), "gw.vendor.example", None),
        ({"generate_ttp": True}, visit(""), GATEWAY, None),
        ({"generate_ttp": True}, visit("/p"), "", None),
        ({"generate_ttp": True}, visit(ttp="27chars"), GATEWAY, None),
        ({"generate_ttp": True}, visit(_ttp="27chars"), GATEWAY, None),
        ({"generate_ttp": True, "domain": "other.example"}, visit(), GATEWAY, None),
        ({"generate_ttp": True, "ttp_max_age": Duration(0)}, visit(), GATEWAY, None),
    ],
    ids=[
        "off",
        "has one",
        "denied",
        "elsewhere",
        "no page",
        "no host",
        "the page's",
        "the page's _ttp",
        "domain",
        "no time",
    ],
)
def test_none_is_made(settings, event, host, ttp):
    kept = setter(**settings).keep([event], host=host, ttp=ttp)

    assert ((event,), ()) == kept


def test_an_event_keeps_what_else_is_known_of_its_visitor():
    visitor = Visitor(ip="8.8.8.8", user_agent="UA", ttclid_cookie="C")
    event = Event(name="a", source="data", received_at=NOW, data={"page_location": PLAIN}, visitor=visitor)

    (kept,) = setter(generate_ttp=True).keep([event], host=GATEWAY, ttp=None).events

    assert ("8.8.8.8", "UA", "C") == (kept.visitor.ip, kept.visitor.user_agent, kept.visitor.ttclid_cookie)


def test_a_gateway_sets_what_its_settings_say_and_tiktok_gets_the_id_it_made(gateways, sandbox):
    cookies = {"generate_ttp": True, "ttp_max_age": "1d", "same_site": "Strict", "domain": "eu.shop.example"}
    gateway = gateways(cookies=cookies, privacy={"cookies": "required"}).start()

    def given(host: str, more: str) -> list[str]:
        url = f"{gateway.url}/g/collect?v=2&tid=G-TESTS00001&cid=1&_p=1&en=contact&{more}"
        status, headers, _ = get(f"{url}&dl={quote(PAGE, safe='')}", headers={"Host": host})
        assert 204 == status
        return headers.get_all("Set-Cookie") or []

    assert [] == given("gw.eu.shop.example", "_s=1")
    assert [] == given("gw.shop.example", "_s=2&gcs=G111")
    click_id, pixel = given("gw.eu.shop.example", "_s=3&gcs=G111")

    (event,) = [event for event in sandbox.wait_for_events(3) if "ttp" in event["user"]]
    scope = "Path=/; Domain=eu.shop.example; Secure; SameSite=Strict"
    assert f"ttclid=E.C.P.abc_-~1; Max-Age=2592000; {scope}" == click_id
    assert f"_ttp={event['user']['ttp']}; Max-Age=86400; {scope}" == pixel
