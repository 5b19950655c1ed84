"""Whether the Events API takes a call: ``check``, pure, over tables of rules.

The order is the live API's as far as it is known: JSON, token, event source, event source id, the list, its events; the
first fault refuses the whole call. What is known of the live API's checks refuses in both profiles. What it may check,
or what its documents merely ask for, is a *doubt*: it refuses in the strict profile, and in the lenient one it warns.
The names and lists here are this end's own: a fake that read the gateway's tables could not contradict them.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any, Final, Literal, TypeGuard, get_args

import msgspec

Profile = Literal["lenient", "strict"]
PROFILES: Final[tuple[str, ...]] = get_args(Profile)

# The codes of TikTok's Business API SDK (tiktok_code.py) that a check can end with.
OK: Final = 0
INVALID_PARAMS: Final = 40000
PERMISSION_ERROR: Final = 40001
PARAM_ERROR: Final = 40002
INVALID_BATCH_SIZE: Final = 40061
PII_NOT_HASHED: Final = 40062
TOKEN_EMPTY: Final = 40104
TOKEN_INVALID: Final = 40105

MOST_EVENTS: Final = 1000  # as RudderStack and Hightouch cite the API's page
EVENT_SOURCES: Final = ("web", "app", "offline", "crm")
_TOKEN_REVOKED: Final = "Access token is incorrect or has been revoked."  # noqa: S105  as seen on real calls
_NO_PERMISSION: Final = (
    "No permission to operate pixel code: {}. You must be an admin or operator of this advertiser account."
)
_STRING: Final = "not a valid string"
# About 20 upper-case letters and digits that begin with a letter; ids of apps and event sets are digits.
_PIXEL_CODE: Final = re.compile(r"[A-Z][A-Z0-9]{15,24}")

MOST_WARNINGS: Final = 20  # kept of one call
DOUBTED_EVENTS: Final = 100  # of one call, in the lenient profile; the strict one looks at all

Tree = dict[str, Any]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of a call that was taken: what it is counted by, and its own bytes."""

    name: str
    event_id: str | None
    raw: bytes

    def tree(self) -> Tree:
        """Read the bytes; what JSON allows and Python cannot hold (1e999) reads as nothing."""
        return _tree(self.raw) or {}


class Call(msgspec.Struct, frozen=True):
    """What a call that was taken holds."""

    event_source_id: str
    test_event_code: str
    events: tuple[Event, ...]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answers to a call, and what its author should know.

    ``call``             None when it is refused
    ``event_source_id``  what the call names, "" when it cannot be read
    ``size``             how many events it holds, taken or not
    """

    code: int = OK
    message: str = "OK"
    call: Call | None = None
    warnings: tuple[str, ...] = ()
    event_source_id: str = ""
    size: int = 0


def check(
    token: str | None,
    body: bytes,
    *,
    profile: Profile,
    tokens: Collection[str],
    pixels: Collection[str],
    now: float,
) -> Verdict:
    """Say what the API answers to one call. No ``tokens`` or no ``pixels`` means: any.

    >>> check("t", b"{}", profile="lenient", tokens=(), pixels=(), now=0.0).message
    'Invalid value for event_source: not one of web, app, offline, crm.'
    """
    try:
        body.decode()  # what is left out below is not looked at for broken UTF-8
        tree = _HEAD.decode(body)
    except (ValueError, RecursionError):
        return Verdict(code=INVALID_PARAMS, message="Invalid JSON: the body is not a JSON object.")
    items = _list(tree.get("data"))
    source_id = _value(tree.get("event_source_id"))
    named = source_id if isinstance(source_id, str) else ""

    def refuse(code: int, message: str, warnings: tuple[str, ...] = ()) -> Verdict:
        size = len(items) if items else 0
        return Verdict(code=code, message=message, warnings=warnings, event_source_id=named, size=size)

    if not token:
        return refuse(TOKEN_EMPTY, "Access token is empty.")
    if tokens and token not in tokens:
        return refuse(TOKEN_INVALID, _TOKEN_REVOKED)
    source = _value(tree.get("event_source"))
    if source not in EVENT_SOURCES:
        words = f"Invalid value for event_source: not one of {', '.join(EVENT_SOURCES)}."
        return refuse(PARAM_ERROR, words, _old_shape(tree))
    if not named or (source != "web" and _PIXEL_CODE.fullmatch(named)):
        return refuse(PARAM_ERROR, f"Invalid value for event_source_id: {_STRING}.", _old_shape(tree))
    if pixels and named not in pixels:
        return refuse(PERMISSION_ERROR, _NO_PERMISSION.format(named))
    if not items:
        return refuse(PARAM_ERROR, "Invalid value for data: not a valid list with events.", _old_shape(tree))
    if len(items) > MOST_EVENTS:
        return refuse(INVALID_BATCH_SIZE, f"Invalid batch size: {len(items)} events, at most {MOST_EVENTS}.")
    return _check_events(tree, items, source=source, source_id=named, strict=profile == "strict", now=now)


def _value(raw: msgspec.Raw | None) -> Any:
    """Decode one value; what cannot be decoded is as good as missing."""
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


_HEAD: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(Tree)


def _tree(raw: msgspec.Raw | bytes) -> Tree | None:
    try:
        return _OBJECT.decode(raw)
    except (ValueError, RecursionError):
        return None


def _list(raw: msgspec.Raw | None) -> list[msgspec.Raw] | None:
    try:
        return None if raw is None else _RAW_LIST.decode(raw)
    except (ValueError, RecursionError):
        return None


def _old_shape(tree: dict[str, msgspec.Raw]) -> tuple[str, ...]:
    """Tell the author of a body of Events API 1.0 why it fails."""
    old = [key for key in ("pixel_code", "batch", "context", "timestamp") if key in tree]
    return (f"this is a body of Events API 1.0 ({', '.join(old)}); 2.0 takes event_source_id and data",) if old else ()


# ---- the rules of one event ------------------------------------------------------------------------------------------


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One thing wrong with one event: the field, in what way, and the code the API gives it."""

    field: str
    words: str
    code: int = PARAM_ERROR

    def message(self, index: int, size: int) -> str:
        """Say it as the API does: with the event's index where the call holds several.

        >>> Finding("event_id", "not a valid string").message(0, 1)
        'Invalid value for event_id: not a valid string.'
        >>> Finding("event_id", "not a valid string").message(3, 50)
        'Batch.3.event_id: Not a valid string'
        """
        if size == 1:
            return f"Invalid value for {self.field or 'data'}: {self.words}."
        place = f"Batch.{index}.{self.field}" if self.field else f"Batch.{index}"
        return f"{place}: {self.words[:1].upper()}{self.words[1:]}"


