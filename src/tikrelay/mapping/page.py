"""A page's address: what of it is sent, and the click id in it.

The query stays, because campaigns are read from it, cleared of parameters that name a person or hold a secret. The
kept parameters stay byte for byte as they came. With ``strict_urls`` only the click id, ``utm_*`` and the parameters
allowed by the operator stay, and nothing behind ``#``; they are looked at all the same.
"""

import functools
import re
from typing import Final
from urllib.parse import unquote

from tikrelay.event import CLICK_ID, CLICK_ID_MACRO, Json
from tikrelay.mapping.cleaning import Context, Left, Settings, as_text
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.personal import (
    ESCAPED_AT,
    MASK,
    has_signs,
    mask,
    name_gives_away,
    parameter_gives_away,
    value_gives_away,
)

_BREAK: Final = re.compile(r"[\t\n\r]")
_ESCAPED_AT: Final = re.compile(ESCAPED_AT)
LONGEST_URL: Final = 8192
_FORM: Final = re.compile(
    r"(https?)://((?:[^/?#\\\s]*@)?)([^/?#\\\s%+@]+)((?:/[^?#]*)?)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL
)
# One parameter after the other, with no sign in them by which one could hold others.
_PLAIN_HEAD: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?", re.ASCII)
_PLAIN_QUERY: Final = re.compile(r"(?:[A-Za-z0-9_-]+=[A-Za-z0-9._~-]*(?:&(?!$)|$))*", re.ASCII)
_CLICK_ID_FORM: Final = re.compile(r"[\x21-\x7e]{1,1024}")  # longer and other forms than E.C.P... may come
_CLICK_ID_IS: Final = f"{CLICK_ID}="
_CAMPAIGN: Final = "utm_"
_PORT: Final = re.compile(r":[^\]]*\Z")  # not within an address of IPv6, which stands in brackets
_PARAMETERS: Final = re.compile("[&;]")
_HARMLESS_NAME: Final = re.compile(r"(?=.{1,40}\Z)[A-Za-z_][A-Za-z_-]*[0-9]{0,3}", re.ASCII)  # nobody's number or token
_MOST_TOLD: Final = 8


def clean_url(value: Json, context: Context) -> str | Left:
    """Read an http(s) address; take user names, persons and secrets out of it."""
    given = as_text(value)
    if isinstance(given, Left):
        return given
    if not context.settings.strict_urls and _is_harmless_at_a_glance(given):
        return given
    text = given if given.isprintable() else _BREAK.sub("", given)  # as browsers read an address
    if "&#" in text or "&c" in text:
        text = _ESCAPED_AT.sub("%40", text)  # its signs would tear an address apart
    match = _FORM.fullmatch(text) if len(text) <= LONGEST_URL else None
    if match is None:
        return Left.UNUSABLE
    scheme, login, host, path, query, fragment = match.groups()
    if value_gives_away(host):
        return Left.UNUSABLE
    if context.settings.strict_urls:
        query, fragment = _allowed_of(query, context.settings), None
    kept_path = _without_people(path, context.settings)
    kept_query = query and _harmless(query, context.settings)
    kept_fragment = fragment if fragment is None or _fragment_is_harmless(fragment, context.settings) else None
    if login or (kept_path, kept_query, kept_fragment) != (path, query, fragment):
        told = [
            *(("the login",) if login else ()),
            *(_taken_of_path(path, kept_path, context.settings) if kept_path != path else ()),
            *(_taken_of_query(query or "", context.settings) if kept_query != query else ()),
            *(("what is behind #",) if kept_fragment != fragment else ()),
        ]
        context.warn(NoticeKind.PERSONAL_DATA_REMOVED, f"taken out: {_listed(told)}")
    whole = f"{scheme}://{host}{kept_path}"
    if kept_query or (query == "" and kept_query == ""):
        whole += f"?{kept_query}"
    return whole if kept_fragment is None else f"{whole}#{kept_fragment}"


def clean_referrer(value: Json, context: Context) -> str | Left:
    """Read the address of the page before, as `clean_url` does; one that the operator denies is left out."""
    denies_page = context.settings.denies_page
    if denies_page is not None and isinstance(given := as_text(value), str) and denies_page(_BREAK.sub("", given)):
        context.warn(
            NoticeKind.PERSONAL_DATA_REMOVED,
            "the page before stands in [privacy] denied_hosts or denied_paths, and is left out",
        )
        return Left.TOLD
    return clean_url(value, context)


def _taken_of_path(path: str, kept: str, settings: Settings) -> list[str]:
    """Say what was taken out of a path: parameters behind ``;``, and whole parts."""
    parameters = [one for part in path.split("/") for one in part.split(";")[1:]]
    told = [_told(one) for one in parameters if _gives_away(one, settings)]
    return told if told and kept.count(MASK) == path.count(MASK) else [*told, "a part of the path"]


def _taken_of_query(query: str, settings: Settings) -> list[str]:
    return [_told(part) for part in _PARAMETERS.split(query) if _gives_away(part, settings)]


def _told(part: str) -> str:
    """Say which parameter was taken out, with nothing of its value, and no name that could be one itself.

    >>> _told("email=x"), _told("q=ann@shop.example"), _told("ann@shop.example=1"), _told("YUBhLmRl=1")
    ('email', 'a value of q', 'a parameter', 'a parameter')
    """
    name, _, value = part.partition("=")
    if not _HARMLESS_NAME.fullmatch(name) or value_gives_away(name):
        return "a parameter"
    return name if value and name_gives_away(name) else f"a value of {name}"


