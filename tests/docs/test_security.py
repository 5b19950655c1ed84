"""The page on security against the tests: every promise stands there, and names a test that is there."""

import ast
import re

from tikrelay.tools.reference import ROOT
from tikrelay.watch.measures import MOST_SERIES, most_series

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (S\d+) \| (.+) \| (.*) \| (.*)\|$", PAGE, re.MULTILINE)
PROMISES = 52


def has_test(reference: str) -> bool:
    """Say whether a file of tests is there, and the test in it."""
    name, _, test = reference.partition("::")
    path = ROOT / name
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return test in names if test else any(one.startswith("test_") for one in names)


def test_every_promise_stands_on_the_page_once():
    assert [f"S{number}" for number in range(1, PROMISES + 1)] == [number for number, *_ in ROWS]


def test_every_promise_is_proved_or_says_why_it_does_not_apply():
    unproved = [number for number, _, how, proof in ROWS if "`tests/" not in proof and "does not apply: " not in how]

    assert unproved == []


def test_every_proof_is_there():
    proofs = re.findall(r"`(tests/[^`]+)`", "".join(proof for *_, proof in ROWS))

    assert len(proofs) >= PROMISES
    assert [] == [proof for proof in proofs if not has_test(proof)]


def test_the_bound_on_metrics_is_the_one_that_holds():
    more = most_series(2) - most_series(1)

    assert f"{MOST_SERIES} lines with one destination, and {more} more for each further one" in PAGE


def test_a_proof_that_is_not_there_would_be_missed():
    assert not has_test("tests/docs/test_security.py::test_nothing")
    assert not has_test("tests/docs/test_nothing.py")
    assert has_test("tests/docs/test_security.py::test_every_proof_is_there")
