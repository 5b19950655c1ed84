"""The table of fields: for each TikTok field its sources in order, and how a value is cleaned.

Sources are asked in turn until one gives a value that can be used. The mapper walks this table (``convert.py``),
``tikrelay explain`` prints the walk (``explain.py``), and the reference page is made from it: it is the one place where
the order of sources is said. The order of the rows is the order of the payload's keys.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from tikrelay.event import CLICK_ID, PAGE_URL, Event, Json
from tikrelay.mapping import contents, device, event_id, industry, limited_use, page, texts, times, user
from tikrelay.mapping.cleaning import Basket, Cleaner, Context, Left
from tikrelay.mapping.names import PURCHASES
from tikrelay.mapping.notices import NoticeKind
from tikrelay.tiktok.payload import EventSource

Read = Callable[[Context], Any]


class Source(msgspec.Struct, frozen=True):
    """Where a value may come from: the name users see, and how it is read. ``clean`` goes before the field's own.

    ``place`` and ``key``  the table of the event it is a key of, so that the mapper need not ask where nothing is;
                           empty where it is read otherwise
    """

    name: str
    read: Read
    clean: Cleaner | None = None
    place: Literal["", "data", "user_data", "user_properties", "client_hints"] = ""
    key: str = ""


class Field(msgspec.Struct, frozen=True):
    """One row.

    ``path``    the field's place in TikTok's event, such as ``user.email``
    ``cleaning``  what the cleaner does, in words
    ``basis``   who says that TikTok takes it so, in words by which a reader can look it up
    ``hashed``  it is sent as its SHA-256
    ``many``    several values make a list, one stays alone
    ``person``  it identifies a person: left out where the visitor said no to ad_user_data
    ``only``    the kinds of destination it is for; empty is all
    ``group``, ``key``  ``user`` and ``email`` of ``user.email``; no group for a field of the event itself
    """

    path: str
    sources: tuple[Source, ...]
    clean: Cleaner
    cleaning: str
    basis: str
    hashed: bool = False
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
    read: Read = lambda context: context.event.user_properties.get(name)  # noqa: E731
    return Source(f"user property {name}", read, None, "user_properties", name)


def hint(name: str) -> Source:
    """A client hint."""
    read: Read = lambda context: context.event.client_hints.get(name)  # noqa: E731
    return Source(f"client hint {name}", read, None, "client_hints", name)


def _purchase_only(name: str) -> Callable[[Context], Any]:
    return lambda context: context.event.data.get(name) if _is_purchase(context) else None


def _is_purchase(context: Context) -> bool:
    """Say whether the event is one, by TikTok's name or by GA4's: the operator may have it sent under another."""
    return context.name in PURCHASES or context.event.name.strip() == "purchase"


_REFERRERS: Final = ("x-ttq-ct-page-referrer", "x-ttq-ct-page-referer", "page_referrer", "referrer")


def _same_host_referrer(context: Context) -> Json:
    referrer = next((given for key in _REFERRERS if (given := context.event.data.get(key))), None)
    host = page.host_of_url(context.event.page_url)
    return referrer if host and host == page.host_of_url(referrer) else None


def _unless(is_theirs: Callable[[Event], bool], name: str, clean: Cleaner) -> Source:
    """A key of the event data that is somebody's address, unless the event says that it is another's."""
    return data(name, lambda value, context: Left.EMPTY if is_theirs(context.event) else clean(value, context))


def _of_trade(is_theirs: Callable[[Event], bool], name: str, of: str, clean: Cleaner) -> Source:
    """The same key where it is the other's."""
    theirs: Cleaner = lambda value, context: clean(value, context) if is_theirs(context.event) else Left.NOT_MEANT  # noqa: E731
    return Source(f"{name} (of a {of})", data(name).read, theirs, "data", name)


def _made_id(value: Json, context: Context) -> Json:
    """Take an id that the sender did not give. The pixel gives page views none, so there its copy is another anyway."""
    context.made_id = value
    if context.settings.event_source == "web" and context.name.lower() != "pageview":
        context.warn(
            NoticeKind.NO_EVENT_ID,
            "is not in the hit, so the browser pixel's copy of the event cannot be told to be the same: give both one",
        )
    return value


