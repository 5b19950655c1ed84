"""Which heads are not believed; tests/edge sends them."""

import pytest

from tikrelay.app.framing import find_fault

HOST = (b"host", b"gw.shop.example")


@pytest.mark.parametrize(
    "target", [b"/", b"/g/collect?a=b", b"//x", b"http://gw.shop.example/g/collect", b"HTTPS://GW.shop.example/"]
)
def test_a_path_and_the_absolute_form_of_the_same_host_are_taken(target: bytes):
    assert find_fault(b"GET", target, "1.1", [HOST]) is None


@pytest.mark.parametrize(
    "target", [b"*", b"gw.shop.example:443", b"http://gw.shop.example", b"/a#b", b"http://gw.shop.example@x/"]
)
def test_any_other_target_is_refused(target: bytes):
    assert "target" in str(find_fault(b"OPTIONS", target, "1.1", [HOST]))


@pytest.mark.parametrize("name", [b"content_length", b"transfer_encoding"])
def test_a_name_that_a_front_may_take_for_a_framing_header_is_refused(name: bytes):
    assert "almost" in str(find_fault(b"POST", b"/data", "1.1", [HOST, (name, b"5")]))


@pytest.mark.parametrize("name", [b"x_forwarded_for", b"content-length", b"my_content_length", b"accept_encoding"])
def test_another_name_is_not(name: bytes):
    assert find_fault(b"POST", b"/data", "1.1", [HOST, (name, b"5")]) is None


def test_one_authorization_is_taken_and_two_are_not():
    given = (b"authorization", b"Bearer x")

    assert find_fault(b"POST", b"/data", "1.1", [HOST, given]) is None
    assert "Authorization" in str(find_fault(b"POST", b"/data", "1.1", [HOST, given, given]))


@pytest.mark.parametrize("host", [b"", b"x", b"x:1", b"[::1]:80", b"a_b.example"])
def test_a_host_is_taken_as_names_and_addresses_are_written(host: bytes):
    assert find_fault(b"GET", b"/", "1.1", [(b"host", host)]) is None


@pytest.mark.parametrize("host", [b"x y", b"a@b", b"a,b", b"\xff", b"x/", b"a" * 301])
def test_what_is_no_host_is_refused(host: bytes):
    assert "Host" in str(find_fault(b"GET", b"/", "1.1", [(b"host", host)]))
