"""Which settings contradict each other or cannot be right, and what deserves a warning."""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from tikrelay.app.config import Config
from tikrelay.base.errors import Mistake
from tikrelay.base.happenings import Advice
from tikrelay.base.secret import Secret
from tikrelay.collect.cookies import registrable_domain
from tikrelay.collect.places import HOST, ORIGIN
from tikrelay.mapping.config import MappedDestination, RuleConfig
from tikrelay.mapping.edits import default_of
from tikrelay.mapping.names import ending_names
from tikrelay.mapping.patterns import is_pattern
from tikrelay.mapping.rules import MOST_RULES, Rule, RuleError
from tikrelay.mapping.sensitive import sensitive_topic
from tikrelay.tiktok.config import TEST_EVENT_CODE

SHORTEST_MAX_AGE_S: Final = 3600
_STAR: Final = 'write a name, with a star at one end at most, such as "view_*"'
_LONGEST_COOKIE_S: Final = 400 * 86400  # RFC 6265bis, 5.5: browsers may cut what is longer
_REGION: Final = re.compile(r"[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?", re.ASCII)

_WEBHOOK: Final = re.compile(
    r"https://[^/\s@?#]+(?:[/?]\S*)?|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?(?:[/?]\S*)?"
)
SHORTEST_REPEAT_S: Final = 60.0
TEST_MODE: Final = "test_mode"

Where = Callable[[str, str], str]

