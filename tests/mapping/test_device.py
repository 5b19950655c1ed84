"""Client hints under the keys of TikTok's server template."""

import pytest

from tikrelay.mapping.cleaning import Left
from tikrelay.mapping.device import flag, hint_text, versions

HINTS = {
    "architecture": "x86", "bitness": "64", "model": "", "platform": "Windows", "platform_version": "10.0.0",
    "full_version_list": [{"brand": "Chromium", "version": "140.0.1"}], "mobile": False, "wow64": False,
}  # fmt: skip


def test_hints_become_a_device(body):
    expected = {
        "architecture": "x86", "bitness": "64", "platform": "Windows", "platform_version": "10.0.0",
        "browser_version_list": [{"brand": "Chromium", "version": "140.0.1"}], "mobile": False,
    }  # fmt: skip

    assert expected == body(client_hints=HINTS)["device"]


@pytest.mark.parametrize("event_source", ["app", "offline", "crm"])
def test_only_a_web_event_has_a_device(body, event_source):
    assert "device" not in body(client_hints=HINTS, settings={"event_source": event_source})


@pytest.mark.parametrize(("given", "text"), [('"macOS"', "macOS"), ("x86", "x86"), (64, "64"), ("x" * 300, "x" * 200)])
def test_a_hint_comes_without_the_headers_quotes(context, given, text):
    assert text == hint_text(given, context())


@pytest.mark.parametrize("given", ["", '""', None])
def test_an_empty_hint_is_none(context, given):
    assert Left.EMPTY == hint_text(given, context())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        ("1", True),
        (0, False),
        ("?1", True),
        ("?0", False),
    ],
)
def test_yes_and_no_are_read_however_they_are_written(context, given, said):
    assert said is flag(given, context())


@pytest.mark.parametrize("given", ["maybe", 2, [], {}, 1.5])
def test_another_word_is_neither(context, given):
    assert Left.UNUSABLE == flag(given, context())


@pytest.mark.parametrize("given", [None, "", " "])
def test_nothing_said_is_nothing(context, given):
    assert Left.EMPTY == flag(given, context())


@pytest.mark.parametrize("given", [[], "", None, [{}], [7], [{"brand": 1}]])
def test_a_list_without_brands_is_none(context, given):
    assert Left.EMPTY == versions(given, context())


def test_nobodys_address_stands_in_a_hint(body):
    hints = {
        "model": "ann@shop.example",
        "full_version_list": [{"brand": "+4915155501234", "version": "a@shop.example"}],
    }

    assert {"model": "***", "browser_version_list": [{"brand": "***", "version": "***"}]} == body(client_hints=hints)[
        "device"
    ]
