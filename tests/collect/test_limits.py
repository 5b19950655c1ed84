"""What one request may cost."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from tikrelay.base.errors import InputRefused
from tikrelay.collect.limits import MAX_BODY_BYTES, MAX_INFLATED_BYTES, check_head, inflate, read_body


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


async def status_of(receive, headers: Mapping[str, str], **more: float) -> int:
    with pytest.raises(InputRefused) as refused:
        await read_body(receive, headers, **more)
    return refused.value.status


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [(b"x" * 32769, [], 414), (b"", [(b"a", b"b")] * 101, 431), (b"", [(b"cookie", b"x" * 32768)], 431)],
)
def test_a_head_too_large_is_refused(query, headers, status):
    scope = {"raw_path": b"", "query_string": query, "headers": headers}

    assert status == refused_by(check_head, scope)[0]


def test_a_head_at_the_limits_passes():
    check_head({"raw_path": b"/data", "query_string": b"x" * 32763, "headers": [(b"a", b"b" * 326)] * 100})


async def test_a_body_comes_together_from_its_chunks():
    assert b"abc" == await read_body(body_of(b"a", b"", b"bc"), {})


async def test_a_body_announced_too_large_is_refused_without_being_read():
    async def never() -> Mapping[str, Any]:
        raise AssertionError

    assert 413 == await status_of(never, {"content-length": str(MAX_BODY_BYTES + 1)})
    assert 413 == await status_of(never, {"content-length": "9" * 5000})


async def test_a_body_that_grows_too_large_is_refused_at_that_moment():
    chunks = [b"x" * 65536] * 9

    assert 413 == await status_of(body_of(*chunks, b"never asked for"), {})
    assert MAX_BODY_BYTES == len(await read_body(body_of(*chunks[:8]), {}))


@pytest.mark.parametrize("length", ["", "-1", "many", "\u0664"])
async def test_a_length_that_is_no_number_is_passed_over(length):
    assert b"a" == await read_body(body_of(b"a"), {"content-length": length})


async def test_a_body_that_does_not_come_is_given_up():
    async def never() -> Mapping[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    assert 408 == await status_of(never, {}, within_s=0.01)


async def test_a_body_whose_connection_ends_is_refused():
    async def gone() -> Mapping[str, Any]:
        return {"type": "http.disconnect"}

    assert 400 == await status_of(gone, {})


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), (" X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_compressed_body_is_inflated(encoding, compress):
    assert b"abc" == await read_body(body_of(compress(b"abc")), {"content-encoding": encoding})


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
async def test_an_encoding_not_known_here_is_refused(encoding):
    assert 415 == await status_of(body_of(b"x"), {"content-encoding": encoding})


def test_a_bomb_is_refused():
    assert (413, "body_too_large") == refused_by(inflate, gzip.compress(bytes(64 * MAX_INFLATED_BYTES)), 31)


def test_a_bomb_is_not_inflated_beyond_the_limit():
    bomb = gzip.compress(bytes(64 * MAX_INFLATED_BYTES))
    tracemalloc.start()
    refused_by(inflate, bomb, 31)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 4 * MAX_INFLATED_BYTES


def test_the_largest_body_inflated_passes():
    assert MAX_INFLATED_BYTES == len(inflate(gzip.compress(bytes(MAX_INFLATED_BYTES)), 31))


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"abc")[:-3], gzip.compress(b"abc") + b"x", gzip.compress(b"a") * 2, b"plain", b"\x1f\x8b"],
    ids=["cut off", "followed", "two", "plain", "head"],
)
def test_a_compressed_body_that_is_broken_or_followed_by_more_is_refused(body):
    assert (400, "bad_encoding") == refused_by(inflate, body, 31)
