"""Which page each frame of a log holds, also where its number was changed: the frame's checksum tells.

The checksum goes on from that of the frame before, over the page's number, the file's size after a commit, and the
page. It is a sum in which each word counts so many times. So where the number alone was changed, what the checksum
differs by says by how much; that another change looks like this is as likely as one in four thousand million. But for
one: a change of the checksum it goes on from looks just so. Then that checksum does not fit its own frame either.

The format: https://www.sqlite.org/fileformat2.html, section 4.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import IO, Final

from tikrelay.outbox.log_tail import FRAME_HEADER_BYTES, HEADER_BYTES, Frame
from tikrelay.outbox.pages import LOG_MAGIC, Sums, sums
from tikrelay.outbox.schema import PAGE_SIZE

_WORDS: Final = 1 << 32
_SUMS: Final = struct.Struct(">II")
_COUNTS: Final = sums(struct.pack("<II", 1, 0) + bytes(PAGE_SIZE), "<", (0, 0))
"""How many times the number counts in each half of the checksum."""
_ODD: Final = 0 if _COUNTS[0] % 2 else 1  # neighbours in Fibonacci's row: one is odd, by which can be divided


def numbers_of(log: IO[bytes], frames: Iterable[Frame]) -> Iterator[int]:
    """Say for each frame which page it holds; where no checksum knows better, the one it names."""
    header = _read(log, 0, HEADER_BYTES)
    order = LOG_MAGIC.get(int.from_bytes(header[:4], "big"), "<")
    fits = {HEADER_BYTES: sums(header[:24], order, (0, 0)) == _SUMS.unpack_from(header, 24)}
    for frame in frames:
        at = frame.at - FRAME_HEADER_BYTES
        before = _SUMS.unpack(_read(log, at - _SUMS.size if at == HEADER_BYTES else at - PAGE_SIZE - _SUMS.size, 8))
        head, page = _read(log, at, FRAME_HEADER_BYTES), _read(log, frame.at, PAGE_SIZE)
        found, stored = sums(head[:8] + page, order, before), _SUMS.unpack_from(head, 16)
        number = _named_by(head[:4], order, found, stored) if fits.get(at) else None
        fits[frame.at + PAGE_SIZE] = found == stored or number is not None
        yield frame.page if number is None else number


def _named_by(named: bytes, order: str, found: Sums, stored: Sums) -> int | None:
    """The number with which the checksum would be the stored one, if there is one."""
    differ = [right - wrong for right, wrong in zip(stored, found, strict=True)]
    by = differ[_ODD] * pow(_COUNTS[_ODD], -1, _WORDS)
    if any((by * times - differs) % _WORDS for times, differs in zip(_COUNTS, differ, strict=True)):
        return None
    (word,) = struct.unpack(f"{order}I", named)
    number = int.from_bytes(struct.pack(f"{order}I", (word + by) % _WORDS), "big")
    is_of_either = by % _WORDS == _WORDS // 2  # the highest bit of the stored sum, if not of the number
    return min(number, int.from_bytes(named, "big")) if is_of_either else number  # a file's pages begin at 1


def _read(log: IO[bytes], at: int, size: int) -> bytes:
    log.seek(at)
    return log.read(size)
