"""What the admin port answers to programs, of a real server with two workers."""

import json
import time
import urllib.parse

import pytest

from harness import Gateway, Sandbox, get, get_json, purchase, wait_for
from tikrelay.base.clock import SystemClock
from tikrelay.base.secret import Secret
from tikrelay.tools.reference import ROOT
from tikrelay.watch.admin import admin_app
from tikrelay.watch.operations import LONGEST_HIT, LONGEST_TEXT

EMAIL = "ann@shop.example"
SPOILT = "a description that TikTok refuses"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """A server that has delivered R-1 to R-4, buried B-1 and B-2, dropped a scroll and turned a hit away."""
    folder = tmp_path_factory.mktemp("admin")
    sandbox = Sandbox(folder)
    gateway = Gateway(
        folder / "gateway", sandbox.url, server={"workers": 2}, sources={"measurement_ids": ["G-TESTS00001"]}
    )
    try:
        gateway.start()
        sandbox.fault("refuse", field="properties.description", value=SPOILT)
        for number in range(1, 5):
            gateway.hit(purchase(number, **{"ep.user_data.email": EMAIL}))
        for number in (1, 2):
            gateway.data([{"event_name": "purchase", "event_id": f"B-{number}", "description": SPOILT}])
        gateway.hit(purchase(5, en="scroll"))
        gateway.hit(purchase(6, tid="G-FOREIGN001"))
        gateway.wait_until_settled()
        yield gateway
    finally:
        gateway.close()
        sandbox.close()


def ask(server: Gateway, path: str, **query) -> dict:
    return get_json(f"{server.admin_url}/api/{path}?{urllib.parse.urlencode(query)}")


def post(server: Gateway, path: str, order, **headers: str) -> tuple[int, dict]:
    sent = {"Content-Type": "application/json", **headers}
    status, _, body = get(f"{server.admin_url}/api/{path}", data=json.dumps(order).encode(), headers=sent)
    return status, json.loads(body)


def test_live_tells_every_event_and_what_never_became_one(server):
    told = ask(server, "live")

    verdicts = {row["event_id"] or row["why"]: row["verdict"] for row in told["rows"]}
    expected = {
        **{f"R-{number}": "delivered" for number in range(1, 5)},
        "B-1": "dead",
        "B-2": "dead",
        "no_mapping": "dropped",
        "foreign_measurement_id": "turned_away",
    }
    assert expected == {name: verdicts.get(name) for name in expected}
    first = next(row for row in told["rows"] if row["event_id"] == "R-1")
    assert ("purchase", "PlaceAnOrder", "shop.example") == (first["given"], first["event"], first["site"])
    assert ("19", "EUR", ["email"]) == (first["value"], first["currency"], first["keys"])


def test_live_goes_on_from_its_cursor(server):
    cursor = ask(server, "live")["cursor"]
    told: list[dict] = []

    def is_delivered() -> bool:
        nonlocal cursor
        news = ask(server, "live", cursor=cursor)
        cursor = news["cursor"]
        told.extend(news["rows"])
        return bool(told) and told[-1]["verdict"] == "delivered"

    server.hit(purchase(77))
    wait_for(is_delivered, every_s=0.2)

    assert ["R-77"] == sorted({row["event_id"] for row in told})


def test_figures_are_those_of_all_workers(server):
    server.wait_until_settled()
    told = ask(server, "figures", begin=time.time() - 60)

    counts = {
        (kind, what): sum(tally[5] for tally in told["tallies"] if (tally[3], tally[4]) == (kind, what))
        for kind, what in (("dead", "refused"), ("dropped", "no_mapping"), ("warned", "name_ends"))
    }
    received, accepted = (sum(period[column] for period in told["periods"]) for column in (3, 4))
    books = server.books()
    assert (books["received"] - books["dropped"], books["accepted"]) == (received, accepted)
    assert [2, 1, received] == list(counts.values())
    assert {} == told["unanswered"]


