"""Listening sockets that outlive a restart: bound here, inherited from systemd, or handed over by an older server.

A hand-over passes the very sockets over a Unix socket in the outbox folder (SCM_RIGHTS). Both servers then accept from
one queue in the kernel, so a connection that nobody has accepted yet is never reset, which two sockets on one port
(SO_REUSEPORT) cannot promise. The folder is 0700: only its owner can ask.
"""

import array
import errno
import functools
import os
import socket
import time
from pathlib import Path
from typing import Final

import msgspec

from tikrelay.base.errors import EXIT_TEMPORARY, TikrelayError
from tikrelay.watch.log import say

CONTROL_NAME: Final = "control.sock"
FIRST_PASSED_FD: Final = 3  # sd_listen_fds(3)
BACKLOG: Final = 4096
_BIND_WITHIN_S: Final = 3.0
_HEARD_WITHIN_S: Final = 1.0


class ListenError(TikrelayError):
    """An address cannot be listened on."""

    exit_code = EXIT_TEMPORARY


def inherited_socket() -> socket.socket | None:
    """Take the socket systemd passed (LISTEN_FDS, LISTEN_PID), or None."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS", "0") == "0":
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    listener = socket.socket(fileno=FIRST_PASSED_FD)
    listener.setblocking(False)
    os.set_inheritable(listener.fileno(), False)
    return listener


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Listen on an address; waits a moment for one that a crashed server is just letting go of."""
    deadline = time.monotonic() + _BIND_WITHIN_S
    while True:
        try:
            return _bind_once(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            hint = f"another program listens there; set {setting} to a free port, or stop that program"
            if error.errno != errno.EADDRINUSE:
                hint = f"check server.host and {setting}"
            raise ListenError(f"cannot listen on {host} port {port}: {error.strerror or error}", hint=hint) from None


def _bind_once(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def control_socket(folder: Path) -> socket.socket:
    """Listen for a newer server in the outbox folder."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _Folder(folder) as name:
        (folder / CONTROL_NAME).unlink(missing_ok=True)
        listener.bind(name)
    listener.listen(4)
    listener.setblocking(False)
    return listener


def pass_on(connection: socket.socket, listeners: list[socket.socket]) -> None:
    """Give the listening sockets to the newer server at the other end."""
    fds = array.array("i", [listener.fileno() for listener in listeners])
    connection.sendmsg([b"sockets"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])


class HandOver(msgspec.Struct, frozen=True):
    """Sockets received from the server that serves now, and the line to tell it when to stop."""

    listeners: list[socket.socket]
    connection: socket.socket

    def take_over(self) -> None:
        """Tell the older server that this one accepts now."""
        self.connection.sendall(b"ready")


def ask_for_sockets(folder: Path) -> HandOver:
    """Ask the server that owns the folder for its sockets. Raises ListenError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    try:
        with _Folder(folder) as name:
            connection.connect(name)
        _, fds, _, _ = socket.recv_fds(connection, 64, 8)
    except OSError as error:
        connection.close()
        what = f"the server that owns {folder} did not hand over its sockets: {error}"
        raise ListenError(what, hint="another may be taking over: try again in a moment") from None
    if not fds:
        raise ListenError(f"the server that owns {folder} is stopping", hint="start again in a moment")
    listeners = [socket.socket(fileno=fd) for fd in fds]
    for listener in listeners:
        listener.setblocking(False)
    return HandOver(listeners, connection)


class _Folder:
    """A short name for a socket in a folder whose own path may be longer than a socket's name can be (107 bytes)."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._fd}/{CONTROL_NAME}"

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def tell_systemd(state: str) -> None:
    """Send one line of sd_notify(3), where a service manager asked for it; one that cannot hear holds nothing up."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            notify.settimeout(_HEARD_WITHIN_S)
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(state.encode())
    except OSError as error:
        _say_that_nobody_hears(str(error))


@functools.cache  # each cause once
def _say_that_nobody_hears(why: str) -> None:
    hint = "the server goes on; whoever set NOTIFY_SOCKET does not learn how it is"
    say("service_manager_not_told", level="warning", why=why, hint=hint)
