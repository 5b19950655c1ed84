"""Advice about settings that work but may surprise."""

from tikrelay.app.checks import advise
from tikrelay.app.config import Config, ServerConfig
from tikrelay.base.secret import Secret
from tikrelay.collect.config import SourcesConfig
from tikrelay.mapping.config import MappedDestination, MappingConfig


def kinds(config: Config) -> set[str]:
    return {advice.kind for advice in advise(config)}


def test_the_defaults_are_advised_on():
    assert {"any_measurement_id", "open_data_route", "place_an_order", "no_trusted_proxies", "name_ends"} == kinds(
        Config()
    )


def test_settings_that_leave_nothing_to_say_are_left_alone():
    config = Config(
        server=ServerConfig(host="0.0.0.0", trusted_proxies=("10.0.0.0/8",)),
        sources=SourcesConfig(measurement_ids=("G-1",), data_key=Secret("k")),
        mapping=MappingConfig(purchase_event="Purchase", events={"click": ""}),
    )

    assert not kinds(config) - {"name_ends"}


def test_test_mode_is_told():
    config = Config(destinations=(MappedDestination(event_source_id="C0", test_event_code="TEST1"),))

    assert "test_mode" in kinds(config)
