"""Products: how GA4 items and TikTok contents become ``properties.contents``, and what follows from them."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from tikrelay.event import Json
from tikrelay.mapping.cleaning import LONGEST_TEXT, Context, Left, NoticeKind, as_text
from tikrelay.mapping.numbers import narrow, read_number
from tikrelay.mapping.personal import mask
from tikrelay.tiktok.payload import Content

MOST_CONTENTS: Final = 1000
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


class Basket(msgspec.Struct, frozen=True):
    """What an event is about: products, how many, and what they cost together (None when no price is known)."""

    contents: list[Content]
    num_items: int
    total: int | float | None
    currency: Json


def read_contents(value: Json, context: Context) -> list[Content] | Left:
    """Read a list of products, one product, or either as JSON text."""
    given = _decoded(value)
    if not given:
        return Left.EMPTY
    listed = [given] if isinstance(given, dict) else given
    if not isinstance(listed, list):
        return Left.UNUSABLE
    items = [item for item in listed if isinstance(item, dict)]
    kind = _content_type(context)
    basket = _fill([(item, _read_item(item, kind, context)) for item in items])
    if len(basket.contents) < len(listed):
        context.warn(NoticeKind.UNUSABLE, "a product without id and name was left out")
    if not basket.contents:
        return Left.EMPTY
    context.basket = basket
    if len(basket.contents) > MOST_CONTENTS:
        context.warn(NoticeKind.CUT, f"more than {MOST_CONTENTS} products; the first are sent")
    return basket.contents[:MOST_CONTENTS]


def _decoded(value: Json) -> Json:
    """JSON text is read; other text is no product."""
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        decoded: Json = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return value
    return decoded


def _content_type(context: Context) -> str:
    """Find out whether the shop's catalogue ids are those of products or of groups of them."""
    for key in ("tt_content_type", "content_type"):
        given = context.event.data.get(key)
        if isinstance(given, str) and given.strip().lower() in {_GROUP, _PRODUCT}:
            return given.strip().lower()
    return _PRODUCT


def _read_item(item: dict[str, Json], kind: str, context: Context) -> Content | None:
    """Read one product; None when nothing says which it is."""
    content: dict[str, Any] = {}
    if (identifier := _first_text(item, "content_id")) is not None:
        content["content_id"] = identifier
    own = item.get("content_type")
    content["content_type"] = own if own in {_PRODUCT, _GROUP} else kind
    for target in ("content_name", "content_category", "brand", "description"):
        if (text := _first_text(item, target)) is not None:
            content[target] = mask(text)
    if "content_id" not in content and "content_name" not in content:
        return None
    if (price := _number(item.get("price"), "price", context)) is not None:
        content["price"] = price
    if (quantity := _quantity(item.get("quantity"), context)) is not None:
        content["quantity"] = quantity
    return content  # type: ignore[return-value]  # the keys above are Content's


def _first_text(item: dict[str, Json], target: str) -> str | None:
    for key in _TEXTS[target]:
        text = as_text(item.get(key))
        if isinstance(text, str):
            return text[:LONGEST_TEXT]
    return None


def _number(value: Json, name: str, context: Context) -> int | float | None:
    if value is None or value == "":
        return None
    number = read_number(value)
    if number is None:
        context.warn(NoticeKind.UNUSABLE, f"a {name} could not be read and was left out")
    return number


def _quantity(value: Json, context: Context) -> int | None:
    """One when nothing is said; a whole number above zero, or nothing."""
    if value is None or value == "":
        return 1
    number = read_number(value)
    if isinstance(number, int) and number > 0:
        return number
    context.warn(NoticeKind.UNUSABLE, "a quantity is not a whole number above zero and was left out")
    return None


def _fill(read: list[tuple[dict[str, Json], Content | None]]) -> Basket:
    contents: list[Content] = []
    total: Decimal | None = None
    count = 0
    currency: Json = None
    for item, content in read:
        if content is None:
            continue
        contents.append(content)
        quantity = content.get("quantity", 0)
        count += quantity
        currency = currency or item.get("currency")
        if (price := content.get("price")) is not None:
            total = (total or Decimal(0)) + Decimal(str(price)) * quantity
    return Basket(contents, count, None if total is None else narrow(total), currency)
