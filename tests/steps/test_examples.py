"""Every file in examples/steps: the request goes in, and exactly that TikTok event comes out."""

import json
from typing import Any

import pytest

from tikrelay.event import DropReason
from tikrelay.mapping.config import MappingConfig, PrivacyConfig
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.names import DROPPED_NAMES, GA4_NAMES
from tikrelay.tools.examples import Example, folder, names, read_example, run_example

NAMES = names()
OTHER_SPELLINGS = {"x-ttq-ct-ip-address", "x-ttq-ct-page-referer"}


@pytest.fixture(scope="module")
def sent() -> list[dict[str, Any]]:
    """Run all examples that end in an event."""
    return [event for name in NAMES if (event := run_example(read_example(name)).tiktok)]


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


TOLD = "\n".join(path.read_text(encoding="utf-8") for path in folder().glob("*.toml"))
SOURCES = {source.name for field in FIELDS for source in field.sources}


@pytest.mark.parametrize("name", [*GA4_NAMES, *sorted(DROPPED_NAMES)])
def test_every_name_of_the_mapping_has_an_example(name: str):
    assert f"en={name}" in TOLD or f'"{name}"' in TOLD


@pytest.mark.parametrize("name", sorted(name for name in SOURCES if name.startswith("x-ttq-")))
def test_every_x_ttq_parameter_has_an_example(name: str):
    assert f'"{name}"' in TOLD or name in OTHER_SPELLINGS


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_to_drop_an_event_has_an_example(reason: DropReason):
    assert f'dropped = "{reason}"' in TOLD


@pytest.mark.parametrize("setting", sorted({*MappingConfig.__struct_fields__, *PrivacyConfig.__struct_fields__}))
def test_every_setting_of_mapping_has_an_example(setting: str):
    assert f"{setting} = " in TOLD


@pytest.mark.parametrize("field", [field.path for field in FIELDS if not field.only or "web" in field.only])
def test_every_field_of_a_web_event_has_an_example(sent: list[dict[str, Any]], field: str):
    group, _, key = field.rpartition(".")

    assert any(key in (event.get(group, {}) if group else event) for event in sent)


def test_an_example_with_a_wrong_expectation_is_seen():
    example = read_example("purchase")
    outcome = run_example(Example(title="", request=example.request))

    assert outcome.tiktok != json.loads(read_example("search").tiktok)