# A pixel code is about 20 upper-case letters and digits that begin with a letter; an event set id is digits only
# (TikTok's server template; Segment's offline destination). TikTok answers 40002 when one is given for the other.
_PIXEL_SHAPE: Final = re.compile(r"(?=.*[A-Z])[A-Z0-9]{12,40}")
_TOKEN_SHAPE: Final = re.compile(r"[\x21-\x7e]{1,4096}")  # what can stand in an HTTP header
_PLACEHOLDER: Final = re.compile(r".*\.\.\.|<.*>|your[-_ ].*", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine itself.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("10.0.0.1")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_contradictions(config: Config, where: Where, *, need_destination: bool, need_token: bool) -> list[Mistake]:
    """Look at the settings together; each finding names one setting and what to write."""
    found: list[tuple[str, str, str, str]] = [
        *_server(config), *_sources(config), *_tiktok(config), *_outbox(config), *_mapping(config),
        *_properties(config), *_privacy(config), *_cookies(config), *_alarms(config),
        *_rules("rules", config.rules, config),
    ]  # fmt: skip
    if need_destination and not config.destinations:
        found.append(
            ("destinations", "", "there is none", "set TIKTOK_PIXEL_CODE and TIKTOK_ACCESS_TOKEN, or [[destinations]]")
        )
    names = Counter(destination.name for destination in config.destinations)
    for number, destination in enumerate(config.destinations):
        section = f"destinations[{number}]"
        found += [(section, key, what, hint) for key, what, hint in _destination(destination)]
        if need_token or destination.access_token:
            found += [(section, "access_token", what, hint) for what, hint in _token(destination.access_token)]
        found += _rules(f"{section}.rules", destination.rules, config)
        if names[destination.name] > 1:
            found.append((section, "name", f"{destination.name!r} stands twice", "give each its own name"))
    return [
        Mistake(where(section, key), f"{section}.{key}".rstrip("."), what, hint) for section, key, what, hint in found
    ]


def _server(config: Config) -> Iterator[tuple[str, str, str, str]]:
    if config.server.port and config.server.port == config.server.admin_port:
        yield "server", "admin_port", "is the public port too", "give it a port of its own"
    if not is_loopback(config.server.admin_host.strip("[]")) and not config.server.admin_password:
        hint = 'set admin_password too, or write "127.0.0.1"'
        yield "server", "admin_host", "would let everybody who reaches this machine read and change events", hint
    for network in config.server.trusted_proxies:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            yield (
                "server",
                "trusted_proxies",
                f"{network!r} is no network",
                'write it as "10.0.0.0/8" or "127.0.0.1/32"',
            )


def _sources(config: Config) -> Iterator[tuple[str, str, str, str]]:
    for host in config.sources.hosts:
        if not HOST.fullmatch(host):
            yield "sources", "hosts", f"{host!r} is no host", 'write it as "gw.shop.example" or "*.shop.example"'
    for origin in config.sources.origins:
        if not ORIGIN.fullmatch(origin):
            hint = 'write it as "https://shop.example" or "https://*.shop.example", without a path'
            yield "sources", "origins", f"{origin!r} is no site", hint


def _tiktok(config: Config) -> Iterator[tuple[str, str, str, str]]:
    try:
        url = urlsplit(config.tiktok.base_url)
        host = url.hostname or ""
    except ValueError:
        host, url = "", urlsplit("")
    if not host or url.scheme not in {"https", "http"} or url.query or url.fragment or url.username:
        yield "tiktok", "base_url", "is no https address", 'such as "https://business-api.tiktok.com"'
    elif url.scheme == "http" and not is_loopback(host):
        yield "tiktok", "base_url", "would send the token unencrypted", "http is for this machine only; use https"
    for key in ("connect_timeout_s", "timeout_s"):
        if not 0 < getattr(config.tiktok, key) <= 300:
            yield "tiktok", key, "must be more than 0 and at most 300 seconds", ""


def _outbox(config: Config) -> Iterator[tuple[str, str, str, str]]:
    scheme, _, rest = config.outbox.url.partition(":")
    if scheme == "nats":
        yield "outbox", "url", "this version keeps its outbox in SQLite only", 'write "sqlite:" and a folder'
    elif scheme != "sqlite" or not rest.strip():
        yield "outbox", "url", f"{config.outbox.url!r} names no store", 'write "sqlite:" and a folder'
    if config.outbox.spill:
        yield "outbox", "spill", "belongs to a nats outbox, which this version does not have", "leave it empty"
    if config.outbox.max_bytes < 0:
        yield "outbox", "max_bytes", "must be 0 or more", "0 is until the disk's reserve"
    if config.send.max_age < SHORTEST_MAX_AGE_S:
        yield (
            "send",
            "max_age",
            "is so short that an outage of minutes buries events",
            'write "1h" or more, such as "7d"',
        )


def _mapping(config: Config) -> Iterator[tuple[str, str, str, str]]:
    country = config.mapping.default_phone_country
    if country:
        from phonenumbers import SUPPORTED_REGIONS

        if country not in SUPPORTED_REGIONS:
            yield "mapping", "default_phone_country", f"{country!r} is no country", 'ISO 3166, such as "DE" or "US"'


def _properties(config: Config) -> Iterator[tuple[str, str, str, str]]:
    for name, value in config.mapping.custom_properties.items():
        try:
            default_of(name, value)
        except ValueError as error:
            yield "mapping", "custom_properties", str(error), ""


def _privacy(config: Config) -> Iterator[tuple[str, str, str, str]]:
    for key in ("allowed_parameters", "denied_hosts", "denied_paths", "denied_events"):
        for pattern in getattr(config.privacy, key):
            if not is_pattern(pattern):
                yield "privacy", key, f"{pattern!r} is no pattern", _STAR
    for region in config.privacy.limited_data_use_regions:
        if not _REGION.fullmatch(region):
            yield "privacy", "limited_data_use_regions", f"{region!r} is no place", 'ISO 3166, such as "US" or "US-CA"'


def _cookies(config: Config) -> Iterator[tuple[str, str, str, str]]:
    for key in ("ttclid_max_age", "ttp_max_age"):
        if getattr(config.cookies, key) < 1:
            yield "cookies", key, "is no time a cookie can be kept", "a cookie that is not wanted is switched off"
        if getattr(config.cookies, key) > _LONGEST_COOKIE_S:
            yield "cookies", key, "is longer than browsers keep a cookie", 'write "400d" or less'
    if config.cookies.generate_ttp and config.cookies.http_only:
        what = "and generate_ttp contradict each other: the page's pixel could neither read nor renew that _ttp"
        yield "cookies", "http_only", what, "switch one of them off"
    if config.cookies.domain and registrable_domain(config.cookies.domain) is None:
        what = f"{config.cookies.domain!r} is no domain a browser keeps a cookie for"
        yield "cookies", "domain", what, 'such as "shop.example", or empty'


def _alarms(config: Config) -> Iterator[tuple[str, str, str, str]]:
    webhook = config.alarms.webhook
    if webhook and not webhook.matches(_WEBHOOK):
        yield (
            "alarms",
            "webhook",
            "is no https address",
            "http is for this machine only, such as http://127.0.0.1:9000/",
        )
    if config.alarms.repeat < SHORTEST_REPEAT_S:
        yield "alarms", "repeat", "is so short that alarms are noise", 'write "1m" or more, such as "6h"'


def _rules(section: str, rules: Sequence[RuleConfig], config: Config) -> Iterator[tuple[str, str, str, str]]:
    if len(rules) > MOST_RULES:
        yield section.rpartition(".")[0], "rules", f"are more than {MOST_RULES}", "put alike ones together"
    names = {destination.name for destination in config.destinations}
    for number, rule in enumerate(rules):
        here = f"{section}[{number}]"
        try:
            Rule.of(rule, number=number)
        except RuleError as error:
            for key, what in error.mistakes:
                yield here, key, what, ""
        events = (rule.events,) if isinstance(rule.events, str) else rule.events
        for pattern in events:
            if not is_pattern(pattern):
                yield here, "events", f"{pattern!r} is no name and no pattern", _STAR
        for name in set(rule.destinations) - names if names else ():
            yield here, "destinations", f"{name!r} is no destination", f"there are {', '.join(sorted(names))}"


def _destination(destination: MappedDestination) -> Iterator[tuple[str, str, str]]:
    identifier, source = destination.event_source_id, destination.event_source
    if not destination.name or len(destination.name) > 64 or not destination.name.isprintable():
        yield "name", "must be 1 to 64 printable characters", ""
    if not identifier.strip():
        yield "event_source_id", "is empty", "the pixel code, app id or event set id from Events Manager"
    elif _PLACEHOLDER.fullmatch(identifier):
        yield "event_source_id", "is still the example's placeholder", "put your own from Events Manager"
    elif source != "web" and _PIXEL_SHAPE.fullmatch(identifier):
        what = f"looks like a pixel code, and event_source is {source}"
        yield "event_source_id", what, "TikTok refuses that (40002); use the id of the app or event set, digits only"
    code = destination.test_event_code
    if code and not TEST_EVENT_CODE.fullmatch(code):
        yield "test_event_code", "is no code of the Test Events tab", "such as TEST12345, without spaces"
    for host in destination.hosts:
        if not is_pattern(host) or "/" in host or ":" in host:
            yield "hosts", f"{host!r} is no host", 'write it as "shop.example" or "*.shop.example"'
    if source == "app" and not destination.app_id:
        yield "app_id", "is missing", "event_source app needs the store id or package name"


def _token(token: Secret) -> Iterator[tuple[str, str]]:
    if not token:
        yield "is missing", "Events Manager: your pixel, Settings, Generate Access Token"
    elif token.matches(_PLACEHOLDER):
        yield "is still the example's placeholder", "put your own from Events Manager"
    elif not token.matches(_TOKEN_SHAPE):
        yield "holds characters no token has", "copy it again, without line breaks or spaces"


class _Rule(msgspec.Struct, frozen=True):
    kind: str
    applies: Callable[[Config], bool]
    text: str
    level: Literal["info", "warning"] = "warning"


_ADVICE: Final = (
    _Rule(
        "any_measurement_id",
        lambda config: not config.sources.measurement_ids,
        "sources.measurement_ids is empty: anyone who finds this address can post purchases; list your G-... ids",
    ),
    _Rule(
        "open_data_route",
        lambda config: not config.sources.data_key,
        "sources.data_key is empty: /data takes events from anyone; set it if only your own servers send there",
        "info",
    ),
    _Rule(
        "place_an_order",
        lambda config: config.mapping.purchase_event == "PlaceAnOrder",
        "purchases go out as PlaceAnOrder; if the page's TikTok pixel reports CompletePayment or Purchase, each counts "
        "twice: set mapping.purchase_event to the name the pixel uses",
    ),
    _Rule(
        "no_trusted_proxies",
        lambda config: not config.server.trusted_proxies and not is_loopback(config.server.host),
        "server.trusted_proxies is empty while the server listens beyond this machine: behind a proxy every visitor "
        "would have the proxy's address; list the proxy's network, or leave it if visitors connect directly",
    ),
    _Rule(
        "no_trusted_proxies",
        lambda config: not config.server.trusted_proxies and is_loopback(config.server.host),
        "server.trusted_proxies is empty: behind a proxy on this machine no visitor's address is known or sent; set it "
        'to ["127.0.0.1/32"]',
    ),
    _Rule(
        "digits_for_web",
        lambda config: any(d.event_source == "web" and d.event_source_id.isdigit() for d in config.destinations),
        "an event_source_id of digits alone is that of an app or an event set; event_source web takes the pixel code, "
        "which begins with a letter: TikTok answers 40002 to the wrong kind",
    ),
    _Rule(
        "cookies_after_a_no",
        lambda config: config.privacy.cookies == "ignore" and config.privacy.consent != "ignore",
        "privacy.cookies is ignore: cookies are set even for a visitor who said no, whose events are not sent",
    ),
    _Rule(
        "no_cookie_to_make",
        lambda config: config.privacy.cookies == "never" and config.cookies.generate_ttp,
        "cookies.generate_ttp is set and privacy.cookies is never: no _ttp is made",
    ),
    _Rule(
        TEST_MODE,
        lambda config: any(destination.test_event_code for destination in config.destinations),
        "a test_event_code is set: everything sent to that destination counts as a test and not for ads",
    ),
)


def _sensitive_names(config: Config) -> Iterator[str]:
    """Find names of the operator's own that hint at what TikTok's terms forbid to share."""
    rules = [*config.rules, *(rule for destination in config.destinations for rule in destination.rules)]
    events = [config.mapping.events, *(destination.events for destination in config.destinations)]
    named: list[str | tuple[str, ...] | None] = [
        *(becomes for table in events for becomes in table.values()),
        *(rule.send_as for rule in rules),
        *config.mapping.custom_properties,
        *(target for rule in rules for target in (*rule.set, *rule.copy, *rule.rename.values())),
    ]
    every = [one for given in named if given for one in ((given,) if isinstance(given, str) else given)]
    for name in dict.fromkeys(every):
        if (topic := sensitive_topic(name.removeprefix("properties."))) is not None:
            yield f"{name!r} hints at {topic}, which TikTok's terms forbid to share; choose a name that tells nothing"


def advise(config: Config) -> list[Advice]:
    """Say in plain words what works but may surprise; told at start and by ``check``."""
    found = [Advice(kind=rule.kind, text=rule.text, level=rule.level) for rule in _ADVICE if rule.applies(config)]
    found += [Advice(kind="sensitive_name", text=text) for text in _sensitive_names(config)]
    return found + [
        Advice(kind="name_ends", text=text)
        for text in dict.fromkeys(
            ending
            for destination in config.destinations or (None,)
            for ending in ending_names(config.mapping, destination)
        )
    ]
