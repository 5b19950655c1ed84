"""To come."""

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page


async def ask_or_do(_: Request, __: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now={})
