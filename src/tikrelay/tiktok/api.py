"""The one HTTP call: events out, an Answer back, whatever happens.

The token is revealed here to go into one header and to one host: redirects are not followed, proxies
of the environment are not used, cookies are not kept.
"""

import re
import ssl
import time
import zlib
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter

from tikrelay.base.secret import Secret
from tikrelay.base.shown import one_line
from tikrelay.tiktok.answers import LONGEST_RETRY_AFTER_S, Answer
from tikrelay.tiktok.config import TikTokConfig
from tikrelay.tiktok.payload import MAX_EVENTS_PER_CALL, TRACK_PATH, Envelope, call_body

MAX_ANSWER_BYTES: Final = 1024 * 1024
_LONGEST_READ: Final = 16_384
_LONGEST_TEXT: Final = 300
_EMAIL: Final = re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}")
_IN_NUMBERS: Final = r" ()./\-\x00-\x1f\x7f-\x9f\u200b-\u202f\u2060"  # also what is not seen
_LONG_NUMBER: Final = re.compile(rf"\+?\d[\d{_IN_NUMBERS}]{{6,}}\d")


class TikTokApi:
    """Calls the Events API; one for a process, used as an async context manager."""

    def __init__(self, config: TikTokConfig) -> None:
        self._url = config.base_url.rstrip("/") + TRACK_PATH
        self._timeout = aiohttp.ClientTimeout(total=config.timeout_s, connect=config.connect_timeout_s)

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, ssl=context, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": "tikrelay", "Accept-Encoding": "gzip"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, envelope: Envelope, *, token: Secret, events: list[bytes]) -> Answer:
        """Send events in one call. Never raises for what the network or TikTok does."""
        body = _Sent(call_body(envelope, events))
        headers = {"Content-Type": "application/json", "Access-Token": token.reveal()}
        began = time.perf_counter()
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                raw = await _read(response)
                answer = read_answer(response.status, raw, response.headers.get("Retry-After"), token=token)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: also TimeoutError and what TLS refuses
            answer = Answer(failure="lost" if body.begun else "not_sent", message=_words(error))
        return msgspec.structs.replace(answer, seconds=time.perf_counter() - began)


class _Connector(aiohttp.TCPConnector):
    """Makes connections, and keeps those that were only spoken on after a question."""

    async def connect(self, *arguments: Any, **options: Any) -> aiohttp.connector.Connection:
        """Return a connection on which nothing waits to be read: it would be taken for the answer to this call."""
        connection = await super().connect(*arguments, **options)
        if connection.protocol is not None and connection.protocol.should_close:
            connection.close()
            raise aiohttp.ClientConnectionError("the other end spoke without being asked")
        return connection


class _Sent(aiohttp.Payload):
    """A body that remembers whether any of it was handed to a connection."""

    _value: bytes
    _autoclose = True

    def __init__(self, value: bytes) -> None:
        super().__init__(value, content_type="application/json")
        self._size = len(value)
        self.begun = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all of it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Note that the body is going out, and write it."""
        self.begun = True
        await writer.write(self._value[:content_length])


def _words(error: BaseException) -> str:
    """Name a failure of the network without what it may quote."""
    return clean_text(f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read at most MAX_ANSWER_BYTES, inflated; a longer answer is cut, and then cannot be read as JSON."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    inflate = (
        zlib.decompressobj(wbits=47) if encoding in {"gzip", "deflate"} else None
    )  # 47: gzip or zlib by its header
    raw = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        try:
            raw += inflate.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(raw)) if inflate else chunk
        except zlib.error:
            return b""
        if len(raw) > MAX_ANSWER_BYTES:
            response.close()
            return b""
    return bytes(raw)


def read_answer(status: int, raw: bytes, retry_after: str | None, *, token: Secret) -> Answer:
    """Read what TikTok says, the token starred; anything that is not its JSON object leaves ``code`` None."""
    after = read_retry_after(retry_after, now=time.time())
    tree = _object(raw)
    if tree is None:
        page = star_out(token, raw[:_LONGEST_READ].decode("utf-8", "replace"))
        return Answer(status=status, message=clean_text(page[:200]), retry_after_s=after)
    return Answer(
        status=status,
        code=_code(tree.get("code")),
        message=clean_text(star_out(token, str(tree.get("message", ""))[:_LONGEST_READ])),
        request_id=clean_text(star_out(token, str(tree.get("request_id", ""))[:_LONGEST_READ]))[:64],
        retry_after_s=after,
        failed=_failed(tree.get("data")),
    )


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


class _Failed(msgspec.Struct):
    index: int


class _Data(msgspec.Struct):
    failed_events: list[_Failed] = []


def _failed(data: object) -> tuple[int, ...]:
    """Read which events are listed as failed; a list of another shape says nothing.

    >>> _failed({"failed_events": [{"index": 3, "code": 40002}]}), _failed({"failed_events": ["R-1"]}), _failed(None)
    ((3,), (), ())
    """
    try:
        told = msgspec.convert(data, _Data).failed_events
    except msgspec.ValidationError:
        return ()
    return tuple(one.index for one in told[:MAX_EVENTS_PER_CALL])


def _code(value: object) -> int | None:
    """Read a code that is a number or a number's text.

    >>> _code(40100), _code("40100"), _code(True), _code(None), _code("x")
    (40100, 40100, None, None, None)
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        return int(value)
    return None


def star_out(token: Secret, text: str) -> str:
    """Replace a token, also in its URL-encoded form; before the text is cut, so that no piece of it is left.

    >>> star_out(Secret("a/b"), "no such token: a/b (?token=a%2fb)")
    'no such token: *** (?token=***)'
    >>> star_out(Secret(""), "no token")
    'no token'
    """
    if not token:
        return text
    return re.sub("".join(_as_it_is_or_encoded(sign) for sign in token.reveal()), "***", text, flags=re.IGNORECASE)


def _as_it_is_or_encoded(sign: str) -> str:
    encoded = "".join(f"%{byte:02x}" for byte in sign.encode("utf-8", "replace"))
    return f"(?:{encoded}|{re.escape(sign)}{'|[+]' if sign == ' ' else ''})"


def clean_text(text: str) -> str:
    """Make text of the other end fit for a log line: short, one line, nobody's address or number in it.

    >>> clean_text("bad e-mail ann@shop.example")
    'bad e-mail ***'
    """
    starred = _EMAIL.sub("***", _LONG_NUMBER.sub(_number, text[: 4 * _LONGEST_TEXT]))
    return one_line(starred).strip()[:_LONGEST_TEXT]


def _number(match: re.Match[str]) -> str:
    return "***" if match[0].startswith("+") or re.search(f"[{_IN_NUMBERS}]", match[0]) else match[0]


def read_retry_after(value: str | None, *, now: float) -> float | None:
    """Read a Retry-After header (RFC 9110: seconds, or a date) as seconds from now, at most an hour.

    >>> read_retry_after("120", now=0.0), read_retry_after("soon", now=0.0), read_retry_after("99999", now=0.0)
    (120.0, None, 3600.0)
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)
