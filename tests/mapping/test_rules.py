"""Everything the operator set that decides what becomes of an event on its way to one destination."""

import pytest

from tikrelay.event import Dropped, DropReason
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig, RuleConfig
from tikrelay.mapping.convert import plan
from tikrelay.mapping.rules import Rule, RuleError, Rules


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


# Which destination an event is for.


@pytest.mark.parametrize(
    ("destination", "event", "is_taken"),
    [
        ({"measurement_ids": ["G-1", "G-2"]}, {"key": {"measurement_id": "G-2"}}, True),
        ({"measurement_ids": ["G-1"]}, {"key": {"measurement_id": "G-3"}}, False),
        ({"measurement_ids": ["G-1"]}, {}, False),
        ({"hosts": ["shop.example"]}, {"data": {"page_location": "https://Shop.example/x"}}, True),
        ({"hosts": ["*.shop.example"]}, {"data": {"page_location": "https://de.shop.example/x"}}, True),
        ({"hosts": ["*.shop.example"]}, {"data": {"page_location": "https://shop.example.evil.example/x"}}, False),
        ({"hosts": ["shop.example"]}, {"data": {"x-ttq-ct-page-url": "https://other.example/x"}}, False),
        ({"hosts": ["shop.example"]}, {}, False),
        ({"hosts": ["shop.example"], "measurement_ids": ["G-1"]}, {"key": {"measurement_id": "G-1"}}, True),
        (
            {"hosts": ["shop.example"], "measurement_ids": ["G-1"]},
            {"key": {"measurement_id": "G-1"}, "data": {"page_location": "https://other.example/"}},
            False,
        ),
    ],
)
def test_a_destination_takes_the_events_its_settings_name(outcomes, destination, event, is_taken):
    (found,) = outcomes("contact", settings={"destination": destination}, **event)

    assert (None if is_taken else DropReason.NOT_ROUTED) == getattr(found, "reason", None)


@pytest.mark.parametrize(
    ("privacy", "name", "url", "is_denied"),
    [
        ({"denied_hosts": ["intern.shop.example"]}, "contact", "https://INTERN.shop.example/", True),
        ({"denied_hosts": ["intern.shop.example"]}, "contact", "https://shop.example/", False),
        ({"denied_paths": ["/account/*"]}, "contact", "https://shop.example/account/orders?x=1", True),
        ({"denied_paths": ["/account/*"]}, "contact", "https://shop.example/accounts", False),
        ({"denied_events": ["test_*", "contact"]}, "contact", "https://shop.example/", True),
        ({"denied_events": ["test_*"]}, "test_1", None, True),
        ({"denied_events": ["test_*"]}, "contact", None, False),
        ({"denied_hosts": ["a"], "denied_paths": ["b"]}, "contact", None, False),
        ({"denied_hosts": ["Intern.shop.example"]}, "contact", "https://intern.shop.example./", True),
        *(
            ({"denied_paths": ["/checkup"]}, "contact", f"https://shop.example{path}", True)
            for path in (
                "/checkup",
                "/checkup/",
                "/%63heckup",
                "//checkup",
                "/x/../checkup",
                "/CheckUp",
                "/checkup;x=1",
            )
        ),
        ({"denied_paths": ["/checkup"]}, "contact", "https://shop.example/checkups", False),
        ({"denied_paths": ["/account/*"]}, "contact", "https://shop.example/account", True),
    ],
)
def test_a_list_keeps_events_from_being_sent(outcomes, privacy, name, url, is_denied):
    (found,) = outcomes(name, {} if url is None else {"page_location": url}, settings=privacy)

    assert (DropReason.DENY_LISTED if is_denied else None) == getattr(found, "reason", None)


def test_a_denied_page_is_not_told_of_as_the_page_before(body, kinds):
    data = {"page_location": "https://shop.example/", "page_referrer": "https://intern.shop.example/patient/7"}
    settings = {"denied_hosts": ["intern.shop.example"]}

    assert {"url": "https://shop.example/"} == body("contact", data, settings=settings)["page"]
    assert ("personal_data_removed", "page.referrer") in kinds("contact", data, settings=settings)


# Rules of the operator's own.


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ([{"send_as": "Purchase"}], ["Purchase"]),
        ([{"send_as": "purchase"}], ["PlaceAnOrder"]),
        ([{"send_as": ["viewcontent", "own_name", "ViewContent"]}], ["ViewContent", "own_name"]),
        ([{"send_as": "Lead", "events": "subscribe"}], ["Contact"]),
        ([{"send_as": "Lead", "events": ["subscribe", "con*"]}], ["Lead"]),
        ([{"send_as": "Lead"}, {"send_as": "Schedule"}], ["Schedule"]),
        ([{"send_as": []}, {"send_as": "Schedule"}], ["Schedule"]),
        ([{"drop": True}], [DropReason.BY_RULE]),
        ([{"send_as": []}], [DropReason.BY_RULE]),
        ([{"send_as": "Lead"}, {"drop": True}], [DropReason.BY_RULE]),
        ([{"destinations": ["shop", "other"]}], ["Contact"]),
        ([{"destinations": ["other"]}], [DropReason.NOT_ROUTED]),
        ([{"destinations": ["other"]}, {"destinations": ["shop"]}], ["Contact"]),
        ([{"destinations": ["shop"]}, {"destinations": ["other"]}], [DropReason.NOT_ROUTED]),
        ([{"drop": True, "when": {"value": 1}}], ["Contact"]),
        ([{"drop": True, "when": [{"value": 1}, {"value": 5}]}], [DropReason.BY_RULE]),
        ([{"drop": True, "when": {"value": 5, "coupon": "X"}}], ["Contact"]),
    ],
)
def test_rules_decide_which_events_there_will_be(outcomes, rules, names):
    found = outcomes("contact", {"value": 5}, settings={"rules": rules})

    assert names == [one.reason if isinstance(one, Dropped) else one.body["event"] for one in found]


