"""What one request may cost."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from tikrelay.base.errors import InputRefused
from tikrelay.collect.config import LimitsConfig
from tikrelay.collect.limits import SMALL_BYTES, check_head, inflate, read_body

LIMITS = LimitsConfig()


def body_of(*chunks: bytes):
    """A request's body in chunks; after the last it would be an error to ask for more."""
    left = list(chunks)

    async def receive() -> Mapping[str, Any]:
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    return receive


def refused_by(call, *arguments) -> tuple[int, str]:
    with pytest.raises(InputRefused) as refused:
        call(*arguments)
    return refused.value.status, refused.value.code


async def status_of(receive, headers: Mapping[str, str], limits: LimitsConfig = LIMITS) -> int:
    with pytest.raises(InputRefused) as refused:
        await read_body(receive, headers, limits)
    return refused.value.status


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [(b"x" * 8174, [], 414), (b"", [(b"a", b"b")] * 101, 431), (b"", [(b"cookie", b"x" * 32768)], 431)],
)
def test_a_head_too_large_is_refused(query, headers, status):
    scope = {"method": "GET", "raw_path": b"/data", "query_string": query, "headers": headers}

    assert status == refused_by(check_head, scope, LIMITS)[0]


def test_a_head_at_the_limits_passes():
    line = b"GET /data?" + b"x" * 8173 + b" HTTP/1.1"
    query = line.split()[1].partition(b"?")[2]
    scope = {"method": "GET", "raw_path": b"/data", "query_string": query, "headers": [(b"a", b"b" * 326)] * 100}

    assert LIMITS.line_bytes == len(line)
    check_head(scope, LIMITS)


async def test_a_body_comes_together_from_its_chunks():
    assert b"abc" == await read_body(body_of(b"a", b"", b"bc"), {}, LIMITS)


async def test_a_body_announced_too_large_is_refused_without_being_read():
    async def never() -> Mapping[str, Any]:
        raise AssertionError

    assert 413 == await status_of(never, {"content-length": str(LIMITS.body_bytes + 1)})
    assert 413 == await status_of(never, {"content-length": "9" * 5000})


async def test_a_body_that_grows_too_large_is_refused_at_that_moment():
    chunks = [b"x" * 65536] * 9

    assert 413 == await status_of(body_of(*chunks, b"never asked for"), {})
    assert LIMITS.body_bytes == len(await read_body(body_of(*chunks[:8]), {}, LIMITS))


@pytest.mark.parametrize("length", ["", "-1", "many", "\u0664"])
async def test_a_length_that_is_no_number_is_passed_over(length):
    assert b"a" == await read_body(body_of(b"a"), {"content-length": length}, LIMITS)


async def test_a_body_that_does_not_come_is_given_up():
    async def never() -> Mapping[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    assert 408 == await status_of(never, {}, LimitsConfig(body_within_s=0.01))


async def test_a_body_whose_connection_ends_is_refused():
    async def gone() -> Mapping[str, Any]:
        return {"type": "http.disconnect"}

    assert 400 == await status_of(gone, {})


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), (" X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_compressed_body_is_inflated(encoding, compress):
    assert b"abc" == await read_body(body_of(compress(b"abc")), {"content-encoding": encoding}, LIMITS)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
async def test_an_encoding_not_known_here_is_refused(encoding):
    assert 415 == await status_of(body_of(b"x"), {"content-encoding": encoding})


def test_a_bomb_is_refused():
    assert (413, "body_too_large") == refused_by(inflate, gzip.compress(bytes(64 * LIMITS.inflated_bytes)), 31, LIMITS)


def test_a_bomb_is_not_inflated_beyond_the_limit():
    bomb = gzip.compress(bytes(64 * LIMITS.inflated_bytes))
    tracemalloc.start()
    refused_by(inflate, bomb, 31, LIMITS)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 4 * LIMITS.inflated_bytes


def test_the_largest_body_inflated_passes():
    limits = LimitsConfig(inflated_ratio=1032)

    assert limits.inflated_bytes == len(inflate(gzip.compress(bytes(limits.inflated_bytes)), 31, limits))


def test_a_body_that_grows_a_hundredfold_is_refused_and_a_small_one_is_not():
    small, large = gzip.compress(bytes(SMALL_BYTES)), gzip.compress(bytes(300 * 1024))

    assert len(small) * 100 < SMALL_BYTES
    assert SMALL_BYTES == len(inflate(small, 31, LIMITS))
    assert (413, "body_too_large") == refused_by(inflate, large, 31, LIMITS)


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"abc")[:-3], gzip.compress(b"abc") + b"x", gzip.compress(b"a") * 2, b"plain", b"\x1f\x8b"],
    ids=["cut off", "followed", "two", "plain", "head"],
)
def test_a_compressed_body_that_is_broken_or_followed_by_more_is_refused(body):
    assert (400, "bad_encoding") == refused_by(inflate, body, 31, LIMITS)
