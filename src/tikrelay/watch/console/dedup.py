"""Whether TikTok can tell that an event of the pixel and one of the server are the same: ids, and names."""

import asyncio
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tikrelay.mapping.names import APP_NAMES, ENDING_NAMES, PURCHASES, RESERVED_NAMES, STANDARD_NAMES
from tikrelay.mapping.notices import NoticeKind
from tikrelay.watch.console.asked import DAYS, Asked, Column, in_order
from tikrelay.watch.console.coverage import Fall, by_event, cell, days_to_compare, given_names
from tikrelay.watch.console.page import Parts, page
from tikrelay.watch.operations import FiguresQuery, FiguresShown, RepeatedIds

PAGE_VIEWS: Final = frozenset({"PageView", "Pageview"})
"""What `mapping.page_view_event` may be."""

MOST_IDS: Final = 25
"""Of each kind of ids that repeat are shown."""

_NEAR: Final = 0.85  # of difflib's ratio: a letter or two apart
_BETWEEN_WORDS: Final = re.compile(r"[^a-z0-9]+")
_RESERVED: Final = {name.lower(): becomes for name, becomes in RESERVED_NAMES.items()}


class IdRow(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of one event name: how many are the site's own, and how many of those came as numbers."""

    event: str
    events: int
    own: int
    numbers: int
    fall: Fall | None = None
    spark: str = ""

    @property
    def own_share(self) -> float:
        """The share whose id is the site's own."""
        return self.own / self.events


class NameNote(msgspec.Struct, frozen=True):
    """Something to know about a name; ``is_bad`` when the pixel and the server would not be taken for the same."""

    text: str
    is_bad: bool = True


class NameRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one TikTok name was made of, and how the pixel must spell it.

    ``given``  the names the sender gave, the most frequent first
    """

    event: str
    events: int
    given: tuple[tuple[str, int], ...]
    pixel: str
    notes: tuple[NameNote, ...]

    @property
    def is_bad(self) -> bool:
        """Say whether something about it is to be mended."""
        return any(note.is_bad for note in self.notes)


def id_rows(figures: FiguresShown, starts: Sequence[int], *, shown: int) -> list[IdRow]:
    """Count the ids of each event name in the last ``shown`` days."""
    return [
        IdRow(
            event=event,
            events=events,
            own=sum(days.marks["own_id"][-shown:]),
            numbers=sum(days.marks["number_id"][-shown:]),
            fall=(seen := cell(days, "own_id", starts)).fall,
            spark=seen.spark,
        )
        for event, days in by_event(figures, starts).items()
        if (events := sum(days.received[-shown:]))
    ]


def name_rows(figures: FiguresShown, counts: Mapping[str, int]) -> list[NameRow]:
    """Say of each name that was sent how the pixel must spell it; ``counts`` are its events."""
    given = given_names(figures)
    warned: dict[str, set[str]] = {}
    for tally in figures.tallies:
        if tally.kind == "warned":
            warned.setdefault(tally.event, set()).add(tally.what)
    return [
        NameRow(
            event=event,
            events=events,
            given=tuple(given[event].most_common()) if event in given else (),
            pixel=pixel_call(event),
            notes=tuple(judge_name(event, counts, warned.get(event, set()))),
        )
        for event, events in counts.items()
    ]


def pixel_call(event: str) -> str:
    """Write how a page's pixel reports an event.

    >>> pixel_call("PageView"), pixel_call("AddToCart")
    ('ttq.page()', "ttq.track('AddToCart')")
    """
    if event in PAGE_VIEWS:
        return "ttq.page()"
    escaped = event.replace("\\", "\\\\").replace("'", "\\'")
    return f"ttq.track('{escaped}')"


def judge_name(event: str, sent: Iterable[str], warned: Iterable[str]) -> Iterator[NameNote]:
    """Tell what keeps a name from being the same at the pixel; ``sent`` are all names that were sent.

    >>> [note.text for note in judge_name("add_to_carts", ["add_to_carts"], [])]
    ['close to the standard event AddToCart, and not the same to TikTok']
    """
    if event in PAGE_VIEWS:
        yield NameNote("the pixel gives a page view no event id as far as is known, so a copy from here counts twice")
    if event in PURCHASES:
        yield from _of_purchase(event, sent)
    if NoticeKind.NAME_ENDS in warned:
        yield NameNote(f"TikTok stops taking it in 2027; it suggests {ENDING_NAMES.get(event, 'another')}")
    if NoticeKind.RESERVED_NAME in warned:
        yield NameNote(f"TikTok counts it as {_RESERVED.get(event.lower(), 'another event')}")
    if NoticeKind.CUSTOM_NAME in warned:
        yield NameNote("breaks TikTok's rules for the names of custom events")
    if alike := [other for other in sent if other != event and _plain(other) == _plain(event)]:
        yield NameNote(f"also sent as {', '.join(alike)}: TikTok knows a copy by the very same name")
    yield from _of_custom(event)


def _of_purchase(event: str, sent: Iterable[str]) -> Iterator[NameNote]:
    if others := sorted(PURCHASES.intersection(sent) - {event}):
        yield NameNote(f"purchases are also sent as {', '.join(others)}: the pixel can use one of the names only")
    else:
        names = " or ".join(sorted(PURCHASES - {event}))
        yield NameNote(f"if the pixel reports {names}, each purchase counts twice: use one name", is_bad=False)


def _of_custom(event: str) -> Iterator[NameNote]:
    if event in _STANDARD or event in PAGE_VIEWS:
        return
    near = difflib.get_close_matches(_plain(event), _BY_PLAIN_NAME, n=1, cutoff=_NEAR)
    if near:
        yield NameNote(f"close to the standard event {_BY_PLAIN_NAME[near[0]]}, and not the same to TikTok")
    else:
        yield NameNote("a name of your own: the pixel must spell it so, in the same case", is_bad=False)


def _plain(name: str) -> str:
    """Leave of a name what an ear hears.

    >>> _plain("add_to_cart") == _plain("AddToCart")
    True
    """
    return _BETWEEN_WORDS.sub("", name.lower())


_STANDARD: Final = frozenset((*STANDARD_NAMES, *APP_NAMES))
_BY_PLAIN_NAME: Final = {_plain(name): name for name in (*APP_NAMES, *STANDARD_NAMES)}

# The page.

_COLUMNS: Final = (
    Column("event", "TikTok event", lambda row: row.event, is_number=False),
    Column("events", "Events", lambda row: row.events),
    Column("own", "With your own id", lambda row: row.own_share),
    Column("numbers", "Ids sent as numbers", lambda row: row.numbers),
)


async def show(request: Request, parts: Parts) -> Response:
    """Show it."""
    asked = Asked("/dedup", DAYS, DAYS[0], request.query_params)
    starts = days_to_compare(parts.clock.now(), shown=asked.stretch.periods)
    figures, repeated = await asyncio.gather(
        parts.operations.figures(FiguresQuery(span="day", begin=starts[0])), parts.operations.repeats()
    )
    return await asyncio.to_thread(dedup_page, asked, figures, starts, repeated)


def dedup_page(asked: Asked, figures: FiguresShown, starts: Sequence[int], repeated: RepeatedIds) -> Response:
    """Make the page of figures and of ids that repeat."""
    shown = asked.stretch.periods
    names = {one.destination for one in figures.periods}
    figures = asked.only(figures)
    ids = id_rows(figures, starts, shown=shown)
    rows, heads = in_order(ids, _COLUMNS, asked)
    tallies = [one for one in figures.tallies if one.at >= starts[-shown]]
    of_shown = msgspec.structs.replace(figures, tallies=tallies)
    return page(
        "dedup.html",
        title="Dedup",
        here="/dedup",
        asked=asked,
        rows=rows,
        heads=heads,
        names=name_rows(of_shown, {row.event: row.events for row in rows}),
        repeated=repeated,
        most_ids=MOST_IDS,
        lists=[
            ("Ids that came more than once", _DOUBLED, [r for r in repeated.doubled if asked.is_its(r.destination)]),
            ("Ids that differ in case alone", _BY_CASE, [r for r in repeated.by_case if asked.is_its(r.destination)]),
        ],
        destinations=asked.destinations(names),
        unanswered={**figures.unanswered, **repeated.unanswered},
    )


_DOUBLED: Final = (
    "TikTok counts events of one name and id once, when they come within 48 hours. That is right for a hit that was "
    "sent twice, and wrong where different orders share an id."
)
_BY_CASE: Final = "Whether TikTok takes them for one is not documented. Spell an id alike wherever it is sent."
