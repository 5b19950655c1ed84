"""``tikrelay explain`` says what a hit becomes and why, and shows nobody's data unasked."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tikrelay.tools.cli import run

HIT = (
    "https://gw.shop.example/metrics/g/collect?v=2&tid=G-1&cid=1.2&_p=1&_s=1&en=purchase&ep.transaction_id=R-5"
    "&ep.user_data.email=ann%40shop.example&ep.email=bob%40shop.example&ep.color=red&ep.value=14,90&cu=EUR"
    "&ep.phone=030%201234"
)
BATCH = "https://gw/g/collect?v=2&tid=G-1&cid=1.2\nen=search&ep.event_id=l-1\r\nen=contact&ep.event_id=l-2"
TWO_DESTINATIONS = """
[[destinations]]
name = "one"
event_source_id = "C0AAAAAAAAAAAAAAAAAA"
access_token = "t"

[[destinations]]
name = "two"
event_source_id = "C0BBBBBBBBBBBBBBBBBB"
access_token = "t"
events = { purchase = "" }
"""


@pytest.fixture
def explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    """Run the command in this process, away from a shop's own settings."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, columns: int = 160) -> SimpleNamespace:
        monkeypatch.setenv("COLUMNS", str(columns))
        code = run(["explain", *arguments])
        told = capsys.readouterr()
        return SimpleNamespace(code=code, out=told.out, err=told.err)

    return call


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., str]:
    def write(text: str, name: str = "shop.toml") -> str:
        file = tmp_path / name
        file.write_text(text)
        return str(file)

    return write


