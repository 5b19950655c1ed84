"""To come."""

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page


async def show(_: Request, __: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now={})