def _listed(told: list[str]) -> str:
    """Name each thing once, and of many the first.

    >>> _listed(["email", "email", "token"]), _listed([*"abcdefghij"])
    ('email, token', 'a, b, c, d, e, f, g, h and 2 more')
    """
    names = list(dict.fromkeys(told))
    more = len(names) - _MOST_TOLD
    return ", ".join(names[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def _is_harmless_at_a_glance(text: str) -> bool:
    """Say of the common address, all of whose signs are plain, that there is nothing to take out of it."""
    if has_signs(text) or len(text) > LONGEST_URL:
        return False
    head, _, query = text.partition("?")
    if not _PLAIN_HEAD.fullmatch(head) or not _PLAIN_QUERY.fullmatch(query):
        return False
    pairs = (part.partition("=") for part in query.split("&"))
    return not any(value and name_gives_away(name) for name, _, value in pairs)


def _without_people(path: str, settings: Settings) -> str:
    """Put stars for the parts of a path that are an e-mail address or a phone number.

    Parameters of a part, behind ``;``, are left out like those of a query: ``/cart;jsessionid=1A``.
    """
    if ";" not in path and not parameter_gives_away(path, is_products=True):
        return path
    kept = "/".join(_clean_part(part, settings) for part in path.split("/"))
    return mask(kept, is_products=True)  # a number may stand in several parts


def _clean_part(part: str, settings: Settings) -> str:
    own, *parameters = part.split(";")
    return ";".join(
        [MASK if parameter_gives_away(own, is_products=True) else own, *_stay(parameters, settings, signs=True)]
    )


def _allowed_of(query: str | None, settings: Settings) -> str | None:
    """Take the allowed parameters of a query; none is no query."""
    return "&".join(part for part in _PARAMETERS.split(query or "") if _is_allowed(part, settings)) or None


def _is_allowed(part: str, settings: Settings) -> bool:
    name = unquote(part.partition("=")[0])
    return name == CLICK_ID or name.startswith(_CAMPAIGN) or _is_listed(name, settings)


def _is_listed(name: str, settings: Settings) -> bool:
    names, beginnings = _read_list(settings.allowed_parameters)
    return name in names or name.startswith(beginnings)


@functools.cache
def _read_list(allowed: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Sort names from beginnings, which a star follows. There are as many lists as destinations."""
    return frozenset(allowed), tuple(one[:-1] for one in allowed if one.endswith("*"))


def _harmless(query: str, settings: Settings) -> str:
    """Leave out the parameters that give away, whether ``&`` or ``;`` is between them."""
    signs = has_signs(query)
    if ";" not in query:
        return "&".join(_stay(query.split("&"), settings, signs=signs))
    groups = ((group, ";".join(_stay(group.split(";"), settings, signs=signs))) for group in query.split("&"))
    return "&".join(kept for group, kept in groups if kept or not group)


def _stay(parts: list[str], settings: Settings, *, signs: bool) -> list[str]:
    return [part for part in parts if not _gives_away(part, settings, signs=signs)]


def _gives_away(part: str, settings: Settings, *, signs: bool = True) -> bool:
    """Judge a parameter by its name and its value; a name the operator allowed is let through, and one of nothing."""
    name, _, value = part.partition("=")
    if (signs or "=" in value) and parameter_gives_away(value):
        return True
    if not value or (settings.strict_urls and _is_listed(unquote(name), settings)):
        return value_gives_away(name)
    return name_gives_away(name)


def _fragment_is_harmless(fragment: str, settings: Settings) -> bool:
    if parameter_gives_away(fragment):
        return False
    return not any("=" in part and _gives_away(part, settings) for part in re.split("[?&;]", fragment))


def click_id_of_url(value: Json, context: Context) -> str | Left:
    """The ``ttclid`` of an address, decoded once; of several the first that can be used."""
    if not isinstance(value, str) or CLICK_ID not in value:
        return Left.EMPTY
    left = Left.EMPTY
    for part in value.partition("#")[0].partition("?")[2].split("&"):
        if part.startswith(_CLICK_ID_IS) and part != _CLICK_ID_IS:
            found = click_id(unquote(part.removeprefix(_CLICK_ID_IS)), context)
            if not isinstance(found, Left):
                return found
            left = found if left is Left.EMPTY else left
    return left


def click_id(value: Json, _: Context) -> str | Left:
    """Read a click id: printable ASCII, at most 1024 characters."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if text == CLICK_ID_MACRO:
        return Left.EMPTY
    return text if _CLICK_ID_FORM.fullmatch(text) and not value_gives_away(text) else Left.UNUSABLE


def host_of_url(value: Json) -> str:
    """The host of an address in lower case, without port or a dot at its end; empty when it is none.

    >>> host_of_url("https://Shop.example:8443/a?b"), host_of_url("https://shop.example./"), host_of_url("soon")
    ('shop.example', 'shop.example', '')
    """
    match = _FORM.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST_URL else None
    return "" if match is None else _PORT.sub("", match[3]).lower().removesuffix(".")
