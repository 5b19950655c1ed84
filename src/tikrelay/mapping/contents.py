"""Products: how GA4 items and TikTok contents become ``properties.contents``, and what follows from them."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from tikrelay.event import Json
from tikrelay.mapping.cleaning import LONGEST_TEXT, Basket, Context, Left, NoticeKind, as_text, decoded
from tikrelay.mapping.event_id import harmless_id
from tikrelay.mapping.numbers import narrow, read_number, told_reading
from tikrelay.mapping.personal import LONGEST_MATCH, mask_and_cut
from tikrelay.mapping.texts import AS_NUMBER
from tikrelay.tiktok.payload import Content

MOST_CONTENTS: Final = 1000
MOST_OF_ONE: Final = 10**9
_GROUP: Final = "product_group"
_PRODUCT: Final = "product"

# The first that holds something counts; TikTok's own names are taken as they are.
_TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "content_id": ("content_id", "item_id", "id"),
    "content_name": ("content_name", "item_name", "name"),
    "content_category": ("content_category", "item_category", "item_category2", "item_category3", "item_category4",
                         "item_category5", "category"),
    "brand": ("brand", "item_brand"),
    "description": ("description",),
}  # fmt: skip


class _Product(msgspec.Struct, frozen=True):
    """One product, and what the sums need of it. ``count`` is None when the quantity given cannot be read."""

    content: Content
    count: int | float | None
    currency: Json


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
    kind, told = _content_type(context), _Told(context)
    read = [_read_item(item, kind, told) for item in listed[:MOST_CONTENTS] if isinstance(item, dict)]
    products = [product for product in read if product is not None]
    if len(products) < min(len(listed), MOST_CONTENTS):
        context.warn(NoticeKind.UNUSABLE, "a product without id and name was left out")
    if not products:
        return Left.EMPTY
    context.basket = _fill(products)
    return context.basket.contents


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


def _read_item(item: dict[str, Json], kind: str, told: _Told) -> _Product | None:
    """Read one product; None when nothing says which it is."""
    content: dict[str, Any] = {}
    given, identifier = _first_text(item, "content_id")
    if identifier is not None:
        content["content_id"] = harmless_id(identifier[: LONGEST_TEXT + LONGEST_MATCH])[:LONGEST_TEXT]
        if not isinstance(given, str):
            told.warn(NoticeKind.ID_AS_NUMBER, "content_id", f"a content_id {AS_NUMBER}")
    own = item.get("content_type")
    content["content_type"] = own if own in (_PRODUCT, _GROUP) else kind
    for target in ("content_name", "content_category", "brand", "description"):
        if (text := _first_text(item, target)[1]) is not None:
            content[target] = mask_and_cut(text, longest=LONGEST_TEXT)
    if identifier is None:
        if "content_name" not in content:
            return None
        told.warn(NoticeKind.CONTENT_WITHOUT_ID, "content_id", "a product has no id; no catalogue can be asked for it")
    if (price := _number(item.get("price"), "price", told)) is not None:
        content["price"] = price
    count = _count(item.get("quantity"), told)
    if isinstance(count, int) and 0 < count <= MOST_OF_ONE:
        content["quantity"] = count
    else:
        told.warn(NoticeKind.UNUSABLE, "amount", "a quantity is not a whole number above zero and was left out")
    return _Product(content, count, item.get("currency"))  # type: ignore[arg-type]  # the keys above are Content's


def _first_text(item: dict[str, Json], target: str) -> tuple[Json, str | None]:
    """The first value that is a text or a number: as it was given, and as text."""
    for key in _TEXTS[target]:
        given = item.get(key)
        if given is not None and isinstance(text := as_text(given), str):
            return given, text
    return None, None


def _number(value: Json, name: str, told: _Told) -> int | float | None:
    if value is None or value == "":
        return None
    number = read_number(value)
    if number is None:
        told.warn(NoticeKind.UNUSABLE, name, f"a {name} could not be read and was left out")
    elif reading := told_reading(value, number):
        told.warn(NoticeKind.NUMBER_READ, name, f"{name} {reading}")
    return number


def _count(value: Json, told: _Told) -> int | float | None:
    """How many of one product: one when nothing is said or can be read, None when it is less than none."""
    number = _number(value, "quantity", told)
    if number is None:
        return 1
    return number if number >= 0 else None


def _fill(products: list[_Product]) -> Basket:
    contents = [product.content for product in products]
    currency = next((product.currency for product in products if product.currency), None)
    return Basket(contents, sum(content.get("quantity", 0) for content in contents), _total(products), currency)


def _total(products: list[_Product]) -> int | float | None:
    """Add up price x quantity, to the cent; a sum that leaves out a product with a price would be a wrong one."""
    total: Decimal | None = None
    for product in products:
        if (price := product.content.get("price")) is None:
            continue
        if product.count is None:
            return None
        total = (total or Decimal(0)) + Decimal(str(price)) * Decimal(str(product.count))
    return None if total is None else narrow(total)
