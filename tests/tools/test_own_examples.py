"""``tikrelay test``: a shop's own examples, what differs in them, what is wrong with them, and how they are written."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tikrelay.app.examples.file import read_file
from tikrelay.app.hits.request import Request, read_request
from tikrelay.base.errors import ConfigError, InputRefused
from tikrelay.tools.cli import run as run_command
from tikrelay.tools.examples.command import run_own_examples
from tikrelay.tools.examples.keep import to_keep

ROOT = Path(__file__).parents[2]
SETTINGS = """
[[rules]]
name = "free orders"
events = "purchase"
when = { value = 0 }
send_as = "Sample"
"""
HEAD = """# A comment that stays.
title = "A free order"

[request]
method = "POST"
url = "/data"
body = '''{"event_name": "purchase", "event_id": "e-1", "external_id": "C-77", "value": 0, "phone": "0151 55501234"}'''

[request.headers]
Content-Type = "application/json"
"""
HIT = "/g/collect?v=2&tid=G-DEMO000001&cid=10.20&en=purchase&ep.note=it%27s"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tikrelay.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


@pytest.fixture
def run(shop: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command; give its exit code and what it printed."""

    def command(*paths: str, **options) -> tuple[int, str]:
        given = {"config": None, "as_json": False, "update": False, **options}
        code = run_own_examples(paths or ("mine",), **given)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return command


def put(shop: Path, expected: str, *, name: str = "free", head: str = HEAD) -> Path:
    file = shop / f"{name}.toml"
    file.write_text(f"{head}\n{expected}", encoding="utf-8")
    return file


# What comes true.


def test_an_example_that_comes_true_is_one_line(shop, run):
    put(shop, '[expect]\nrules = ["free orders"]\n')

    assert (0, "ok        mine/free.toml  A free order\n1 example: 1 ok\n") == run()


def test_only_what_stands_in_the_file_is_compared(shop, run):
    put(shop, '[event]\njson = \'{"name": "purchase"}\'\n[expect.sources]\n"user.external_id" = "external_id"\n')

    assert 0 == run()[0]


def test_a_warning_is_known_by_its_kind_or_by_its_field_too(shop, run):
    kinds = ["phone_without_country: user.phone"]
    put(shop, f"[expect]\nwarnings = {kinds}\n", name="by-field")
    put(shop, '[expect]\nwarnings = ["phone_without_country"]\n', name="by-kind")

    assert 0 == run()[0]


def test_settings_of_its_own_stand_in_for_the_shop_s(shop, run):
    put(shop, "[expect]\nrules = []\n", head="settings = ''\n" + HEAD)

    assert 0 == run()[0]


def test_no_token_is_needed(shop, run):
    destination = '[[destinations]]\nevent_source_id = "C0EXAMPLE00000000001"\naccess_token_file = "/nowhere/token"\n'
    Path("tikrelay.toml").write_text(SETTINGS + destination, encoding="utf-8")
    put(shop, "[expect]\nrules = []\n", head=f"settings = '''\n{destination}'''\n" + HEAD)
    put(shop, '[expect]\nrules = ["free orders"]\n', name="the-shop-s")

    assert 0 == run()[0]


