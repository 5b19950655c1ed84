"""The alert rules and the dashboard in deploy/, loaded: every expression is PromQL, and of what a real server tells."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harness import Gateway, purchase, wait_for
from tikrelay.outbox.sqlite import RESERVE_BYTES
from tikrelay.watch.alarms import LITTLE_ROOM_BYTES
from tikrelay.watch.status import Kind

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "deploy/prometheus/tikrelay.rules.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((ROOT / "deploy/grafana/tikrelay.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
OF_PROMETHEUS = {"instance", "job"}  # labels it adds itself, as it makes `up`
VARIABLES = {"$__rate_interval": "5m", "$destination": ".*"}

EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES}
EXPRESSIONS |= {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}
EXPRESSIONS |= {note["name"]: note["expr"] for note in BOARD["annotations"]["list"]}


def parsed(expression: str) -> promql.Expr:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return promql.parse(expression)


def selectors(expression: promql.Expr) -> list[promql.VectorSelector]:
    found = []
    promql.walk(expression, lambda node: found.append(node) if isinstance(node, promql.VectorSelector) else None)
    return found


def grouped_by(expression: promql.Expr) -> set[str]:
    """The labels that are kept, and those that are matched on."""
    found: set[str] = set()

    def look(node: promql.Expr) -> None:
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            found.update(node.modifier.labels)

    promql.walk(expression, look)
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory, _running_sandbox) -> dict[str, list[dict[str, str]]]:
    """The samples of a server that took, delivered, dropped, refused and gave up: each name to its sets of labels."""
    _running_sandbox.clear()
    _running_sandbox.fault("refuse", event_id="R-1")
    gateway = Gateway(tmp_path_factory.mktemp("dashboards"), _running_sandbox.url).start()
    for number in range(3):
        gateway.hit(purchase(number))
    gateway.hit("v=2&tid=G-1&en=scroll")
    gateway.data([{"nothing": 1}])
    wait_for(lambda: gateway.books()["dead"] == 1)
    gateway.wait_until_settled()
    families = text_string_to_metric_families(gateway.metrics())
    found: dict[str, list[dict[str, str]]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, []).append(sample.labels)
    gateway.close()
    return found


def strange(expression: promql.Expr, page: dict[str, list[dict[str, str]]]) -> list[str]:
    """What an expression asks for that no server tells."""
    asked = [one for one in selectors(expression) if one.name != "up"]
    labels = {label for one in asked for told in page.get(one.name, []) for label in told}
    found = [f"by {label}" for label in grouped_by(expression) - labels - OF_PROMETHEUS]
    for one in asked:
        found += [] if one.name in page else [one.name]
        for matcher in one.matchers.matchers:
            values = {told.get(matcher.name) for told in page.get(one.name, [])}
            wanted = set(matcher.value.split("|")) - ({".*"} if values - {None} else set())
            found += [f"{matcher.name}={value}" for value in sorted(wanted - values)]
    return found


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_asks_for_what_a_server_tells(name, page):
    assert [] == strange(parsed(EXPRESSIONS[name]), page)


def test_what_no_server_tells_is_seen(page):
    asked = 'sum by (colour) (tikrelay_events_total{outcome=~"dead|eaten", taste=~".*"}) > tikrelay_eaten'

    assert ["by colour", "outcome=eaten", "taste=.*", "tikrelay_eaten"] == strange(parsed(asked), page)
    with pytest.raises(ValueError, match="invalid promql"):
        parsed("rate(tikrelay_events_total) > ")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_is_so_what_to_do_and_where_to_read_on(rule: dict[str, Any]):
    notes = rule["annotations"]
    path, _, heading = notes["see"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)

    assert {"summary", "do", "see"} == set(notes)
    assert rule["labels"]["severity"] in {"now", "soon"}
    assert heading in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
    used = set(re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["do"]))
    kept = grouped_by(parsed(rule["expr"]))
    assert not kept or used <= kept


def test_every_kind_of_trouble_has_an_alert():
    of_figures = {"lag", "dead_letters", "disk_nearly_full", "destination_failing"}
    kinds = {
        kind
        for rule in RULES
        for one in selectors(parsed(rule["expr"]))
        for matcher in one.matchers.matchers
        if one.name == "tikrelay_troubles"
        for kind in matcher.value.split("|")
    }

    assert set(get_args(Kind)) - of_figures == kinds


def test_the_rules_and_the_alarms_have_one_bound_of_room():
    rule = EXPRESSIONS["TikrelayLittleRoom"]

    assert f"< {LITTLE_ROOM_BYTES} " in rule
    assert f"{RESERVE_BYTES // 1024**2} MiB" in str(next(one for one in RULES if one["expr"] == rule))


def test_no_two_alerts_and_no_two_panels_have_one_name():
    names = [rule["alert"] for rule in RULES]
    numbers = [panel["id"] for panel in BOARD["panels"]]

    assert sorted(set(names)) == sorted(names)
    assert sorted(set(numbers)) == sorted(numbers)


def test_every_panel_has_a_title_words_a_unit_and_the_data_source_one_chooses():
    sources = {json.dumps(source["datasource"]) for panel in PANELS for source in (panel, *panel["targets"])}

    assert ['{"type": "prometheus", "uid": "${datasource}"}'] == list(sources)
    assert [] == [panel["title"] for panel in PANELS if not (panel["title"] and panel["description"])]
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    assert ["datasource", "destination"] == [variable["name"] for variable in BOARD["templating"]["list"]]


def test_no_panel_lies_on_another():
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
