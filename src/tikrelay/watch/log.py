"""Logs: one line for a batch, a fault, a piece of advice; none for an event.

JSON on stderr, pretty on a terminal. Happenings carry no personal data and no token; what TikTok or a library says in
words has been shortened and cleaned where it came in.
"""

import contextlib
import json
import logging
import os
import select
import stat
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, Final, Self, TextIO

import msgspec
import structlog

from tikrelay.base.happenings import (
    Advice,
    BatchAnswered,
    ClockSet,
    DestinationPaused,
    DestinationResumed,
    EventsBuried,
    Happening,
    LogKept,
    NotStored,
    OutboxAdopted,
    OutboxDamaged,
    OutboxVanished,
    StoreFailed,
    StoreResumed,
    StoreStopped,
    TakenBack,
    Unexpected,
)

# What is worth a line, how loud, and under which words. What is not in here is counted only (watch/metrics.py).
_LINES: Final[dict[type[Happening], tuple[str, str]]] = {
    BatchAnswered: ("info", "tiktok_answered"),
    EventsBuried: ("warning", "events_dead"),
    DestinationPaused: ("error", "destination_paused"),
    DestinationResumed: ("info", "destination_resumed"),
    StoreFailed: ("error", "store_failed"),
    NotStored: ("warning", "request_not_stored"),
    StoreStopped: ("error", "store_stopped"),
    StoreResumed: ("info", "store_resumed"),
    OutboxAdopted: ("info", "outbox_adopted"),
    OutboxDamaged: ("error", "outbox_damaged"),
    OutboxVanished: ("error", "outbox_vanished"),
    LogKept: ("error", "log_kept"),
    TakenBack: ("warning", "events_taken_back"),
    ClockSet: ("warning", "clock_set"),
}
_OFTEN_THE_SAME: Final = (StoreFailed, NotStored)  # one for each commit, and each request, while a disk is full
_SAY_AGAIN_EVERY_S: Final = 10.0


def configure_logs() -> None:
    """Set up structlog for this process; called once, by the programs in ``tools/`` and ``app/``."""
    terminal = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(_to_json)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _what_happened_first,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Patient(sys.stderr),
        cache_logger_on_first_use=True,
    )


class _Patient:
    """Standard error that never makes the program wait: a line nobody takes is dropped, and counted in the next.

    A pipe that says it has room has it for PIPE_BUF bytes, and takes so many in one piece: more could wait for the
    reader, and could be torn by another process's line. What a longer line begins with goes into one that fits.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = 0

    def __call__(self, *_: object) -> Self:
        return self

    def msg(self, line: str) -> None:
        """Write one line, if it is taken."""
        with contextlib.suppress(OSError, ValueError):
            descriptor = self._stream.fileno()
            if not is_writable(descriptor):
                self._dropped += 1
                return
            if self._dropped:
                os.write(descriptor, b'{"event":"log_lines_dropped","count":%d}\n' % self._dropped)
                self._dropped = 0
                if not is_writable(descriptor):
                    self._dropped += 1
                    return
            written = f"{line}\n".encode(errors="replace")
            os.write(descriptor, written if _takes_any_length(descriptor) else fitting(written))

    debug = info = warning = error = critical = msg


def _takes_any_length(descriptor: int) -> bool:
    kind = os.fstat(descriptor).st_mode
    return not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


def fitting(line: bytes) -> bytes:
    """Cut a line that a pipe might not take in one piece; what is left of it stands in another line of JSON.

    >>> fitting(b"short")
    b'short'
    >>> len(fitting(b"x" * 10_000)) <= select.PIPE_BUF
    True
    """
    if len(line) <= select.PIPE_BUF:
        return line
    text = line.decode(errors="replace")
    kept = select.PIPE_BUF
    while True:
        kept = kept * 3 // 4  # signs are escaped once more, so how much fits is tried
        cut = msgspec.json.encode({"event": "log_line_cut", "bytes": len(line), "begins": text[:kept]}) + b"\n"
        if len(cut) <= select.PIPE_BUF:
            return cut


def is_writable(descriptor: int) -> bool:
    """Say whether a pipe has room for a line (PIPE_BUF); a file and a terminal always have."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


def _what_happened_first(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put first what a reader looks for first."""
    return {**{key: line.pop(key) for key in ("timestamp", "level", "event")}, **line}


def _to_json(value: object, **_: object) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except UnicodeEncodeError:  # half a character, as in the name of a file that is no UTF-8
        return json.dumps(value, default=str)


def say(event: str, *, level: str = "info", **details: object) -> None:
    """Write one line."""
    logger: Callable[..., None] = getattr(structlog.get_logger("tikrelay"), level)
    logger(event, **details)


class Repeats:
    """Holds back what was said a moment ago, and counts it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._said: dict[Happening, tuple[float, int]] = {}  # when, and how often it was held back since

    def held_back(self, happening: Happening) -> int | None:
        """How often this very happening was held back since it was said; None when it is now.

        Of requests that could not be stored, each has an id and words of its own.
        """
        if isinstance(happening, NotStored):
            happening = msgspec.structs.replace(happening, request_id="", why="", hint="")
        now = self._monotonic()
        self._said = {what: said for what, said in self._said.items() if said[1] or now - said[0] < _SAY_AGAIN_EVERY_S}
        at, count = self._said.get(happening, (float("-inf"), 0))
        if now - at < _SAY_AGAIN_EVERY_S:
            self._said[happening] = at, count + 1
            return None
        self._said[happening] = now, 0
        return count


def log_happening(happening: Happening, *, repeats: Repeats = Repeats()) -> None:  # noqa: B008  the process's own
    """Write a line for a happening that is worth one; the same fault of a store at most every ten seconds."""
    held_back = repeats.held_back(happening) if isinstance(happening, _OFTEN_THE_SAME) else 0
    if held_back is None:
        return
    if isinstance(happening, Advice):
        say("advice", level=happening.level, kind=happening.kind, text=happening.text)
    elif isinstance(happening, Unexpected):
        log_defect(happening.error, where=happening.where, request_id=happening.request_id)
    elif line := _LINES.get(type(happening)):
        level, event = line
        more = {"held_back": held_back} if held_back else {}
        say(event, level=level, **msgspec.structs.asdict(happening), **more)


def log_defect(error: BaseException, *, where: str = "", request_id: str = "") -> None:
    """Write where an error that should never have happened came from: files and lines, not values or words.

    The words of an exception may quote what a visitor sent, so they are left out.
    """
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    more = {"request_id": request_id} if request_id else {}
    say("defect", level="error", where=where, error=type(error).__name__, frames=frames[-8:], **more)
