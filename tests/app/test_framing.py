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


@pytest.mark.parametrize("host", [b"", b"x", b"x:1", b"[::1]:80", b"a_b.example"])
def test_a_host_is_taken_as_names_and_addresses_are_written(host: bytes):
    assert find_fault(b"GET", b"/", "1.1", [(b"host", host)]) is None


@pytest.mark.parametrize("host", [b"x y", b"a@b", b"a,b", b"\xff", b"x/", b"a" * 301])
def test_what_is_no_host_is_refused(host: bytes):
    assert "Host" in str(find_fault(b"GET", b"/", "1.1", [(b"host", host)]))
