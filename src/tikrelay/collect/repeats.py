"""Which of several hits that are alike a hit is, where gtag.js repeats hits after the visitor's choice.

When consent goes from denied to granted, gtag.js sends the hits of the page again, marked ``gcu=1``, with another count
(``_s``) and line. So count and line cannot stand in the id of such a hit, or of one made before the choice. What tells
a repeat of the first click from the second click is how many alike there were before it::

    before the choice     click 0    click 1              alike: page, name, address, and what the site said of it
    ad_storage changed    click 0    click 1              each phase is counted apart, and gtag keeps their order
    ad_user_data changed  click 0    click 1              gtag of 2024 repeats once for each type that changed

Where a repeat does not say which type changed, it may be the second of one hit. What a page does by itself, such as
its view, then counts as one; what a shopper does is counted.

The same count and line again is the same number: a proxy's retry. The memory is this worker's own and is bounded; with
a page that fell out of it, or whose first hits went to another worker, counting begins at 0, and a second click may be
taken for the first.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tikrelay.collect.query import last_of_each
from tikrelay.collect.user_data import PREFIX as USER_DATA
from tikrelay.event import Event, Json

MOST_REMEMBERED: Final = 100_000
"""Of all pages together, an entry for each hit and one for each kind: at least half as many hits, at most 25 MB."""

# Not what the site says of an event, but what the protocol says of the page, the visitor and the session; it may have
# changed by the time of the repeat. So may the rest: user data and gtag's own ids wait for consent, time goes on.
_NOT_OF_THE_EVENT: Final = frozenset({
    "page_location", "page_referrer", "page_title", "language", "user_id", "client_id", "ga_session_id",
    "ga_session_number", "screen_resolution", "ip_override", "event_location", "engagement_time_msec", "debug_mode",
})  # fmt: skip
_NOT_OF_THE_EVENT_STARTS: Final = (USER_DATA, "ga_temp_")
_BEFORE_THE_CHOICE: Final = "denied"
_NOT_SAID: Final = ""
_MADE_BY_THE_PAGE: Final = frozenset({"page_view", "view_item", "view_item_list", "view_cart", "view_promotion"})


class Repeats:
    """Remembers the hits of pages that gtag.js repeats, or may repeat, and numbers those that are alike."""

    def __init__(self, *, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self.remembered = 0
        self._pages: OrderedDict[int, dict[int, int]] = OrderedDict()

    def number(self, events: Sequence[Event], *, query: str) -> tuple[Event, ...]:
        """Give each event that is repeated, or may be, what tells it from others alike; the rest stay as they are.

        ``query`` is the request's: what changed with an update stands there for all its lines.
        """
        return tuple(self._numbered(event, query) if is_repeatable(event) else event for event in events)

    def _numbered(self, event: Event, query: str) -> Event:
        phase = _types_of(query) if event.consent.is_update else _BEFORE_THE_CHOICE
        content = digest_of(event.data)
        key = msgspec.structs.replace(event.key, content=content, nth=self._nth(event, content, phase))
        return msgspec.structs.replace(event, key=key)

    def _nth(self, event: Event, content: str, phase: str) -> int:
        if phase == _NOT_SAID and event.name in _MADE_BY_THE_PAGE:
            return 0
        key = event.key
        # Hashes of Python's own, seeded anew in each process: short, and nobody can aim at them. A page holds how many
        # of a kind there were, and which number a count and line of that kind was given.
        page_id = hash((key.measurement_id, key.client_id, key.page_id))
        kind = hash((event.name, key.page_location, content, phase))
        place = hash((kind, key.request_count, key.line))
        page = self._pages.setdefault(page_id, {})
        self._pages.move_to_end(page_id)
        if (known := page.get(place)) is not None:
            return known
        self.remembered += 1 if kind in page else 2
        number = page.get(kind, 0)
        page[kind] = number + 1
        page[place] = number
        while self.remembered > self._most:
            _, forgotten = self._pages.popitem(last=False)
            self.remembered -= len(forgotten)
        return number


def is_repeatable(event: Event) -> bool:
    """Say whether gtag.js repeats a hit after the visitor's choice, or this is the repeat.

    It repeats what was made while any type was denied; here two are heard, ad_storage and ad_user_data.
    """
    has_place = event.key.page_id is not None or event.key.request_count is not None
    consent = event.consent
    return has_place and (consent.is_update or "denied" in {consent.sending, consent.user_data})


def digest_of(data: Mapping[str, Json]) -> str:
    """Digest what the site itself said of an event: its parameters and items, in any order.

    >>> digest_of({"a": 1, "b": "x"}) == digest_of({"b": "x", "a": 1, "debug_mode": "1", "page_title": "Home"})
    True
    >>> digest_of({"items": [{"item_id": "1"}]}) == digest_of({"items": [{"item_id": "2"}]})
    False
    """
    said = {
        name: value
        for name, value in data.items()
        if name not in _NOT_OF_THE_EVENT and not name.startswith(_NOT_OF_THE_EVENT_STARTS)
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _types_of(query: str) -> str:
    """Which types of consent changed: ``sst.gcut`` of a hit for a server container, else ``gcut``."""
    parameters = last_of_each(query)
    return parameters.get("sst.gcut") or parameters.get("gcut") or _NOT_SAID
