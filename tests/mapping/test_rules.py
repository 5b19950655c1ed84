"""Everything the operator set that decides what becomes of an event on its way to one destination."""

import pytest

from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.rules import Rules


def test_a_destinations_own_consent_wins(rules):
    made = Rules.of(
        MappingConfig(), PrivacyConfig(consent="required"), MappedDestination(event_source_id="C0", consent="ignore")
    )

    assert ("ignore", "required") == (made.consent, rules(consent_rule="required").consent)


@pytest.mark.parametrize(
    ("event_source", "groups"),
    [("web", {"device"}), ("app", {"app", "ad"}), ("crm", {"lead"}), ("offline", set[str]())],
)
def test_a_destination_has_the_fields_of_its_kind(rules, event_source, groups):
    found = {field.group for field in rules(event_source=event_source).fields}

    assert {"", "user", "page", "properties"} | groups == found


def test_custom_properties_are_added_and_the_event_wins(body):
    settings = {"custom_properties": {"shop": "de", "query": "mine", "level": 3}}

    assert {"shop": "de", "query": "pen", "level": 3, "search_string": "pen"} == body(
        data={"search_term": "pen"}, settings=settings
    )["properties"]
    assert {"shop": "de", "query": "mine", "level": 3} == body(settings=settings)["properties"]


@pytest.mark.parametrize(("limited", "sent"), [(True, {"limited_data_use": True}), (False, {})])
def test_limited_data_use_stands_at_the_event(body, limited, sent):
    found = body(settings={"limited_data_use": limited})

    assert sent == {key: value for key, value in found.items() if key == "limited_data_use"}


def test_an_app_event_names_its_app_and_its_ad(body):
    data = {
        "app_name": "Shop", "app_version": "1.2", "app_id": "not this", "callback": "cb", "campaign_id": 7,
        "ad_id": "8",
        "creative_id": "9", "is_retargeting": "true", "attributed": False, "attribution_type": "click",
        "attribution_provider": "x",
    }  # fmt: skip
    found = body(data=data, settings={"event_source": "app", "app_id": "com.shop"})

    assert {"app_id": "com.shop", "app_name": "Shop", "app_version": "1.2"} == found["app"]
    assert {
        "callback": "cb", "campaign_id": "7", "ad_id": "8", "creative_id": "9", "is_retargeting": True,
        "attributed": False, "attribution_type": "click", "attribution_provider": "x",
    } == found["ad"]  # fmt: skip


def test_a_crm_event_names_its_lead(body):
    data = {"lead_id": 4711, "lead_event_source": "Mein CRM"}

    assert {"lead_id": "4711", "lead_event_source": "Mein CRM"} == body(data=data, settings={"event_source": "crm"})[
        "lead"
    ]
    assert "lead" not in body(data=data)
