"""How an Internet address is read, however proxies, servers and settings write it, and which can be a visitor's."""

import functools
import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LONGEST: Final = 100
_IPV6_OF_ONE: Final = 64  # bits: a customer gets a /64 at least (RFC 6177), and makes up the rest


def read_address(text: str) -> Address | None:
    """Read an address, with port, brackets or zone as proxies write them; IPv4 inside IPv6 comes out as IPv4.

    >>> read_address("203.0.113.7:443"), read_address("[2001:db8::1]:80"), read_address("::ffff:8.8.8.8")
    (IPv4Address('203.0.113.7'), IPv6Address('2001:db8::1'), IPv4Address('8.8.8.8'))
    """
    return _read(text) if len(text) <= _LONGEST else None  # what is longer is not remembered either


@functools.lru_cache(maxsize=4096)
def _read(text: str) -> Address | None:
    bare = text.strip().strip('"')
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


def is_public(address: Address) -> bool:
    """Say whether an address can be a visitor's on the internet.

    >>> from ipaddress import ip_address
    >>> [is_public(ip_address(text)) for text in ("8.8.8.8", "10.0.0.1", "224.0.0.1", "2001:4860:4860::8888")]
    [True, False, False, True]
    """
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def place_of(address: Address) -> Address:
    """The address that stands for all of one customer: of IPv6 the first of its network.

    >>> from ipaddress import ip_address
    >>> place_of(ip_address("2001:db8:1:2::3")), place_of(ip_address("203.0.113.7"))
    (IPv6Address('2001:db8:1:2::'), IPv4Address('203.0.113.7'))
    """
    if address.version == 4:
        return address
    return ipaddress.IPv6Address(int(address) >> _IPV6_OF_ONE << _IPV6_OF_ONE)


def mask_address(text: str) -> str:
    """Show of an address the network, and not whose it is.

    >>> mask_address("203.0.113.7"), mask_address("2001:db8:1:2::3"), mask_address("unknown")
    ('203.0.113.x', '2001:db8:1:x', 'x')
    """
    address = read_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return f"{str(address).rpartition('.')[0]}.x"
    if isinstance(address, ipaddress.IPv6Address):
        groups = address.exploded.split(":")[:3]
        return f"{':'.join(group.lstrip('0') or '0' for group in groups)}:x"
    return "x"
