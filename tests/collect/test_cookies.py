"""The cookies that matter, in and out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.collect.cookies import click_id_cookie, read_cookies

PAGE = "https://www.shop.example/p?a=1&ttclid=E.C.P.abc_-~1&b=2"


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
    ],
)
def test_a_page_on_another_site_gets_none(host, page):
    assert click_id_cookie(page, host=host) is None


@pytest.mark.parametrize(
    "value", ["", "a%0D%0ASet-Cookie:x=1", "a;Domain=evil", "a b", "a%00", "%C3%BC", "a%22", "a" * 1025, "a,b", "a%3B"]
)
def test_a_value_that_has_no_place_in_a_header_gets_none(value):
    assert click_id_cookie(f"https://shop.example/?ttclid={value}", host="shop.example") is None


@pytest.mark.parametrize("page", ["https://shop.example/#ttclid=a", "https://shop.example/?xttclid=a", "ttclid"])
def test_only_the_query_of_the_page_counts(page):
    assert click_id_cookie(page, host="shop.example") is None


@given(st.text(), st.text())
def test_nothing_can_break_out_of_the_header(value, host):
    cookie = click_id_cookie(f"https://shop.example/?ttclid={value}", host=host or "shop.example")

    assert cookie is None or (cookie.isascii() and cookie.isprintable() and cookie.count(";") <= 5)
