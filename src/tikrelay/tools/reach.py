"""Whether this machine reaches TikTok: name, connection, certificate, and the two clocks; no token is sent.

What is found is looked at soon: events wait meanwhile. That they wait for long is told by the server's own troubles.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from tikrelay.tiktok.config import TikTokConfig
from tikrelay.tools.findings import Finding, Level
from tikrelay.watch.alarms import WAY_TO_TIKTOK

_CERTIFICATE_DAYS: Final = 14
_SKEW_S: Final = 60.0
_LONGEST_HEAD: Final = 16_384


def look_at_reach(config: TikTokConfig) -> Iterator[Finding]:
    """Go the way of a call, step by step, as far as it goes."""
    url = urlsplit(config.base_url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    began = time.perf_counter()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        yield Finding("warning", "dns", f"{host} has no address: {error}", WAY_TO_TIKTOK)
        return
    addresses = sorted({str(one[4][0]) for one in found})
    yield Finding("ok", "dns", f"{host} is {', '.join(addresses[:4])} ({_ms(began)})")
    began = time.perf_counter()
    try:
        connection = socket.create_connection((host, port), timeout=config.connect_timeout_s)
    except OSError as error:
        yield Finding("warning", "connection", f"{host} port {port} takes none: {error}", WAY_TO_TIKTOK)
        return
    yield Finding("ok", "connection", f"{host} port {port} ({_ms(began)})")
    with contextlib.closing(connection):
        if url.scheme == "https":
            yield from _over_tls(connection, host)
        else:
            yield from _clocks(connection, host)


def _over_tls(connection: socket.socket, host: str) -> Iterator[Finding]:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    began = time.perf_counter()
    try:
        secured = context.wrap_socket(connection, server_hostname=host)
    except (OSError, ValueError) as error:
        why = getattr(error, "verify_message", "") or getattr(error, "reason", "") or type(error).__name__
        hint = "something between may break TLS, or this machine's certificates (ca-certificates) or clock are old"
        yield Finding("warning", "tls", f"{host} is not trusted: {why}", hint)
        return
    with contextlib.closing(secured):
        days = _days_left(secured)
        level: Level = "ok" if days >= _CERTIFICATE_DAYS else "warning"
        yield Finding(level, "tls", f"{secured.version()}, the certificate is good for {days} days ({_ms(began)})")
        yield from _clocks(secured, host)


def _days_left(secured: ssl.SSLSocket) -> int:
    ends = (secured.getpeercert() or {}).get("notAfter", "")
    return int((ssl.cert_time_to_seconds(str(ends)) - time.time()) // 86400)


def _clocks(connection: socket.socket, host: str) -> Iterator[Finding]:
    """Compare this machine's clock with the Date of an answer."""
    try:
        connection.sendall(
            f"HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tikrelay\r\nConnection: close\r\n\r\n".encode()
        )
        head = connection.recv(_LONGEST_HEAD).decode("latin-1")
    except OSError as error:
        yield Finding("warning", "answer", f"{host} answers nothing: {type(error).__name__}", "try again in a minute")
        return
    dates = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("date:")]
    try:
        skew = time.time() - parsedate_to_datetime(dates[0].strip()).timestamp()
    except (IndexError, ValueError, TypeError, OverflowError):
        return
    if abs(skew) > _SKEW_S:
        text = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of {host}"
        yield Finding("warning", "clock", text, "have it kept by NTP: events carry its time")
    else:
        yield Finding("ok", "clock", f"agrees with {host}")


def _ms(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.0f} ms"