def _of_basket(read: Callable[[Basket], Any]) -> Callable[[Context], Any]:
    return lambda context: None if context.basket is None else read(context.basket)


_FIRST_NAME: Final = (
    person("address.first_name"), person("address.sha256_first_name"), person("first_name"),
    person("sha256_first_name"), data("first_name"), person("address.firstName"), person("firstName"),
)  # fmt: skip
_LAST_NAME: Final = (
    person("address.last_name"), person("address.sha256_last_name"), person("last_name"),
    person("sha256_last_name"), data("last_name"), person("address.lastName"), person("lastName"),
)  # fmt: skip
_ZIP: Final = (
    person("address.postal_code"), person("address.sha256_postal_code"), person("address.zip_code"),
    person("postal_code"), person("zip_code"), _unless(industry.is_vehicle, "postal_code", user.hash_zip),
    data("zip_code"), data("zip"),
)  # fmt: skip
_NAME_WORDS: Final = "NFC, lower case, no punctuation or spaces, SHA-256"
_PLACE_WORDS: Final = "lower case, no punctuation or spaces"
_TEXT_WORDS: Final = "text without personal data"

_CODE_OF: Final = "TikTok's GTM server template"
_HELP: Final = "TikTok's help centre"
_PARAMETERS: Final = f'{_HELP}, "About parameters"'
_SEGMENT: Final = "Segment's TikTok Conversions destination"
_SEGMENT_APP: Final = "Segment's TikTok App Events destination"
_OURS: Final = "our own choice"


def _travel(name: str, clean: Cleaner = texts.text, cleaning: str = _TEXT_WORDS) -> Field:
    """A parameter of travel shops, by its own name."""
    source = _of_trade(industry.is_trip, name, "trip", clean) if name in {"city", "region", "country"} else data(name)
    return Field(f"properties.{name}", (source,), clean, cleaning, _SEGMENT, only=("web",))


def _vehicle(name: str, clean: Cleaner = texts.text, cleaning: str = _TEXT_WORDS, *others: Source) -> Field:
    """A parameter of vehicle shops, by its own name."""
    source = _of_trade(industry.is_vehicle, name, "vehicle", clean) if name == "postal_code" else data(name)
    return Field(f"properties.{name}", (source, *others), clean, cleaning, _SEGMENT, only=("web",))


