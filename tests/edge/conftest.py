"""One gateway for all who only look at how it answers strangers."""

import pytest

from harness import Gateway, Sandbox


@pytest.fixture(scope="session")
def open_gateway(_running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory):
    """A gateway with default limits but for times, which are short; nobody minds what it counts."""
    gateway = Gateway(
        tmp_path_factory.mktemp("edge"),
        _running_sandbox.url,
        limits={"head_within_s": 1.5, "body_within_s": 2.5, "idle_s": 3.5},
    ).start()
    yield gateway
    assert b"Traceback" not in gateway.log.read_bytes()
    assert [] == gateway.said("defect")
    gateway.close()
