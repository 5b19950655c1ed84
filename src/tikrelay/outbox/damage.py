"""The mark beside an outbox file that SQLite found damaged.

``outbox-000.damaged`` says when, and in SQLite's words. A marked file is opened by nobody: each worker would fail on
it as the one before. It stays as it is, with its events, until these are salvaged (``outbox/salvage.py``).
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

KEPT: Final = ".damaged-"
"""Stands in the name of a damaged file after a salvage, before the time of it."""
LOG: Final = "-wal"
"""Ends the name of a file's log."""
KEPT_LOG: Final = f"{LOG}.kept-"
"""Stands in the name of a kept log (``outbox.log_tail``), behind its file's and before the time of it."""
TAKEN_BACK: Final = ".done"
"""Ends the name of a kept log whose events were taken back (``outbox.kept_log``)."""


def mark_of(path: Path) -> Path:
    """Where the mark of an outbox file lies.

    >>> mark_of(Path("data/outbox-000.db")).name
    'outbox-000.damaged'
    """
    return path.with_suffix(".damaged")


def is_marked(path: Path) -> bool:
    """Say whether an outbox file was found damaged."""
    return mark_of(path).exists()


def leave_mark(path: Path, words: str, *, at: float) -> None:
    """Mark an outbox file; the first mark stays. On a full disk there may be none, and the file is tried again."""
    with contextlib.suppress(OSError):
        descriptor = os.open(mark_of(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ} {words}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def how_to_mend(path: Path) -> str:
    """What to do about a damaged file, in the same words wherever one is told of.

    >>> how_to_mend(Path("data/outbox-000.db"))
    'new events go to another file; look at the disk, then: tikrelay doctor --salvage outbox-000.db'
    """
    return f"new events go to another file; look at the disk, then: tikrelay doctor --salvage {path.name}"


def read_mark(path: Path) -> str:
    """What the mark says, or nothing when there is none."""
    with contextlib.suppress(OSError):
        return mark_of(path).read_text(encoding="utf-8", errors="replace").strip()
    return ""
