"""``tikrelay explain`` says what a hit becomes and why, and shows nobody's data unasked."""

import json
import subprocess
import sys

import pytest

HIT = (
    "https://gw.shop.example/metrics/g/collect?v=2&tid=G-1&cid=1.2&_p=1&_s=1&en=purchase&ep.transaction_id=R-5"
    "&ep.user_data.email=ann%40shop.example&ep.color=red&epn.value=7&cu=EUR"
)


def explain(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tikrelay", "explain", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, text=True, timeout=30, cwd="/")


def test_a_hit_is_explained_field_by_field():
    done = explain(HIT)

    assert done.returncode == 0
    assert '"event": "PlaceAnOrder"' in done.stdout
    assert "transaction_id (purchase only)" in done.stdout
    assert "not sent: color" in done.stdout
    assert "ann@shop.example" not in done.stdout


def test_personal_data_is_shown_when_asked_for():
    assert "ann@shop.example" in explain(HIT, "--show-personal-data").stdout


def test_a_machine_reads_the_same():
    told = json.loads(explain(HIT, "--json").stdout)

    (event,) = told["events"]
    assert event["tiktok"]["event_id"] == "R-5"
    assert {"user.email", "event_id", "properties.value"} < {origin["field"] for origin in event["origins"]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('{"client_id": "1.2", "events": [{"name": "purchase", "params": {"transaction_id": "R-1"}}]}', "R-1"),
        ('{"x-ttq-event-name": "Lead", "x-ttq-event-id": "L-1"}', "L-1"),
        ('[{"event_name": "contact", "event_id": "a"}, {"event_name": "contact", "event_id": "b"}]', '"event_id": "b"'),
        (HIT, "R-5"),
        ("https://gw/g/collect?v=2&tid=G-1&cid=1.2\nen=search&ep.event_id=l-1\r\nen=contact&ep.event_id=l-2", "l-2"),
    ],
)
def test_json_and_batches_come_from_stdin_or_a_file(given: str, expected: str, tmp_path):
    file = tmp_path / "hit.txt"
    file.write_text(given)

    assert expected in explain(str(file)).stdout
    assert expected in explain("-", given=given).stdout


def test_what_is_no_hit_is_told_with_a_hint():
    done = explain("no-such-file")

    assert done.returncode != 0
    assert "is no hit, and no file" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_example_of_the_repository_is_explained_by_name():
    assert '"event": "AddToCart"' in explain("--example", "add-to-cart-value-from-items").stdout
