"""Products: how GA4 items and TikTok contents become ``properties.contents``, and what follows from them."""

from decimal import Decimal
from typing import Any, Final

from tikrelay.event import Json
from tikrelay.mapping.cleaning import LONGEST_TEXT, Basket, Context, Left, as_text, decoded
from tikrelay.mapping.event_id import harmless_id
from tikrelay.mapping.memory import remember
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.numbers import narrow, read_number, told_reading
from tikrelay.mapping.personal import LONGEST_MATCH, mask_and_cut
from tikrelay.mapping.texts import AS_NUMBER
from tikrelay.tiktok.payload import Content

MOST_CONTENTS: Final = 1000
MOST_OF_ONE: Final = 10**9
_GROUP: Final = "product_group"
_PRODUCT: Final = "product"

# Keys of a product, and which of TikTok's each fills; of several the first in this order that holds something counts.
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "content_id": ("content_id", "item_id", "id", "product_id", "sku"),
    "content_name": ("content_name", "item_name", "name"),
    "content_category": ("content_category", "item_category", "item_category1", "item_category2", "item_category3",
                         "item_category4", "item_category5", "category"),
    "brand": ("brand", "item_brand"),
    "description": ("description",),
}  # fmt: skip
_KNOWN_TEXTS: Final[dict[str, str]] = {}
_PLACE: Final = {key: (target, rank) for target, keys in _KEYS.items() for rank, key in enumerate(keys)}


class _Lines:
    """What the products of an event add up to."""

    __slots__ = ("_of_event", "contents", "currency", "is_summable", "num_items", "priced")

    def __init__(self, currency: str) -> None:
        self._of_event = currency
        self.contents: list[Content] = []
        self.priced: list[tuple[int | float, int | float]] = []
        self.is_summable = True
        self.num_items = 0
        self.currency: Json = None

    def note_currency(self, given: Json) -> None:
        """Take the first; amounts in another than the event's, or the first's, cannot be added up."""
        text = as_text(given)
        if not isinstance(text, str):
            return
        code = text.upper()
        self.currency = self.currency or code
        if code != (self._of_event or self.currency):
            self.is_summable = False

    def basket(self) -> Basket:
        """Give the whole."""
        return Basket(self.contents, self.num_items, self.priced if self.is_summable else None, self.currency)


class _Told:
    """Warns of each doubtful thing once, however many products have it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._already: set[tuple[NoticeKind, str]] = set()

    def warn(self, kind: NoticeKind, about: str, text: str) -> None:
        """Warn of what is doubtful about one key of a product."""
        if (kind, about) not in self._already:
            self._already.add((kind, about))
            self._context.warn(kind, text)


def read_contents(value: Json, context: Context) -> list[Content] | Left:
    """Read a list of products, one product, or either as JSON text."""
    given = decoded(value)
    if not given:
        return Left.EMPTY
    listed = _listed(given) if isinstance(given, dict) else given
    if not isinstance(listed, list):
        return Left.UNUSABLE
    if len(listed) > MOST_CONTENTS:
        context.warn(NoticeKind.CUT, f"more than {MOST_CONTENTS} products; the first are sent")
    kind, told, lines = _content_type(context), _Told(context), _Lines(_currency_of(context))
    for item in listed[:MOST_CONTENTS]:
        if isinstance(item, dict):
            _read_item(item, kind, told, lines)
    if len(lines.contents) < min(len(listed), MOST_CONTENTS):
        context.warn(NoticeKind.UNUSABLE, "a product without id and name was left out")
    if not lines.contents:
        return Left.EMPTY
    lines.is_summable = lines.is_summable and len(listed) <= MOST_CONTENTS
    context.basket = lines.basket()
    return lines.contents


def _currency_of(context: Context) -> str:
    """The currency that the event itself names, in upper case."""
    given = as_text(context.event.data.get("x-ttq-pt-currency") or context.event.data.get("currency"))
    return given.upper() if isinstance(given, str) else ""


def _listed(given: dict[str, Json]) -> list[Json]:
    """One product, or a list as server containers write some: an object with numbers for keys."""
    return list(given.values()) if all(key.isdigit() for key in given) else [given]


def _content_type(context: Context) -> str:
    """Find out whether the shop's catalogue ids are those of products or of groups of them."""
    for key in ("tt_content_type", "content_type"):
        given = context.event.data.get(key)
        if isinstance(given, str) and given.strip().lower() in {_GROUP, _PRODUCT}:
            return given.strip().lower()
    return _PRODUCT


