"""``map_hit`` and ``explain`` say in anybody's program what the server would do, and need nothing of it."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tikrelay
from tikrelay import ConfigError, Dropped, InputRefused, TikTokEvent, explain, map_hit
from tikrelay.tools.reference import ROOT

NOW = 1795312345.0
HIT = "https://gw/g/collect?v=2&tid=G-1&cid=1.2&_p=1&_s=1&en=purchase&ep.transaction_id=R-1"
PAGE = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
TWO = """
[[destinations]]
name = "one"
event_source_id = "C0AAAAAAAAAAAAAAAAAA"
access_token_file = "not-here"

[[destinations]]
name = "two"
event_source_id = "C0BBBBBBBBBBBBBBBBBB"
access_token_file = "not-here"
events = { purchase = "" }
"""


def bodies(outcomes: list[TikTokEvent | Dropped]) -> list[Any]:
    return [one.body if isinstance(one, TikTokEvent) else one.reason for one in outcomes]


# What is public.


def test_what_is_public_is_what_the_page_lists():
    listed = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)

    assert sorted(tikrelay.__all__) == sorted(listed)


@pytest.mark.parametrize("name", tikrelay.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(tikrelay, name)


def test_another_name_is_not_there():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        tikrelay.nothing_of_the_kind  # noqa: B018


def test_importing_tikrelay_imports_nothing_else_of_it():
    program = "import sys, tikrelay; print([name for name in sys.modules if name.startswith('tikrelay.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=30)

    assert "[]" == done.stdout.strip()


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_the_programs_on_the_page_run(block: str):
    exec(compile(block, "docs/library.md", "exec"), {"__name__": "shown"})


# Hits.


def test_event_data_is_mapped_like_a_post_to_data():
    (event,) = map_hit({"event_name": "contact", "event_id": "e"}, received_at=NOW)

    assert isinstance(event, TikTokEvent)
    assert {"event": "Contact", "event_time": int(NOW), "event_id": "e"} == event.body


def test_values_of_a_shops_own_types_are_read():
    (event,) = map_hit({"event_name": "purchase", "value": Decimal("19.50"), "currency": "EUR"})

    assert 19.5 == bodies([event])[0]["properties"]["value"]


@pytest.mark.parametrize(
    "hit",
    [HIT, f"curl '{HIT}'", {"events": [{"name": "purchase", "params": {"transaction_id": "R-1"}}]}, {"url": HIT}],
)
def test_a_hit_is_given_in_any_form(hit: Any):
    (event,) = map_hit(hit)

    assert "R-1" == bodies([event])[0]["event_id"]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_hit_comes_from_a_file(kind: Any, tmp_path: Path):
    (tmp_path / "hit.txt").write_text(HIT)

    assert "R-1" == bodies(map_hit(kind(tmp_path / "hit.txt")))[0]["event_id"]


def test_stdin_is_never_read():
    with pytest.raises(InputRefused):
        map_hit("-")


@pytest.mark.parametrize(
    ("hit", "code"),
    [
        ({"no": "name"}, "event_without_name"),
        ("https://gw/g/collect?v=2&tid=G-1", "no_event"),
        ("nothing", "no_hit"),
        ({"events": []}, "no_event"),
    ],
)
@pytest.mark.parametrize("function", [map_hit, explain])
def test_what_holds_no_event_is_refused(function: Any, hit: Any, code: str):
    with pytest.raises(InputRefused) as caught:
        function(hit)

    assert code == caught.value.code


async def test_it_works_where_an_event_loop_runs():
    assert ["Contact"] == [one["event"] for one in bodies(map_hit({"event_name": "contact"}))]


# Settings.


def test_settings_are_a_text_or_a_file(tmp_path: Path):
    text = '[mapping]\npurchase_event = "Purchase"\n'
    (tmp_path / "shop.toml").write_text(text)
    files = [text, str(tmp_path / "shop.toml"), tmp_path / "shop.toml"]

    assert [["Purchase"]] * 3 == [[one["event"] for one in bodies(map_hit(HIT, settings=file))] for file in files]


def test_neither_the_environment_nor_the_folder_changes_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tikrelay.toml").write_text('[mapping]\npurchase_event = "Purchase"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIKRELAY_MAPPING_PURCHASE_EVENT", "Purchase")

    assert "PlaceAnOrder" == bodies(map_hit(HIT))[0]["event"]
    assert "PlaceAnOrder" == bodies(map_hit(HIT, settings=""))[0]["event"]


def test_every_destination_of_the_settings_is_there_and_no_token_is_needed():
    first, second = bodies(map_hit(HIT, settings=TWO))

    assert ("PlaceAnOrder", "by_rule") == (first["event"], second)
    assert ["one", "two"] == [told.destination for told in explain(HIT, settings=TWO)]


def test_a_destination_without_a_token_is_enough():
    settings = '[[destinations]]\nevent_source_id = "C0AAAAAAAAAAAAAAAAAA"\n'

    assert 1 == len(map_hit(HIT, settings=settings))


@pytest.mark.parametrize("settings", ["[mapping]\nno_such = 1", "= broken", "no-such-file.toml", Path("no-such-file")])
def test_settings_that_cannot_be_used_are_refused(settings: Any):
    with pytest.raises(ConfigError):
        map_hit(HIT, settings=settings)


# Explanations.


def test_what_is_explained_is_what_is_mapped():
    hit = {"event_name": "purchase", "transaction_id": "R-1", "email": "ann@shop.example", "coupon": "X"}
    (told,) = explain(hit, received_at=NOW)

    assert bodies(map_hit(hit, received_at=NOW)) == [told.tiktok]
    assert ("coupon",) == told.not_sent


def test_an_explanation_masks_persons_unless_asked_not_to():
    hit = {"event_name": "contact", "email": "ann@shop.example"}

    assert ["a*** (16 characters)"] == [one.given for one in explain(hit)[0].origins if one.field == "user.email"]
    assert "ann@shop.example" in [one.given for one in explain(hit, show_personal_data=True)[0].origins]


def test_several_events_are_given_as_a_list():
    assert ["Contact", "Lead"] == [one.body["event"] for one in map_hit([{"event_name": "contact"}, {"event": "Lead"}])]


@pytest.mark.parametrize("hit", [{"event_name": "a\ud800"}, {"event_name": object()}])
def test_what_json_cannot_hold_is_refused_with_words(hit):
    with pytest.raises(InputRefused, match="this is no event data"):
        map_hit(hit)