def line_of(text: str, field: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{field} "))


@pytest.mark.parametrize("columns", [80, 160, 200])
def test_a_hit_is_explained_field_by_field(explain, columns: int):
    done = explain(HIT, columns=columns)

    assert done.code == 0
    assert '"event": "PlaceAnOrder"' in done.out
    assert "transaction_id (purchase only)" in done.out
    assert "\n  color\n" in done.out.partition("not sent")[2]
    assert "[number_read]" in done.out


@pytest.mark.parametrize("columns", [80, 200])
def test_nobodys_address_stands_in_the_explanation(explain, columns: int):
    done = explain(HIT, columns=columns)

    assert [] == [word for word in ("ann@", "bob@", "shop.example", "030 1234") if word in done.out]
    assert "a*** (16 characters)" in done.out


def test_a_table_has_one_line_for_each_field(explain):
    line = line_of(explain(HIT).out, "properties.value")

    assert ["properties.value", "14.9", "value", "14,90", "number;"] == line.split()[:5]


def test_sources_passed_over_and_sources_not_asked_stand_below_their_field(explain):
    lines = explain(HIT.replace("ep.color", "ep.x-ttq-ud-email")).out.splitlines()
    place = lines.index(next(line for line in lines if line.startswith("user.email ")))

    assert "user_data.email" in lines[place]
    assert "x-ttq-ud-email" in lines[place + 1]
    assert "cannot be read" in lines[place + 1]
    assert "not asked" in lines[place + 2]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_narrow_place_gets_no_line_that_is_too_long(explain, columns: int):
    told = explain(HIT, columns=columns).out.partition("\n}\n")[2]

    assert [] == [line for line in told.splitlines() if len(line) > columns]
    assert "properties.value = 14.9" in told


def test_what_is_piped_ends_no_line_with_blanks(explain):
    assert [] == [line for line in explain(HIT).out.splitlines() if line != line.rstrip()]


def test_what_no_hit_holds_has_a_source_and_no_cleaning(explain):
    hit = '{"event_name": "contact", "ttp": "p"}'
    table, paragraphs = explain(hit).out, explain(hit, columns=80).out

    assert line_of(table, "event_time").endswith("time of receipt")
    assert line_of(table, "event_id").endswith("made when stored")
    assert "    from time of receipt\n" in paragraphs
    assert line_of(table, "user.ttp").endswith("as it is")


def test_personal_data_is_shown_when_asked_for(explain):
    assert "ann@shop.example" in explain(HIT, "--show-personal-data").out


def test_a_machine_reads_the_same(explain):
    told = json.loads(explain(HIT, "--json").out)

    (event,) = told["events"]
    assert (1, 1, 1) == (told["hits"], event["hit"], event["event"])
    assert event["tiktok"]["event_id"] == "R-5"
    assert {"user.email", "event_id", "properties.value"} < {origin["field"] for origin in event["origins"]}
    assert {"kind": "number_read", "field": "properties.value"}.items() <= event["warnings"][-2].items()
    assert ["color"] == event["not_sent"]


def test_a_dropped_event_says_why_and_what_would_send_it(explain):
    done = explain(HIT.replace("en=purchase", "en=scroll"))

    assert (0, True) == (done.code, "scroll  ->  dropped: no_mapping" in done.out)
    assert 'events = { "scroll" = "YourName" }' in done.out


def test_each_destination_is_explained(explain, settings):
    out = explain(HIT, "--config", settings(TWO_DESTINATIONS)).out

    assert "for destination one" in out
    assert "PlaceAnOrder (one)" in out
    assert "dropped: by_rule (two)" in out


def test_several_events_begin_with_a_list_of_them(explain):
    first = explain(BATCH).out.splitlines()[:3]

    assert "1 hit, 2 events, of which TikTok gets 2" == first[0]
    assert [["1.", "search", "Search"], ["2.", "contact", "Contact"]] == [line.split()[:3] for line in first[1:]]


def test_a_rule_is_named_where_it_changed_a_field(explain, settings):
    rule = '[[rules]]\nname = "big"\nset = { "properties.status" = "vip" }\nremove = ["properties.currency"]\n'
    out = explain(HIT, "--config", settings(rule)).out

    assert "rule big" in line_of(out, "properties.status")
    assert "(not sent)" in line_of(out, "properties.currency")
    assert "big: properties.currency removed" in out


TWO_RULES = """
[[rules]]
name = "free"
send_as = "Sample"
[[rules]]
name = "large"
drop = true
when = { value = { above = 99 } }
"""


def test_a_rule_that_names_the_event_is_told_and_so_is_one_that_did_nothing(explain, settings):
    done = explain(HIT, "--config", settings(TWO_RULES))

    assert "free: sent as Sample" in done.out
    assert "large: not met: value above 99" in done.out
    assert "rule free" in line_of(done.out, "event")


def test_of_a_dropped_event_too_the_rules_that_did_nothing_are_told(explain, settings):
    rules = settings(TWO_RULES.replace('"free"', '"free"\nevents = "purchase"'))
    done = explain(HIT.replace("en=purchase", "en=scroll"), "--config", rules)

    assert "dropped" in done.out
    assert "free: events does not name scroll" in done.out


def test_what_one_of_two_settings_turns_away_is_a_difference(explain, settings):
    done = explain(HIT, "--diff", settings('[sources]\nmeasurement_ids = ["G-OTHER"]\n'))

    assert done.code == 1
    assert "turned away: only in B" in done.out


def test_a_rule_is_named_where_it_replaced_a_value(explain, settings):
    rule = '[[rules]]\nname = "big"\nset = { "properties.value" = 3 }\n'
    lines = explain(HIT, "--config", settings(rule)).out.splitlines()
    place = lines.index(next(line for line in lines if line.startswith("properties.value ")))

    assert ["properties.value", "3", "rule", "big"] == lines[place].split()
    assert "14,90" in lines[place + 1]


def test_what_the_settings_turn_away_is_told(explain, settings):
    done = explain(HIT, "--config", settings('[sources]\nmeasurement_ids = ["G-2"]\n'))

    assert done.code == 1
    assert "G-1 is not in sources.measurement_ids" in done.out


def test_a_wrong_key_in_the_request_is_told(explain, settings):
    command = "curl https://gw/data -H 'Authorization: Bearer wrong' -d event_name=contact"
    done = explain(command, "--config", settings('[sources]\ndata_key = "right"\n'))

    assert done.code == 1
    assert "wrong_data_key" in done.out


def test_a_hit_that_would_be_refused_says_how(explain):
    done = explain("https://gw/g/collect?v=2&tid=G-1")

    assert done.code == 1
    assert "en is missing" in done.out


def test_an_input_of_several_that_cannot_be_read_is_told(explain):
    done = explain('[{"event_name": "contact"}, {"no": "name"}]')

    assert '"event": "Contact"' in done.out
    assert "input 2 has no name" in done.out


def test_what_collecting_could_not_read_is_a_warning(explain):
    done = explain("https://gw/data?event_name=contact&user_data=%7Bbroken")

    assert "user_data is not readable JSON" in done.out


def test_the_debug_route_is_explained_like_the_one_it_is_for(explain):
    body = '{"client_id": "1.2", "events": [{"name": "purchase", "params": {"transaction_id": "R-1"}}]}'

    assert '"event_id": "R-1"' in explain("https://gw/debug/mp/collect?measurement_id=G-1", "--body", body).out


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('{"client_id": "1.2", "events": [{"name": "purchase", "params": {"transaction_id": "R-1"}}]}', "R-1"),
        ('{"x-ttq-event-name": "Lead", "x-ttq-event-id": "L-1"}', "L-1"),
        (BATCH, "l-2"),
    ],
)
def test_a_hit_comes_from_a_file(explain, tmp_path: Path, given: str, expected: str):
    (tmp_path / "hit.txt").write_text(given)

    assert expected in explain("hit.txt").out