def test_a_rule_sends_what_is_dropped_by_default(outcomes):
    (found,) = outcomes("scroll", settings={"rules": [{"events": "scroll", "send_as": "ScrolledFar"}]})

    assert "ScrolledFar" == found.body["event"]


def test_the_rules_of_a_destination_come_after_all_others(outcomes):
    settings = {"rules": [{"send_as": "Lead"}], "destination": {"rules": [{"send_as": "Schedule"}]}}
    (found,) = outcomes("contact", settings=settings)

    assert "Schedule" == found.body["event"]


def test_the_names_of_a_destination_come_before_those_of_all(outcomes):
    settings = {"events": {"contact": "Lead"}, "destination": {"events": {"contact": "Schedule"}}}
    (found,) = outcomes("contact", settings=settings)

    assert "Schedule" == found.body["event"]


@pytest.mark.parametrize(("limited", "rule", "sent"), [(False, True, True), (True, False, None), (True, None, True)])
def test_a_rule_sets_limited_data_use_or_takes_it_off(body, limited, rule, sent):
    rules = [] if rule is None else [{"limited_data_use": rule}]

    assert sent == body("contact", settings={"limited_data_use": limited, "rules": rules}).get("limited_data_use")


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        ({"drop": True, "send_as": "Lead"}, ["drop"]),
        ({"name": "nothing"}, ["name"]),
        ({"test_event_code": "TEST 1"}, ["test_event_code"]),
        ({"send_as": "Purchase, BigOrder", "events": "a,b"}, ["send_as", "events"]),
        (
            {"when": {"a": {"no": 1}, "b": {}}, "remove": ["event"], "copy": {"x": "y"}},
            ["when", "when", "copy", "remove"],
        ),
        ({"drop": True, "when": {f"key{n}": 1 for n in range(51)}}, ["when"]),
    ],
)
def test_every_mistake_of_a_rule_is_told(rule, keys):
    with pytest.raises(RuleError) as caught:
        Rule.of(RuleConfig(**rule), number=1)

    assert keys == [key for key, _ in caught.value.mistakes]


def test_a_rule_without_a_name_is_called_by_its_number(rules):
    made = rules(rules=[{"drop": True}], destination={"rules": [{"drop": True}, {"drop": True, "name": "mine"}]})

    assert ["rule 1", "rule of shop 1", "mine"] == [rule.name for rule in made.own]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"events": "purchase"}, "events does not name contact"),
        ({"when": {"value": {"at_least": 500}}}, "not met: value at_least 500"),
        ({"when": {"email": "ann@shop.example"}}, 'not met: email equals "***"'),
        ({"when": [{"a": 1}, {"value": 5, "b": {"in": ["x"]}}]}, 'not met: a equals 1; nor b in ["x"]'),
    ],
)
def test_a_rule_says_why_it_does_not_apply(rules, event, rule, why):
    (made,) = rules(rules=[{"drop": True, **rule}]).own

    assert why == made.why_not(event("contact", {"value": 5}))


@pytest.mark.parametrize(
    ("settings", "by"),
    [
        ({"destination": {"consent": "required"}}, "destinations.consent"),
        ({"consent": "required"}, "privacy.consent"),
        ({"events": {"contact": ""}}, "mapping.events"),
        ({"destination": {"events": {"contact": ""}}}, "destinations.events"),
        ({"rules": [{"name": "no", "drop": True}]}, "no"),
        ({"denied_events": ["contact"]}, "privacy.denied_events"),
    ],
)
def test_what_keeps_an_event_back_has_its_right_name(rules, event, settings, by):
    assert by == plan(event("contact"), rules(**settings)).by


@pytest.mark.parametrize("properties", [{"value": "many"}, {"contents": "x"}, {"a": float("nan")}])
def test_a_property_of_ones_own_that_can_never_be_sent_is_refused(rules, properties):
    with pytest.raises(ValueError, match="can be no properties"):
        rules(custom_properties=properties)


def test_a_property_of_ones_own_is_cleaned(body):
    settings = {"custom_properties": {"currency": "eur", "mail": "write ann@shop.example"}}

    assert {"currency": "EUR", "mail": "write ***"} == body("contact", settings=settings)["properties"]


# Which rows are asked.


def test_rows_are_found_once_for_each_set_of_keys(rules, event):
    made = rules()
    first, second = made.asked(event(data={"value": 1, "own": 2})), made.asked(event(data={"value": 3, "other": 4}))

    assert first is second
    assert first is not made.asked(event(data={"currency": "EUR"}))


def test_what_is_remembered_of_keys_is_bounded(rules, event):
    made = rules()
    keys = sorted(made.known.data)
    for number in range(1500):
        made.asked(event(data={key: 1 for place, key in enumerate(keys) if number >> place & 1}))

    assert 500 >= len(made.shapes)
