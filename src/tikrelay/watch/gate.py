"""Who may use the admin port: programs of this machine, and from elsewhere whoever knows the password.

Without a password only this machine can reach it (``app/checks.py`` sees to that), and a Host that is not this machine
is refused, lest a web page reads the port by pointing a name of its own here. With a password every request but
``/healthy`` must give it, and what comes from an address that guesses is looked at one at a time, slowly, so that a
guesser does not lock out who sits beside him and knows it. Where the port listens for other machines any Host is taken:
by what names they know this one is not known here, and the password stands against their pages.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.datastructures import Headers

from tikrelay.base.addresses import place_of, read_address
from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused
from tikrelay.base.secret import Secret

OPEN_PATH: Final = "/healthy"
MOST_WRONG_GUESSES: Final = 10
WRONG_GUESSES_COUNT_FOR_S: Final = 60.0
TURN_S: Final = 0.5
MOST_IN_LINE: Final = 10  # five seconds, within the ten that Prometheus waits by default
_MOST_ADDRESSES: Final = 1000
_THIS_MACHINE: Final = re.compile(rb"(?i:127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
_OWN_SITES: Final = frozenset({"", "same-origin", "none"})


class Gate:
    """Lets requests through or refuses them, before anything else of them is looked at."""

    def __init__(self, *, host: str, password: Callable[[], Secret], clock: Clock) -> None:
        self._is_local = ipaddress.ip_address(host).is_loopback
        self._password = password  # asked each time, for it may be changed
        self._clock = clock
        self._guesses = Guesses(clock)

    async def check(self, scope: Mapping[str, Any]) -> None:
        """Raise InputRefused unless the request may go on."""
        if self._is_local and not _names_this_machine(scope["headers"]):
            hint = "open it as 127.0.0.1, through an SSH tunnel if you are elsewhere"
            raise InputRefused(421, "host_refused", "the admin port answers on this machine only", hint=hint)
        password = self._password()
        if not (password or self._is_local):
            hint = "set server.admin_password again"
            raise InputRefused(403, "no_password_set", "the admin port has lost its password", hint=hint)
        if password and scope["path"] != OPEN_PATH:
            given: bytes = dict(scope["headers"]).get(b"authorization", b"")
            await self._check_password(given, password, client_of(scope))

    async def _check_password(self, given: bytes, password: Secret, client: str) -> None:
        hint = "give server.admin_password, as a password (any user) or as Authorization: Bearer"
        if not given:
            raise InputRefused(401, "password_needed", "the admin port asks for its password", hint=hint)
        wait_s = self._guesses.next_turn_s(client)
        if wait_s is None:
            raise _too_many()
        if wait_s:
            await self._clock.sleep(wait_s)
        if not hmac.compare_digest(_digest(_password_in(given)), _digest(password.reveal())):
            self._guesses.note(client)
            raise _too_many() if wait_s else InputRefused(401, "wrong_password", "that is not the password", hint=hint)


class _Guesser(msgspec.Struct):
    """What came from one address."""

    since: float
    wrong: int = 0
    busy_until: float = 0.0


class Guesses:
    """Counts the wrong passwords that came from each address, and gives out turns; of the last thousand alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()

    def next_turn_s(self, client: str) -> float | None:
        """How long a password from an address waits to be looked at: 0 unless it guessed; None if too many wait."""
        guesser, now = self._guessers.get(_place(client)), self._clock.monotonic()
        if guesser is None or guesser.wrong < MOST_WRONG_GUESSES or now - guesser.since >= WRONG_GUESSES_COUNT_FOR_S:
            return 0.0
        turn_at = max(now, guesser.busy_until) + TURN_S
        if turn_at - now > MOST_IN_LINE * TURN_S:
            return None
        guesser.busy_until = turn_at
        return turn_at - now

    def note(self, client: str) -> None:
        """Count one more."""
        place, now = _place(client), self._clock.monotonic()
        guesser = self._guessers.pop(place, None)
        if guesser is None or now - guesser.since >= WRONG_GUESSES_COUNT_FOR_S:
            guesser = _Guesser(now)
        guesser.wrong += 1
        self._guessers[place] = guesser
        if len(self._guessers) > _MOST_ADDRESSES:
            self._guessers.popitem(last=False)


def _too_many() -> InputRefused:
    hint = "the right one is taken still, at its turn; without wrong ones there are no turns after a minute"
    return InputRefused(429, "too_many_guesses", "too many wrong passwords came from there", hint=hint)


def check_same_origin(headers: Headers) -> None:
    """Refuse what a page of another site makes a browser send. Raises InputRefused."""
    origins, host = headers.getlist("origin"), headers.get("host", "").lower()
    own = len(origins) < 2 and all(origin.partition("://")[2].lower() == host for origin in origins)
    if not own or not _OWN_SITES.issuperset(headers.getlist("sec-fetch-site")):
        raise InputRefused(403, "other_origin", "a page of another site may not do this", hint="use the command line")


def client_of(scope: Mapping[str, Any]) -> str:
    """The address a request came from."""
    client = scope.get("client")
    return client[0] if client else ""


def _digest(password: str) -> bytes:
    """Make texts equally long, so that comparing them tells nothing of their lengths."""
    return hashlib.sha256(password.encode(errors="surrogateescape")).digest()


def _password_in(authorization: bytes) -> str:
    """Take the password out of a header.

    >>> _password_in(b"Bearer open sesame"), _password_in(b"Basic YW55Om9wZW4="), _password_in(b"Digest x")
    ('open sesame', 'open', '')
    """
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip().decode(errors="surrogateescape")
    if scheme.lower() != b"basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2].decode(errors="surrogateescape")
    except binascii.Error:
        return ""


def _names_this_machine(headers: list[tuple[bytes, bytes]]) -> bool:
    hosts = [value for name, value in headers if name == b"host"]
    return len(hosts) == 1 and _THIS_MACHINE.fullmatch(hosts[0]) is not None


def _place(client: str) -> str:
    address = read_address(client)
    return str(place_of(address)) if address else client
