"""To come."""

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page


async def listed(_: Request, __: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now={})


async def found(_: Request, __: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now={})


async def shown(_: Request, __: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now={})


async def example(_: Request, __: Parts) -> Response:
    """Show it."""
    return page("overview.html", title="Overview", here="/", status_now={})
