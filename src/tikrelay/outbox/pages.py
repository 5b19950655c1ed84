"""The rows that stand in an SQLite file and its log, read without SQLite, which gives up at the first damage.

Nothing in the file is believed: a number that leads out of a page or out of the file makes that one cell unreadable,
and no bytes whatsoever make this raise. Each page is looked at once, and all chains of overflow pages together a few
times as often as there are pages, so that the time is linear in the file's size. A page the disk cannot read is empty.

Only cells that their page points to are read: what SQLite has deleted is not found again. Where the head of a page is
spoilt, and with it how many pointers there are, they are followed as long as they lead behind themselves.

The format: https://www.sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (pages), 2.1 (records), 4 (the log).
"""

import contextlib
import os
import struct
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

Value = None | int | float | bytes
Sums = tuple[int, int]

_MAGIC: Final = b"SQLite format 3\0"
_INNER_INDEX, _INNER_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_FAMILY: Final = {
    _INNER_INDEX: (_INNER_INDEX, _LEAF_INDEX),
    _LEAF_INDEX: (_INNER_INDEX, _LEAF_INDEX),
    _INNER_TABLE: (_INNER_TABLE, _LEAF_TABLE),
    _LEAF_TABLE: (_INNER_TABLE, _LEAF_TABLE),
}
_LEAVES: Final = frozenset({_LEAF_INDEX, _LEAF_TABLE})
_INNER: Final = frozenset({_INNER_INDEX, _INNER_TABLE})
_LEAF_HEADER: Final = 8
_INNER_HEADER: Final = 12
_MOST_FRAGMENTS: Final = 60  # bytes of a page's cells that are in no cell and in no block that is free
_FILE_HEADER: Final = 100
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
LOG_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}  # the last bit says how the words of its checksums lie
_MOST_COLUMNS: Final = 64
_CHAINS_PER_PAGE: Final = 4
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type to bytes


class Cell(NamedTuple):
    """One row: its rowid (0 in an index), its values, and a letter for the kind of each.

    ``kinds`` has N for NULL, I for an integer, R for a real number, T for a text, B for a blob. Texts are bytes.
    """

    page: int
    rowid: int
    kinds: str
    values: tuple[Value, ...]


class Tree(NamedTuple):
    """The pages of a table that can be reached from its first, and how many of those it points to are none of its."""

    pages: frozenset[int]
    broken: int


class _UnreadableError(Exception):
    """A cell leads nowhere."""


def page_sizes(path: Path) -> list[int]:
    """Page sizes that the file and its log tell of, where they tell of any."""
    sizes: list[int] = []
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(_FILE_HEADER)
        if head.startswith(_MAGIC) and len(head) == _FILE_HEADER:
            told = int.from_bytes(head[16:18], "big")
            sizes.append(65536 if told == 1 else told)
    with contextlib.suppress(OSError, struct.error), _log_of(path).open("rb") as log:
        sizes.append(_uint(log.read(_LOG_HEADER), 8))
    return [size for size in dict.fromkeys(sizes) if 512 <= size <= 65536 and size & (size - 1) == 0]


