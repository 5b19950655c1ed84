"""How commands ask the server that runs on this machine: one request to its admin port, one typed answer."""

import base64
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from tikrelay.app.config import ServerConfig
from tikrelay.base.errors import EXIT_DATA, EXIT_TEMPORARY, TikrelayError

_ANSWER_WITHIN_S: Final = 135  # the server itself gives up on its workers before
_LONGEST_ANSWER_BYTES: Final = 64_000_000
_OTHER_PROGRAM: Final = "look which program has this port; server.admin_port must be that of `tikrelay serve`"
_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  where it is reached

T = TypeVar("T")


class NotRunningError(TikrelayError):
    """No server answers on the admin port."""

    exit_code = EXIT_TEMPORARY


class RefusedError(TikrelayError):
    """The server would not do what was asked."""

    exit_code = EXIT_DATA


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    """The one shape of errors."""

    error: _Error


def _opener() -> urllib.request.OpenerDirector:
    """Follow no redirect, for the password goes nowhere else, and no proxy, for the server is on this machine."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    return opener


class AdminClient:
    """Asks the admin port of the server whose settings these are."""

    def __init__(self, server: ServerConfig) -> None:
        if server.admin_port == 0:
            hint = "it stands in the log line `ready`, as admin; run this with TIKRELAY_SERVER_ADMIN_PORT set to it"
            raise NotRunningError("server.admin_port is 0, so the server chose a port when it started", hint=hint)
        host = server.admin_host.strip("[]")
        host = _EVERY_ADDRESS.get(host, host)
        self._base = f"http://{f'[{host}]' if ':' in host else host}:{server.admin_port}"
        self._password = server.admin_password
        self._opener = _opener()

    def get(self, path: str, kind: type[T], query: Mapping[str, object] | None = None) -> tuple[bytes, T]:
        """Ask for something; the answer's bytes, and what they say. Raises NotRunningError, RefusedError."""
        target = f"{path}?{urlencode(query)}" if query else path
        raw = self._send(urllib.request.Request(self._base + target))  # noqa: S310  http, and our own address
        return raw, self._read(raw, kind)

    def post(self, path: str, order: msgspec.Struct, kind: type[T]) -> T:
        """Have something done. Raises NotRunningError, RefusedError."""
        headers = {"Content-Type": "application/json"}
        body = msgspec.json.encode(order)
        return self._read(self._send(urllib.request.Request(self._base + path, body, headers)), kind)  # noqa: S310

    def _send(self, request: urllib.request.Request) -> bytes:
        if self._password:
            word = base64.b64encode(f":{self._password.reveal()}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {word}")
        url = request.full_url
        try:
            with self._opener.open(request, timeout=_ANSWER_WITHIN_S) as answer:
                raw: bytes = answer.read(_LONGEST_ANSWER_BYTES)
                return raw
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error) from None
        except (http.client.HTTPException, ValueError):  # a banner, half an answer
            raise NotRunningError(f"what answers at {url} speaks no HTTP", hint=_OTHER_PROGRAM) from None
        except OSError as error:  # also URLError and TimeoutError
            hint = "is `tikrelay serve` running, with this --config? server.admin_port must be its own"
            raise NotRunningError(f"nothing answers at {url}: {error}", hint=hint) from None

    def _read(self, raw: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            what = f"what answers at {self._base} is not this version of tikrelay"
            raise NotRunningError(what, hint=_OTHER_PROGRAM) from None


def _refused(error: urllib.error.HTTPError) -> TikrelayError:
    """Read a refusal in our own words; any other is another program's."""
    try:
        said = msgspec.json.decode(error.read(_LONGEST_ANSWER_BYTES), type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError, http.client.HTTPException):
        return NotRunningError(f"{error.url} answers HTTP {error.code}", hint=_OTHER_PROGRAM)
    if said.code == "no_such_route":
        return NotRunningError(f"{error.url} is not served: another version of tikrelay runs", hint=_OTHER_PROGRAM)
    return RefusedError(said.message, hint=said.hint)
