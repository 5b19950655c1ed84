"""What to look at before the shop goes live: settings, disk, SQLite, and TikTok's own answer to one test event."""

import asyncio
import os
import secrets
import time

import apsw
import msgspec

from tikrelay.app.checks import advise
from tikrelay.app.config import Config
from tikrelay.app.load import Loaded, read_settings
from tikrelay.base.errors import ConfigError
from tikrelay.event import Consent, Event, Visitor
from tikrelay.mapping.config import MappedDestination
from tikrelay.mapping.convert import Rules, map_event
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.lock import DirectoryLock
from tikrelay.outbox.sqlite import OLDEST_SQLITE
from tikrelay.tiktok.answers import Accepted, Answer, Pause, explain_code, explain_pause, judge
from tikrelay.tiktok.api import TikTokApi
from tikrelay.tiktok.payload import Envelope, TikTokEvent
from tikrelay.tools.findings import Finding, Level, show


def run_checks(config: str | None, *, as_json: bool) -> int:
    """Print what was found; exit code 0 without a fault, 78 for settings that cannot be used, else 1."""
    try:
        loaded = read_settings(config, os.environ)
    except ConfigError as error:
        show([Finding("fault", "settings", str(mistake)) for mistake in error.mistakes], as_json=as_json)
        return error.exit_code
    findings = [
        *look_at_settings(loaded),
        look_at_sqlite(),
        *look_at_folder(loaded),
        *asyncio.run(send_test_events(loaded.config)),
    ]
    show(findings, as_json=as_json)
    return 1 if any(finding.level == "fault" for finding in findings) else 0


def look_at_settings(loaded: Loaded) -> list[Finding]:
    """Name the destinations, and what may surprise."""
    names = ", ".join(f"{d.name} ({d.event_source} {d.event_source_id})" for d in loaded.config.destinations)
    found = [Finding("ok", "settings", f"{loaded.path or 'environment'}: {names}")]
    levels: dict[str, Level] = {"info": "note", "warning": "warning"}
    return found + [Finding(levels[advice.level], advice.kind, advice.text) for advice in advise(loaded.config)]


def look_at_sqlite() -> Finding:
    """Say whether SQLite may be trusted with events."""
    version = apsw.sqlite_lib_version()
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
        return Finding("fault", "sqlite", f"{version} can damage a file; install apsw 3.51.3 or newer")
    return Finding("ok", "sqlite", version)


def look_at_folder(loaded: Loaded) -> list[Finding]:
    """Look at the outbox folder and make nothing, so that a check by root leaves no file that the server cannot use."""
    folder = OutboxFolder.of(loaded.config.outbox.url, base=loaded.folder)
    try:
        return _look_at(folder)
    except OSError as error:
        text = f"{folder.path} cannot be looked at: {error.strerror}; check as the user tikrelay runs as"
        return [Finding("fault", "outbox", text)]


def _look_at(folder: OutboxFolder) -> list[Finding]:
    there = next(path for path in (folder.path, *folder.path.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        text = f"{there} cannot be written in; give it to the user tikrelay runs as, or choose another outbox.url"
        return [Finding("fault", "outbox", text)]
    state = "a server runs on it" if DirectoryLock(folder.path).is_held() else "no server runs on it"
    if there != folder.path:
        state = "made when the server starts"
    nearest = OutboxFolder(there)
    found = [Finding("ok", "outbox", f"{folder.path}, {nearest.free_bytes() / 1e9:.1f} GB free, {state}")]
    return found + [Finding("warning", advice.kind, advice.text) for advice in nearest.advise()]


async def send_test_events(config: Config) -> list[Finding]:
    """Send each destination with a test_event_code one test event."""
    async with TikTokApi(config.tiktok) as api:
        return [await _test_event(config, destination, api) for destination in config.destinations]


async def _test_event(config: Config, destination: MappedDestination, api: TikTokApi) -> Finding:
    """Send one event as a test and read what TikTok says of it."""
    about = f"tiktok {destination.name}"
    if not destination.test_event_code:
        text = "not asked: set test_event_code (Events Manager, Test Events) and check again to send one test event"
        return Finding("note", about, text)
    rules = Rules.of(config.mapping, config.privacy, destination, config.rules)
    outcome = map_event(_sample(), rules, fallback_id=_new_id())[0]
    if not isinstance(outcome, TikTokEvent):
        return Finding("note", about, f"not asked: these settings drop the test event ({outcome.reason})")
    envelope = Envelope(
        event_source=destination.event_source,
        event_source_id=destination.event_source_id,
        test_event_code=destination.test_event_code,
    )
    answer = await api.call(envelope, token=destination.access_token, events=[msgspec.json.encode(outcome.body)])
    if isinstance(judge(answer), Accepted):
        text = f"accepted a test {outcome.body['event']} (code 0, request_id {answer.request_id})"
        return Finding("ok", about, f"{text}; it stands in Events Manager, Test Events, {destination.test_event_code}")
    return Finding("fault", about, _refusal(answer, config.tiktok.base_url))


def _refusal(answer: Answer, base_url: str) -> str:
    if answer.code is not None:
        return f"code {answer.code} {answer.message}: {explain_code(answer.code)} (request_id {answer.request_id})"
    said = f": {answer.message}" if answer.message else ""
    if answer.failure == "not_sent":
        return f"{base_url} cannot be reached{said}; check tiktok.base_url, and this machine's DNS, firewall and route"
    if answer.failure:
        return f"{base_url} gave no answer{said}; try again, and look at tiktok.timeout_s and what stands between"
    verdict = judge(answer)
    hint = explain_pause(verdict.reason) if isinstance(verdict, Pause) else "something else answers: check the address"
    return f"{base_url} answers HTTP {answer.status} without a code of TikTok's{said}; {hint}"


def _new_id() -> str:
    return f"tikrelay-check-{secrets.token_hex(8)}"


def _sample() -> Event:
    """A page view that nobody made."""
    return Event(
        name="page_view",
        source="data",
        received_at=time.time(),
        data={"page_location": "https://shop.example/tikrelay-check", "external_id": "tikrelay-check"},
        visitor=Visitor(user_agent="tikrelay check"),
        consent=Consent(sending="granted", user_data="granted"),
    )
