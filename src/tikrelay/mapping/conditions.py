"""When a rule applies: what a condition may look at, and how it compares.

A condition names a field of the event as it came in, never of TikTok's event, so that what a rule does cannot depend on
another rule. Patterns are searched by RE2, in a time that grows with the text alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import re2 as _re2

from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import as_text, is_object, is_several
from tikrelay.mapping.config import Comparison, Scalar
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.numbers import read_number
from tikrelay.mapping.page import host_of_url
from tikrelay.mapping.personal import mask_text

LONGEST_PATTERN: Final = 500
_LONGEST_SEARCHED: Final = 4096
_PATTERN_MEMORY: Final = 1 << 20
_MOST_VALUES: Final = 1000

Mistakes = list[tuple[str, str]]
"""The keys of a rule that are wrong, and what is wrong with each."""
_BEHIND_HOST: Final = re.compile(r"https?:[\\/]{2}[^\\/?#]*([^?#]*)", re.IGNORECASE)
Values = Sequence[Json]
Test = Callable[[Values], bool]


re2: Any = _re2  # it has no type hints


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str, /) -> object | None:
        """Find it in a text."""
        ...


class Condition(msgspec.Struct, frozen=True):
    """One comparison: in words, how the field is read, and what must be so of its values."""

    text: str
    read: Callable[[Event], Values]
    holds: Test

    def is_met(self, event: Event) -> bool:
        """Say whether it holds for an event."""
        return self.holds(_each(self.read(event)))


def conditions_of(table: Mapping[str, Comparison], mistakes: Mistakes) -> tuple[Condition, ...]:
    """Compile a table of ``when``; what cannot be read is added to the mistakes, with what to write instead."""
    found: list[Condition] = []
    for field, comparison in table.items():
        wanted = comparison if isinstance(comparison, dict) else {"equals": comparison}
        if not wanted:
            mistakes.append(("when", f"{field}: write a value or one of {_known()}, such as {{ at_least = 100 }}"))
        for word, value in wanted.items():
            try:
                found.append(Condition(f"{field} {word} {_shown(value)}", reader_of(field), _test(word, value)))
            except ValueError as error:
                mistakes.append(("when", f"{field}: {word} {error}"))
    return tuple(found)


def path_of_page(event: Event) -> str:
    """The path of the page's address, as it stands in it; empty without one."""
    return path_of_url(event.page_url)


def path_of_url(url: Json) -> str:
    """The path of an address, as it stands in it; empty where it is none.

    >>> path_of_url("https://shop.example/a/b?c#d"), path_of_url("https://shop.example?c"), path_of_url("soon")
    ('/a/b', '', '')
    """
    if not isinstance(url, str):
        return ""
    behind_host = _BEHIND_HOST.match(url.strip())
    return "" if behind_host is None else behind_host[1]


# What is compared with.

_READERS: Final[dict[str, Callable[[Event], Json]]] = {
    "event_name": lambda event: event.name,
    "source": lambda event: event.source,
    "measurement_id": lambda event: event.key.measurement_id,
    "page.host": lambda event: host_of_url(event.page_url),
    "page.path": path_of_page,
    "consent.ad_storage": lambda event: event.consent.sending,
    "consent.ad_user_data": lambda event: event.consent.user_data,
    "user_agent": lambda event: event.data.get("user_agent") or event.visitor.user_agent,
    "ip": lambda event: event.data.get("ip_override") or event.visitor.ip,
}
FIELDS_OF_THEIR_OWN: Final = tuple(_READERS)
"""What a condition can look at beside event data, user_data.*, user_properties.* and client_hints.*."""
_PLACES_OF_THEIR_OWN: Final = frozenset(name.partition(".")[0] for name in _READERS if "." in name)
_OF_TIKTOK: Final = frozenset(field.path for field in FIELDS if field.group)
_TABLES: Final = {"user_data": "email", "user_properties": "plan", "client_hints": "mobile"}


def reader_of(field: str) -> Callable[[Event], Values]:
    """Make the function that reads a field of an event: all values it has, none when it is not there.

    ``items.0.item_id`` goes into a list, ``items.*.item_id`` into every element of it. Raises ValueError for a name
    that nothing can ever have.
    """
    if read := _READERS.get(field):
        return lambda event: _given(read(event))
    place, _, key = field.partition(".")
    if place in _TABLES and not key:
        raise ValueError(f"is a table; name a key of it, such as {place}.{_TABLES[place]}")
    if field in _OF_TIKTOK:
        raise ValueError("is a field of TikTok's event; a condition sees the event as it came in, by its own names")
    if place in _PLACES_OF_THEIR_OWN and key:
        raise ValueError(f"is nothing that can be asked; there are {', '.join(FIELDS_OF_THEIR_OWN)}")
    match place:
        case "user_data":
            return lambda event: event.user_data.get(key, ())
        case "user_properties":
            return lambda event: _given(event.user_properties.get(key))
        case "client_hints":
            return lambda event: _given(event.client_hints.get(key))
        case _:
            return lambda event: _of_data(event.data, field)


