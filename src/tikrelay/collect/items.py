"""GA4's compact item strings: ``pr1=idSKU-1~nmMug~pr9.5~qt2``.

A field is a two-character key directly followed by its value; fields are joined by ``~`` and a tilde inside a value is
doubled. Seen on the wire of gtag.js and of emitters that get parts of it wrong, which are read as they are meant.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tikrelay.collect.numbers import read_number
from tikrelay.event import Json

KEYS: Final = {
    "id": "item_id", "nm": "item_name", "br": "item_brand", "ca": "item_category", "c2": "item_category2",
    "c3": "item_category3", "c4": "item_category4", "c5": "item_category5", "va": "item_variant", "pr": "price",
    "qt": "quantity", "ds": "discount", "cp": "coupon", "af": "affiliation", "lp": "index", "ln": "item_list_name",
    "li": "item_list_id", "lo": "location_id", "pi": "promotion_id", "pn": "promotion_name", "cn": "creative_name",
    "cs": "creative_slot",
}  # fmt: skip
_NUMBERS: Final = frozenset({"price", "quantity", "discount", "index"})
MOST_ITEMS: Final = 200  # gtag.js sends pr1 to pr200
_PARAMETER: Final = re.compile(r"pr([1-9][0-9]{0,2})", re.ASCII)
_CUSTOM: Final = re.compile(r"[kv][0-9A-Za-z]", re.ASCII)


def items_of(parameters: Mapping[str, str]) -> list[Json]:
    """The items of a hit in the order of their numbers, which may have gaps."""
    numbered = [
        (int(match[1]), value)
        for key, value in parameters.items()
        if key.startswith("pr") and (match := _PARAMETER.fullmatch(key)) and int(match[1]) <= MOST_ITEMS
    ]
    return [item for _, value in sorted(numbered) if (item := read_item(value))]


def read_item(text: str) -> dict[str, Json]:
    """Read one item string to GA4's item keys.

    >>> read_item("idSKU~~1~nmTee ~~ Shirt~pr9.5~qt2~k0size~v0L")
    {'item_id': 'SKU~1', 'item_name': 'Tee ~ Shirt', 'price': 9.5, 'quantity': 2, 'size': 'L'}
    >>> read_item("idA~b~nmn")
    {'item_id': 'A~b', 'item_name': 'n'}
    """
    item: dict[str, Json] = {}
    names: dict[str, str] = {}
    for piece in _pieces(text):
        key, value = piece[:2], piece[2:]
        if name := KEYS.get(key):
            item[name] = read_number(value) if name in _NUMBERS else value
        elif key[0] == "k":
            number, own_name = _number_of(key[1], value, names)
            names[number] = own_name
        else:
            known = next((n for n in (key[1] + value[:1], key[1]) if n in names), None)
            if known is not None:
                item[names[known]] = value[len(known) - 1 :]
    return item


def _number_of(first: str, rest: str, taken: Mapping[str, str]) -> tuple[str, str]:
    """A custom key's number is one character; another emitter's two digits are seen by the repeat."""
    if first in taken and rest[:1].isdigit():
        return first + rest[0], rest[1:]
    return first, rest


def _pieces(text: str) -> Iterator[str]:
    """Split at single tildes; a piece that begins with no known key belongs to the one before, tilde and all."""
    held = ""
    for piece in _split(text):
        if piece[:2] in KEYS or _CUSTOM.match(piece):
            if held:
                yield held
            held = piece
        elif held:
            held += "~" + piece
    if held:
        yield held


def _split(text: str) -> list[str]:
    if "~~" not in text:
        return text.split("~")
    return [piece.replace("\0", "~") for piece in text.replace("\0", "").replace("~~", "\0").split("~")]
