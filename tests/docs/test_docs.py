"""The documents against the code: what exists is documented, what is generated is current, what is linked is there."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tikrelay.app.checks import advise
from tikrelay.app.config import Config, ServerConfig
from tikrelay.app.examples.run import PAGE as EXAMPLES_PAGE
from tikrelay.app.examples.run import render_examples
from tikrelay.app.load import parse_settings
from tikrelay.base.errors import ConfigError
from tikrelay.base.secret import Secret
from tikrelay.event import DropReason
from tikrelay.mapping.conditions import COMPARISONS, FIELDS_OF_THEIR_OWN
from tikrelay.mapping.config import MappedDestination, RuleConfig
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.names import (
    APP_GA4_NAMES,
    APP_NAMES,
    DROPPED_NAMES,
    ENDING_NAMES,
    GA4_NAMES,
    RESERVED_NAMES,
    STANDARD_NAMES,
)
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.texts import LISTED_CURRENCIES
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.store import DeadReason
from tikrelay.tiktok.answers import PAUSE_WORDS
from tikrelay.tools.cli import app
from tikrelay.tools.metrics_reference import METRICS_PAGE, render_metrics
from tikrelay.tools.reference import (
    EXAMPLE,
    MAPPING_PAGE,
    PAGE,
    ROOT,
    main,
    render_example,
    render_mapping,
    render_page,
    sections,
)
from tikrelay.watch.measures import MEASURES, STORE_FAILURES

NOT_OURS = {".venv", ".git", ".pytest_cache", ".hypothesis", "node_modules", "build", "dist"}
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if NOT_OURS.isdisjoint(path.relative_to(ROOT).parts) and path.is_file()
)
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def missing(names, text: str) -> list[str]:
    """Those that do not stand in a text as code."""
    return [name for name in names if f"`{name}`" not in text]


# Settings.


def test_the_settings_page_is_what_the_structs_say():
    """Else run: python -m tikrelay.tools.reference."""
    assert render_page() == (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_example_file_is_what_the_structs_say():
    """Else run: python -m tikrelay.tools.reference."""
    assert render_example() == (ROOT / EXAMPLE).read_text(encoding="utf-8")


def test_the_mapping_page_is_what_the_tables_say():
    """Else run: python -m tikrelay.tools.reference."""
    assert render_mapping() == (ROOT / MAPPING_PAGE).read_text(encoding="utf-8")


def test_the_mapping_page_tells_of_each_field_what_is_hashed_for_whom_and_who_says_so():
    rows = re.findall(r"^\| `(\S+)` \| .+ \| .+ \| (yes|no) \| ([a-z, ]*) \| (.+) \|$", render_mapping(), re.MULTILINE)

    assert [
        (field.path, "yes" if field.hashed else "no", ", ".join(field.only), field.basis) for field in FIELDS
    ] == rows


def test_the_mapping_page_names_every_event_and_currency_tiktok_does():
    names = {*GA4_NAMES, *STANDARD_NAMES, *APP_NAMES, *APP_GA4_NAMES, *RESERVED_NAMES, *ENDING_NAMES, *DROPPED_NAMES}

    assert [] == missing(sorted(names), page("reference/mapping.md"))
    assert set() == LISTED_CURRENCIES - set(page("reference/mapping.md").partition("## Currencies")[2].split())


def test_all_are_written_where_they_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    exit_code = main(tmp_path)

    written = {PAGE: render_page(), EXAMPLE: render_example(), MAPPING_PAGE: render_mapping()}
    written |= {METRICS_PAGE: render_metrics(), EXAMPLES_PAGE: render_examples()}
    assert 0 == exit_code
    assert written == {path: (tmp_path / path).read_text(encoding="utf-8") for path in written}
    assert [f"wrote {path}" for path in written] == capsys.readouterr().out.splitlines()


def test_every_setting_has_words_and_stands_on_the_page():
    settings = [setting for section in sections() for setting in section.settings]
    text = page("reference/settings.md")

    assert [] == [setting.variable for setting in settings if not setting.text]
    assert [] == missing([setting.variable or setting.key for setting in settings], text)


def test_the_example_file_is_refused_until_its_two_lines_are_changed():
    with pytest.raises(ConfigError) as caught:
        parse_settings(render_example(), None, {})

    keys = ["destinations[0].event_source_id", "destinations[0].access_token"]
    assert keys == [mistake.key for mistake in caught.value.mistakes]


@pytest.mark.parametrize("uncommented", [False, True])
def test_the_example_file_holds_the_defaults(uncommented: bool):
    text = render_example().replace('event_source_id = "..."', 'event_source_id = "C0ABCDEFGH1234567890"')
    text = text.replace('access_token = "..."', 'access_token = "t0ken"')
    if uncommented:
        text = re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE)

    loaded = parse_settings(text, None, {})

    destination = MappedDestination(event_source_id="C0ABCDEFGH1234567890", access_token=Secret("t0ken"))
    assert Config(destinations=(destination,)) == loaded.config


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_shown_on_a_page_can_be_loaded(name: str):
    text = (ROOT / name).read_text(encoding="utf-8")

    for block in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        tree = tomllib.loads(block)
        for destination in tree.get("destinations", []):
            destination.pop("access_token_file", None)
            assert [] == sorted(set(destination) - set(MappedDestination.__struct_fields__))
        head = block.partition("[[destinations]]")[0]
        parse_settings(head, None, {}, to_send=False)


# What an operator meets.


def test_every_command_is_documented():
    commands = [name for name in app if not name.startswith("-")]

    assert "serve" in commands
    assert [] == missing([f"tikrelay {command}" for command in commands], page("commands.md"))


def test_the_metrics_page_is_what_the_rows_say():
    """Else run: python -m tikrelay.tools.reference."""
    assert render_metrics() == (ROOT / METRICS_PAGE).read_text(encoding="utf-8")
    assert [] == missing([one.shown_name for one in MEASURES], render_metrics())


def test_every_reason_of_a_store_that_fails_is_documented():
    assert [] == missing(STORE_FAILURES, page("metrics.md"))


@pytest.mark.parametrize("kind", [DropReason, DeadReason, NoticeKind])
def test_every_reason_is_documented(kind):
    assert [] == missing([member.value for member in kind], page("troubleshooting.md"))


def test_every_reason_for_a_pause_is_documented():
    assert "token_invalid" in PAUSE_WORDS
    assert [] == missing(PAUSE_WORDS, page("troubleshooting.md"))


def test_every_code_of_a_refusal_is_documented():
    codes = set()
    for path in (ROOT / "src" / "tikrelay" / "collect").glob("*.py"):
        codes |= codes_in(ast.parse(path.read_text(encoding="utf-8")))

    assert codes >= {"bad_json", "bad_line", "cannot_store", "foreign_measurement_id"}
    assert [] == missing(sorted(codes), page("troubleshooting.md"))


def codes_in(tree: ast.Module) -> set[str]:
    """The short codes of refusals: the first text given to each of these."""
    found = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == "InputTurnedAway":
            texts = [word.value for word in call.keywords if word.arg == "reason"]
        elif name in {"InputRefused", "TurnedAway", "error"}:
            texts = call.args
        else:
            continue
        found |= {text.value for text in texts if isinstance(text, ast.Constant) and is_code(text.value)}
    return found


def is_code(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9]+(?:_[a-z0-9]+)*", value) is not None


def test_every_warning_at_start_is_documented(tmp_path: Path):
    test_mode = MappedDestination(event_source_id="C0", test_event_code="TEST1")
    configs = [Config(destinations=(test_mode,)), Config(server=ServerConfig(host="0.0.0.0"))]
    kinds = {advice.kind for config in configs for advice in advise(config)}
    kinds |= {advice.kind for advice in OutboxFolder(Path("/dev/shm")).advise()}

    assert kinds >= {"test_mode", "no_trusted_proxies", "any_measurement_id"}
    assert [] == missing(sorted(kinds), page("troubleshooting.md"))


def test_every_dependency_has_a_line():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"[A-Za-z0-9-]+", needed)[0] for needed in project["dependencies"]]
    text = page("dependencies.md")

    assert [] == [name for name in names if f"| {name} |" not in text]


def test_every_decision_is_listed():
    index = page("decisions/README.md")
    pages = (ROOT / "docs" / "decisions").glob("0*.md")

    assert [] == [path.name for path in pages if f"({path.name})" not in index]


# Links.


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_page_leads_somewhere(name: str):
    assert [] == broken_links(ROOT / name)


def test_a_broken_link_is_seen(tmp_path: Path):
    (tmp_path / "a.md").write_text("# One thing\n[b](b.md) [c](#one-thing) [d](#two) [e](a.md#one-thing)\n")

    assert ["b.md", "#two"] == broken_links(tmp_path / "a.md")


def broken_links(path: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    return broken


def anchors(path: Path) -> set[str]:
    """The names GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_comparison_and_field_of_a_condition_is_documented():
    assert [] == missing([*COMPARISONS, *FIELDS_OF_THEIR_OWN], page("rules.md"))


def test_every_key_of_a_rule_is_documented():
    assert [] == missing(RuleConfig.__struct_fields__, page("rules.md"))
