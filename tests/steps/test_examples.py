"""Every file in examples/steps: the request goes in, and exactly that TikTok event comes out."""

import json
from pathlib import Path

import pytest

from tikrelay.tools.examples import Example, folder, names, read_example, run_example

NAMES = names()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_comes_true(name: str):
    example = read_example(name)

    outcome = run_example(example)

    assert (example.dropped, json.loads(example.tiktok or "null")) == (outcome.dropped, outcome.tiktok)


@pytest.mark.parametrize("name", NAMES)
def test_the_payload_of_an_example_keeps_its_order_of_keys(name: str):
    example = read_example(name)
    outcome = run_example(example)

    assert json.dumps(json.loads(example.tiktok or "null")) == json.dumps(outcome.tiktok)


def test_every_name_of_the_mapping_has_an_example():
    from tikrelay.mapping.names import DROPPED_NAMES, GA4_NAMES

    told = "\n".join(path.read_text() for path in Path(folder()).glob("*.toml"))

    assert [] == [name for name in [*GA4_NAMES, *DROPPED_NAMES] if f"en={name}" not in told and f'"{name}"' not in told]


def test_an_example_with_a_wrong_expectation_is_seen():
    example = read_example("purchase")
    outcome = run_example(Example(title="", request=example.request))

    assert outcome.tiktok != json.loads(read_example("search").tiktok)
