"""What happened in each hour and on each day, in figures: counted with the events, and kept for longer than they are.

Both spans are written with every commit, so that what is asked about a month costs what is asked about a day: few rows,
however many events there were. Names of events are bounded as in the books, so rows are, too.
"""

from typing import Final, Literal

import msgspec

MARKS: Final = ("email", "phone", "external_id", "ttclid", "ttp", "ip_and_agent", "own_id", "number_id")
"""What is counted of each stored event: the match keys it carries, whether its id is the site's own (not derived and
not made here), and whether that id came as a number, which a pixel may spell otherwise. A Record's ``marks`` holds one
bit for each, the first the lowest."""

MATCH_KEYS: Final = MARKS[:6]

Span = Literal["hour", "day"]

SECONDS: Final[dict[Span, int]] = {"hour": 3600, "day": 86400}

KEEP_HOURS_S: Final = 8 * 86400.0
"""How long the figures of single hours are kept: a week, and the day it is compared with."""

Kind = Literal["dropped", "dead", "warned", "given"]
"""``what`` of a Tally is the DropReason, the DeadReason, the kind of warning, or the name the sender gave."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Which figures to read: those of each hour or day (UTC) that begins at ``begin`` or later, and before ``end``.

    Times are Unix seconds.
    """

    span: Span = "hour"
    begin: float
    end: float


class Period(msgspec.Struct, frozen=True, array_like=True):
    """What one hour or day brought of one event name, for one destination.

    ``at``        Unix seconds of its beginning
    ``event``     TikTok's name
    ``received``  events stored in it (those dropped are tallied apart)
    ``accepted``  events TikTok took in it, whenever they came
    ``marks``     of those received, how many have each of MARKS
    """

    at: int
    destination: str
    event: str
    received: int = 0
    accepted: int = 0
    marks: tuple[int, ...] = (0,) * len(MARKS)


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """How often one thing happened in one hour or day.

    ``event``  TikTok's name; of what was dropped, the name the sender gave
    """

    at: int
    destination: str
    event: str
    kind: Kind
    what: str
    count: int


class Figures(msgspec.Struct, frozen=True):
    """All figures of a time, in order of ``at``."""

    periods: list[Period] = []
    tallies: list[Tally] = []


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters that died of the same.

    ``message``  TikTok's, of the newest of them
    ``oldest_at``, ``newest_at``  Unix seconds when the first and the last of them died
    ``newest``   the key of the newest
    """

    destination: str
    event: str
    reason: str
    code: int | None = None
    message: str = ""
    count: int
    oldest_at: float
    newest_at: float
    newest: int


class Id(msgspec.Struct, frozen=True, array_like=True):
    """The id of one stored event; ``key`` is the store's."""

    key: int
    destination: str
    event: str
    event_id: str


class Traced(msgspec.Struct, frozen=True, array_like=True):
    """An event's trace, as ``mapping.trace`` writes it."""

    key: int
    trace: bytes