def test_letters_are_one_group_whichever_worker_has_them(server):
    (group,) = ask(server, "letters")["groups"]

    assert ("refused", 40002, 2) == (group["reason"], group["code"], group["count"])
    assert group["ref"] in [event["ref"] for event in ask(server, "events", code=40002)["events"]]


def test_a_doubled_id_is_found_whichever_worker_has_it(server):
    for _ in range(4):
        server.data([{"event_name": "lead", "event_id": "twice"}])
    told = ask(server, "repeats")

    assert [(["twice"], 4)] == [(one["ids"], one["count"]) for one in told["doubled"]]


def test_a_person_is_found_and_not_named_in_the_log(server):
    found = ask(server, "events", text=f" {EMAIL.upper()}")["events"]

    assert ["R-1", "R-2", "R-3", "R-4"] == sorted(event["event_id"] for event in found)
    assert EMAIL not in server.log.read_text().lower()


def test_a_hit_is_explained_as_the_command_does(server):
    status, told = post(server, "explain", {"text": f"{server.url}/g/collect?{purchase(7)}"})

    ((event, event_id),) = [(one["tiktok"]["event"], one["tiktok"]["event_id"]) for one in told["events"]]
    assert (200, "PlaceAnOrder", "R-7") == (status, event, event_id)
    assert [] == ask(server, "events", event_id="R-7")["events"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("figures", "bad_request"),
        ("figures?begin=x", "bad_request"),
        ("figures?begin=-1", "bad_request"),
        ("figures?begin=7200&end=3600", "bad_time"),
        ("figures?begin=0&span=week", "bad_request"),
        ("figures?begin=0&begin=1", "bad_parameter"),
        ("figures?begin=nan", "bad_request"),
        ("live?cursor=x", "bad_cursor"),
        ("live?after=1", "bad_parameter"),
        (f"live?cursor={'x' * (LONGEST_TEXT + 1)}", "bad_request"),
        ("letters?most=1", "bad_parameter"),
        ("repeats?most=1", "bad_parameter"),
        ("events?code=x", "bad_request"),
        (f"events?text={'x' * (LONGEST_TEXT + 1)}", "bad_request"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(server, path: str, code: str):
    status, _, body = get(f"{server.admin_url}/api/{path}")

    error = json.loads(body)["error"]
    assert (400, code) == (status, error["code"])
    assert error["hint"]


@pytest.mark.parametrize(
    ("order", "headers", "status"),
    [
        ({"text": "nothing that is a hit"}, {}, 400),
        ({"text": 1}, {}, 400),
        ({}, {}, 400),
        ({"text": "x", "more": 1}, {}, 400),
        ({"text": "x" * (LONGEST_HIT + 1)}, {}, 400),
        ({"text": "x" * (7 * LONGEST_HIT)}, {}, 413),
        ({"text": "x"}, {"Content-Type": "text/plain"}, 415),
        ({"text": "x"}, {"Origin": "https://elsewhere.example"}, 403),
        ({"text": "x"}, {"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_what_cannot_be_tried_is_refused(server, order, headers: dict[str, str], status: int):
    assert status == post(server, "explain", order, **headers)[0]


def test_a_hit_as_long_as_may_be_is_read_however_its_json_is_written(server):
    """JSON may write each sign in six bytes."""
    url = f"{server.url}/g/collect?{purchase(8)}&ep.note="
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in url.ljust(LONGEST_HIT, "x"))
    headers = {"Content-Type": "application/json"}
    status, _, body = get(f"{server.admin_url}/api/explain", data=f'{{"text": "{escaped}"}}'.encode(), headers=headers)

    assert (200, 1) == (status, json.loads(body)["hits"])


def test_every_route_for_programs_stands_in_the_docs():
    application = admin_app(
        status=None, metrics=None, operations=None, host="127.0.0.1", password=lambda: Secret(""), clock=SystemClock()
    )
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    paths = [route.path.replace("{ref}", "REF") for route in application._app.routes]

    assert [] == [path for path in paths if path.startswith("/api/") and f"{path}`" not in page]
