"""Whether TikTok can tell that an event of the pixel and one of the server are the same."""

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page


async def show(_: Request, parts: Parts) -> Response:
    """Show it."""
    return page("dedup.html", title="Dedup", here="/dedup", status_now=await parts.status())
