"""What every test may ask for: the sandbox, and gateways in front of it."""

import os

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from harness import SEED, Gateway, Oracle, Sandbox

# The fast suite tries the same inputs each time; `make fuzz` (FUZZ_INPUTS) tries new ones.
settings.register_profile("fast", derandomize=True)
settings.load_profile("default" if os.environ.get("FUZZ_INPUTS") else "fast")


class _OneBrowser(LoadScopeScheduling):
    """Gives each test to whoever is free, but all of those in a browser to one process, for two share no machine well.

    xdist's own groups (``xdist_group``) do nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _OneBrowser:
    """Say who gives tests to processes."""
    return _OneBrowser(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End a run of the faults with a table of what the tests recorded (``record_property``), and the seed."""
    if terminalreporter.config.option.markexpr != "faults":
        return
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    rows = [(report.nodeid.rpartition("::")[2], report.outcome, report.user_properties) for report in reports]
    terminalreporter.section(f"what was done (SEED={SEED})")
    for name, outcome, figures in rows:
        terminalreporter.write_line(f"{outcome:<7} {name}")
        for figure, value in figures:
            terminalreporter.write_line(f"          {figure:<28} {value}")


@pytest.fixture(scope="session")
def _running_sandbox(tmp_path_factory: pytest.TempPathFactory):
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    assert sandbox.terminate() == 0
    sandbox.close()


@pytest.fixture
def sandbox(_running_sandbox: Sandbox):
    """A sandbox that has seen nothing yet and has no fault."""
    _running_sandbox.clear()
    return _running_sandbox


@pytest.fixture
def gateways(sandbox: Sandbox, tmp_path):
    """Make gateways that send to the sandbox; none is started yet."""
    made: list[Gateway] = []

    def make(**sections) -> Gateway:
        made.append(Gateway(tmp_path / f"gateway-{len(made)}", sandbox.url, **sections))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def gateway(gateways) -> Gateway:
    """A gateway that runs with one worker and default settings."""
    return gateways().start()


@pytest.fixture
def oracles(sandbox: Sandbox):
    """Make oracles, each before a gateway; none sends yet. SEED= in the environment chooses their requests."""
    made: list[Oracle] = []

    def make(gateway: Gateway) -> Oracle:
        made.append(Oracle(gateway.folder, gateway, sandbox, seed=SEED))
        return made[-1]

    yield make
    for oracle in made:
        oracle.close()