def _of_data(data: Mapping[str, Json], field: str) -> Values:
    if field in data:
        return _given(data[field])
    first, dot, rest = field.partition(".")
    return _inside(data.get(first), rest.split(".")) if dot else ()


def _inside(value: Json, path: Sequence[str]) -> Values:
    """Go down into lists and objects."""
    found: list[Json] = [value]
    for part in path:
        deeper: list[Json] = []
        for one in found[:_MOST_VALUES]:
            if is_object(one):
                deeper += [one[part]] if part in one else list(one.values()) if part == "*" else []
            elif isinstance(one, list):
                deeper += one if part == "*" else one[int(part) : int(part) + 1] if part.isdecimal() else []
        found = deeper
    return [one for one in found[:_MOST_VALUES] if one not in (None, "")]


def _given(value: Json) -> Values:
    return () if value is None or value == "" else (value,)


def _each(values: Values) -> Values:
    """Take the elements of lists for several values, as a person who writes a condition does."""
    if not any(isinstance(value, list) for value in values):
        return values
    found = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return [one for one in found[:_MOST_VALUES] if one not in (None, "")]


# How it is compared.


def _test(word: str, wanted: Scalar | tuple[Scalar, ...]) -> Test:
    make = _COMPARISONS.get(word)
    if make is None:
        raise ValueError(f"is no comparison; there are {_known()}")
    return make(wanted)


def _shown(value: object) -> str:
    """Write what a field is compared with; a rule may name people, and explanations are shown to others."""
    return mask_text(msgspec.json.encode(value).decode())


def _known() -> str:
    return ", ".join(_COMPARISONS)


def _any_equals(wanted: Any) -> Test:
    if is_several(wanted):
        raise ValueError("takes one value; use in for several")
    return lambda values: any(_is(value, wanted) for value in values)


def _is(value: Json, wanted: Scalar) -> bool:
    """Compare as the event means it: a GA4 hit has texts where the page had numbers or yes and no."""
    if isinstance(wanted, bool):
        return value is wanted or (isinstance(value, str) and value.strip().lower() == str(wanted).lower())
    if isinstance(wanted, int | float):
        return read_number(value) == wanted
    return as_text(value) == wanted


def _is_in(wanted: Any) -> Test:
    listed = _listed(wanted)
    return lambda values: any(_is(value, one) for value in values for one in listed)


def _listed(wanted: Any) -> tuple[Scalar, ...]:
    if not is_several(wanted) or not wanted:
        raise ValueError("takes a list of values")
    return tuple(wanted)


def _not(make: Callable[[Any], Test]) -> Callable[[Any], Test]:
    def negated(wanted: Any) -> Test:
        test = make(wanted)
        return lambda values: not test(values)

    return negated


def _exists(wanted: Any) -> Test:
    if wanted not in (True, False) or not isinstance(wanted, bool):
        raise ValueError("takes true or false")
    return lambda values: bool(values) is wanted


def _number(compare: Callable[[float, float], bool]) -> Callable[[Any], Test]:
    def make(wanted: Any) -> Test:
        limit = None if is_several(wanted) else read_number(wanted)
        if limit is None or isinstance(wanted, str):
            raise ValueError("takes a number")
        return lambda values: any(
            (number := read_number(value)) is not None and compare(number, limit) for value in values
        )

    return make


def _text(compare: Callable[[str, str], bool]) -> Callable[[Any], Test]:
    def make(wanted: Any) -> Test:
        if not isinstance(wanted, str) or not wanted:
            raise ValueError("takes a text")
        part = wanted
        return lambda values: any(isinstance(text := as_text(value), str) and compare(text, part) for value in values)

    return make


def _matches(wanted: Any) -> Test:
    if not isinstance(wanted, str) or not 0 < len(wanted) <= LONGEST_PATTERN:
        raise ValueError(f"takes a regular expression of at most {LONGEST_PATTERN} characters")
    options: Any = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    try:
        pattern: Pattern = re2.compile(wanted, options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"cannot be read as a regular expression of RE2: {words}") from None
    return lambda values: any(
        isinstance(text := as_text(value), str) and pattern.search(text[:_LONGEST_SEARCHED]) is not None
        for value in values
    )


_COMPARISONS: Final[dict[str, Callable[[Any], Test]]] = {
    "equals": _any_equals,
    "not": _not(_any_equals),
    "in": _is_in,
    "not_in": _not(_is_in),
    "exists": _exists,
    "above": _number(lambda number, limit: number > limit),
    "at_least": _number(lambda number, limit: number >= limit),
    "below": _number(lambda number, limit: number < limit),
    "at_most": _number(lambda number, limit: number <= limit),
    "starts_with": _text(str.startswith),
    "ends_with": _text(str.endswith),
    "contains": _text(lambda text, part: part in text),
    "matches": _matches,
    "not_matches": _not(_matches),
}
COMPARISONS: Final = tuple(_COMPARISONS)
"""The words of a comparison; each is documented."""
