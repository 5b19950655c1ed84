"""How what is posted to the admin port is read: from the operator's own machine or page, bounded in size and time."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from tikrelay.base.errors import InputRefused
from tikrelay.watch.gate import check_same_origin

MAX_BODY_BYTES: Final = 64 * 1024
BODY_WITHIN_S: Final = 15.0
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_NAMES: Final = {_JSON: "JSON", _FORM: "form"}
_MOST_FIELDS: Final = 50


async def read_json(request: Request, *, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Take the body of a command, which is JSON. Raises InputRefused."""
    return await _read(request, _JSON, most_bytes=most_bytes)


async def read_form(request: Request, *, most_bytes: int = MAX_BODY_BYTES) -> dict[str, str]:
    """Take the fields of a form, but for the empty ones; of two of one name the last. Raises InputRefused."""
    body = await _read(request, _FORM, most_bytes=most_bytes)
    try:
        return dict(parse_qsl(body.decode("ascii"), encoding="utf-8", errors="replace", max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise InputRefused(400, "bad_form", "the form cannot be read", hint="go back and send it again") from None


async def _read(request: Request, kind: str, *, most_bytes: int) -> bytes:
    check_same_origin(request.headers)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        what = f"the body must be {_NAMES[kind]}"
        raise InputRefused(415, f"no_{_NAMES[kind].lower()}", what, hint=f"send it with Content-Type: {kind}")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    what = f"the body is larger than {most_bytes // 1024} KiB"
                    raise InputRefused(413, "body_too_large", what, hint="ask for less")
    except TimeoutError:
        raise InputRefused(408, "body_too_slow", "the body did not arrive in time", hint="try again") from None
    except ClientDisconnect:
        raise InputRefused(400, "body_cut_off", "the connection ended before the body did", hint="try again") from None
    return bytes(body)