def _read_item(item: dict[str, Json], kind: str, told: _Told, lines: _Lines) -> None:
    """Read one product; what nothing names is no product, but what it costs counts."""
    count = _count(item.get("quantity"), told, lines)
    price = _number(item.get("price"), "price", told)
    if price is not None and count is not None:
        lines.priced.append((price, count))
    elif price is not None or item.get("price") not in (None, ""):
        lines.is_summable = False
    if currency := item.get("currency"):
        lines.note_currency(currency)
    given, has_number_for_id = _texts(item)
    identifier = given.get("content_id")
    if identifier is None and "content_name" not in given:
        return
    content: dict[str, Any] = {}
    if identifier is not None:
        content["content_id"] = harmless_id(identifier[: LONGEST_TEXT + LONGEST_MATCH])[:LONGEST_TEXT]
    else:
        told.warn(NoticeKind.CONTENT_WITHOUT_ID, "content_id", "a product has no id; no catalogue can be asked for it")
    own = item.get("content_type")
    content["content_type"] = own if own in (_PRODUCT, _GROUP) else kind
    for target in ("content_name", "content_category", "brand", "description"):
        if (text := given.get(target)) is not None:
            content[target] = _catalogue_text(text)
    if price is not None:
        content["price"] = price
    if isinstance(count, int) and 0 < count <= MOST_OF_ONE:
        content["quantity"] = count
        lines.num_items += count
    else:
        told.warn(NoticeKind.UNUSABLE, "amount", "a quantity is not a whole number above zero and was left out")
    if has_number_for_id:
        told.warn(NoticeKind.ID_AS_NUMBER, "content_id", f"a content_id {AS_NUMBER}")
    lines.contents.append(content)  # type: ignore[arg-type]  # the keys above are Content's


def _texts(item: dict[str, Json]) -> tuple[dict[str, str], bool]:
    """The texts of a product by TikTok's names, a number counting as one; and whether the id was a number."""
    found: dict[str, str] = {}
    ranks: dict[str, int] = {}
    has_number_for_id = False
    for key, value in item.items():
        place = _PLACE.get(key)
        if place is None or value is None:
            continue
        target, rank = place
        if target in found and ranks[target] < rank:
            continue
        text = as_text(value)
        if isinstance(text, str):
            found[target], ranks[target] = text, rank
            if target == "content_id":
                has_number_for_id = not isinstance(value, str)
    return found, has_number_for_id


def _catalogue_text(text: str) -> str:
    """Clear a text of personal data; names of products come again and again."""
    known = _KNOWN_TEXTS.get(text)
    if known is not None:
        return known
    masked = mask_and_cut(text, longest=LONGEST_TEXT)
    return remember(_KNOWN_TEXTS, text, masked, masked)


def _number(value: Json, name: str, told: _Told) -> int | float | None:
    if value is None or value == "":
        return None
    number = read_number(value)
    if number is None:
        told.warn(NoticeKind.UNUSABLE, name, f"a {name} could not be read and was left out")
    elif isinstance(value, str) and (reading := told_reading(value, number)):
        told.warn(NoticeKind.NUMBER_READ, name, f"{name} {reading}")
    return number


def _count(value: Json, told: _Told, lines: _Lines) -> int | float | None:
    """How many of one product: one when nothing is said or can be read, None when it is less than none."""
    number = _number(value, "quantity", told)
    if number is None:
        lines.is_summable = lines.is_summable and value in (None, "")
        return 1
    return number if number >= 0 else None


def total_of(basket: Basket) -> int | float | None:
    """Add up price x quantity, to the cent; None without a price, or when one could not be read."""
    if not basket.priced:
        return None
    return narrow(sum((Decimal(str(price)) * Decimal(str(count)) for price, count in basket.priced), Decimal(0)))
