"""What of a request's head is refused although the parser reads it: whatever two programs may read differently.

llhttp refuses by itself what is no HTTP: bare CR and LF, NUL and other control characters, folded lines, spaces before
a colon, a Content-Length that is no number or stands twice, Content-Length beside Transfer-Encoding, chunks with bad
sizes or ends. What is left stands here, and with it two Authorizations: one program takes the first, another
the last.
"""

import re
from collections.abc import Sequence
from typing import Final

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_HOST: Final = re.compile(rb"[A-Za-z0-9._~:%\[\]-]{0,300}")
_FOLDED: Final = frozenset({b"content_length", b"transfer_encoding"})  # some fronts read "_" in a name as "-"
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?#]*)(?=/)")


def find_fault(method: bytes, target: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Say in words why a head must not be believed; None if it may. Header names are in lower case.

    >>> find_fault(b"GET", b"/g/collect", "1.1", [(b"host", b"gw.shop.example")])
    >>> find_fault(b"GET", b"/g/collect", "1.1", [])
    'the request needs exactly one Host'
    >>> find_fault(b"POST", b"/data", "1.1", [(b"host", b"x"), (b"transfer-encoding", b"gzip, chunked")])
    'the Transfer-Encoding must be chunked and nothing else'
    >>> find_fault(b"POST", b"/data", "1.1", [(b"host", b"x"), (b"content_length", b"5")])
    'a header is named almost like one that says where the request ends'
    """
    if version not in _VERSIONS:
        return "only HTTP/1.0 and HTTP/1.1 are spoken here"
    hosts: list[bytes] = []
    encodings: list[bytes] = []
    authorizations = 0
    for name, value in headers:
        if name == b"host":
            hosts.append(value.strip())
        elif name == b"transfer-encoding":
            encodings.append(value.strip().lower())
        elif name == b"authorization":
            authorizations += 1
        elif name in _FOLDED:
            return "a header is named almost like one that says where the request ends"
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return "the request needs exactly one Host"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return "the Host is no name of a host"
    if encodings and encodings != [b"chunked"]:
        return "the Transfer-Encoding must be chunked and nothing else"
    if encodings and version == "1.0":
        return "HTTP/1.0 has no Transfer-Encoding"
    if authorizations > 1:
        return "the request has more than one Authorization"
    return _fault_of_target(method, target, hosts[0] if hosts else b"")


def _fault_of_target(method: bytes, target: bytes, host: bytes) -> str | None:
    """Take a path, or the absolute form that RFC 9112 (3.2.2) has every server take, of the host in Host alone."""
    if method == b"CONNECT" or b"#" in target:
        return "the request's target is no path"
    if target.startswith(b"/"):
        return None
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return "the request's target is no path"
    return None if absolute[1].lower() == host.lower() else "the request's target and its Host are two hosts"
