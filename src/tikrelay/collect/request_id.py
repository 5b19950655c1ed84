"""Which id a request goes by: in its answer, and in every log line that it causes.

A trusted proxy may give it as ``x-request-id``, so that its own log and ours speak of the same request; else it is made
where it is asked for. An answer without a body (204 to a hit) carries none, and costs none.
"""

import re
import secrets
from typing import Final

HEADER: Final = "x-request-id"
_USABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BYTES: Final = 8


def request_id(given: str, *, is_trusted: bool) -> str:
    """Take the id that a trusted proxy gave when it can be used, or make one.

    >>> request_id("req-1", is_trusted=True), len(request_id("req-1", is_trusted=False))
    ('req-1', 16)
    >>> request_id("<b>", is_trusted=True) == "<b>"
    False
    """
    return given if is_trusted and _USABLE.fullmatch(given) else secrets.token_hex(_BYTES)
