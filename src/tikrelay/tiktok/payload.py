"""What the Events API takes: the body of one call, and one event in it.

Shapes of ``POST /open_api/v1.3/event/track/`` ("Events API 2.0"). The portal's own pages are rendered by script and
could not be read; names and types are those that TikTok's own server template and the integrations that run against the
live API agree on.
"""

from typing import Any, Final, Literal, NotRequired, TypedDict

import msgspec

from tikrelay.event import Notice

EventSource = Literal["web", "app", "offline", "crm"]

TRACK_PATH: Final = "/open_api/v1.3/event/track/"  # with its trailing slash
MAX_EVENTS_PER_CALL: Final = 1000  # as RudderStack and Hightouch cite the API's page


class Content(TypedDict, total=False):
    """One product of ``properties.contents``."""

    content_id: str
    content_type: Literal["product", "product_group"]
    content_name: str
    content_category: str
    brand: str
    price: int | float
    quantity: int


class EventBody(TypedDict):
    """One element of ``data``. Empty objects are left out."""

    event: str
    event_time: int
    event_id: str
    user: NotRequired[dict[str, Any]]
    page: NotRequired[dict[str, str]]
    properties: NotRequired[dict[str, Any]]
    device: NotRequired[dict[str, Any]]
    app: NotRequired[dict[str, Any]]
    ad: NotRequired[dict[str, Any]]
    lead: NotRequired[dict[str, str]]
    limited_data_use: NotRequired[bool]


class TikTokEvent(msgspec.Struct, frozen=True):
    """An event as it goes to TikTok, and what was left out or doubtful on the way there.

    ``test_event_code``  of this event alone; empty is the destination's
    ``own_id``           its id is the sender's: neither derived nor made here
    """

    body: EventBody
    notices: tuple[Notice, ...] = ()
    test_event_code: str = ""
    own_id: bool = True


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a call: what is looked up at the moment of sending, never stored with an event."""

    event_source: EventSource
    event_source_id: str
    test_event_code: str = ""


def call_body(envelope: Envelope, events: list[bytes]) -> bytes:
    """Join stored events into the body of one call, byte for byte.

    >>> call_body(Envelope(event_source="web", event_source_id="C0"), [b'{"event":"Lead"}'])
    b'{"event_source":"web","event_source_id":"C0","data":[{"event":"Lead"}]}'
    """
    head: dict[str, str] = {"event_source": envelope.event_source, "event_source_id": envelope.event_source_id}
    if envelope.test_event_code:
        head["test_event_code"] = envelope.test_event_code
    return msgspec.json.encode(head)[:-1] + b',"data":[' + b",".join(events) + b"]}"