def test_a_hit_comes_from_stdin():
    command = [sys.executable, "-m", "tikrelay", "explain"]
    done = subprocess.run(command, input=HIT, capture_output=True, check=False, text=True, timeout=30, cwd="/")

    assert (0, "") == (done.returncode, done.stderr)
    assert "R-5" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"'{sys.executable}' -m tikrelay explain - | head -n 1"
    given = "\n".join([HIT] * 300)
    done = subprocess.run(
        command, input=given, capture_output=True, check=False, text=True, timeout=60, cwd="/", shell=True
    )

    assert ("300 hits, 300 events, of which TikTok gets 300\n", "") == (done.stdout, done.stderr)


def test_a_hit_that_nobody_could_have_sent_is_told(explain):
    done = explain("http://[/g/collect?v=2&tid=G-1&en=a")

    assert 65 == done.code
    assert done.err.startswith("tikrelay: the address of the request cannot be sent")


def test_what_is_no_hit_is_told_with_what_is_one(explain):
    done = explain("no-such-file")

    assert done.code == 65
    assert "is no hit, and no file" in done.err
    assert "HAR" in done.err


def test_an_example_of_the_repository_is_explained_by_name(explain):
    assert '"event": "AddToCart"' in explain("--example", "add-to-cart-value-from-items").out


# Differences.


def differences(told: Any) -> list[tuple[str, str, Any, Any]]:
    sides = [(one["a"] and one["a"]["value"], one["b"] and one["b"]["value"]) for one in told["differences"]]
    return [(one["field"], one["change"], *side) for one, side in zip(told["differences"], sides, strict=True)]


def test_a_hit_is_like_itself(explain):
    done = explain(HIT, "--diff", HIT)

    assert (0, True) == (done.code, done.out.startswith("alike"))


def test_two_hits_are_compared_field_by_field(explain):
    other = HIT.replace("14,90", "20").replace("&cu=EUR", "&ep.description=x")
    done = explain(HIT, "--diff", other, "--json")

    assert done.code == 1
    assert [
        ("properties.currency", "only_in_a", "EUR", None),
        ("properties.value", "changed", 14.9, 20),
        ("properties.description", "only_in_b", None, "x"),
    ] == differences(json.loads(done.out))


def test_a_difference_names_both_sources_and_masks_nothing_less(explain):
    other = HIT.replace("ep.user_data.email=ann%40shop.example&", "")
    out = explain(HIT, "--diff", other).out

    assert "user.email: changed" in out
    assert "(from user_data.email)" in out
    assert "(from email)" in out
    assert [] == [word for word in ("ann@", "bob@") if word in out]


def test_the_same_hit_is_compared_under_two_settings(explain, settings):
    first = settings('[mapping]\npurchase_event = "Purchase"\n', "a.toml")
    second = settings('[mapping]\ncustom_properties = { shop = "de" }\n', "b.toml")
    done = explain(HIT, "--config", first, "--diff", second, "--json")

    assert [
        ("event", "changed", "Purchase", "PlaceAnOrder"),
        ("properties.shop", "only_in_b", None, "de"),
    ] == differences(json.loads(done.out))


def test_the_time_of_receipt_and_a_made_id_make_no_difference(explain, settings):
    body = '{"event_name": "contact"}'

    assert 0 == explain(body, "--diff", settings("")).code


def test_an_event_that_only_one_side_drops_is_a_difference(explain, settings):
    file = settings('[mapping.events]\npurchase = ""\n')
    out = explain(HIT, "--diff", file).out

    assert "A  PlaceAnOrder" in out
    assert "B  dropped: by_rule" in out


def test_an_event_that_only_one_side_has_is_a_difference(explain):
    one = '[{"event_name": "contact"}]'
    done = explain(one, "--diff", '[{"event_name": "contact"}, {"event_name": "search"}]', "--json")

    assert ("event", "only_in_b", None, "Search") in differences(json.loads(done.out))


def test_a_product_is_compared_by_its_own_fields(explain):
    first = '{"event_name": "view_item", "items": [{"item_id": "A", "price": 1}, {"item_id": "B", "price": 2}]}'
    done = explain(first, "--diff", first.replace('"price": 2', '"price": 3'), "--json")

    assert ("properties.contents[1].price", "changed", 2, 3) in differences(json.loads(done.out))


def test_a_destination_with_another_name_is_still_compared(explain, settings):
    first = settings('[[destinations]]\nname = "a"\nevent_source_id = "C0AAAAAAAAAAAAAAAAAA"\n', "a.toml")
    second = settings('[[destinations]]\nname = "b"\nevent_source_id = "C0AAAAAAAAAAAAAAAAAA"\n', "b.toml")
    done = explain(HIT, "--config", first, "--diff", second)

    assert 0 == done.code
