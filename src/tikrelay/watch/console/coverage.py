"""Which share of events carries each match key, and when a share fell."""

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page


async def show(_: Request, parts: Parts) -> Response:
    """Show it."""
    return page("coverage.html", title="Match coverage", here="/coverage", status_now=await parts.status())
