"""Whose address a request comes from, through the proxies the operator trusts."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from tikrelay.base.addresses import Address, is_public, read_address

_MOST_HOPS: Final = 50
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The networks whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[_Network] = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._known: dict[Address, bool] = {}

    def trusts(self, address: Address) -> bool:
        """Say whether an address is a trusted proxy's."""
        known = self._known.get(address)
        if known is None:
            known = any(address.version == network.version and address in network for network in self._networks)
            if len(self._known) < 4096:
                self._known[address] = known
        return known

    def trusts_peer(self, peer: str | None) -> bool:
        """Say whether what a connection's other end tells in headers is believed."""
        address = read_address(peer) if peer else None
        return address is not None and self.trusts(address)

    def visitor(self, peer: str | None, forwarded_for: str) -> str | None:
        """The right-most address that is no trusted proxy's, in its short form, when it is a public one; else None.

        >>> Proxies(["10.0.0.0/8"]).visitor("10.0.0.2", "6.6.6.6, 8.8.8.8, 10.1.1.1")
        '8.8.8.8'
        >>> Proxies([]).visitor("8.8.4.4", "6.6.6.6")
        '8.8.4.4'
        """
        address = self.nearest_stranger(peer, forwarded_for)
        return str(address) if address is not None and is_public(address) else None

    def nearest_stranger(self, peer: str | None, forwarded_for: str) -> Address | None:
        """The right-most address that is no trusted proxy's, public or not; None where nobody can name one.

        It is a trusted proxy's own when that sent the request for nobody.
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
        return address
