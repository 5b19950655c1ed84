"""What a parser may see of one HTTP request, and what it gives back."""

import msgspec

from tikrelay.collect.cookies import Cookies
from tikrelay.event import Event, Notice


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One request on a collecting route, limited and inflated, not yet parsed.

    ``query``         the raw query string, percent signs and all
    ``body``          raw bytes, inflated
    ``from_browser``  the visitor's own browser sent it; only then are ``ip``, ``user_agent``, ``cookies`` the visitor's
    ``hints``         values of the Sec-CH-UA headers by name
    ``received_at``   Unix seconds
    """

    query: str
    body: bytes = b""
    received_at: float
    content_type: str = ""
    from_browser: bool = True
    ip: str | None = None
    user_agent: str | None = None
    referer: str | None = None
    cookies: Cookies = Cookies()
    hints: dict[str, str] = {}


class TurnedAway(msgspec.Struct, frozen=True):
    """An input that became no event: a reason to count, words for its sender, and its place among the inputs."""

    reason: str
    text: str
    place: int


class Parsed(msgspec.Struct, frozen=True):
    """What a request holds; every input of it is in one of the first two.

    ``notices``  what was left out of an event, by the place of the event among the events
    """

    events: tuple[Event, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()
    notices: tuple[tuple[int, Notice], ...] = ()
