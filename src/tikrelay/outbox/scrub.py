"""How the last traces of deleted rows are overwritten.

SQLite overwrites a row that is deleted (``secure_delete``). But it moves rows between pages as these fill and empty,
and leaves the older copy of a moved row in the unused part of its page, where no delete finds it. Here the unused parts
are filled with zeros, in the file itself: no statement reaches them. Nothing reads what lies there, so that a crash
halfway harms nothing.

It is done while no transaction is open and the log is empty, in steps, lest a put waits for all of it.
"""

from collections.abc import Iterator
from typing import Final

import apsw

from tikrelay.outbox.database import Database
from tikrelay.outbox.schema import PAGE_SIZE

_PAGES_AT_ONCE: Final = 1024
# "Database File Format", sqlite.org/fileformat.html, sections 1.3, 1.6 and 1.8
_FILE_HEADER_BYTES: Final = 100  # at the beginning of the first page
_HEADER_BYTES: Final = {2: 12, 5: 12, 10: 8, 13: 8}  # of a page of a tree, by the byte it begins with
_POINTER_BYTES: Final = 2
_PAGES_OF_A_MAP: Final = PAGE_SIZE // 5 + 1  # a pointer map, the first at page 2, and the pages it tells of
_MOST_PAGES: Final = 1 << 25  # beyond, the number that any other page begins with may look like a tree's first byte


def unused(page: bytes, number: int) -> slice:
    """The unused part of a page of a tree, between its cell pointers and its cells; nothing of any other page."""
    nothing = slice(0, 0)
    start = _FILE_HEADER_BYTES if number == 1 else 0
    if number > _MOST_PAGES or number % _PAGES_OF_A_MAP == 2 or page[start] not in _HEADER_BYTES:
        return nothing
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    content = int.from_bytes(page[start + 5 : start + 7], "big")
    pointers = start + _HEADER_BYTES[page[start]]
    first = pointers + _POINTER_BYTES * cells
    if not first <= content <= len(page):
        return nothing
    places = (int.from_bytes(page[at : at + _POINTER_BYTES], "big") for at in range(pointers, first, _POINTER_BYTES))
    return slice(first, content) if all(place >= content for place in places) else nothing


class Scrubbing:
    """One way through all pages of the file."""

    def __init__(self) -> None:
        self._next = 0

    def step(self, database: Database) -> bool:
        """Overwrite the unused parts of some pages; True while there are more."""
        database.empty_log()
        with database.raw() as file:
            end = file.xFileSize()
            size = min(_PAGES_AT_ONCE * PAGE_SIZE, end - self._next)
            if size <= 0:
                return False
            block = file.xRead(size, self._next)
            changed = False
            for place, zeros in _to_overwrite(block, first=1 + self._next // PAGE_SIZE):
                file.xWrite(zeros, self._next + place)  # pyright: ignore[reportUnknownMemberType]  the stubs' Buffer
                changed = True
            if changed:
                file.xSync(apsw.SQLITE_SYNC_FULL)
        database.forget_pages()
        self._next += size
        return True


def _to_overwrite(block: bytes, *, first: int) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(block), PAGE_SIZE):
        page = block[start : start + PAGE_SIZE]
        part = unused(page, first + start // PAGE_SIZE)
        zeros = bytes(part.stop - part.start)
        if page[part] != zeros:
            yield start + part.start, zeros
