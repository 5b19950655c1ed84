"""The table of fields: for each TikTok field its sources in order, and how a value is cleaned.

Sources are asked in turn until one gives a value that can be used. The mapper walks this table (``convert.py``),
``tikrelay explain`` prints the walk (``explain.py``), and the reference page is made from it: it is the one place where
the order of sources is said. The order of the rows is the order of the payload's keys.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from tikrelay.event import CLICK_ID, PAGE_URL, Json
from tikrelay.mapping import contents, device, event_id, page, texts, times, user
from tikrelay.mapping.cleaning import Basket, Cleaner, Context
from tikrelay.mapping.names import PURCHASES
from tikrelay.tiktok.payload import EventSource


class Source(msgspec.Struct, frozen=True):
    """Where a value may come from: the name users see, and how it is read. ``clean`` goes before the field's own.

    ``place`` and ``key``  the table of the event it is a key of, so that the mapper need not ask where nothing is;
                           empty where it is read otherwise
    """

    name: str
    read: Callable[[Context], Any]
    clean: Cleaner | None = None
    place: Literal["", "data", "user_data", "user_properties", "client_hints"] = ""
    key: str = ""


class Field(msgspec.Struct, frozen=True):
    """One row.

    ``path``    the field's place in TikTok's event, such as ``user.email``
    ``cleaning``  what the cleaner does, in words
    ``many``    several values make a list, one stays alone
    ``person``  it identifies a person: left out where the visitor said no to ad_user_data
    ``only``    the kinds of destination it is for; empty is all
    ``group``, ``key``  ``user`` and ``email`` of ``user.email``; no group for a field of the event itself
    """

    path: str
    sources: tuple[Source, ...]
    clean: Cleaner
    cleaning: str
    many: bool = False
    person: bool = False
    only: tuple[EventSource, ...] = ()
    group: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        """Take the path apart once, not for every event."""
        group, _, key = self.path.rpartition(".")
        msgspec.structs.force_setattr(self, "group", group)
        msgspec.structs.force_setattr(self, "key", key)


def data(name: str, clean: Cleaner | None = None) -> Source:
    """A key of the event data."""
    return Source(name, lambda context: context.event.data.get(name), clean, "data", name)


def person(name: str) -> Source:
    """A key of user_data; it may hold several values."""
    return Source(f"user_data.{name}", lambda context: context.event.user_data.get(name), None, "user_data", name)


def user_property(name: str) -> Source:
    """A user property."""
    read = lambda context: context.event.user_properties.get(name)  # noqa: E731
    return Source(f"user property {name}", read, None, "user_properties", name)


def hint(name: str) -> Source:
    """A client hint."""
    read = lambda context: context.event.client_hints.get(name)  # noqa: E731
    return Source(f"client hint {name}", read, None, "client_hints", name)


def _purchase_only(name: str) -> Callable[[Context], Any]:
    return lambda context: context.event.data.get(name) if context.name in PURCHASES else None


_REFERRERS: Final = ("x-ttq-ct-page-referrer", "x-ttq-ct-page-referer", "page_referrer")


def _same_host_referrer(context: Context) -> Json:
    referrer = next((given for key in _REFERRERS if (given := context.event.data.get(key))), None)
    host = page.host_of_url(context.event.page_url)
    return referrer if host and host == page.host_of_url(referrer) else None


def _of_basket(read: Callable[[Basket], Any]) -> Callable[[Context], Any]:
    return lambda context: None if context.basket is None else read(context.basket)


_FIRST_NAME: Final = (
    person("address.first_name"), person("address.sha256_first_name"), person("first_name"),
    person("sha256_first_name"), data("first_name"),
)  # fmt: skip
_LAST_NAME: Final = (
    person("address.last_name"), person("address.sha256_last_name"), person("last_name"),
    person("sha256_last_name"), data("last_name"),
)  # fmt: skip
_ZIP: Final = (
    person("address.postal_code"), person("address.sha256_postal_code"), person("address.zip_code"),
    person("postal_code"), person("zip_code"), data("postal_code"), data("zip_code"), data("zip"),
)  # fmt: skip
_NAME_WORDS: Final = "NFC, lower case, no punctuation or spaces, SHA-256"
_PLACE_WORDS: Final = "lower case, no punctuation or spaces, not hashed"

FIELDS: Final = (
    Field(
        "event_time",
        (
            data("x-ttq-timestamp"),
            data("timestamp_micros"),
            data("request.timestamp_micros"),
            data("event_time"),
            data("timestamp"),
            Source("time of receipt", lambda context: int(context.event.received_at), texts.as_is),
        ),
        times.whole_seconds,
        "whole Unix seconds; milli- and microseconds and ISO 8601 are recognised",
    ),
    Field(
        "event_id",
        (
            data("x-ttq-event-id"),
            data("event_id"),
            Source("transaction_id (purchase only)", _purchase_only("transaction_id")),
            Source("order_id (purchase only)", _purchase_only("order_id")),
            Source(
                "derived from tid, cid, _p, name, dl, _s and line", lambda context: event_id.derived_id(context.event)
            ),
            Source("made when stored", lambda context: context.fallback_id),
        ),
        event_id.given_id,
        "text",
    ),
    Field(
        "user.external_id",
        (
            data("x-ttq-ud-external-id"),
            data("tt_external_id"),
            data("external_id"),
            data("user_id"),
            user_property("id"),
        ),
        user.hash_external_id,
        "trimmed, case kept, SHA-256",
        many=True,
        person=True,
    ),
    Field(
        "user.email",
        (
            data("x-ttq-ud-email"),
            person("email_address"),
            person("email"),
            data("email"),
            data("email_address"),
            person("sha256_email_address"),
            user_property("email"),
        ),
        user.hash_email,
        "no white space, lower case, SHA-256",
        many=True,
        person=True,
    ),
    Field(
        "user.phone",
        (
            data("x-ttq-ud-phone-number"),
            person("phone_number"),
            person("phone"),
            data("phone_number"),
            data("phone"),
            person("sha256_phone_number"),
            user_property("phone_number"),
        ),
        user.hash_phone,
        "E.164, SHA-256; a country is never guessed",
        many=True,
        person=True,
    ),
    Field("user.first_name", _FIRST_NAME, user.hash_name, _NAME_WORDS, person=True),
    Field("user.last_name", _LAST_NAME, user.hash_name, _NAME_WORDS, person=True),
    Field("user.zip_code", _ZIP, user.hash_zip, "lower case, no spaces or dashes, SHA-256", person=True),
    Field("user.city", (person("address.city"), person("city"), data("city")), user.place, _PLACE_WORDS, person=True),
    Field(
        "user.state",
        (
            person("address.region"),
            person("address.state"),
            person("region"),
            person("state"),
            data("state"),
            data("region"),
        ),
        user.state,
        _PLACE_WORDS,
        person=True,
    ),
    Field(
        "user.country",
        (person("address.country"), person("country"), data("country")),
        user.country,
        "ISO 3166-1 alpha-2, lower case, not hashed",
        person=True,
    ),
    Field(
        "user.ttclid",
        (
            *(Source(f"{CLICK_ID} in {key}", data(key).read, page.click_id_of_url) for key in PAGE_URL),
            data("x-ttq-ttclid"),
            Source("ttclid in page_referrer of the same host", _same_host_referrer, page.click_id_of_url),
            Source("cookie ttclid", lambda c: c.event.visitor.ttclid_cookie),
            data("ttclid"),
        ),
        page.click_id,
        "decoded once; printable ASCII, at most 1024",
    ),
    Field(
        "user.ttp",
        (Source("cookie _ttp", lambda context: context.event.visitor.ttp_cookie), data("ttp"), data("_ttp")),
        texts.pixel_cookie,
        "as it is",
    ),
    Field(
        "user.ip",
        (
            data("x-ttq-ct-ip-adress"),
            data("x-ttq-ct-ip-address"),
            data("ip_override"),
            Source("X-Forwarded-For or peer", lambda context: context.event.visitor.ip),
        ),
        texts.public_address,
        "port and brackets off; public addresses only",
    ),
    Field(
        "user.user_agent",
        (
            data("x-ttq-ct-user-agent"),
            data("user_agent"),
            Source("header User-Agent", lambda context: context.event.visitor.user_agent),
        ),
        texts.agent,
        "as it is",
    ),
    Field("user.locale", (data("language"),), texts.locale, "BCP 47"),
    Field(
        "page.url",
        tuple(data(key) for key in PAGE_URL),
        page.clean_url,
        "cleared of persons and secrets, the rest as it came",
    ),
    Field(
        "page.referrer",
        tuple(data(key) for key in _REFERRERS),
        page.clean_url,
        "cleared of persons and secrets, the rest as it came",
    ),
    Field(
        "properties.contents",
        (data("x-ttq-pt-contents"), data("items"), data("tt_contents"), data("contents")),
        contents.read_contents,
        "TikTok's names; quantity 1 when missing",
    ),
    Field(
        "properties.content_type",
        (Source("the first content's", _of_basket(lambda basket: basket.contents[0].get("content_type"))),),
        texts.as_is,
        "product, or product_group where tt_content_type or content_type says so",
    ),
    Field(
        "properties.content_ids",
        (
            Source(
                "the contents' ids",
                _of_basket(lambda basket: [item["content_id"] for item in basket.contents if "content_id" in item]),
            ),
        ),
        texts.as_is,
        "text",
    ),
    Field(
        "properties.num_items",
        (Source("sum of quantities", _of_basket(lambda basket: basket.num_items or None)),),
        texts.as_is,
        "whole number",
    ),
    Field(
        "properties.currency",
        (
            data("x-ttq-pt-currency"),
            data("currency"),
            Source("the first item's currency", _of_basket(lambda basket: basket.currency)),
        ),
        texts.currency,
        "ISO 4217, upper case; never invented",
    ),
    Field(
        "properties.value",
        (
            data("x-ttq-pt-value"),
            data("value"),
            Source("sum of price x quantity", _of_basket(lambda basket: basket.total), texts.as_is),
        ),
        texts.number,
        "number; 0 stays",
    ),
    Field("properties.order_id", (data("order_id"), data("transaction_id")), event_id.given_id, "text"),
    Field(
        "properties.query",
        (data("x-ttq-pt-query"), data("search_term"), data("query")),
        texts.text,
        "text without personal data",
    ),
    Field(
        "properties.search_string",
        (data("x-ttq-pt-query"), data("search_term"), data("query")),
        texts.text,
        "text without personal data",
    ),
    Field(
        "properties.description",
        (data("x-ttq-pt-description"), data("description")),
        texts.text,
        "text without personal data",
    ),
    Field("device.architecture", (hint("architecture"),), device.hint_text, "text", only=("web",)),
    Field("device.bitness", (hint("bitness"),), device.hint_text, "text", only=("web",)),
    Field("device.model", (hint("model"),), device.hint_text, "text", only=("web",)),
    Field("device.platform", (hint("platform"),), device.hint_text, "text", only=("web",)),
    Field("device.platform_version", (hint("platform_version"),), device.hint_text, "text", only=("web",)),
    Field(
        "device.browser_version_list", (hint("full_version_list"),), device.versions, "brand and version", only=("web",)
    ),
    Field("device.mobile", (hint("mobile"),), device.flag, "yes or no", only=("web",)),
    Field("lead.lead_id", (data("lead_id"),), texts.text, "text", only=("crm",)),
    Field("lead.lead_event_source", (data("lead_event_source"),), texts.text, "text", only=("crm",)),
    Field(
        "app.app_id",
        (Source("app_id of the destination", lambda context: context.settings.app_id),),
        texts.text,
        "text",
        only=("app",),
    ),
    Field("app.app_name", (data("app_name"),), texts.text, "text", only=("app",)),
    Field("app.app_version", (data("app_version"),), texts.text, "text", only=("app",)),
    Field("ad.callback", (data("callback"),), texts.text, "text", only=("app",)),
    Field("ad.campaign_id", (data("campaign_id"),), texts.text, "text", only=("app",)),
    Field("ad.ad_id", (data("ad_id"),), texts.text, "text", only=("app",)),
    Field("ad.creative_id", (data("creative_id"),), texts.text, "text", only=("app",)),
    Field("ad.is_retargeting", (data("is_retargeting"),), device.flag, "yes or no", only=("app",)),
    Field("ad.attributed", (data("attributed"),), device.flag, "yes or no", only=("app",)),
    Field("ad.attribution_type", (data("attribution_type"),), texts.text, "text", only=("app",)),
    Field("ad.attribution_provider", (data("attribution_provider"),), texts.text, "text", only=("app",)),
)
