"""Sending dead letters again, or any event as a test: first what would happen; once it is confirmed, what did."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tikrelay.base.errors import InputRefused
from tikrelay.watch.audit import note_replay
from tikrelay.watch.console.page import Parts, page
from tikrelay.watch.gate import client_of
from tikrelay.watch.operations import ReplayOrder
from tikrelay.watch.reading import read_form

# Why a letter stays (ReplayDone.kept), in words.
KEPT: Final = {
    "may_be_delivered": "TikTok may have it already, from longer ago than it drops repeats of an id",
    "damaged": "its bytes are not those that were stored",
    "no_destination": "the settings name no such destination",
    "no_dead_letter": "it is no dead letter any more",
    "no_event": "it is not kept any more",
}


async def ask_or_do(request: Request, parts: Parts) -> Response:
    """Say what sending again would do, or do it where the form says that it is meant. Raises InputRefused."""
    form = await read_form(request)
    order = _order(form)
    is_meant = form.get("confirm") == "true"
    order = msgspec.structs.replace(order, confirm=is_meant, dry_run=not is_meant)
    done = await parts.operations.replay(order)
    note_replay(request.scope, order, done)
    return page(
        "replay.html",
        title="Sent again" if is_meant else "Send again?",
        here="/letters",
        order=order,
        form={name: value for name, value in form.items() if name not in {"confirm", "accept_duplicates"}},
        done=done,
        kept=[(count, KEPT.get(why, why)) for why, count in done.kept.items()],
        may_be_delivered=done.kept.get("may_be_delivered", 0),
        by=client_of(request.scope),
        at=parts.clock.now(),
    )


def _order(form: Mapping[str, str]) -> ReplayOrder:
    """Read the order of a form. Raises InputRefused."""
    asked: dict[str, Any] = {name: value.strip() for name, value in form.items() if name not in {"ref", "confirm"}}
    if refs := form.get("ref", "").split():
        asked["refs"] = refs
    try:
        return msgspec.convert(asked, ReplayOrder, strict=False)
    except msgspec.ValidationError as error:
        hint = "go back to the page it was sent from"
        raise InputRefused(400, "bad_order", f"the form cannot be read: {str(error)[:200]}", hint=hint) from None
