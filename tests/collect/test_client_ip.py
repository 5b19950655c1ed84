"""Whose address a request comes from."""

import pytest

from tikrelay.collect.client_ip import Proxies

PROXY = "10.0.0.2"


def visitor(forwarded_for: str, *, peer: str | None = PROXY, trusted: tuple[str, ...] = ("10.0.0.0/8",)) -> str | None:
    return Proxies(trusted).visitor(peer, forwarded_for)


def test_without_a_trusted_proxy_the_peer_counts_and_no_header():
    assert "8.8.4.4" == visitor("1.1.1.1", peer="8.8.4.4")
    assert "8.8.4.4" == visitor("1.1.1.1", peer="8.8.4.4", trusted=())


def test_the_right_most_untrusted_address_counts_and_not_what_the_visitor_wrote_before_it():
    assert "8.8.8.8" == visitor("1.1.1.1, 8.8.8.8, 10.9.9.9")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("8.8.8.8:443", "8.8.8.8"),
        ("[2606:4700::1111]:443", "2606:4700::1111"),
        ("2606:4700:0:0::1111", "2606:4700::1111"),
        ('"[2606:4700::1111]"', "2606:4700::1111"),
        ("2606:4700::1111%eth0", "2606:4700::1111"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        (" 8.8.8.8 ,", "8.8.8.8"),
    ],
)
def test_an_address_is_read_as_proxies_write_it(written, address):
    assert address == visitor(written)


@pytest.mark.parametrize(
    "written",
    [
        "unknown",
        "_hidden",
        "8.8.8.8.8",
        "08.8.8.8",
        "1.1.1.1, unknown",
        "1.1.1.1, " + "9" * 200,
        "",
        "10.0.0.1",
        "10.1.1.1,10.2.2.2",
    ],
)
def test_what_a_trusted_proxy_cannot_name_is_nobody(written):
    assert visitor(written) is None


@pytest.mark.parametrize(
    "peer",
    ["127.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "240.0.0.1",
     "255.255.255.255", "203.0.113.7", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1",
     "::ffff:10.0.0.1", None, "a.sock"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_nobodys(peer):
    assert visitor("", peer=peer, trusted=()) is None


def test_a_proxy_is_trusted_in_either_family_and_the_answer_is_the_same_twice():
    proxies = Proxies(["2001:db8::/32", "192.0.2.1"])

    for _ in range(2):
        assert "8.8.8.8" == proxies.visitor("2001:db8::5", "8.8.8.8")
        assert "8.8.8.8" == proxies.visitor("::ffff:192.0.2.1", "8.8.8.8")


def test_of_a_chain_that_never_ends_only_the_nearest_hops_are_read():
    assert visitor("8.8.8.8," + ",".join(["10.0.0.9"] * 10_000)) is None
