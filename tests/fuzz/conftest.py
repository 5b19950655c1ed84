"""How many inputs of each class were tried, as a table at the end, and the door they knock at."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import is_hypothesis_test

from conftest import SEED
from fuzz.door import Door
from fuzz.shares import TOTAL

_PROPERTY = "inputs tried"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    door = Door(tmp_path_factory.mktemp("door"))
    yield door
    door.close()


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Note how many inputs of a class a test tried."""
    return lambda row, count: request.node.user_properties.append((_PROPERTY, [row, count]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """Count what Hypothesis tries."""
    if not is_hypothesis_test(getattr(item, "obj", None)):
        return (yield)
    handle = item.obj.hypothesis
    inner, count = handle.inner_test, Counter[str]()

    def counted(*args, **more):
        count["inputs"] += 1
        return inner(*args, **more)

    handle.inner_test = counted
    try:
        return (yield)
    finally:
        handle.inner_test = inner
        item.user_properties.append((_PROPERTY, ["drawn by Hypothesis", count["inputs"]]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not TOTAL:
        return
    table: Counter[str] = Counter()
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in getattr(report, "user_properties", []):
            if name == _PROPERTY and report.when == "call":
                table[value[0]] += value[1]
    terminalreporter.section(f"inputs tried, SEED={SEED}")
    for row, count in table.items():
        terminalreporter.write_line(f"{count:>10,}  {row}")
    terminalreporter.write_line(f"{sum(table.values()):>10,}  in all")
