"""Whose address a request comes from, through the proxies the operator trusts."""

import functools
import ipaddress
from collections.abc import Sequence
from typing import Final

_MOST_HOPS: Final = 50
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@functools.lru_cache(maxsize=4096)
def read_address(text: str) -> _Address | None:
    """Read an address, with port, brackets or zone as proxies write them; IPv4 inside IPv6 comes out as IPv4.

    >>> read_address("203.0.113.7:443"), read_address("[2001:db8::1]:80"), read_address("::ffff:8.8.8.8")
    (IPv4Address('203.0.113.7'), IPv6Address('2001:db8::1'), IPv4Address('8.8.8.8'))
    """
    bare = text.strip().strip('"')
    if len(bare) > 100:
        return None
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: _Address) -> bool:
    """Say whether an address can be a visitor's on the internet.

    >>> is_public(read_address("8.8.8.8")), is_public(read_address("10.0.0.1")), is_public(read_address("224.0.0.1"))
    (True, False, False)
    """
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class Proxies:
    """The networks whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[_Network] = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._known: dict[_Address, bool] = {}

    def trusts(self, address: _Address) -> bool:
        """Say whether an address is a trusted proxy's."""
        known = self._known.get(address)
        if known is None:
            known = any(address.version == network.version and address in network for network in self._networks)
            if len(self._known) < 4096:
                self._known[address] = known
        return known

    def visitor(self, peer: str | None, forwarded_for: str) -> str | None:
        """The right-most address that is no trusted proxy's, in its short form, when it is a public one; else None.

        >>> Proxies(["10.0.0.0/8"]).visitor("10.0.0.2", "6.6.6.6, 8.8.8.8, 10.1.1.1")
        '8.8.8.8'
        >>> Proxies([]).visitor("8.8.4.4", "6.6.6.6")
        '8.8.4.4'
        """
        address = read_address(peer) if peer else None
        if address is None:
            return None
        hops = [hop for hop in forwarded_for.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:] if hop.strip()]
        while hops and self.trusts(address):
            nearer = read_address(hops.pop())
            if nearer is None:
                return None  # what a trusted proxy could not name, nobody can
            address = nearer
        return str(address) if is_public(address) else None
