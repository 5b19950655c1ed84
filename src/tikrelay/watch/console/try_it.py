"""Trying a hit: what it would become under the settings in force. Nothing is stored, nothing is sent."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tikrelay.base.errors import InputRefused
from tikrelay.mapping.explain import Explanation
from tikrelay.watch.console.fields import Row, rows_of
from tikrelay.watch.console.page import Parts, page
from tikrelay.watch.operations import LONGEST_HIT, TryOrder
from tikrelay.watch.reading import read_form

_MOST_BYTES: Final = 3 * LONGEST_HIT  # a form writes signs such as & and / in three


class Tried(Explanation, frozen=True, kw_only=True):
    """One outcome: of which hit and event (both counted from 1), and all that ``explain`` says of it."""

    hit: int
    event: int

    def rows(self) -> list[Row]:
        """Each of its fields; none where it is dropped."""
        return rows_of(self) if self.tiktok is not None else []


class Document(msgspec.Struct, frozen=True):
    """What ``tikrelay explain --json`` prints."""

    hits: int
    events: list[Tried]
    turned_away: list[dict[str, Any]]
    left_out: list[dict[str, Any]]


async def show(_: Request, __: Parts) -> Response:
    """Show the form."""
    return _page(None)


async def tried(request: Request, parts: Parts) -> Response:
    """Show what became of the hit that was pasted, or what is wrong with it.

    The hit itself is not shown again: it may hold an e-mail address or a name, as no page is to. What is no hit is
    answered with 200, too: saying so is what the page is for, and a browser writes another status down as an error.
    """
    text = (await read_form(request, most_bytes=_MOST_BYTES)).get("text", "")
    try:
        order = msgspec.convert({"text": text}, TryOrder)
        told = await parts.operations.try_hit(order)
    except msgspec.ValidationError:
        return _page(None, refused=InputRefused(413, "hit_too_large", "this is more than a hit holds"))
    except InputRefused as refused:
        return _page(None, refused=refused)
    return _page(msgspec.convert(told, Document))


def _page(document: Document | None, *, refused: InputRefused | None = None) -> Response:
    return page("try.html", title="Try", here="/try", document=document, refused=refused)