def test_the_example_of_the_documentation_comes_true(shop, run):
    page = (ROOT / "docs" / "testing-your-rules.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```(TOML|toml)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    example, settings = blocks["TOML"], blocks["toml"]
    Path("tikrelay.toml").write_text(settings, encoding="utf-8")
    (shop / "free.toml").write_text(example, encoding="utf-8")

    assert 0 == run()[0]


# What differs.


def test_a_difference_shows_both_sides_and_where_the_value_came_from(shop, run):
    tiktok = '{"event": "Sample", "event_time": 1795312345, "event_id": "e-2", "user": {"external_id": "C-77"}}'
    put(shop, f"[expect]\ntiktok = '{tiktok}'\n")

    code, text = run()

    assert 1 == code
    assert "    outcome: event_id\n        expected e-2\n        got      e-1   from event_id, given e-1\n" in text
    assert "outcome: properties.value\n        expected nothing\n        got      0   from value, given 0\n" in text
    assert "1 example: 1 DIFFERS" in text


def test_what_did_not_come_says_why(shop, run):
    tiktok = '{"event": "Sample", "user": {"phone": "5543d8"}}'
    put(shop, f"[expect]\ntiktok = '{tiktok}'\n")

    assert "got      nothing   from nothing usable (phone: unusable, given 0*** (13 characters))" in run()[1]


def test_another_name_says_which_rule_gave_it(shop, run):
    put(shop, '[expect]\ntiktok = \'{"event": "Purchase"}\'\n')

    assert "got      Sample   from rule free orders" in run()[1]


def test_a_drop_that_was_not_expected_names_the_rule(shop, run):
    Path("tikrelay.toml").write_text(SETTINGS.replace('send_as = "Sample"', "drop = true"), encoding="utf-8")
    put(shop, '[expect]\ntiktok = \'{"event": "Sample"}\'\n')

    assert "expected Sample\n        got      dropped, by_rule   from free orders" in run()[1]


def test_true_is_not_one(shop, run):
    put(shop, '[event]\njson = \'{"data": {"value": false}}\'\n')

    assert "event: data.value\n        expected false\n        got      0" in run()[1]


def test_a_file_that_expects_nothing_does_not_come_true(shop, run):
    put(shop, "")

    code, text = run()

    assert 1 == code
    assert "nothing is expected yet" in text


def test_a_file_that_differs_does_not_hide_the_next(shop, run):
    put(shop, "[expect]\nrules = []\n", name="a")
    put(shop, '[expect]\nrules = ["free orders"]\n', name="b")

    code, text = run()

    assert 1 == code
    assert "ok        mine/b.toml" in text


def test_machines_get_every_difference(shop, run):
    put(shop, "[expect]\nrules = []\n")

    code, text = run(as_json=True)

    (file,) = json.loads(text)["files"]
    assert (1, "differs", "mine/free.toml") == (code, file["verdict"], file["file"])
    assert [{"where": "outcome", "field": "rules", "expected": [], "got": ["free orders"]}] == file["differences"]


# Nobody's data.

CARL = "carl@other.example"
WITH_PERSON = HEAD.replace('"phone": "0151 55501234"', '"email": "ann@real.example", "phone": "0151 55501234"')


def of_ann(expected: str) -> str:
    """What a file expects that was written before carl became ann."""
    return f"[event]\njson = '{expected}'\n"


@pytest.mark.parametrize(
    ("expected", "masked"),
    [
        ({"data": {"email": CARL}}, "c*** (18 characters)"),
        ({"data": {"phone": 49151}}, "4*** (5 characters)"),
        ({"data": {"note": f"write to {CARL}"}}, "w*** (27 characters)"),
        ({"data": {"favourite_lastname": "Smith"}}, "S*** (5 characters)"),
        ({"user_data": {"address.first_name": ["Smith"]}}, "S*** (5 characters)"),
        ({"user_properties": {"id": "C-78"}}, "C*** (4 characters)"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_identifies_a_person_is_masked_where_it_differs(shop, run, expected, masked: str, as_json: bool):
    put(shop, of_ann(json.dumps(expected)), head=WITH_PERSON)

    _, text = run(as_json=as_json)

    assert masked in text
    assert [] == [word for word in ("carl@", "ann@", "0151", "49151", "Smith", "C-78") if word in text]


def test_a_person_expected_at_tiktok_is_masked_and_a_hash_is_not(shop, run):
    put(shop, '[expect]\ntiktok = \'{"event": "Sample", "user": {"external_id": "C-78"}}\'\n')

    text = run()[1]

    assert "expected C*** (4 characters)\n        got      40fd5c2560" in text


def test_a_parameter_that_is_named_after_a_person_is_masked(shop, run):
    put(shop, of_ann(json.dumps({"data": {CARL: 1}})), head=WITH_PERSON)

    assert "event: data.***\n" in run()[1]


def test_what_identifies_nobody_is_shown(shop, run):
    put(shop, of_ann(json.dumps({"name": "contact", "data": {"value": 3, "currency": None}})), head=WITH_PERSON)

    text = run()[1]

    assert "expected contact\n        got      purchase" in text
    assert "expected 3\n        got      0" in text


def test_persons_are_shown_when_asked_for(shop, capsys):
    put(shop, of_ann(json.dumps({"data": {"email": CARL}})), head=WITH_PERSON)

    code = run_command(["test", "mine", "--show-personal-data"])

    assert 1 == code
    assert (
        f"expected {CARL}\n            got      ann@real.example".replace(" " * 12, " " * 8) in capsys.readouterr().out
    )


def test_the_source_of_a_value_is_shown_when_asked_for(shop, run):
    put(shop, '[expect]\ntiktok = \'{"event": "Sample"}\'\n', head=WITH_PERSON)

    assert "given ann@real.example" in run(show_personal_data=True)[1]
    assert "given ann@real.example" not in run()[1]


def test_two_values_that_look_alike_behind_the_mask_say_how_to_see_them(shop, run):
    put(shop, of_ann(json.dumps({"data": {"email": "abc@real.example"}})), head=WITH_PERSON)

    assert "--show-personal-data shows in what they differ" in run()[1]


def test_writing_anew_shows_nobody_either(shop, run):
    put(shop, of_ann(json.dumps({"data": {"email": CARL}})), head=WITH_PERSON)

    text = run(update=True)[1]

    assert "expected c*** (18 characters)" in text
    assert "@" not in text


# What is wrong with a file.


def test_every_mistake_of_a_file_is_told_at_once_with_its_key(shop, run):
    head = "titel = \"x\"\nsettings = '''\n[mapping]\npurchase = \"Purchase\"\n'''\n[request]\nmethod = 3\n"
    expected = '[event]\njson = "{"\n[expect]\ndropped = "by_rules"\nwarnings = ["odd"]\nsources = 3\ntiktok = "[]"\n'
    put(shop, expected, head=head)

    code, text = run()

    assert 78 == code
    told = [
        "titel: is no key of an example",
        "did you mean title?",
        "title: is missing",
        "request.method: must be a text",
        "request.url: is missing",
        "event.json: is no JSON",
        "expect.dropped: 'by_rules' is unknown",
        "did you mean by_rule?",
        "expect.warnings: 'odd' is unknown",
        "expect.sources: must be a table",
        "expect.tiktok: is no JSON object",
        "mine/free.toml:4: settings: mapping.purchase: is no setting",
        "did you mean purchase_event?",
    ]
    assert [] == [words for words in told if words not in text]


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("[expect]\ntiktok = '{}'\ndropped = \"by_rule\"", "expect.dropped: and tiktok contradict each other"),
        ("expect = 3", "expect: must be a table"),
        ("[[expect]]\n[[expect]]\nrules = 3", "expect[1].rules: must be a list of texts"),
        ("[event]\njson = '[3]'", "event.json: is no event"),
        ('[event]\njson = \'{"nmae": "x"}\'', "event.json.nmae: is no key of an example"),
        ('[expect.sources]\n"user.email" = 3', "expect.sources.user.email: must be a text"),
        ("[expect.passed_over]\nemail = 3", "expect.passed_over.email: must be a list of texts"),
        ("[expect", "TOML"),
    ],
)
def test_a_mistake_names_its_key(shop, run, expected: str, told: str):
    head = "" if expected.startswith("expect =") else HEAD
    put(shop, expected, head=head)

    code, text = run()

    assert 78 == code
    assert told in text


@pytest.mark.parametrize(
    ("found", "replaced"), [('"/data"', '"http://[/data"'), ("Content-Type", '"h€"')], ids=["address", "header"]
)
def test_a_request_that_nobody_could_have_sent_is_a_mistake_of_its_file(shop, run, found: str, replaced: str):
    put(shop, "[expect]\nrules = []\n", name="a", head=HEAD.replace(found, replaced))
    put(shop, "[expect]\nrules = []\n", name="b")

    code, text = run()

    assert 78 == code
    assert "mine/a.toml: request: " in text
    assert "DIFFERS   mine/b.toml" in text


def test_a_mistake_in_one_file_does_not_hide_the_next(shop, run):
    put(shop, "[expect", name="a")
    put(shop, "[expect]\nrules = []\n", name="b")

    code, text = run()

    assert 78 == code
    assert "DIFFERS   mine/b.toml" in text


def test_a_file_that_is_no_text_is_told(shop, run):
    (shop / "free.toml").write_bytes(b"\xff")

    assert "cannot be read" in run()[1]


@pytest.mark.parametrize("path", ["nowhere", "mine"])
def test_without_an_example_the_command_line_is_wrong(run, path: str):
    assert 64 == run(path)[0]


def test_without_a_path_it_says_what_to_give(shop):
    assert 64 == run_own_examples((), config=None, as_json=False, update=False)


def test_the_settings_are_no_example(shop, run):
    put(shop, '[expect]\nrules = ["free orders"]\n')

    assert (0, "ok        mine/free.toml  A free order\n1 example: 1 ok\n") == run(".")


def test_settings_that_cannot_be_used_end_the_run(shop):
    Path("tikrelay.toml").write_text("[mapping]\npurchase = 3\n", encoding="utf-8")

    with pytest.raises(ConfigError, match="purchase_event"):
        run_own_examples(("mine",), config=None, as_json=False, update=False)


# Writing.


def test_what_is_expected_is_written_below_what_a_person_wrote(shop, run):
    file = put(shop, '[expect]\nrules = ["old"]\n')

    code, text = run(update=True)

    assert 0 == code
    assert file.read_text(encoding="utf-8").startswith(HEAD + "\n[event]\n")
    assert 'expected ["old"]\n        got      ["free orders"]' in text
    assert 0 == run()[0]


def test_writing_twice_changes_nothing(shop, run):
    file = put(shop, "")
    run(update=True)
    text = file.read_text(encoding="utf-8")

    assert "as it was" in run(update=True)[1]
    assert text == file.read_text(encoding="utf-8")


def test_a_line_in_a_text_that_looks_like_an_expectation_is_none(shop, run):
    head = HEAD.replace('title = "A free order"', "title = '''A free\n[expect]\norder'''")
    file = put(shop, "[expect]\nrules = []\n", head=head)

    run(update=True)

    assert file.read_text(encoding="utf-8").startswith(head)


def test_what_stands_below_the_expectation_is_not_lost(shop, run):
    file = put(shop, HEAD.partition("\n\n")[2], head='title = "x"\n[expect]\nrules = []\n')
    text = file.read_text(encoding="utf-8")

    code, printed = run(update=True)

    assert 78 == code
    assert "request: stands below what is expected" in printed
    assert text == file.read_text(encoding="utf-8")


def test_a_first_example_is_written_of_a_hit(shop, run):
    code, text = run(HIT, new="mine/first")

    assert 0 == code
    assert "wrote mine/first.toml" in text
    assert 0 == run()[0]


RECORDED = Request(
    method="POST",
    url="https://ann:secret@gw.shop.example/mp/collect?measurement_id=G-DEMO000001&api_secret=secret&api%5Fsecret=secret",
    headers={
        "authorization": "Bearer secret",
        "Cookie": "session=secret; ttclid=E.C.P.a; _ttp=p; login=secret; _ga=GA1.1.10.20",
        "x-api-key": "secret",
        "accept": "*/*",
        "User-Agent": "Mozilla/5.0 (X11)",
        "X-Forwarded-For": "8.8.8.8",
        "content-type": "application/json",
        "Origin": "https://shop.example",
        "sec-fetch-mode": "cors",
        "sec-ch-ua-platform": '"Linux"',
        "referer": "https://shop.example/a",
    },
    body='{"client_id": "1.2", "events": [{"name": "contact"}]}',
)


def test_no_secret_is_written_into_a_first_example(shop, run):
    code, text = run(
        json.dumps({"url": RECORDED.url, "headers": RECORDED.headers, "body": RECORDED.body}), new="mine/a"
    )

    written = (shop / "a.toml").read_text(encoding="utf-8")
    kept = {"cookie": "ttclid=E.C.P.a; _ttp=p; _ga=GA1.1.10.20"} | {
        name.lower(): value
        for name, value in RECORDED.headers.items()
        if name not in {"authorization", "Cookie", "x-api-key", "accept"}
    }
    assert 0 == code
    assert "put invented persons for real ones" in text
    assert "secret" not in written
    assert kept == read_file(shop / "a.toml").request.headers
    assert 'url = "https://gw.shop.example/mp/collect?measurement_id=G-DEMO000001"' in written


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://gw/g/collect?v=2&tid=G-1&cid=1.2&en=contact", ""),
        (RECORDED.url, RECORDED.body),
        ("https://gw/data", '{"event_name": "contact"}'),
    ],
)
def test_what_is_left_out_of_an_example_changes_nothing_of_its_event(url: str, body: str):
    headers = {name: value for name, value in RECORDED.headers.items() if name != "authorization"}
    recorded = Request(method="POST", url=url, headers=headers, body=body)
    whole = read_request(recorded, received_at=1.0)

    assert whole.events
    assert whole == read_request(to_keep(recorded), received_at=1.0)


