"""Every file in examples/steps comes true, holds all there is to expect, and together they show everything there is."""

import json
import re
import tomllib
from collections import Counter
from typing import Any

import msgspec
import pytest

from tikrelay.app.examples.file import Example, Expected
from tikrelay.app.examples.run import (
    PAGE,
    RECEIVED_AT,
    folder,
    names,
    read_example,
    render_examples,
    run_example,
    settings_of,
)
from tikrelay.app.examples.text import updated
from tikrelay.app.explained import rules_of
from tikrelay.app.hits.request import read_request
from tikrelay.event import Dropped, DropReason
from tikrelay.mapping.conditions import COMPARISONS, FIELDS_OF_THEIR_OWN
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig, RuleConfig
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.explain import FALLBACK_ID
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.names import APP_GA4_NAMES, DROPPED_NAMES, GA4_NAMES
from tikrelay.mapping.notices import NoticeKind
from tikrelay.tiktok.config import DestinationConfig
from tikrelay.tools.examples.diff import differences

NAMES = names()
EXAMPLES = {name: read_example(name) for name in NAMES}
TEXTS = {name: (folder() / f"{name}.toml").read_text(encoding="utf-8") for name in NAMES}
TOLD = "\n".join(TEXTS.values())
SETTINGS = [tomllib.loads(example.settings or "") for example in EXAMPLES.values()]
OUTCOMES: list[Expected] = [one for example in EXAMPLES.values() for one in example.expect or ()]
TAKEN = {(field, source) for one in OUTCOMES for field, source in (one.sources or {}).items()}
X_TTQ = sorted({source.name for field in FIELDS for source in field.sources if source.name.startswith("x-ttq-")})
OF_SENDING = {"name", "event_source_id", "access_token", "access_token_file"}  # of a destination, and nothing to map
OF_THE_STORE = {"max_waiting"}
BY_THE_STORE = {DropReason.OVER_QUOTA, DropReason.FORGOTTEN}  # what is said of an event does not decide these


@pytest.mark.parametrize("name", NAMES)
def test_an_example_comes_true(name: str):
    example = EXAMPLES[name]

    assert [] == differences(example, run_example(example))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_holds_all_that_can_be_expected(name: str):
    """Else run: tikrelay test --update examples/steps, and read what changes."""
    text = TEXTS[name]

    assert updated(text, run_example(EXAMPLES[name]), name) == text


@pytest.mark.parametrize("name", [name for name in NAMES if EXAMPLES[name].expect])
def test_the_server_s_own_entrance_gives_the_same_as_the_explanation(name: str):
    example = EXAMPLES[name]
    rules, events = rules_of(settings_of(example)), read_request(example.request, received_at=RECEIVED_AT).events

    outcomes = [made for event in events for one in rules for made in map_event(event, one, fallback_id=FALLBACK_ID)]

    sent = [None if isinstance(one, Dropped) else json.dumps(one.body) for one in outcomes]
    assert [one.tiktok and json.dumps(one.tiktok) for one in example.expect or ()] == sent


def test_there_are_more_than_a_hundred():
    assert len(NAMES) > 100


def test_no_two_examples_have_one_title():
    titles = Counter(example.title for example in EXAMPLES.values())

    assert [] == [title for title, count in titles.items() if count > 1]


# What they show together.


@pytest.mark.parametrize("name", [*GA4_NAMES, *sorted(DROPPED_NAMES), *APP_GA4_NAMES])
def test_every_name_of_the_mapping_has_an_example(name: str):
    events = {event["name"] for example in EXAMPLES.values() for event in example.events or ()}

    assert name in events


@pytest.mark.parametrize(
    ("field", "source"), [(field.path, source.name) for field in FIELDS for source in field.sources]
)
def test_every_source_of_every_field_is_taken_in_an_example(field: str, source: str):
    assert (field, source) in TAKEN


@pytest.mark.parametrize("name", [*X_TTQ, "x-ttq-event-name", "x-ttq-test-event-code"])
def test_every_x_ttq_parameter_has_an_example_and_none_reaches_tiktok(name: str):
    given = {key for example in EXAMPLES.values() for event in example.events or () for key in event["data"]}

    assert name in given
    assert [] == [one.tiktok for one in OUTCOMES if name in json.dumps(one.tiktok)]


@pytest.mark.parametrize("reason", sorted(set(DropReason) - BY_THE_STORE))
def test_every_reason_to_drop_an_event_has_an_example(reason: DropReason):
    assert reason.value in {one.dropped for one in OUTCOMES}


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_warning_has_an_example(kind: NoticeKind):
    warned = {warning.partition(":")[0] for one in OUTCOMES for warning in one.warnings or ()}

    assert kind.value in warned


@pytest.mark.parametrize(
    ("section", "setting"),
    [*(("mapping", key) for key in MappingConfig.__struct_fields__),
     *(("privacy", key) for key in PrivacyConfig.__struct_fields__)],
)  # fmt: skip
def test_every_setting_of_mapping_and_privacy_has_an_example(section: str, setting: str):
    assert any(setting in settings.get(section, {}) for settings in SETTINGS)


