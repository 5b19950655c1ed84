"""The settings in force, and how others take their place while the server runs.

::

    SIGHUP -> read the file again -> wrong?  every mistake is told, nothing changes        refused
                                  -> right?  new workers begin with it -> one cannot?      failed
                                             all accept requests -> the older ones drain   taken

What the listening sockets and the folder hang on cannot change; it is told, and the rest is taken.
"""

import asyncio
import hashlib
import os
import time
from typing import Final, Literal

import msgspec

from tikrelay.app.config import Config
from tikrelay.app.crew import Crew
from tikrelay.app.load import Loaded, read_settings
from tikrelay.app.sockets import tell_systemd
from tikrelay.base.errors import ConfigError
from tikrelay.base.happenings import Emit, SettingsRead
from tikrelay.watch.log import say
from tikrelay.watch.status import SettingsStatus

Outcome = Literal["", "taken", "refused", "failed"]
_FIXED: Final = ("server.host", "server.port", "server.admin_host", "server.admin_port", "outbox.url")


class Settings:
    """What the server goes by."""

    def __init__(self, loaded: Loaded, *, emit: Emit) -> None:
        self.wanted = asyncio.Event()  # others are to be read; asked twice meanwhile is asked once
        self.outcome: Outcome = ""  # of the last reload
        self._emit = emit
        self._take(loaded)

    @property
    def config(self) -> Config:
        """The settings in force."""
        return self.loaded.config

    def tell(self) -> SettingsStatus:
        """Say which they are."""
        return SettingsStatus(read_at=self.read_at, digest=self.digest, reload=self.outcome)

    def _take(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.read_at = time.time()
        self.digest = digest_of(loaded.config)

    async def reload_when_asked(self, crew: Crew) -> None:
        """Read the settings anew each time it is asked for, until cancelled."""
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            tell_systemd(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            self.outcome = "failed"  # unless it comes to its end
            try:
                self.outcome = await self._reload(crew)
            except Exception:
                tell_systemd("READY=1")
                raise
            self._emit(SettingsRead(outcome=self.outcome))
            tell_systemd("READY=1")
            await crew.dismiss_older()

    async def _reload(self, crew: Crew) -> Outcome:
        try:
            path = self.loaded.path
            fresh = read_settings(str(path) if path else None, os.environ)
        except ConfigError as error:
            for mistake in error.mistakes:
                say("setting_wrong", level="error", **msgspec.structs.asdict(mistake))
            hint = "the server goes on with the settings it had: mend the file, then reload again"
            say("settings_refused", level="error", mistakes=len(error.mistakes), hint=hint)
            return "refused"
        fresh = _with_what_is_fixed(fresh, self.config)
        if why := await crew.renew(fresh):
            hint = "the server goes on with the settings it had"
            say("settings_failed", level="error", why=why, hint=hint)
            return "failed"
        self._take(fresh)
        say(
            "settings_taken",
            workers=fresh.config.server.workers,
            destinations=[d.name for d in self.config.destinations],
        )
        return "taken"


def digest_of(config: Config) -> str:
    """Tell two readings of settings apart; secrets are left out.

    >>> digest_of(Config()) == digest_of(Config())
    True
    """
    written = msgspec.json.encode(msgspec.to_builtins(config, enc_hook=str))
    return hashlib.sha256(written).hexdigest()[:12]


def _with_what_is_fixed(fresh: Loaded, old: Config) -> Loaded:
    """Keep what cannot change while the server runs, and tell of it."""
    config = fresh.config
    for setting in _FIXED:
        section, key = setting.split(".")
        wanted, kept = getattr(getattr(config, section), key), getattr(getattr(old, section), key)
        if wanted != kept:
            hint = "it cannot change while the server runs: restart it"
            say("setting_not_changed", level="warning", setting=setting, wanted=wanted, kept=kept, hint=hint)
            part = msgspec.structs.replace(getattr(config, section), **{key: kept})
            config = msgspec.structs.replace(config, **{section: part})
    return msgspec.structs.replace(fresh, config=config)