FIELDS: Final = (
    Field(
        "event_time",
        (
            data("x-ttq-timestamp"),
            data("timestamp_micros", times.whole_seconds(times.MICROSECONDS)),
            data("request.timestamp_micros", times.whole_seconds(times.MICROSECONDS)),
            data("event_time"),
            data("timestamp"),
            Source("time of receipt", lambda context: int(context.event.received_at), texts.as_is),
        ),
        times.whole_seconds(times.SECONDS),
        "whole Unix seconds; milli- and microseconds and ISO 8601 are recognised",
        _CODE_OF,
    ),
    Field(
        "event_id",
        (
            data("x-ttq-event-id"),
            data("event_id"),
            Source("transaction_id (purchase only)", _purchase_only("transaction_id")),
            Source("order_id (purchase only)", _purchase_only("order_id")),
            Source(
                "derived from tid, cid, _p, name, dl, _s and line",
                lambda context: event_id.derived_id(context.event),
                _made_id,
            ),
            Source("made when stored", lambda context: context.fallback_id, _made_id),
        ),
        texts.identifier(event_id.given_id),
        "text",
        f'{_HELP}, "Event deduplication"; which id stands in for a missing one is {_OURS}',
    ),
    Field(
        "user.external_id",
        (
            data("x-ttq-ud-external-id"),
            data("tt_external_id"),
            data("external_id"),
            data("user_id"),
            user_property("id"),
            person("external_id"),
        ),
        texts.identifier(user.hash_external_id),
        "trimmed, case kept (setting external_id_lowercase), SHA-256",
        _CODE_OF,
        hashed=True,
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
            person("emailAddress"),
            person("sha256_email"),
        ),
        user.hash_email,
        "no white space, lower case, SHA-256",
        f"{_CODE_OF}; {_HELP} on customer files",
        hashed=True,
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
            person("phoneNumber"),
            person("sha256_phone"),
        ),
        user.hash_phone,
        "E.164, SHA-256; a country is never guessed (setting default_phone_country); China's by phone_cn",
        f"{_CODE_OF}; {_SEGMENT}",
        hashed=True,
        many=True,
        person=True,
    ),
    Field("user.first_name", _FIRST_NAME, user.hash_name, _NAME_WORDS, _SEGMENT, hashed=True, person=True),
    Field("user.last_name", _LAST_NAME, user.hash_name, _NAME_WORDS, _SEGMENT, hashed=True, person=True),
    Field(
        "user.zip_code",
        _ZIP,
        user.hash_zip,
        "lower case, no spaces or dashes (setting us_zip_first_five), SHA-256",
        f"{_SEGMENT}, RudderStack's",
        hashed=True,
        person=True,
    ),
    Field(
        "user.city",
        (person("address.city"), person("city"), _unless(industry.is_trip, "city", user.place)),
        user.place,
        _PLACE_WORDS,
        f"{_SEGMENT}; the spelling is {_OURS}",
        person=True,
    ),
    Field(
        "user.state",
        (
            person("address.region"),
            person("address.state"),
            person("region"),
            person("state"),
            data("state"),
            _unless(industry.is_trip, "region", user.state),
        ),
        user.state,
        _PLACE_WORDS,
        f"{_SEGMENT}; the spelling is {_OURS}",
        person=True,
    ),
    Field(
        "user.country",
        (person("address.country"), person("country"), _unless(industry.is_trip, "country", user.country)),
        user.country,
        "ISO 3166-1 alpha-2, lower case",
        f"{_SEGMENT}; the spelling is {_OURS}",
        person=True,
    ),
    Field(
        "user.ttclid",
        (
            *(Source(f"{CLICK_ID} in {key}", data(key).read, page.click_id_of_url, "data", key) for key in PAGE_URL),
            data("x-ttq-ttclid"),
            Source("ttclid in page_referrer of the same host", _same_host_referrer, page.click_id_of_url),
            Source("cookie ttclid", lambda c: c.event.visitor.ttclid_cookie),
            data("ttclid"),
            person("ttclid"),
        ),
        page.click_id,
        "decoded once; printable ASCII, at most 1024",
        f"{_CODE_OF}; the order is {_OURS}",
    ),
    Field(
        "user.ttp",
        (
            Source("cookie _ttp", lambda context: context.event.visitor.ttp_cookie),
            data("ttp"),
            data("_ttp"),
            person("ttp"),
        ),
        texts.pixel_cookie,
        "as it is",
        _CODE_OF,
    ),
    Field(
        "user.ip",
        (
            data("x-ttq-ct-ip-adress"),
            data("x-ttq-ct-ip-address"),
            data("ip_override"),
            Source("X-Forwarded-For or peer", lambda context: context.event.visitor.ip),
            data("ip"),
            data("ip_address"),
        ),
        texts.public_address,
        "port and brackets off; public addresses only",
        _CODE_OF,
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
        _CODE_OF,
    ),
    Field("user.locale", (data("language"), data("locale")), texts.locale, "BCP 47", _PARAMETERS),
    Field(
        "user.idfa",
        (data("idfa"),),
        user.hash_idfa,
        "upper case, as the system gives it, SHA-256",
        f"{_SEGMENT_APP}; RudderStack's; they differ in the case, so it is {_OURS}",
        hashed=True,
        person=True,
        only=("app",),
    ),
    Field(
        "user.gaid",
        (data("gaid"),),
        user.hash_gaid,
        "lower case, as the system gives it, SHA-256",
        f"{_SEGMENT_APP}; RudderStack's; they differ in the case, so it is {_OURS}",
        hashed=True,
        person=True,
        only=("app",),
    ),
    Field("user.idfv", (data("idfv"),), user.vendor_id, "as it is", _SEGMENT_APP, person=True, only=("app",)),
    Field(
        "user.att_status",
        (data("att_status"),),
        user.att_status,
        "AUTHORIZED, DENIED, NOT_DETERMINED, RESTRICTED or NOT_APPLICABLE",
        _SEGMENT_APP,
        only=("app",),
    ),
    Field(
        "page.url",
        tuple(data(key) for key in PAGE_URL),
        page.clean_url,
        "cleared of persons and secrets, the rest as it came",
        f"{_CODE_OF}; what is cleared is {_OURS}",
    ),
    Field(
        "page.referrer",
        tuple(data(key) for key in _REFERRERS),
        page.clean_referrer,
        "cleared of persons and secrets, the rest as it came",
        f"{_CODE_OF}; what is cleared is {_OURS}",
    ),
    Field(
        "properties.contents",
        (data("x-ttq-pt-contents"), data("items"), data("tt_contents"), data("contents")),
        contents.read_contents,
        "TikTok's names; quantity 1 when missing",
        f"{_CODE_OF}; {_PARAMETERS}",
    ),
    Field(
        "properties.content_type",
        (Source("the first content's", _of_basket(lambda basket: basket.contents[0].get("content_type"))),),
        texts.as_is,
        "product, or product_group where tt_content_type or content_type says so",
        f"{_PARAMETERS}; {_SEGMENT}",
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
        _PARAMETERS,
    ),
    Field(
        "properties.num_items",
        (Source("sum of quantities", _of_basket(lambda basket: basket.num_items or None)),),
        texts.as_is,
        "whole number",
        _SEGMENT,
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
        _PARAMETERS,
    ),
    Field(
        "properties.value",
        (
            data("x-ttq-pt-value"),
            data("value"),
            Source("sum of price x quantity", _of_basket(contents.total_of), texts.as_is),
        ),
        texts.number,
        "number; 0 stays",
        _PARAMETERS,
    ),
    Field(
        "properties.order_id",
        (data("order_id"), data("transaction_id")),
        texts.identifier(event_id.given_id),
        "text",
        _SEGMENT,
    ),
    Field("properties.shop_id", (data("shop_id"),), texts.identifier(event_id.given_id), "text", _SEGMENT),
    Field(
        "properties.query",
        (data("x-ttq-pt-query"), data("search_term"), data("query"), data("search_string")),
        texts.text,
        _TEXT_WORDS,
        f'{_HELP}, "Supported standard events"',
    ),
    Field(
        "properties.search_string",
        (data("x-ttq-pt-query"), data("search_term"), data("query"), data("search_string")),
        texts.text,
        _TEXT_WORDS,
        f"{_HELP}, the same in other languages; sending both is {_OURS}",
    ),
    Field(
        "properties.description",
        (data("x-ttq-pt-description"), data("description")),
        texts.text,
        _TEXT_WORDS,
        _PARAMETERS,
    ),
    Field("properties.status", (data("status"),), texts.text, _TEXT_WORDS, _SEGMENT),
    Field(
        "properties.delivery_category",
        (data("delivery_category"),),
        texts.one_of({word: word for word in ("in_store", "curbside", "home_delivery")}),
        "in_store, curbside or home_delivery",
        _SEGMENT,
    ),
    Field("properties.predicted_ltv", (data("predicted_ltv"),), texts.number, "number", _SEGMENT),
    _travel("city"),
    _travel("region"),
    _travel("country"),
    _travel("checkin_date"),
    _travel("checkout_date"),
    _travel("num_adults", texts.whole_number, "whole number"),
    _travel("num_children", texts.whole_number, "whole number"),
    _travel("num_infants", texts.whole_number, "whole number"),
    _travel("suggested_hotels", texts.texts, "list of texts without personal data"),
    _travel("departing_departure_date"),
    _travel("returning_departure_date"),
    _travel("departing_arrival_date"),
    _travel("returning_arrival_date"),
    _travel("origin_airport"),
    _travel("destination_airport"),
    _travel("destination_ids", texts.texts, "list of texts without personal data"),
    _travel("travel_class", industry.travel_class, "eco, prem, bus or first"),
    _travel("user_score", texts.number, "number"),
    _travel("preferred_num_stops", texts.whole_number, "whole number"),
    _travel("travel_start"),
    _travel("travel_end"),
    _travel("suggested_destinations", texts.texts, "list of texts without personal data"),
    _vehicle("postal_code"),
    _vehicle("make"),
    _vehicle("model"),
    _vehicle("year", texts.whole_number, "whole number"),
    _vehicle("state_of_vehicle", industry.state_of_vehicle, "New, Used or CPO"),
    _vehicle(
        "mileage",
        industry.mileage,
        "value, and unit MI or KM",
        Source(
            "mileage.value and mileage.unit",
            data("mileage.value").read,
            industry.dotted_mileage,
            "data",
            "mileage.value",
        ),
    ),
    _vehicle("exterior_color"),
    _vehicle("interior_color"),
    _vehicle("transmission", industry.transmission, "Automatic, Manual or Other"),
    _vehicle(
        "body_style",
        industry.body_style,
        "Convertible, Coupe, Hatchback, Minivan, Truck, SUV, Sedan, Van, Wagon, Crossover or Other",
    ),
    _vehicle("fuel_type", industry.fuel_type, "Diesel, Electric, Flex, Gasoline, Hybrid or Other"),
    _vehicle("drivetrain", industry.drivetrain, "AWD, FOUR_WD, FWD, RWD, TWO_WD or Other"),
    _vehicle("preferred_price_range", industry.price_range, "lowest and highest price"),
    _vehicle("trim"),
    _vehicle("vin", industry.vin, "letters and digits, at most 17"),
    _vehicle("condition_of_vehicle", industry.condition_of_vehicle, "Excellent, Good, Fair, Poor or Other"),
    _vehicle("viewcontent_type"),
    _vehicle("search_type"),
    _vehicle("registration_type"),
    Field("device.architecture", (hint("architecture"),), device.hint_text, "text", _CODE_OF, only=("web",)),
    Field("device.bitness", (hint("bitness"),), device.hint_text, "text", _CODE_OF, only=("web",)),
    Field("device.model", (hint("model"),), device.hint_text, "text", _CODE_OF, only=("web",)),
    Field("device.platform", (hint("platform"),), device.hint_text, "text", _CODE_OF, only=("web",)),
    Field("device.platform_version", (hint("platform_version"),), device.hint_text, "text", _CODE_OF, only=("web",)),
    Field(
        "device.browser_version_list",
        (hint("full_version_list"),),
        device.versions,
        "brand and version",
        _CODE_OF,
        only=("web",),
    ),
    Field("device.mobile", (hint("mobile"),), device.flag, "yes or no", _CODE_OF, only=("web",)),
    Field(
        "lead.lead_id",
        (data("lead_id"),),
        texts.identifier(texts.code),
        "text",
        f'{_HELP}, "How to postback signals through Events API"; {_SEGMENT}',
        only=("crm",),
    ),
    Field("lead.lead_event_source", (data("lead_event_source"),), texts.text, _TEXT_WORDS, _SEGMENT, only=("crm",)),
    Field(
        "app.app_id",
        (Source("app_id of the destination", lambda context: context.settings.app_id),),
        texts.text,
        "text",
        _SEGMENT_APP,
        only=("app",),
    ),
    Field("app.app_name", (data("app_name"),), texts.text, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field("app.app_version", (data("app_version"),), texts.text, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field("ad.callback", (data("callback"),), texts.code, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field("ad.campaign_id", (data("campaign_id"),), texts.code, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field("ad.ad_id", (data("ad_id"),), texts.code, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field("ad.creative_id", (data("creative_id"),), texts.code, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field("ad.is_retargeting", (data("is_retargeting"),), device.flag, "yes or no", _SEGMENT_APP, only=("app",)),
    Field("ad.attributed", (data("attributed"),), device.flag, "yes or no", _SEGMENT_APP, only=("app",)),
    Field("ad.attribution_type", (data("attribution_type"),), texts.text, _TEXT_WORDS, _SEGMENT_APP, only=("app",)),
    Field(
        "ad.attribution_provider", (data("attribution_provider"),), texts.text, _TEXT_WORDS, _SEGMENT_APP, only=("app",)
    ),
    Field(
        "limited_data_use",
        (
            Source("limited_data_use of the destination", lambda context: context.settings.limited_data_use or None),
            Source("place of the event, by privacy.limited_data_use_regions", limited_use.by_place),
            data("x-ttq-limited-data-use"),
            data("limited_data_use"),
        ),
        device.flag,
        "yes or no; no only where the event says so",
        f"{_SEGMENT}; the regions are {_OURS}",
    ),
)