@pytest.mark.parametrize("setting", sorted({*MappedDestination.__struct_fields__} - OF_SENDING - OF_THE_STORE))
def test_every_setting_of_a_destination_has_an_example(setting: str):
    assert setting in {key for settings in SETTINGS for one in settings.get("destinations", []) for key in one}


def test_the_settings_of_a_destination_that_map_nothing_are_its_own():
    assert set(DestinationConfig.__struct_fields__) >= OF_SENDING


@pytest.mark.parametrize("key", RuleConfig.__struct_fields__)
def test_everything_a_rule_can_do_has_an_example(key: str):
    assert key in {key for rule in rules() for key in rule}


@pytest.mark.parametrize("word", COMPARISONS)
def test_every_word_of_a_condition_has_an_example(word: str):
    compared = [value for group in conditions() for value in group.values() if isinstance(value, dict)]

    assert any(word in comparison for comparison in compared)


@pytest.mark.parametrize("field", FIELDS_OF_THEIR_OWN)
def test_every_field_of_its_own_that_a_condition_knows_has_an_example(field: str):
    assert any(field in group for group in conditions())


@pytest.mark.parametrize("source", ["web", "app", "offline", "crm"])
def test_every_kind_of_destination_has_an_example(source: str):
    kinds = {one.event_source for example in EXAMPLES.values() for one in settings_of(example).destinations}

    assert source in kinds


@pytest.mark.parametrize("rule", ["consent", "identifiers"])
def test_every_rule_of_consent_has_an_example(rule: str):
    words = {settings.get("privacy", {}).get(rule) for settings in SETTINGS}

    assert words >= {"ignore", "required"}


def test_an_event_can_become_none_one_or_several():
    counts = {len(example.expect or ()) for example in EXAMPLES.values() if len(example.events or ()) == 1}

    assert counts >= {1, 2}
    assert "by_rule" in {one.dropped for one in OUTCOMES}


def test_a_hit_repeated_after_consent_has_the_id_of_the_first():
    first, repeat = (EXAMPLES[name].expect for name in ("id-before-consent", "id-repeated-after-consent"))

    assert first[0].tiktok["event_id"] == repeat[0].tiktok["event_id"]


def test_nothing_in_an_example_is_recorded():
    """All hosts, ids and persons are our own inventions."""
    hosts = set(re.findall(r"https?(?:://|%3A%2F%2F)(?:\w+(?::|%3A)\w+(?:@|%40))?([A-Za-z0-9.-]+)", TOLD))
    people = set(re.findall(r"[\w.+-]+(?:@|%40)([\w-]+\.[a-z]+)", TOLD))

    assert {host for host in hosts | people if not re.search(r"(?:^|\.)example$", host)} == set()
    assert set(re.findall(r"tid=([\w-]+)", TOLD)) == {"G-DEMO000001", "G-DEMO000002"}


def rules() -> list[dict[str, Any]]:
    destinations = [one for settings in SETTINGS for one in settings.get("destinations", [])]
    return [rule for tree in (*SETTINGS, *destinations) for rule in tree.get("rules", [])]


def conditions() -> list[dict[str, Any]]:
    found = [rule.get("when", {}) for rule in rules()]
    return [group for when in found for group in (when if isinstance(when, list) else [when])]


# What would be seen.


def changed(name: str, **changes: Any) -> Example:
    """One of the examples, with another expectation of its first outcome."""
    example = EXAMPLES[name]
    expected = msgspec.structs.replace(example.expect[0], **changes)
    return msgspec.structs.replace(example, expect=(expected, *example.expect[1:]))


@pytest.mark.parametrize(
    "changes",
    [
        {"tiktok": {"event": "Purchase"}},
        {"warnings": ()},
        {"warnings": ("cut: event",)},
        {"sources": {"user.email": "cookie"}},
        {"passed_over": {"user.email": ("cookie: empty",)}},
        {"dropped": "by_rule", "tiktok": None},
        {"rules": ("one",)},
        {"test_event_code": "TEST1"},
        {"destination": "other"},
    ],
)
def test_a_wrong_expectation_is_seen(changes: dict[str, Any]):
    example = changed("purchase", **changes)

    assert differences(example, run_example(example)) != []


def test_another_order_of_keys_is_seen():
    tiktok = EXAMPLES["purchase"].expect[0].tiktok
    example = changed("purchase", tiktok=dict(reversed(tiktok.items())))

    (difference,) = differences(example, run_example(example))

    assert "order of keys" == difference.field


def test_a_wrong_event_between_is_seen():
    example = msgspec.structs.replace(EXAMPLES["purchase"], events=({"name": "refund"},))

    (difference,) = differences(example, run_example(example))

    assert ("event", "name", "refund", "purchase") == (
        difference.where, difference.field, difference.expected, difference.got,
    )  # fmt: skip


def test_an_outcome_too_many_is_seen():
    example = msgspec.structs.replace(EXAMPLES["purchase"], expect=EXAMPLES["purchase"].expect * 2)

    (difference,) = differences(example, run_example(example))

    assert ("outcome 2", "PlaceAnOrder") == (difference.where, difference.expected)


# The page.


def test_the_page_of_examples_is_what_the_files_say():
    """Else run: python -m tikrelay.tools.reference."""
    assert render_examples() == (folder().parents[1] / PAGE).read_text(encoding="utf-8")
