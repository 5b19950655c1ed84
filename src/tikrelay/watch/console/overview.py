"""The first page: what came, what became of it, and what needs attention."""

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page


async def show(_: Request, parts: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now=await parts.status())
