"""What every outbox file can be asked.

A question knows how to ask one file, and how to read the answers that came over a link.
"""

from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec

from tikrelay.outbox.figures import Figures, Id, Letters, Look
from tikrelay.outbox.store import Entry, Find, Forgotten, Outbox, Replay, Replayed

T = TypeVar("T")

READ_WITHIN_S: Final = 5.0
"""A page is not held up for longer by a worker that does not answer."""
GONE_THROUGH_WITHIN_S: Final = 120.0
"""For what reads or moves every event there is: forgetting takes about 7 s for a million."""

Keys = dict[str, tuple[int, ...]]
"""Of each file the keys that are meant."""


class Question(msgspec.Struct, Generic[T], frozen=True):
    """The base of all questions. ``answers`` is the type of what the files say, by their names."""

    answers: ClassVar[Any]

    @property
    def within_s(self) -> float:
        """How long its answer is waited for."""
        return READ_WITHIN_S

    async def of(self, name: str, outbox: Outbox) -> T:
        """Ask one file."""
        raise NotImplementedError

    def shortened(self, by_file: dict[str, T]) -> dict[str, T]:
        """Leave out of the answers of many files what nobody needs: a line over a link has an end."""
        return by_file

    def read(self, told: object) -> dict[str, T]:
        """Read the answers as a link brought them."""
        read: dict[str, T] = msgspec.convert(told, self.answers)
        return read


class FindEvents(Question[list[Entry]], frozen=True, tag="find"):
    """Which events match."""

    answers = dict[str, list[Entry]]
    which: Find

    @property
    def within_s(self) -> float:
        """How long its answer is waited for; a text is looked for in every body."""
        return GONE_THROUGH_WITHIN_S if self.which.text else READ_WITHIN_S

    async def of(self, name: str, outbox: Outbox) -> list[Entry]:
        """Ask one file."""
        del name
        return await outbox.find(self.which)

    def shortened(self, by_file: dict[str, list[Entry]]) -> dict[str, list[Entry]]:
        """Leave out what the sum of many files will not show."""
        newest = sorted((entry.key for found in by_file.values() for entry in found), reverse=True)[: self.which.most]
        oldest_key = newest[-1] if newest else 0
        return {name: [entry for entry in found if entry.key >= oldest_key] for name, found in by_file.items()}


class ShowEvent(Question[Entry | None], frozen=True, tag="show"):
    """What is known of one event."""

    answers = dict[str, Entry | None]
    file: str
    key: int

    async def of(self, name: str, outbox: Outbox) -> Entry | None:
        """Ask one file."""
        return await outbox.show(self.key) if name == self.file else None


class AddUp(Question[Figures], frozen=True, tag="figures"):
    """What happened in each hour or on each day."""

    answers = dict[str, Figures]
    look: Look

    async def of(self, name: str, outbox: Outbox) -> Figures:
        """Ask one file."""
        del name
        return await outbox.figures(self.look)


class GroupLetters(Question[list[Letters]], frozen=True, tag="letters"):
    """What dead letters died of."""

    answers = dict[str, list[Letters]]

    async def of(self, name: str, outbox: Outbox) -> list[Letters]:
        """Ask one file."""
        del name
        return await outbox.letters()


class ListIds(Question[list[Id]], frozen=True, tag="ids"):
    """Which ids the newest events have."""

    answers = dict[str, list[Id]]
    most: int

    async def of(self, name: str, outbox: Outbox) -> list[Id]:
        """Ask one file."""
        del name
        return await outbox.ids(most=self.most)


class ReplayEvents(Question[Replayed], frozen=True, tag="replay"):
    """Send dead letters again; with ``keys`` those alone."""

    answers = dict[str, Replayed]
    order: Replay
    keys: Keys | None = None

    @property
    def within_s(self) -> float:
        """How long its answer is waited for."""
        return GONE_THROUGH_WITHIN_S

    async def of(self, name: str, outbox: Outbox) -> Replayed:
        """Ask one file."""
        if self.keys is None:
            return await outbox.replay(self.order)
        if name not in self.keys:
            return Replayed()
        which = msgspec.structs.replace(self.order.which, keys=self.keys[name])
        return await outbox.replay(msgspec.structs.replace(self.order, which=which))


class ForgetEvents(Question[Forgotten], frozen=True, tag="forget"):
    """Erase what can be tied to these digests."""

    answers = dict[str, Forgotten]
    digests: tuple[str, ...]

    @property
    def within_s(self) -> float:
        """How long its answer is waited for."""
        return GONE_THROUGH_WITHIN_S

    async def of(self, name: str, outbox: Outbox) -> Forgotten:
        """Ask one file."""
        del name
        return await outbox.forget(self.digests)


AnyQuestion = FindEvents | ShowEvent | AddUp | GroupLetters | ListIds | ReplayEvents | ForgetEvents
