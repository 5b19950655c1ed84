"""What of the machine itself endangers events or secrets: versions, room on the disk, who may read what, the clock."""

import platform
import re
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from tikrelay import __version__
from tikrelay.app.load import Loaded
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.room import FREE_SOME_ROOM
from tikrelay.outbox.sqlite import RESERVE_BYTES
from tikrelay.tools.findings import Finding
from tikrelay.watch.alarms import LITTLE_ROOM_BYTES

_WRITTEN_AFTER: Final = 1_760_000_000.0  # no clock that is right says an earlier time than this line was written
_NOT_AFTER: Final = 4_102_444_800.0  # 2100
_SECRET: Final = re.compile(
    r"^[ \t]*(?:access_token|data_key|mp_api_secret|admin_password|webhook)\s*=\s*[\"'][^\"']", re.MULTILINE
)


def look_at_place(loaded: Loaded) -> Iterator[Finding]:
    """Look at everything that needs no network and no server."""
    versions = f"tikrelay {__version__}, Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    yield Finding("ok", "versions", f"{versions}, {platform.system()} {platform.release()}")
    folder = OutboxFolder.of(loaded.config.outbox.url, base=loaded.folder)
    yield from _room(folder)
    yield from _modes(loaded, folder)
    yield from _clock(time.time())


def _room(folder: OutboxFolder) -> Iterator[Finding]:
    free = folder.free_bytes_or_none()
    if free is None or free >= LITTLE_ROOM_BYTES:
        return  # the folder itself is looked at by `check`
    full = free < RESERVE_BYTES
    text = f"{free / 1e6:.0f} MB are free{'; no event is taken' if full else ''}"
    yield Finding("fault" if full else "warning", "disk", text, FREE_SOME_ROOM)


def _modes(loaded: Loaded, folder: OutboxFolder) -> Iterator[Finding]:
    """Tell who may read events and secrets but the server."""
    if loaded.path and _SECRET.search(loaded.text) and _mode(loaded.path) & stat.S_IROTH:
        text = f"{loaded.path} holds a secret, and everybody on this machine may read it"
        yield Finding("note", "modes", text, f"chmod o= {loaded.path}, or keep the token in access_token_file")
    for destination in loaded.config.destinations:
        if destination.access_token_file:
            yield from _token_file(loaded.folder / destination.access_token_file)
    try:
        open_to_others = [path for path in (folder.path, *sorted(folder.path.iterdir())) if _mode(path) & 0o077]
    except OSError:
        return
    if open_to_others:
        text = f"others than its owner may use {', '.join(path.name for path in open_to_others[:5])}"
        yield Finding("warning", "modes", text, f"chmod -R go= {folder.path}")


def _token_file(path: Path) -> Iterator[Finding]:
    if _mode(path) & 0o077:
        text = f"the token's file {path} may be read by more than its owner"
        yield Finding("warning", "modes", text, f"chmod 600 {path}")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _clock(now: float) -> Iterator[Finding]:
    if not _WRITTEN_AFTER < now < _NOT_AFTER:
        said = time.strftime("%Y-%m-%d", time.gmtime(now)) if abs(now) < sys.maxsize else "no date"
        yield Finding("fault", "clock", f"this machine's clock says {said}", "set it, and have NTP keep it")
