"""A page's address: what of it is sent, and the click id in it.

The query stays, because campaigns are read from it, cleared of parameters that name a person or hold a secret. The
kept parameters stay byte for byte as they came.
"""

import re
from typing import Final
from urllib.parse import unquote

from tikrelay.event import CLICK_ID, Json
from tikrelay.mapping.cleaning import Context, Left, NoticeKind, as_text
from tikrelay.mapping.personal import MASK, gives_away, value_gives_away

_BREAK: Final = re.compile(r"[\t\n\r]")
LONGEST_URL: Final = 8192
_FORM: Final = re.compile(
    r"(https?)://([^/?#\\\s%+]+)((?:/[^?#]*)?)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL
)
_CLICK_ID_FORM: Final = re.compile(r"[\x21-\x7e]{1,1024}")  # longer and other forms than E.C.P... may come


def clean_url(value: Json, context: Context) -> str | Left:
    """Read an http(s) address; take user names, persons and secrets out of it."""
    given = as_text(value)
    if isinstance(given, Left):
        return given
    text = _BREAK.sub("", given)  # as browsers read an address
    match = _FORM.fullmatch(text) if len(text) <= LONGEST_URL else None
    if match is None:
        return Left.UNUSABLE
    scheme, authority, path, query, fragment = match.groups()
    host = authority.rpartition("@")[2]
    kept_path = _without_people(path)
    kept_query = None if query is None else _harmless(query)
    kept_fragment = fragment if fragment is None or _fragment_is_harmless(fragment) else None
    if not host or value_gives_away(host):
        return Left.UNUSABLE
    if (host, kept_path, kept_query, kept_fragment) != (authority, path, query, fragment):
        context.warn(NoticeKind.PERSONAL_DATA_REMOVED, "personal data or a secret was taken out")
    whole = f"{scheme}://{host}{kept_path}"
    if kept_query or (query == "" and kept_query == ""):
        whole += f"?{kept_query}"
    return whole if kept_fragment is None else f"{whole}#{kept_fragment}"


def _without_people(path: str) -> str:
    """Put stars for the parts of a path that are an e-mail address or a phone number."""
    if not any(sign in path for sign in ("@", "%", "+", "00", "eyJ")):
        return path
    return "/".join(MASK if part and value_gives_away(part) else part for part in path.split("/"))


def _harmless(query: str) -> str:
    return "&".join(part for part in query.split("&") if not _part_gives_away(part))


def _part_gives_away(part: str) -> bool:
    name, _, value = part.partition("=")
    if name == CLICK_ID:
        return value_gives_away(unquote(value))
    return gives_away(unquote(name), unquote(value.replace("+", " "))) or value_gives_away(unquote(value))


def _fragment_is_harmless(fragment: str) -> bool:
    query = fragment.rpartition("?")[2]
    return not value_gives_away(fragment) and not any(_part_gives_away(part) for part in query.split("&")[:50])


def click_id_of_url(value: Json, context: Context) -> str | Left:
    """The ``ttclid`` of an address, decoded once; of several the first that holds something."""
    if not isinstance(value, str) or CLICK_ID not in value:
        return Left.EMPTY
    for part in value.partition("#")[0].partition("?")[2].split("&"):
        name, _, given = part.partition("=")
        if name == CLICK_ID and given:
            return click_id(unquote(given), context)
    return Left.EMPTY


def click_id(value: Json, _: Context) -> str | Left:
    """Read a click id: printable ASCII, at most 1024 characters."""
    text = as_text(value)
    if isinstance(text, Left):
        return text
    if text == "__CLICKID__":  # TikTok's macro, left as it was written
        return Left.EMPTY
    return text if _CLICK_ID_FORM.fullmatch(text) and not value_gives_away(text) else Left.UNUSABLE


def host_of_url(value: Json) -> str:
    """The host of an address in lower case, without port; empty when it is none.

    >>> host_of_url("https://Shop.example:8443/a?b")
    'shop.example'
    """
    match = _FORM.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST_URL else None
    return "" if match is None else match[2].rpartition("@")[2].partition(":")[0].lower()
