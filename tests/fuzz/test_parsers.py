"""Our parsers beside second, simpler ones: what they read of the same text is the same."""

import random
import re
from urllib.parse import parse_qsl, unquote

import pytest

from conftest import SEED
from fuzz.hits import EXAMPLES, NUMBERS, TEXTS, changed_query, spoil
from fuzz.shares import inputs
from tikrelay.collect.cookies import Cookies, read_cookies
from tikrelay.collect.items import KEYS, read_item
from tikrelay.collect.query import pairs

FEW = 700
pytestmark = pytest.mark.timeout(7200)


def draws(name: str, count: int):
    return (random.Random(f"{SEED} {name} {number}") for number in range(count))


def test_a_query_is_read_as_the_standard_library_reads_it(tried):
    count = inputs("B6 queries and forms", few=FEW, parts=4)
    for rng in draws("queries", count):
        raw = rng.choice([spoil, changed_query])(rng, rng.choice(EXAMPLES).query).decode("latin-1")

        assert parse_qsl(raw, keep_blank_values=True, errors="replace", max_num_fields=None) == pairs(raw)
    tried("queries, read twice", count)


def test_a_cookie_header_is_read_as_a_simple_reader_reads_it(tried):
    names = ["ttclid", "_ttp", "_ga", "other", "TTCLID", "ttclid2", "", " ttclid", "_ttp\t"]
    values = ["E.C.P.a", '"quoted"', '"', '""', "a=b", "%41", "%zz", "", " a ", "bad[]", *TEXTS]
    count = inputs("B10 cookies", few=FEW, parts=4)
    for rng in draws("cookies", count):
        parts = [rng.choice(names) + rng.choice(["=", "=", "=", "", "=="]) + rng.choice(values) for _ in range(8)]
        header = rng.choice([";", "; ", ";;"]).join(parts)

        assert simple_cookies(header) == read_cookies(header), header
    tried("cookie headers, read twice", count)


def simple_cookies(header: str) -> Cookies:
    """Read them one by one: strip, take off the quotes, decode; the first that is not empty counts."""

    def first(name: str) -> str | None:
        for part in header.split(";"):
            found = re.fullmatch(rf"\s*{name}\s*=\s*(.*?)\s*", part, re.DOTALL)
            value = found[1] if found else ""
            if len(value) > 1 and value.startswith('"') and value.endswith('"'):
                value = value[1:-1]
            if value:
                return unquote(value)
        return None

    return Cookies(ttclid=first("ttclid"), ttp=first("_ttp"), ga=first("_ga"))


def test_an_item_is_read_as_a_simple_reader_reads_it(tried):
    texts = [
        "SKU-1",
        "a~b",
        "~",
        "~~",
        "9.5",
        "",
        "Mug ~ Cup",
        "id",
        "k",
        "Ä",
        *(text for text in TEXTS if "\0" not in text),
    ]
    count = inputs("B7 hits of gtag.js", few=FEW, parts=8)
    for rng in draws("items", count):
        drawn = [(rng.choice([*KEYS, *KEYS, "zz", "~"]), rng.choice([*texts, *NUMBERS])) for _ in range(6)]
        text = rng.choice(["~", "~", "~~", "~~~"]).join(key + value for key, value in drawn)
        read = read_item(text)

        assert texts_of(simple_item(text)) == texts_of(read), text
    tried("items, read twice", count)


KEYS_OF_NUMBERS = {"price", "quantity", "discount", "index"}


def texts_of(item: dict) -> dict:
    return {name: value for name, value in item.items() if name in KEYS.values() and name not in KEYS_OF_NUMBERS}


def simple_item(text: str) -> dict[str, str]:
    """Read sign by sign: two tildes are one of the value, one ends a field unless no key follows it."""
    fields, at = [""], 0
    while at < len(text):
        if text[at : at + 2] == "~~":
            fields[-1] += "~"
            at += 2
        elif text[at] == "~":
            fields.append("")
            at += 1
        else:
            fields[-1] += text[at]
            at += 1
    item: dict[str, str] = {}
    last = ""
    for field in fields:
        if field[:2] in KEYS:
            last = KEYS[field[:2]]
            item[last] = field[2:]
        elif re.match(r"[kv][0-9A-Za-z]", field, re.ASCII):
            last = "custom"
        elif last and last in item:
            item[last] += "~" + field
    return item