class Pages:
    """The pages of a file, with those its log holds in place of theirs.

    ``log_is_cut`` says that more was committed behind a damaged place of the log, after which nothing can be believed.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._log: int | None = None
        self._in_log: dict[int, int] = {}
        self.log_is_cut = False
        self.count = -(-os.fstat(self._file).st_size // size)
        with contextlib.suppress(OSError):
            self._log = os.open(_log_of(path), os.O_RDONLY | os.O_CLOEXEC)
            self._lay_over(self._log)
        self._chained = _CHAINS_PER_PAGE * self.count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        if self._log is not None:
            os.close(self._log)

    def _lay_over(self, log: int) -> None:
        """Note where the pages of whole commits lie; SQLite's log ends at the first frame that is not its own."""
        head = _read(log, _LOG_HEADER, 0)
        order = LOG_MAGIC.get(_uint(head, 0))
        summed = sums(head[:24], order or "<", (0, 0))
        if order is None or _uint(head, 8) != self.size or summed != struct.unpack_from(">II", head, 24):
            self.log_is_cut = self._has_commit(log, _LOG_HEADER)
            return
        since_commit: dict[int, int] = {}
        in_file, frames, at = self.count, 0, _LOG_HEADER
        while len(frame := _read_up_to(log, _FRAME_HEADER + self.size, at)) == _FRAME_HEADER + self.size:
            summed = sums(frame[_FRAME_HEADER:], order, sums(frame[:8], order, summed))
            if frame[8:16] != head[16:24] or summed != struct.unpack_from(">II", frame, 16):
                self.log_is_cut = self._has_commit(log, at, salts=head[16:24])
                return
            number, pages_after_commit = struct.unpack_from(">II", frame, 0)
            since_commit[number] = at + _FRAME_HEADER
            frames += 1
            if pages_after_commit:
                self._in_log |= since_commit
                self.count = min(pages_after_commit, in_file + frames)
                since_commit = {}
            at += len(frame)

    def _has_commit(self, log: int, at: int, *, salts: bytes = b"") -> bool:
        """Say whether a frame of this log, or of any, ends a commit behind this place; old logs have other salts."""
        while len(head := _read_up_to(log, _FRAME_HEADER, at)) == _FRAME_HEADER:
            if _uint(head, 4) and head[8:16].startswith(salts):
                return True
            at += _FRAME_HEADER + self.size
        return False

    def page(self, number: int) -> bytes:
        """One page, counted from 1; zeroes where there is none."""
        if not 1 <= number <= self.count:
            return bytes(self.size)
        if (at := self._in_log.get(number)) is not None and self._log is not None:
            return _read(self._log, self.size, at)
        return _read(self._file, self.size, (number - 1) * self.size)

    def numbers(self) -> Collection[int]:
        """The numbers of all pages there are."""
        return range(1, self.count + 1)

    def rows(self) -> Generator[Cell | int, None, None]:
        """Every row of every table, page by page; a page's number in place of one that cannot be read."""
        for number in self.numbers():
            page = self.page(number)
            start = _start(number)
            is_whole = _is_whole(page, start, _LEAF_HEADER)
            following = _pointers(page, start, _LEAF_HEADER)
            for at in following if is_whole else _plausible_pointers(page, start + _LEAF_HEADER):
                try:
                    yield self._leaf(number, page, at)
                except (_UnreadableError, IndexError, struct.error):
                    if is_whole and page[start] == _LEAF_TABLE:  # a damaged byte may say that it is another kind
                        yield number

    def index_rows(self, among: frozenset[int]) -> Generator[Cell | int, None, None]:
        """Every row of the indexes, and of tables that are one, in these pages; as ``rows``."""
        for number in sorted(among):
            page = self.page(number)
            start = _start(number)
            if page[start] not in {_INNER_INDEX, _LEAF_INDEX}:
                continue
            inner = page[start] == _INNER_INDEX
            for at in _pointers(page, start, _header_of(page, start)):
                try:
                    length, begin = _varint(page, at + 4 if inner else at)
                    most = (self.size - 12) * 64 // 255 - 23
                    yield Cell(number, 0, *_record(self._payload(page, begin, length, most)))
                except (_UnreadableError, IndexError, struct.error):
                    yield number

    def tables(self, names: Collection[str]) -> tuple[dict[str, Tree], bool]:
        """What belongs to each of these tables, and whether the list of tables, which begins the file, is whole."""
        found: dict[str, Tree] = {}
        listed = self._tree(1)
        is_whole = not listed.broken
        for number in sorted(listed.pages):
            page = self.page(number)
            start = _start(number)
            for at in _pointers(page, start, _LEAF_HEADER) if page[start] == _LEAF_TABLE else ():
                try:
                    cell = self._leaf(number, page, at)
                except (_UnreadableError, IndexError, struct.error):
                    is_whole = False
                    continue
                is_listed = cell.kinds.startswith("TTTI")
                is_whole = is_whole and is_listed
                name = _text(cell.values[1]) if is_listed else ""
                if name in names and name not in found and cell.values[0] == b"table":
                    found[name] = self._tree(_whole(cell.values[3]))
        return found, is_whole

    def _tree(self, root: int) -> Tree:
        seen: set[int] = set()
        broken = 0
        family = _FAMILY.get(self.page(root)[_start(root)], ()) if 1 <= root <= self.count else ()
        wanted = [root]
        while wanted:
            number = wanted.pop()
            page = self.page(number)
            start = _start(number)
            is_empty = number != root and page[start + 3 : start + 5] == b"\0\0" and page[start] in _LEAVES
            header = _header_of(page, start)
            if number in seen or page[start] not in family or is_empty or not _is_whole(page, start, header):
                broken += 1
                continue
            seen.add(number)
            if page[start] in _INNER:
                at = [start + _LEAF_HEADER, *_pointers(page, start, header)]
                wanted += [_uint(page, child) for child in at if child + 4 <= self.size]
        return Tree(frozenset(seen), broken)

    def _leaf(self, number: int, page: bytes, at: int) -> Cell:
        length, at = _varint(page, at)
        rowid, at = _varint(page, at)
        rowid = rowid if rowid < 1 << 63 else rowid - (1 << 64)
        return Cell(number, rowid, *_record(self._payload(page, at, length, self.size - 35)))

    def _payload(self, page: bytes, at: int, length: int, most: int) -> bytes:
        """What a cell holds, of which the page itself has ``most`` bytes at the most."""
        if length <= most:
            if at + length > self.size:
                raise _UnreadableError
            return page[at : at + length]
        room = self.size - 4
        least = (self.size - 12) * 32 // 255 - 23
        local = least + (length - least) % room
        local = local if local <= most else least
        if length > self.count * self.size or at + local + 4 > self.size:
            raise _UnreadableError
        parts = [page[at : at + local]]
        following = _uint(page, at + local)
        for missing in range(length - local, 0, -room):
            self._chained -= 1
            if self._chained < 0 or not 1 < following <= self.count:
                raise _UnreadableError
            chained = self.page(following)
            parts.append(chained[4 : 4 + missing])
            following = _uint(chained, 0)
        return b"".join(parts)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _start(number: int) -> int:
    """Where a page's own header begins: the first has the file's before it."""
    return _FILE_HEADER if number == 1 else 0