def test_a_body_that_is_no_text_makes_no_example(shop):
    body = base64.b64encode(b"en=contact&ep.note=\xff").decode()
    posted = {"text": body, "encoding": "base64"}
    hit = json.dumps({"method": "POST", "url": HIT, "postData": posted})

    with pytest.raises(InputRefused, match="no text in UTF-8"):
        run_own_examples((hit,), config=None, as_json=False, update=False, new="mine/first")


@pytest.mark.parametrize(
    "hit",
    [
        '{"event_name": "contact", "note": "it\'s \'\'\' odd\\u0007"}',
        "curl -X POST 'https://gw.shop.example/data' -H 'user-agent: a\\b' --data-raw $'event_name=contact\\r\\n'",
    ],
)
def test_whatever_a_hit_holds_can_be_written(shop, run, hit: str):
    run(hit, new="mine/first.toml")

    assert 0 == run()[0]


def test_an_example_that_is_there_is_not_overwritten(shop, run):
    file = put(shop, "")
    text = file.read_text(encoding="utf-8")

    assert 64 == run(HIT, new="mine/free")[0]
    assert text == file.read_text(encoding="utf-8")


def test_an_example_is_of_one_hit(shop):
    two = f"https://gw.shop.example{HIT}\nhttps://gw.shop.example{HIT}"

    with pytest.raises(InputRefused, match="2 hits"):
        run_own_examples((two,), config=None, as_json=False, update=False, new="mine/two")


def test_two_arguments_are_no_hit(shop, run):
    assert 64 == run(HIT, HIT, new="mine/two")[0]
