"""The mapping step driven by itself: an event goes in, TikTok's event or a drop comes out."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from tikrelay.app.hits.request import Request, read_request
from tikrelay.event import Consent, Dropped, Event, HitKey, Visitor
from tikrelay.mapping.cleaning import Context
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig, RuleConfig
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.rules import Rules
from tikrelay.tiktok.payload import TikTokEvent

NOW = 1795312345.0
_OF_DESTINATION = ("event_source", "limited_data_use", "app_id")


def make_rules(**settings: Any) -> Rules:
    """Sort settings into the sections they belong to; ``rules`` and ``destination`` as a file would have them."""
    settings["consent"] = settings.pop("consent_rule", settings.get("consent", "required_or_unknown"))
    rules = [msgspec.convert(rule, RuleConfig) for rule in settings.pop("rules", ())]
    own = settings.pop("destination", {})
    destination = {key: settings.pop(key) for key in _OF_DESTINATION if key in settings} | own
    privacy = {key: settings.pop(key) for key in PrivacyConfig.__struct_fields__ if key in settings}
    return Rules.of(
        MappingConfig(**settings),
        PrivacyConfig(**privacy),
        msgspec.convert({"event_source_id": "C0EXAMPLE", **destination}, MappedDestination),
        rules,
    )


def make_event(name: str = "view_item", data: Mapping[str, Any] | None = None, **more: Any) -> Event:
    """Make an event; user data given as single texts becomes what collecting makes of it."""
    people = {key: (one,) if isinstance(one, str) else tuple(one) for key, one in more.pop("user_data", {}).items()}
    visitor = Visitor(**more.pop("visitor", {}))
    consent = Consent(**more.pop("consent", {}))
    key = HitKey(**more.pop("key", {}))
    given = {"source": "data", "received_at": NOW, **more}
    return Event(name=name, data=data or {}, user_data=people, visitor=visitor, consent=consent, key=key, **given)


@pytest.fixture
def rules() -> Callable[..., Rules]:
    return make_rules


@pytest.fixture
def event() -> Callable[..., Event]:
    return make_event


@pytest.fixture
def outcomes() -> Callable[..., list[TikTokEvent | Dropped]]:
    """Map an event under the settings given, to however many there are."""

    def to(name: str = "view_item", data: Mapping[str, Any] | None = None, *, settings: Any = None, **more: Any) -> Any:
        return [*map_event(make_event(name, data, **more), make_rules(**(settings or {})), fallback_id="fallback")]

    return to


@pytest.fixture
def convert() -> Callable[..., TikTokEvent | Dropped]:
    """Map an event under the settings given."""

    def to(name: str = "view_item", data: Mapping[str, Any] | None = None, *, settings: Any = None, **more: Any) -> Any:
        (outcome,) = map_event(make_event(name, data, **more), make_rules(**(settings or {})), fallback_id="fallback")
        return outcome

    return to


@pytest.fixture
def body(convert: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Map an event and give TikTok's JSON."""
    return lambda *given, **more: convert(*given, **more).body


@pytest.fixture
def kinds(convert: Callable[..., Any]) -> Callable[..., list[tuple[str, str]]]:
    """Map an event and give the kinds and fields of its notices."""
    return lambda *given, **more: [(notice.kind, notice.field) for notice in convert(*given, **more).notices]


@pytest.fixture
def context() -> Callable[..., Context]:
    """Make what a cleaner may look at."""

    def make(data: Mapping[str, Any] | None = None, *, settings: Any = None, name: str = "ViewContent", **more: Any):
        event, rules = make_event("view_item", data, **more), make_rules(**(settings or {}))
        return Context(event, name=name, fallback_id="", settings=rules.settings)

    return make


@pytest.fixture
def web() -> Callable[..., list[dict[str, Any]]]:
    """Send a gtag.js hit through collecting and mapping; give each event's JSON, or why it was dropped."""

    def send(
        query: str, *, lines: str = "", settings: Any = None, headers: Mapping[str, str] | None = None
    ) -> list[Any]:
        url = f"/g/collect?v=2&tid=G-SHOP&cid=10.20&_p=1&_s=1&{query}"
        request = Request(method="POST" if lines else "GET", url=url, body=lines, headers=dict(headers or {}))
        events = read_request(request, received_at=NOW).events
        rules = make_rules(**(settings or {}))
        outcomes = [made for one in events for made in map_event(one, rules, fallback_id="fallback")]
        return [one.reason.value if isinstance(one, Dropped) else one.body for one in outcomes]

    return send


@pytest.fixture
def posted() -> Callable[..., list[dict[str, Any]]]:
    """Post a body to a route through collecting and mapping."""

    def send(url: str, text: str, *, settings: Any = None, headers: Mapping[str, str] | None = None) -> list[Any]:
        kind = {"Content-Type": "application/json"}
        request = Request(method="POST", url=url, body=text, headers={**kind, **(headers or {})})
        events = read_request(request, received_at=NOW).events
        rules = make_rules(**(settings or {}))
        outcomes = [made for one in events for made in map_event(one, rules, fallback_id="fallback")]
        return [one.reason.value if isinstance(one, Dropped) else one.body for one in outcomes]

    return send


@pytest.fixture
def sha256() -> Callable[[str], str]:
    """Hash by the standard library, so that the expectation is not the code's own."""
    return lambda text: hashlib.sha256(text.encode()).hexdigest()
