"""Advice about settings that work but may surprise."""

import pytest

from tikrelay.app.checks import advise
from tikrelay.app.config import Config, ServerConfig
from tikrelay.base.secret import Secret
from tikrelay.collect.config import CookiesConfig, SourcesConfig
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig, RuleConfig


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


def test_names_that_tell_too_much_are_told_wherever_they_stand():
    rule = RuleConfig(send_as="DebtRelief", set={"properties.diagnosis": "x"})
    config = Config(
        mapping=MappingConfig(events={"a": ("CancerScreening", "Lead")}, custom_properties={"religion": "x"}),
        rules=(rule,),
        destinations=(MappedDestination(event_source_id="C0", events={"b": "GaySauna"}, rules=(rule,)),),
    )

    found = [advice.text.split("'")[1] for advice in advise(config) if advice.kind == "sensitive_name"]
    assert ["CancerScreening", "GaySauna", "DebtRelief", "religion", "properties.diagnosis"] == found


def test_an_app_is_not_told_of_names_that_end_for_the_web():
    config = Config(destinations=(MappedDestination(event_source_id="7", event_source="app", app_id="1"),))

    assert "name_ends" not in kinds(config)


@pytest.mark.parametrize(
    ("privacy", "cookies", "kind"),
    [
        (PrivacyConfig(cookies="ignore"), CookiesConfig(), "cookies_after_a_no"),
        (PrivacyConfig(cookies="never"), CookiesConfig(generate_ttp=True), "no_cookie_to_make"),
    ],
)
def test_what_is_told_of_cookies(privacy, cookies, kind):
    assert kind in kinds(Config(privacy=privacy, cookies=cookies))
    assert kind not in kinds(Config(cookies=cookies))


@pytest.mark.parametrize(("identifier", "is_told"), [("7000000000000000001", True), ("C0ABCDEFGH1234567890", False)])
def test_an_id_of_digits_is_no_pixel_code(identifier, is_told):
    config = Config(destinations=(MappedDestination(event_source_id=identifier),))

    assert is_told is ("digits_for_web" in kinds(config))
