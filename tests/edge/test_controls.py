"""No character of a stranger's splits a header of ours or a line of the log (S8), whatever he writes where."""

import json
import random
import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rawhttp import answers, talk
from tikrelay.collect import answers as ours
from tikrelay.collect.config import CookiesConfig
from tikrelay.collect.cookies import CookieSetter
from tikrelay.event import Event, Visitor
from tikrelay.watch.log import _to_json

HOSTILE = st.text(
    st.one_of(st.sampled_from("\r\n\0\t\x7f\x85\u2028;,=\"' "), st.sampled_from(string.ascii_letters), st.characters())
)
TRIED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
NO_CONTROL = re.compile(rb"[\x20-\x7e]*")


class Clock:
    """A clock that stands still."""

    def now(self) -> float:
        return 1795312345.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait for nothing."""


def bad(headers) -> list[tuple[bytes, bytes]]:
    """Headers that a control character, or what is no ASCII, stands in."""
    return [pair for pair in headers if not all(NO_CONTROL.fullmatch(part) for part in pair)]


@TRIED
@given(HOSTILE)
def test_no_origin_that_is_allowed_holds_a_control(origin: str):
    assert [] == bad(ours.cors(origin))
    assert [] == bad(ours.cors(f"https://{origin}"))


@TRIED
@given(HOSTILE)
def test_no_header_that_a_page_asks_for_holds_a_control(asked: str):
    assert [] == bad(ours.preflight(asked).headers)
    assert [] == bad(ours.preflight(f"x-a, {asked}").headers)


@TRIED
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_cookie_that_is_set_holds_a_control_or_an_attribute_of_a_strangers(click: str, host: str, ttp: str):
    setter = CookieSetter(CookiesConfig(), may_set=lambda _: True, clock=Clock(), rng=random.Random(7))
    for shown in (host, "gw.shop.example"):
        page = f"https://www.shop.example/?ttclid={click}"
        event = Event(name="a", source="ga4_web", received_at=0.0, data={"page_location": page}, visitor=Visitor())
        kept = setter.keep((event,), host=shown, ttp=ttp)
        cookies = [cookie.encode() for cookie in kept.set_cookies]

        assert [] == bad((b"set-cookie", cookie) for cookie in cookies)
        assert [] == [cookie for cookie in cookies if cookie.count(b"Domain=") > 1 or cookie.count(b"Path=") != 1]


@TRIED
@given(HOSTILE)
def test_a_line_of_the_log_is_one_line_whatever_is_in_it(text: str):
    line = _to_json({"event": text, "message": text, text: text})

    assert [line] == line.split("\n")
    assert line.isprintable() or not re.search(r"[\x00-\x1f]", line)


@pytest.mark.parametrize(
    "value", [b"a\tb", b"\xff\xfe", b"a\xe2\x80\xa8b", b"a;b=c", b'a"b', b"%0d%0aSet-Cookie:%20x=y", b"a" * 2000]
)
def test_what_a_stranger_writes_comes_back_in_no_header(open_gateway, value: bytes):
    query = b"/g/collect?v=2&tid=G-1&cid=1.2&en=contact&dl=https%3A%2F%2Fshop.example%2F%3Fttclid%3D%250d%250aX:%20y"
    for method, path in ((b"GET", query), (b"OPTIONS", b"/data"), (b"GET", b"/nothing")):
        head = b"%s %s HTTP/1.1\r\nHost: gw.shop.example\r\nConnection: close\r\n" % (method, path)
        names = (b"Origin", b"Cookie", b"Referer", b"X-Forwarded-For", b"Access-Control-Request-Headers", b"User-Agent")
        (answer,) = answers(
            talk(open_gateway.port, head + b"".join(b"%s: %s\r\n" % (n, value) for n in names) + b"\r\n")
        )
        told = "\n".join(answer.headers.values())

        assert value.decode("latin-1") not in told
        assert {"x"}.isdisjoint(answer.headers)
        assert "x=y" not in told


def test_every_line_of_the_log_is_one_json_object(open_gateway):
    body = json.dumps({"event_name": "a\r\nb\u2028", "event_id": "\x00\n{}", "page_location": "\r\n"}).encode()
    head = b"POST /data HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    talk(open_gateway.port, head + body)

    assert all("event" in json.loads(line) for line in open_gateway.log.read_text().splitlines())
