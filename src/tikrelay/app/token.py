"""A destination's access token: the one set, or what its file holds now, so that a new one needs no restart."""

from pathlib import Path

from tikrelay.base.secret import Secret
from tikrelay.tiktok.config import DestinationConfig


class Token:
    """Gives the token for one call; a file is read again when it has changed.

    A file that is gone, empty or unreadable leaves the token as it was: whoever replaces it may be at it.
    """

    def __init__(self, destination: DestinationConfig, *, folder: Path) -> None:
        self._token = destination.access_token
        self._file = folder / destination.access_token_file if destination.access_token_file else None
        self._seen = self._state()

    def __call__(self) -> Secret:
        """Return the token as it is at this moment."""
        state = self._state()
        if self._file is not None and state is not None and state != self._seen:
            self._seen = state
            self._token = _read(self._file) or self._token
        return self._token

    def _state(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            state = self._file.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino


def _read(file: Path) -> Secret:
    try:
        return Secret(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return Secret("")
