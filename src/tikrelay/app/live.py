"""How the parent and a worker talk about what arrives: the question ``live`` over the link, and its answer.

``ask("live", look=...)`` holds a LookLive, the answer is a LiveOfWorker, both as ``msgspec.to_builtins`` writes them.

The parent asks at most twice a second, and only while somebody looks; a worker keeps nothing for it but the notes of
what never became a stored event. So a viewer costs the collector what these two messages cost, and ten cost the same.
"""

from typing import Final, Literal

import msgspec

from tikrelay.outbox.store import Entry

MOST_NOTES: Final = 500
"""A worker remembers the last so many notes."""


class Note(msgspec.Struct, frozen=True, array_like=True):
    """An event that a rule dropped for a destination, or an input that was turned away (then without the last three).

    ``at``     Unix seconds
    ``why``    the DropReason, or the reason that is counted
    ``given``  the name as the sender wrote it, masked as everywhere
    ``site``   the host of its page; else the measurement id it came with; else empty
    ``count``  of so many at once
    """

    at: float
    verdict: Literal["dropped", "turned_away"]
    why: str
    count: int = 1
    destination: str = ""
    given: str = ""
    site: str = ""


class LookLive(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent asks every worker alike.

    ``after``        of each file the key of the newest event it has told of; a file without one tells of its newest
    ``watched``      of each file the keys of events that waited or were dead when they were last told of
    ``notes_after``  of each process (its pid, as text) the number of the last note it has told of
    ``most``         so many events of a file and so many notes are told of, the newest
    """

    after: dict[str, int] = {}
    watched: dict[str, tuple[int, ...]] = {}
    notes_after: dict[str, int] = {}
    most: int = 100


class LiveOfFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file tells.

    ``received``  of its books, all destinations together; counted before ``came`` was read, so that it holds no more
    ``came``      events that have a trace, above the cursor, in order of key, with their traces and without bodies
    ``changed``   of those that were watched the ones that do not wait as if they had just come; traces may be left out
    ``gone``      of those that were watched the keys that are in no table any more
    """

    received: int
    came: list[Entry] = []
    changed: list[Entry] = []
    gone: list[int] = []


class LiveOfWorker(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker answers.

    ``notes``        the newest above the cursor, in order
    ``noted``        the number of its last note: they are counted from 1
    ``turned_away``  how many inputs were, since it began
    """

    pid: int
    files: dict[str, LiveOfFile] = {}
    notes: list[Note] = []
    noted: int = 0
    turned_away: int = 0
