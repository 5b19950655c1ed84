"""How the running server is: its troubles, its dead letters, and what TikTok cannot match."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tikrelay import __version__
from tikrelay.app.load import Loaded
from tikrelay.app.reload import digest_of
from tikrelay.base.errors import TikrelayError
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import DirectoryLock
from tikrelay.tools.admin_client import AdminClient, NotRunningError
from tikrelay.tools.findings import Finding, Level
from tikrelay.watch.operations import MOST_EVENTS, EventPage
from tikrelay.watch.status import DestinationStatus, Status

_NEW_FOR_S: Final = 86400.0
_ENOUGH_EVENTS: Final = 20  # below that a share says nothing
_MANY: Final = 0.5
_STANDS_OUT: Final = 0.1
_LEVELS: Final[dict[str, Level]] = {"now": "fault", "soon": "warning"}
_START_IT: Final = (
    "systemctl status tikrelay says why it ended; start it: tikrelay serve (before the first start: tikrelay check)"
)
_WHAT_TO_DO: Final = {
    "refused": "tikrelay events --state dead says why; mend the sender or the setting, then:"
    " tikrelay replay --reason refused --dry-run",
    "unknown_answer": "ask TikTok with the request id of tikrelay events REF, then:"
    " tikrelay replay --reason unknown_answer --dry-run",
    "partial": "look in Events Manager whether they are there, and if not: tikrelay replay --reason partial --dry-run",
    "maybe_delivered": "they may be there: look in Events Manager, and if not:"
    " tikrelay replay --reason maybe_delivered --accept-duplicates --dry-run",
    "too_old": "find out why they waited so long; to send them all the same:"
    " tikrelay replay --reason too_old --dry-run",
    "damaged": "look at the disk (SMART, dmesg); tikrelay events cannot list what was lost with a file",
}


def look_at_server(loaded: Loaded) -> Iterator[Finding]:
    """Ask the server that runs with these settings, if one does."""
    try:
        client = AdminClient(loaded.config.server)
        _, status = client.get("/api/status", Status)
        _, dead = client.get("/api/events", EventPage, {"state": "dead", "most": MOST_EVENTS})
    except NotRunningError as error:
        yield _not_running(loaded, error)
        return
    except TikrelayError as error:
        yield Finding("fault", "server", str(error))
        return
    yield Finding("ok", "server", f"process {status.pid}, tikrelay {status.version}")
    yield from _same(loaded, status)
    newly = Counter(
        (letter.destination, letter.reason)
        for letter in dead.events
        if time.time() - (letter.ended_at or 0.0) < _NEW_FOR_S
    )
    told_by_reason = {name for name, _ in newly}
    for one in status.troubles:
        if one.kind != "dead_letters" or one.about not in told_by_reason:
            yield Finding(_LEVELS[one.level], f"{one.kind} {one.about}".strip(), one.what, one.hint)
    for name, row in status.destinations.items():
        yield from _destination(name, row, newly, web=_is_web(loaded, name))
    yield from _warnings(status)


def _not_running(loaded: Loaded, error: NotRunningError) -> Finding:
    folder = OutboxFolder.of(loaded.config.outbox.url, base=loaded.folder)
    try:
        in_use = DirectoryLock(folder.path).is_held()
    except OSError:
        in_use = False
    if in_use:
        text = f"one holds {folder.path}, and its admin port does not answer: {error.what}"
        return Finding("fault", "server", text, error.hint)
    text = "none runs: hits find nobody, and what waits is not sent"
    return Finding("fault", "server", text, _START_IT)


def _same(loaded: Loaded, status: Status) -> Iterator[Finding]:
    if status.version != __version__:
        text = f"tikrelay {status.version} runs, and {__version__} is installed"
        yield Finding("warning", "server", text, "restart the server to run what is installed")
    if not loaded.mistakes and status.settings.digest != digest_of(loaded.config):
        read = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(status.settings.read_at))
        text = f"it runs with settings read at {read} UTC that are not these (or with other variables)"
        yield Finding("note", "server", text, "reload it (systemctl reload, or SIGHUP) if these are to count")


def _is_web(loaded: Loaded, name: str) -> bool:
    return any(one.name == name and one.event_source == "web" for one in loaded.config.destinations)


def _destination(name: str, row: DestinationStatus, newly: Counter[tuple[str, str]], *, web: bool) -> Iterator[Finding]:
    counts = f"{row.accepted} accepted, {row.waiting} waiting, {row.dead} dead, {row.dropped} dropped"
    if row.state == "flowing":
        yield Finding("ok", name, f"flowing: {row.received} received = {counts}")
    for reason, count in row.dead_reasons.items():
        new = newly[name, reason]
        text = f"{count} dead letters, {reason}" + (f"; {new} of them since yesterday" if new else "")
        yield Finding("warning" if new else "note", name, text, _WHAT_TO_DO.get(reason, ""))
    every = row.traits.get("all", 0)
    if every < _ENOUGH_EVENTS:
        return
    no_id, no_click = row.traits.get("no_event_id", 0) / every, row.traits.get("no_click_id", 0) / every
    share: Level = "note" if no_id >= _MANY else "ok"
    hint = "beside TikTok's pixel they count twice: give both the same event_id" if no_id >= _MANY else ""
    yield Finding(share, name, f"{no_id:.0%} of {every} events have no event id of the site's own", hint)
    if web:
        share = "note" if no_click == 1 else "ok"
        hint = "no visitor came with TikTok's click id: is ttclid kept in the page's address?" if no_click == 1 else ""
        yield Finding(share, name, f"{no_click:.0%} of {every} events have no ttclid", hint)


def _warnings(status: Status) -> Iterator[Finding]:
    every = sum(row.traits.get("all", 0) for row in status.destinations.values())
    for warned in status.warnings:
        if every >= _ENOUGH_EVENTS and warned.count >= _STANDS_OUT * every:
            text = f"{warned.kind} at {warned.field or 'the event'} came {warned.count} times with {every} events"
            yield Finding("note", "warnings", text, "see docs/troubleshooting.md, warnings about events")