def _header_of(page: bytes, start: int) -> int:
    return _INNER_HEADER if page[start] in _INNER else _LEAF_HEADER


def _is_whole(page: bytes, start: int, header: int) -> bool:
    """Say whether the number of cells in a page's header, where their bytes begin and where they lie go together."""
    count, stored = struct.unpack_from(">HH", page, start + 3)
    content: int = stored or 65536
    lowest = min((at for at in _pointers(page, start, header) if at >= content), default=len(page))
    return start + header + 2 * int(count) <= content <= lowest <= content + _MOST_FRAGMENTS


def _plausible_pointers(page: bytes, first: int) -> Iterator[int]:
    """Where cells may begin that a page points to from here on: behind all the pointers."""
    lowest = len(page)
    for at in range(first, len(page) - 1, 2):
        pointer = int.from_bytes(page[at : at + 2], "big")
        lowest = min(lowest, pointer)
        if not at + 2 <= lowest <= pointer < len(page):
            return
        yield pointer


def _pointers(page: bytes, start: int, header: int) -> Iterator[int]:
    """Where a page says that its cells begin."""
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    first = start + header
    for at in range(first, min(first + 2 * count, len(page) - 1), 2):
        yield int.from_bytes(page[at : at + 2], "big")


def _record(payload: bytes) -> tuple[str, tuple[Value, ...]]:
    """Read the values of a row."""
    head, at = _varint(payload, 0)
    where = head
    kinds: list[str] = []
    values: list[Value] = []
    while at < head:
        serial, at = _varint(payload, at)
        kind, value, where = _value(payload, serial, where)
        kinds.append(kind)
        values.append(value)
        if len(kinds) > _MOST_COLUMNS:
            raise _UnreadableError
    if at != head or where != len(payload):
        raise _UnreadableError
    return "".join(kinds), tuple(values)


def _value(payload: bytes, serial: int, at: int) -> tuple[str, Value, int]:
    if serial == 0:
        return "N", None, at
    if serial in {8, 9}:
        return "I", serial - 8, at
    if serial == 7:
        return "R", struct.unpack_from(">d", payload, at)[0], at + 8
    if serial in {10, 11}:
        raise _UnreadableError
    length = _INTEGERS.get(serial) or (serial - 12) // 2
    if at + length > len(payload):
        raise _UnreadableError
    found = payload[at : at + length]
    if serial in _INTEGERS:
        return "I", int.from_bytes(found, "big", signed=True), at + length
    return "T" if serial % 2 else "B", found, at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of one to nine bytes; returns it and where the next thing stands.

    >>> _varint(bytes([0x81, 0x00, 0x7F]), 0)
    (128, 2)
    """
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def sums(data: bytes, order: str, before: Sums) -> Sums:
    """Add to the log's running checksum."""
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = first + one + second & 0xFFFFFFFF
        second = second + other + first & 0xFFFFFFFF
    return first, second


def _uint(data: bytes, at: int) -> int:
    found: int = struct.unpack_from(">I", data, at)[0]
    return found


def _read(file: int, size: int, at: int) -> bytes:
    return _read_up_to(file, size, at).ljust(size, b"\0")


def _read_up_to(file: int, size: int, at: int) -> bytes:
    with contextlib.suppress(OSError):
        return os.pread(file, size, at)
    return b""


def _text(value: Value) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _whole(value: Value) -> int:
    return value if isinstance(value, int) else 0
