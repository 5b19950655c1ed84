"""Which page a frame of a log holds, whatever bit of its header was changed."""

import io

import pytest

from tikrelay.outbox.frame_sums import numbers_of
from tikrelay.outbox.log_tail import FRAME_HEADER_BYTES, HEADER_BYTES, frames_of, log_of

NUMBER, SIZE, SALTS, SUMS = range(4), range(4, 8), range(8, 16), range(16, 24)


@pytest.fixture
async def log(open_outbox, record, path):
    """A log of a few commits."""
    outbox = await open_outbox()
    await outbox._do(outbox._database.empty_log, writes=False)
    for number in range(3):
        await outbox.put([record(number, body=b'"%s"' % (b"x" * 9_000))])
    return log_of(path).read_bytes()


def pages_in(log):
    file = io.BytesIO(log)
    return list(numbers_of(file, frames_of(file)))


def flipped(log, at, bit):
    return log[:at] + bytes([log[at] ^ 1 << bit]) + log[at + 1 :]


@pytest.mark.parametrize("of", [NUMBER, SIZE, SALTS, SUMS], ids=["number", "size", "salts", "sums"])
def test_a_bit_changed_in_a_frames_header_hides_no_page(log, of):
    frames = frames_of(io.BytesIO(log))
    assert len({frame.page for frame in frames}) > 3

    pages = [frame.page for frame in frames]
    changed = [
        (frame.page, at, bit)
        for frame in (frames[0], frames[5], frames[-1])
        for at in (frame.at - FRAME_HEADER_BYTES + place for place in of)
        for bit in range(8)
        if pages_in(flipped(log, at, bit)) != pages
    ]

    assert [] == changed


def test_a_bit_changed_in_the_logs_header_hides_no_page(log):
    pages = [frame.page for frame in frames_of(io.BytesIO(log))]
    changed = [at for at in range(HEADER_BYTES) if pages_in(flipped(log, at, 0)) != pages]

    assert [] == changed


def test_a_number_of_which_several_bits_were_changed_is_known(log):
    (first, *_), pages = frames_of(io.BytesIO(log)), pages_in(log)
    at = first.at - FRAME_HEADER_BYTES

    assert pages == pages_in(log[:at] + b"\xff\x00\xff\x13" + log[at + 4 :])


def test_a_number_is_taken_as_it_stands_where_the_page_was_changed_too(log):
    (first, *_), pages = frames_of(io.BytesIO(log)), pages_in(log)
    changed = flipped(flipped(log, first.at + 100, 0), first.at - FRAME_HEADER_BYTES + 3, 7)

    assert [pages[0] ^ 0x80, *pages[1:]] == pages_in(changed)
