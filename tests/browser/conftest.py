"""A browser for each process of tests, and the console of a server with many events behind it."""

import pytest

from browser.chrome import CHROMIUM, Chromium
from browser.seed import EVENTS, FEW, serve_seeded
from harness import Sandbox


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory):
    """The process; tabs are a test's own."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    process = Chromium(tmp_path_factory.mktemp("chromium"))
    yield process
    process.close()


@pytest.fixture(scope="session", params=[FEW, pytest.param(EVENTS, marks=pytest.mark.faults)])
def seeded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A server with ten days of a shop behind it."""
    folder = tmp_path_factory.mktemp("seeded")
    sandbox = Sandbox(folder)
    gateway = serve_seeded(folder, sandbox, events=request.param)
    yield gateway
    gateway.close()
    sandbox.close()


@pytest.fixture
def tabs(chromium: Chromium, seeded):
    """Open a tab on the console."""

    def open_tab(**how):
        return chromium.tab(seeded.admin_url, **how)

    return open_tab
