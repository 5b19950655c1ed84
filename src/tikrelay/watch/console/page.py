"""How a page of the console is made: its frame, its headers, and how times and numbers are written."""

import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import jinja2
import msgspec
from starlette.responses import Response

from tikrelay.base.clock import Clock
from tikrelay.base.errors import InputRefused
from tikrelay.base.shown import one_line, with_hidden
from tikrelay.outbox.store import DeadReason
from tikrelay.watch.console.assets import assets
from tikrelay.watch.console.viewers import Viewers
from tikrelay.watch.operations import Operations
from tikrelay.watch.status import Status

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer a browser's forms come from the origin "null"
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}

# Path and name of each page that the frame leads to.
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/live", "Live"),
    ("/events", "Events"),
    ("/coverage", "Match coverage"),
    ("/dedup", "Dedup"),
    ("/letters", "Dead letters"),
    ("/try", "Try"),
)

# What a dead letter died of, where TikTok gave no code that says it.
DIED_OF: Final = {
    DeadReason.REFUSED: "TikTok refuses this very event",
    DeadReason.UNKNOWN_ANSWER: "TikTok gave an answer that nobody has described, three times",
    DeadReason.PARTIAL: "TikTok took a part of the call, and did not say that this was in it",
    DeadReason.MAYBE_DELIVERED: "a try ended without an answer, and none after it was answered in time",
    DeadReason.TOO_OLD: "it could not be delivered for as long as send.max_age allows",
    DeadReason.DAMAGED: "its bytes are not those that were stored",
}


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What pages are made of: events and figures, the server's status (``/api/status``), the time, who watches Live."""

    operations: Operations
    status: Callable[[], Awaitable[Status]]
    clock: Clock
    viewers: Viewers = msgspec.field(default_factory=Viewers)


def page(template: str, *, title: str, here: str, status: int = 200, **values: Any) -> Response:
    """Make a page. ``here`` is the path in NAVIGATION it belongs to; every value is escaped where it is shown."""
    frame = {"title": title, "here": here, "navigation": NAVIGATION, "assets": assets()}
    text = _templates().get_template(template).render(frame, **values)
    return Response(text, status, media_type="text/html", headers=HEADERS)


def refusal_page(refused: InputRefused) -> Response:
    """Say in the console's look why a request is refused, and what to do."""
    return page("refused.html", title=refused.what, here="", status=refused.status, refused=refused)


def wants_page(scope: Mapping[str, Any]) -> bool:
    """Say whether a person is asking: a browser, and not for what programs read."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return b"text/html" in accepted and not scope["path"].startswith(("/api/", "/metrics", "/healthy"))


@functools.cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("tikrelay.watch.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_shown,
    )
    templates.filters.update(
        iso=iso,
        utc=utc,
        day=day,
        number=number,
        share=share,
        seconds=seconds,
        words=words,
        json=to_json,
        died_of=died_of,
    )
    return templates


def _shown(value: Any) -> Any:
    """Take the signs that steer out of every text a page shows; None shows nothing."""
    if value is None:
        return ""
    return value if not isinstance(value, str) or hasattr(value, "__html__") else _readable(value)


def _readable(text: str) -> str:
    """Leave line breaks, which a page may show."""
    return text if text.isprintable() else "\n".join(map(one_line, text.split("\n")))


# How values are written.


def iso(at: float) -> str:
    """Write a time (Unix seconds) for machines.

    >>> iso(1795312345.25)
    '2026-11-22T01:52:25.250Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(at: float) -> str:
    """Write a time (Unix seconds) for people who have no script.

    >>> utc(1795312345.25)
    '2026-11-22 01:52:25 UTC'
    """
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def number(value: float) -> str:
    """Write a count, or a figure with one digit behind the point.

    >>> number(1234567), number(12.34)
    ('1,234,567', '12.3')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def share(value: float) -> str:
    """Write a share.

    >>> share(0.1234), share(1.0), share(-0.5), share(-0.0001)
    ('12.3 %', '100 %', '-50.0 %', '0.0 %')
    """
    return "100 %" if value == 1 else f"{round(value * 100, 1) + 0.0:.1f} %"  # without the sign of a zero


def day(at: float) -> str:
    """Write the day (UTC) of a time (Unix seconds).

    >>> day(1795312345)
    'Sun 22 Nov'
    """
    return f"{datetime.fromtimestamp(at, UTC):%a %d %b}"


def seconds(value: float) -> str:
    """Write how long something took.

    >>> seconds(0.0123), seconds(1.23), seconds(90), seconds(5400), seconds(200000)
    ('12 ms', '1.2 s', '90 s', '90 min', '56 h')
    """
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 10:
        return f"{value:.1f} s"
    for longest, unit, size in ((120, "s", 1), (7200, "min", 60), (259200, "h", 3600)):
        if value < longest:
            return f"{value / size:.0f} {unit}"
    return f"{value / 86400:.0f} days"


def words(name: str) -> str:
    """Write the name of a state or reason as words.

    >>> words("maybe_delivered")
    'maybe delivered'
    """
    return name.replace("_", " ")


def died_of(reason: str) -> str:
    """Say what a dead letter died of.

    >>> died_of("too_old")
    'it could not be delivered for as long as send.max_age allows'
    """
    return DIED_OF[DeadReason(reason)] if reason in DIED_OF else words(reason)


def to_json(value: Any) -> str:
    r"""Write JSON to be read and copied: what is hidden in its texts is escaped, so that it stays the same JSON.

    >>> to_json(msgspec.Raw(b'{"a":[1]}'))
    '{\n  "a": [\n    1\n  ]\n}'
    >>> print(to_json(chr(0x200B)))
    "\u200b"
    """
    read = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    lines = json.dumps(read, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(with_hidden(line, lambda sign: json.dumps(sign)[1:-1]) for line in lines)
