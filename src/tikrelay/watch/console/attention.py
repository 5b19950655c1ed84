"""What needs somebody's attention, and what to do about it: the server's troubles, its settings, and its events."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from tikrelay.mapping.names import ENDING_NAMES
from tikrelay.mapping.notices import NoticeKind
from tikrelay.outbox.figures import MATCH_KEYS
from tikrelay.watch.console.asked import DAY_S, address
from tikrelay.watch.console.coverage import TITLES, WEEK, by_event, find_fall
from tikrelay.watch.console.dedup import PAGE_VIEWS
from tikrelay.watch.console.page import number
from tikrelay.watch.operations import FiguresShown
from tikrelay.watch.status import Status

NO_CLICK_ID_IN: Final = 500
"""So many page views, and none with TikTok's click id, are no chance: our own choice."""

STANDS_OUT: Final = 0.01
"""A warning about fewer of the events of a name is not shown here."""

FRESH: Final = 14
"""Days: a share that fell earlier is no news."""

Level = Literal["now", "soon", "note"]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at: what it is, what to do, and the page that shows it."""

    level: Level
    what: str
    todo: str = ""
    link: str = ""


_PLACES: Final = {"dead_letters": "/letters", "lag": "/events?state=waiting"}
_LEVELS: Final[tuple[Level, ...]] = ("now", "soon", "note")

# Of each kind of warning that somebody can do something about: how urgent it is, what it is, and what to do. Those that
# are left out are a visitor's own choice, or need nothing. {instead} is what TikTok suggests for the names that end.
_WARNINGS: Final[dict[NoticeKind, tuple[Level, str, str]]] = {
    NoticeKind.NAME_ENDS: (
        "soon",
        "go out under a name that TikTok stops taking in 2027",
        "set {instead} in mapping.purchase_event or mapping.events, and in the page's pixel",
    ),
    NoticeKind.UNLISTED_CURRENCY: (
        "soon",
        "name a currency that is not on TikTok's list",
        "send the code of ISO 4217, such as EUR, or an amount in a currency of the list",
    ),
    NoticeKind.VALUE_WITHOUT_CURRENCY: (
        "soon",
        "have a value and no currency, so TikTok cannot count it as revenue",
        "send currency with value",
    ),
    NoticeKind.PHONE_WITHOUT_COUNTRY: (
        "soon",
        "had a phone number without a country, which was left out",
        "send it with + and the country's code, or set mapping.default_phone_country",
    ),
    NoticeKind.UNKNOWN_PARAMETER: (
        "soon",
        "carry an x-ttq- parameter that is none, which was not used",
        "look for a slip of the pen: the event's page names it",
    ),
    NoticeKind.NO_MATCH_KEY: (
        "soon",
        "have nothing by which TikTok could match a visitor",
        "send e-mail, phone or external id, or the visitor's address and agent",
    ),
    NoticeKind.LEAD_WITHOUT_ID: ("soon", "have no lead_id", "send lead_id with each event of the CRM"),
    NoticeKind.CONTENT_WITHOUT_ID: (
        "soon",
        "have a product without an id",
        "send item_id with each item, as the catalogue has it",
    ),
    NoticeKind.SENSITIVE_NAME: (
        "soon",
        "have a name that hints at what TikTok's terms forbid to share",
        "choose a name that tells nothing",
    ),
    NoticeKind.RESERVED_NAME: ("soon", "have a name that TikTok counts as another event", "choose another name"),
    NoticeKind.CUSTOM_NAME: (
        "soon",
        "have a name that breaks TikTok's rules for custom events",
        "begin it with a letter, and use letters, digits, _ and - only",
    ),
    NoticeKind.TEST_EVENT: (
        "note",
        "went out as tests, and do not count for ads",
        "take the test event code away when the test is over",
    ),
    NoticeKind.EVENT_TIME_OLD: (
        "note",
        "lay further back than TikTok attributes",
        "send events when they happen",
    ),
    NoticeKind.EVENT_TIME_FUTURE: ("note", "lie in the future", "look at the clock of the machine that sends them"),
    NoticeKind.NO_CONTENTS: (
        "note",
        "say nothing of products, which catalogue ads need",
        "send items",
    ),
    NoticeKind.UNUSABLE: (
        "note",
        "had a field that could not be read, which was left out",
        "the event's page names the field and what it held",
    ),
    NoticeKind.ID_AS_NUMBER: (
        "note",
        "had an id that came as a number, of which digits may be lost",
        "send ids as text, in quotes",
    ),
}


_OF_NAMES: Final = frozenset({NoticeKind.NAME_ENDS, NoticeKind.RESERVED_NAME, NoticeKind.CUSTOM_NAME})


def find_points(status: Status, figures: FiguresShown, starts: Sequence[int]) -> list[Point]:
    """Find what needs attention, the most urgent first. The figures are those of days; ``starts`` are when they begin.

    What is said of events is about the last week.
    """
    found = [
        *_of_server(status),
        *_of_match_keys(figures, starts),
        *_of_click_ids(figures, starts),
        *_of_warnings(figures, starts[-WEEK]),
        *_of_purchases(status, figures, starts[-WEEK]),
        *_of_letters(status),
    ]
    return sorted(found, key=lambda point: _LEVELS.index(point.level))


def _of_server(status: Status) -> Iterator[Point]:
    for one in status.troubles:
        yield Point(level=one.level, what=one.what, todo=one.hint, link=_PLACES.get(one.kind, ""))
    told = {one.about for one in status.troubles}
    for name, row in status.destinations.items():
        if row.state != "flowing" and row.reason and name not in told and (row.state != "removed" or row.waiting):
            yield Point(level="soon", what=f"{name} is {row.state}", todo=row.explained or row.reason)


def _of_match_keys(figures: FiguresShown, starts: Sequence[int]) -> Iterator[Point]:
    recent = starts[-FRESH:]
    found = [
        (fall.after / fall.before, event, key, fall)
        for event, days in by_event(figures, starts).items()
        for key in MATCH_KEYS
        if (fall := find_fall(days.marks[key], days.received, starts)) is not None and fall.since in recent
    ]
    for _, event, key, fall in sorted(found, key=lambda one: one[0]):
        what = f"{event} lost {TITLES[key]}: {fall.words}"
        todo = "look at what was released or switched on that day: the page, its tags, or the consent tool"
        yield Point(level="soon", what=what, todo=todo, link=address("/coverage", event=event))


def _of_click_ids(figures: FiguresShown, starts: Sequence[int]) -> Iterator[Point]:
    """Look at the newest page views, back to the day with which there are enough of them."""
    views: Counter[int] = Counter()
    with_click_id: Counter[int] = Counter()
    for days in (days for event, days in by_event(figures, starts).items() if event in PAGE_VIEWS):
        views.update(dict(enumerate(days.received)))
        with_click_id.update(dict(enumerate(days.marks["ttclid"])))
    seen = 0
    for place in reversed(range(len(starts))):
        seen += views[place]
        if with_click_id[place]:
            return
        if seen >= NO_CLICK_ID_IN:
            todo = "open the shop by an ad, or with ?ttclid=test, and see whether it stays in the page's address"
            what = f"none of the last {number(seen)} page views came with TikTok's click id (ttclid)"
            yield Point(level="soon", what=what, todo=todo, link=address("/coverage", event="PageView"))
            return


def _of_warnings(figures: FiguresShown, since: int) -> Iterator[Point]:
    counts: dict[tuple[str, str], int] = Counter()
    for tally in figures.tallies:
        if tally.kind == "warned" and tally.at >= since:
            counts[tally.what, tally.event] += tally.count
    events = _received(figures, since)
    for kind, (level, what, todo) in _WARNINGS.items():
        where = {
            event: f"{number(count)} of {number(events[event])} {event}"
            for (warned, event), count in sorted(counts.items(), key=lambda one: -one[1])
            if warned == kind and count >= STANDS_OUT * events[event]
        }
        if where:
            link = "/dedup" if kind in _OF_NAMES else address("/events", event=next(iter(where)), warned=kind)
            told = f"{_some([*where.values()])} {what}"
            yield Point(level=level, what=told, todo=todo.format(instead=_instead_of(where)), link=link)


def _instead_of(events: Iterable[str]) -> str:
    """Name what TikTok suggests for names that end.

    >>> _instead_of(["PlaceAnOrder"]), _instead_of(["ClickButton", "PlaceAnOrder"])
    ('Purchase for PlaceAnOrder', 'Lead, Purchase or ViewContent for ClickButton, Purchase for PlaceAnOrder')
    """
    return ", ".join(f"{ENDING_NAMES[event]} for {event}" for event in events if event in ENDING_NAMES)


def _of_purchases(status: Status, figures: FiguresShown, since: int) -> Iterator[Point]:
    """Repeat what is said of a setting whose name is in use."""
    if not _received(figures, since)["PlaceAnOrder"]:
        return
    for advice in status.advice:
        if advice.kind == "place_an_order":
            yield Point(level="note", what=advice.text, link="/dedup")


def _of_letters(status: Status) -> Iterator[Point]:
    dead = sum(row.dead for row in status.destinations.values())
    if dead and not any(one.kind == "dead_letters" for one in status.troubles):
        what = f"{number(dead)} dead letters lie here"
        todo = "see why they were refused, mend it, and send them again"
        yield Point(level="note", what=what, todo=todo, link="/letters")


def _received(figures: FiguresShown, since: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for period in figures.periods:
        if period.at >= since:
            found[period.event] += period.received
    return found


def _some(texts: Sequence[str]) -> str:
    """Name the first three.

    >>> _some(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def days_to_judge(now: float) -> list[int]:
    """The days whose figures are judged."""
    today = int(now) // DAY_S * DAY_S
    return [today - back * DAY_S for back in reversed(range(FRESH + WEEK))]
