"""Dead letters and ids of all files, put together to what is alike."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from tikrelay.app.files import ref_of
from tikrelay.outbox.figures import Id, Letters
from tikrelay.outbox.store import MOST_GROUPS, DeadReason
from tikrelay.tiktok.answers import explain_code
from tikrelay.watch.operations import LetterGroup, Repeated

MOST_REPEATED: Final = 500
_MOST_OF_ONE: Final = 10  # spellings and references

_Place = tuple[str, str, str]
"""Destination, event, id."""
_Found = tuple[int, str, str]
"""Key, id, file."""


def group_letters(by_file: Mapping[str, Iterable[Letters]]) -> list[LetterGroup]:
    """Put letters together that died of the same, the largest groups first; the newest speaks for all."""
    groups: dict[tuple[str, str, str, int | None], LetterGroup] = {}
    for file, letters in by_file.items():
        for one in letters:
            key = (one.destination, one.event, one.reason, one.code)
            groups[key] = _joined(_group(file, one), groups.get(key))
    return sorted(groups.values(), key=lambda group: (-group.count, group.ref))[:MOST_GROUPS]


def _group(file: str, one: Letters) -> LetterGroup:
    return LetterGroup(
        destination=one.destination,
        event=one.event,
        reason=DeadReason(one.reason),
        code=one.code,
        words="" if one.code is None else explain_code(one.code),
        message=one.message,
        count=one.count,
        oldest_at=one.oldest_at,
        newest_at=one.newest_at,
        ref=ref_of(file, one.newest),
    )


def _joined(one: LetterGroup, other: LetterGroup | None) -> LetterGroup:
    if other is None:
        return one
    newest = max(one, other, key=lambda group: group.newest_at)
    return msgspec.structs.replace(newest, count=one.count + other.count, oldest_at=min(one.oldest_at, other.oldest_at))


def newest_of(by_file: dict[str, list[Id]], most: int) -> dict[str, list[Id]]:
    """Leave the newest so many of all files together."""
    if sum(map(len, by_file.values())) <= most:
        return by_file
    keys = sorted((one.key for ids in by_file.values() for one in ids), reverse=True)[:most]
    oldest_key = keys[-1] if keys else 0
    return {file: [one for one in ids if one.key >= oldest_key] for file, ids in by_file.items()}


class Repeats(NamedTuple):
    """As in ``RepeatedIds``."""

    doubled: list[Repeated]
    by_case: list[Repeated]
    more: bool


def find_repeats(by_file: Mapping[str, Iterable[Id]]) -> Repeats:
    """Find ids that came more than once, and those that differ in case alone; the most frequent first.

    >>> ids = [Id(1, "shop", "Purchase", "R-1"), Id(2, "shop", "Purchase", "R-1"), Id(3, "shop", "Purchase", "r-1")]
    >>> found = find_repeats({"outbox-000.db": ids})
    >>> [(one.ids, one.count) for one in (*found.doubled, *found.by_case)]
    [(['R-1'], 2), (['R-1', 'r-1'], 3)]
    """
    alike: defaultdict[_Place, list[_Found]] = defaultdict(list)
    for file, ids in by_file.items():
        for one in ids:
            alike[one.destination, one.event, one.event_id.casefold()].append((one.key, one.event_id, file))
    several = {place: found for place, found in alike.items() if len(found) > 1}
    exact: defaultdict[_Place, list[_Found]] = defaultdict(list)
    for (destination, event, _), found in several.items():
        for spelled in found:
            exact[destination, event, spelled[1]].append(spelled)
    doubled = [(place, found) for place, found in exact.items() if len(found) > 1]
    by_case = [(place, found) for place, found in several.items() if len({name for _, name, _ in found}) > 1]
    return Repeats(_most(doubled), _most(by_case), more=max(len(doubled), len(by_case)) > MOST_REPEATED)


def _repeated(place: _Place, found: list[_Found]) -> Repeated:
    destination, event, _ = place
    refs = [ref_of(file, key) for key, _, file in sorted(found, reverse=True)[:_MOST_OF_ONE]]
    ids = sorted({event_id for _, event_id, _ in found})[:_MOST_OF_ONE]
    return Repeated(destination=destination, event=event, ids=ids, count=len(found), refs=refs)


def _most(found: Iterable[tuple[_Place, list[_Found]]]) -> list[Repeated]:
    repeated = [_repeated(place, those) for place, those in found]
    return sorted(repeated, key=lambda one: (-one.count, one.refs))[:MOST_REPEATED]