class _Type(msgspec.Struct, frozen=True):
    field: str
    is_right: Callable[[Any], bool]
    words: str
    required: bool = False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    """Thirteen digits are milliseconds, the classic error."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**11


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def is_object(value: object) -> TypeGuard[Tree]:
    """Tell a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell a JSON list."""
    return isinstance(value, list)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


# Both profiles. Evidence: messages of real calls for event_id and content_id, types of the SDK for the others.
EVENT_TYPES: Final = (
    _Type("event", _is_name, _STRING, required=True),
    _Type("event_time", _is_seconds, "not a valid integer of Unix seconds", required=True),
    _Type("event_id", _is_text, _STRING),
    _Type("user", is_object, "not a valid object"),
    _Type("page", is_object, "not a valid object"),
    _Type("properties", is_object, "not a valid object"),
    _Type("limited_data_use", _is_boolean, "not a valid boolean"),
)
PROPERTY_TYPES: Final = (
    _Type("contents", is_list, "not a valid list"),
    _Type("value", _is_number, "not a valid number"),
)
CONTENT_TYPES: Final = (
    _Type("content_id", _is_text, _STRING),
    _Type("price", _is_number, "not a valid number"),
)


def _wrong_types(types: tuple[_Type, ...], tree: Tree, prefix: str) -> Finding | None:
    for kind in types:
        if kind.field in tree:
            if not kind.is_right(tree[kind.field]):
                return Finding(prefix + kind.field, kind.words)
        elif kind.required:
            return Finding(prefix + kind.field, kind.words)
    return None


class _AnyObject(msgspec.Struct):
    """An object nobody looks into."""


class _ContentShape(msgspec.Struct):
    content_id: str | msgspec.UnsetType = msgspec.UNSET
    price: int | float | msgspec.UnsetType = msgspec.UNSET


class _PropertiesShape(msgspec.Struct):
    contents: list[_ContentShape] | msgspec.UnsetType = msgspec.UNSET
    value: int | float | msgspec.UnsetType = msgspec.UNSET


class _Shape(msgspec.Struct):
    """What passes the three tables above, for msgspec: ten times as fast, but it cannot say what is wrong.

    What it refuses is read again by the tables, and their word counts.
    """

    event: Annotated[str, msgspec.Meta(min_length=1)]
    event_time: Annotated[int, msgspec.Meta(gt=0, lt=10**11)]
    event_id: str | msgspec.UnsetType = msgspec.UNSET
    user: _AnyObject | msgspec.UnsetType = msgspec.UNSET
    page: _AnyObject | msgspec.UnsetType = msgspec.UNSET
    properties: _PropertiesShape | msgspec.UnsetType = msgspec.UNSET
    limited_data_use: bool | msgspec.UnsetType = msgspec.UNSET


_SHAPE: Final = msgspec.json.Decoder(_Shape)


def _shape(raw: msgspec.Raw) -> _Shape | None:
    """Read an event whose types are right."""
    try:
        return _SHAPE.decode(raw)
    except (ValueError, RecursionError):
        return None


def _not_object(field: str) -> Finding:
    return Finding(field, "not a valid object")


def find_wrong_type(event: Tree) -> Finding | None:
    """Name the first field that the API is known to refuse.

    >>> find_wrong_type({"event": "Lead", "event_time": 1795312345, "event_id": 7})
    Finding(field='event_id', words='not a valid string', code=40002)
    """
    found = _wrong_types(EVENT_TYPES, event, "")
    properties = event.get("properties")
    if found is not None or not properties:
        return found
    found = _wrong_types(PROPERTY_TYPES, properties, "properties.")
    if found is not None:
        return found
    for number, content in enumerate(properties.get("contents", ())):
        place = f"properties.contents.{number}"
        found = _wrong_types(CONTENT_TYPES, content, place + ".") if is_object(content) else _not_object(place)
        if found is not None:
            return found
    return None


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Help centre, "Supported standard events" and "Adopt updated standard events" (2025). PageView and Pageview: both are
# in TikTok's own code. ClickButton and PlaceAnOrder are served until 2027.
STANDARD_NAMES: Final = _names(
    """
    AddPaymentInfo AddToCart AddToWishlist ApplicationApproval ClickButton CompletePayment CompleteRegistration
    Contact CustomizeProduct Download FindLocation InitiateCheckout Lead PageView Pageview PlaceAnOrder Purchase
    Schedule Search StartTrial SubmitApplication SubmitForm Subscribe ViewContent
    """
)
# Segment's list for event_source app.
APP_NAMES: Final = _names(
    """
    AchieveLevel AddPaymentInfo AddToCart AddToWishlist Checkout CompleteTutorial CreateGroup CreateRole
    GenerateLead InAppADClick InAppADImpr InstallApp JoinGroup LaunchAPP LoanApplication LoanApproval LoanDisbursal
    Login Purchase Rate Registration Search SpendCredits StartTrial Subscribe UnlockAchievement ViewContent
    """
)
# Help centre, "Reserved events": TikTok makes standard events of these.
RESERVED_NAMES: Final = _names(
    """
    AddBilling Browse Checkout ClickForm ClickInDownloadPage ClickToDownload Consult ConsultByPhone Registration
    StartCheckout ViewConsultationPage ViewDownloadPage ViewForm
    """
)
_ENDING_NAMES: Final = frozenset({"ClickButton", "PlaceAnOrder"})
_CUSTOM_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")  # help centre, "Custom events"
# Help centre, "About parameters": 62 codes.
CURRENCIES: Final = _names(
    """
    AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF IDR ILS INR ISK
    JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG QAR RON RUB SAR SEK SGD THB TRY
    TWD UAH USD VES VND ZAR
    """
)
HASHED_FIELDS: Final = ("email", "phone", "external_id", "first_name", "last_name", "zip_code")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HASH_OF_NOTHING: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_DAY_S: Final = 86400
# What attribution can still use: 7 days after a view, 28 after a click. No page gives a limit of the API's.
OLDEST_S: Final = {"web": 7 * _DAY_S, "app": 7 * _DAY_S, "offline": 28 * _DAY_S, "crm": 28 * _DAY_S}
CLOCK_SKEW_S: Final = 600


def _part(event: Tree, key: str) -> Tree:
    """Give an object of the event; its type was checked."""
    part: Tree = event.get(key) or {}
    return part


def _several(value: Any) -> list[Any]:
    return value if is_list(value) and value else [value]


def _doubt_hashes(event: Tree, _source: str, _now: float) -> Finding | None:
    user = _part(event, "user")
    for field in HASHED_FIELDS:
        if field not in user:
            continue
        value: Any = user[field]
        for one in _several(value):
            if not isinstance(one, str) or not _HASH.fullmatch(one):
                return Finding(f"user.{field}", "not a SHA-256 in lower-case hex", PII_NOT_HASHED)
            if one == _HASH_OF_NOTHING:
                return Finding(f"user.{field}", "the SHA-256 of nothing", PII_NOT_HASHED)
    return None


def _doubt_name(event: Tree, source: str, _now: float) -> Finding | None:
    name: str = event["event"]
    known = APP_NAMES if source == "app" else STANDARD_NAMES
    if name in known or source == "crm":  # CRM signals may be named in any language
        return None
    meant = next((other for other in sorted(known) if other.lower() == name.lower()), None)
    if meant is not None:
        return Finding("event", f"a standard event is spelled {meant}")
    if name in RESERVED_NAMES:
        return Finding("event", "a reserved name")
    if not _CUSTOM_NAME.fullmatch(name):
        return Finding("event", "not a custom name of at most 50 letters, digits, _ and - that begins with a letter")
    return None


def _doubt_currency(event: Tree, _source: str, _now: float) -> Finding | None:
    properties = _part(event, "properties")
    currency = properties.get("currency")
    if "currency" not in properties or (isinstance(currency, str) and currency in CURRENCIES):
        return None
    return Finding("properties.currency", "not a currency TikTok lists")


def _doubt_time(event: Tree, source: str, now: float) -> Finding | None:
    age_s = now - event["event_time"]
    if age_s > OLDEST_S[source]:
        return Finding("event_time", f"more than {OLDEST_S[source] // _DAY_S} days old")
    return Finding("event_time", "in the future") if age_s < -CLOCK_SKEW_S else None


def _doubt_page(event: Tree, source: str, _now: float) -> Finding | None:
    url = _part(event, "page").get("url")
    return Finding("page.url", "missing") if source == "web" and not (isinstance(url, str) and url) else None


# In the strict profile these refuse; in the lenient one they are warnings.
DOUBTS: Final[tuple[Callable[[Tree, str, float], Finding | None], ...]] = (
    _doubt_hashes,
    _doubt_name,
    _doubt_time,
    _doubt_currency,
    _doubt_page,
)


def _note_name(event: Tree, _source: str) -> Finding | None:
    name = event["event"]
    return Finding("event", "will not be served after 2026") if name in _ENDING_NAMES else None


def _note_id(event: Tree, _source: str) -> Finding | None:
    return None if event.get("event_id") else Finding("event_id", "missing, so a repeat counts twice")


def _note_identity(event: Tree, source: str) -> Finding | None:
    user = _part(event, "user")
    if any(user.get(key) for key in ("ttclid", "ttp", "email", "phone", "external_id", "lead_id")):
        return None
    if source == "web" and user.get("ip") and user.get("user_agent"):
        return None
    return Finding("user", "nobody can be recognised by it") if source in {"web", "offline"} else None


# Never refused; worth knowing.
NOTES: Final[tuple[Callable[[Tree, str], Finding | None], ...]] = (_note_name, _note_id, _note_identity)


def _check_events(
    tree: dict[str, msgspec.Raw], items: list[msgspec.Raw], *, source: Any, source_id: str, strict: bool, now: float
) -> Verdict:
    events: list[Event] = []
    warnings: list[str] = []
    size = len(items)

    def refuse(finding: Finding, index: int) -> Verdict:
        message = finding.message(index, size)
        return Verdict(code=finding.code, message=message, event_source_id=source_id, size=size)

    for index, item in enumerate(items):
        is_doubted = strict or (index < DOUBTED_EVENTS and len(warnings) < MOST_WARNINGS)
        shape = None if is_doubted else _shape(item)
        if shape is not None:
            events.append(Event(shape.event, shape.event_id or None, bytes(item)))
            continue
        event = _tree(item)
        if event is None:
            return refuse(_not_object(""), index)
        found = find_wrong_type(event) or (next(_doubts(event, source, now), None) if strict else None)
        if found is not None:
            return refuse(found, index)
        if is_doubted and len(warnings) < MOST_WARNINGS:
            findings = [*_doubts(event, source, now), *_notes(event, source)]
            warnings += [finding.message(index, size) for finding in findings]
        events.append(Event(event["event"], event.get("event_id") or None, bytes(item)))
    test_code = _value(tree.get("test_event_code"))
    call = Call(source_id, test_code if isinstance(test_code, str) else "", tuple(events))
    return Verdict(call=call, warnings=tuple(warnings[:MOST_WARNINGS]), event_source_id=source_id, size=size)


def _doubts(event: Tree, source: str, now: float) -> Iterator[Finding]:
    return (found for doubt in DOUBTS if (found := doubt(event, source, now)) is not None)


def _notes(event: Tree, source: str) -> Iterator[Finding]:
    return (found for note in NOTES if (found := note(event, source)) is not None)
