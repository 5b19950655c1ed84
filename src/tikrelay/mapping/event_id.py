"""The event id: what TikTok knows a repeat by, made once before the event is stored.

TikTok drops a second event of the same source, name and id for 48 hours, so an id must survive retries, and a repeat of
the same hit must carry the id of the first.
"""

import hashlib
import json

from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import LONGEST_TEXT, Context, Left, as_text
from tikrelay.mapping.personal import value_gives_away
from tikrelay.mapping.user import sha256_hex


def given_id(value: Json, _: Context) -> str | Left:
    """Take an id as it was given, as text; one that holds an e-mail address or a phone number is hashed."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if len(text) > LONGEST_TEXT:
        return Left.UNUSABLE
    return harmless_id(text)


def harmless_id(text: str) -> str:
    """Hash an id that is or holds somebody's address, so that it stays one and the same and gives nobody away.

    Ids of nothing but digits are common, and never taken for a phone number.

    >>> harmless_id("R-1001"), harmless_id("0049151555"), harmless_id("ann@shop.example")[:8]
    ('R-1001', '0049151555', '6a0bf011')
    """
    if (text.isascii() and text.isdigit()) or not value_gives_away(text, is_products=True):
        return text
    return sha256_hex(text)


def derived_id(event: Event) -> str | None:
    """Derive an id from what tells one hit from another; None for a source without such things.

    gtag.js sends the hits made before the visitor's choice a second time after it (``gcu=1``), with another count and
    line. Of those hits (``collect/repeats.py`` marks them by their ``content``) what the site said and their number
    among those alike stand in their place, so that the repeat carries the id of the first, and a second click does not.
    """
    key = event.key
    if key.page_id is None and key.request_count is None:
        return None
    place = ["repeatable", key.content, key.nth] if key.content else [key.request_count, key.line]
    parts = [key.measurement_id, key.client_id, key.page_id, event.name, key.page_location, *place]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
