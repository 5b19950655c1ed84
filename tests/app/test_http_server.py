"""How many connections a process may hold, and what its connections count."""

import resource

import pytest

from rawhttp import talk
from tikrelay.app.http_server import most_connections
from tikrelay.collect.config import LimitsConfig

HIT = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def few_files():
    """This process may open 100 files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    yield 100
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_connections_are_shared_out_among_workers():
    assert 16 == most_connections(LimitsConfig(connections=64), workers=4)()


def test_connections_leave_room_for_files_of_our_own(few_files: int):
    assert 1 <= most_connections(LimitsConfig())() < few_files - 24


def test_a_limit_of_files_that_changes_is_heeded():
    most = most_connections(LimitsConfig())
    before = most()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    after = most()
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert 1 <= after < 100 < before


def test_what_is_no_request_is_counted_by_its_reason(gateway):
    talk(gateway.port, b"GET / HTTP/1.1\r\n\r\n")
    talk(gateway.port, HIT)

    assert 'tikrelay_inputs_refused_total{reason="bad_request"} 1.0' in gateway.metrics()


def test_no_answer_names_the_server(gateway):
    assert b"\r\nserver:" not in talk(gateway.port, HIT).lower()
