"""Dead letters, grouped by what they died of."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from tikrelay.watch.console.page import Parts, page
from tikrelay.watch.operations import LetterGroup


async def show(_: Request, parts: Parts) -> Response:
    """Show the groups; each leads to its list and to sending it again."""
    told = await parts.operations.letters()
    return page(
        "letters.html",
        title="Dead letters",
        here="/letters",
        groups=[(group, choice_of(group), f"/events?{urlencode(_list_of(group))}") for group in told.groups],
        total=sum(group.count for group in told.groups),
        unanswered=told.unanswered,
    )


def choice_of(group: LetterGroup) -> dict[str, str]:
    """What chooses the letters of a group, for ReplayOrder and EventQuery alike."""
    code = "none" if group.code is None else str(group.code)
    return {"destination": group.destination, "event": group.event, "reason": group.reason.value, "code": code}


def _list_of(group: LetterGroup) -> dict[str, str]:
    return {"state": "dead", **choice_of(group)}
