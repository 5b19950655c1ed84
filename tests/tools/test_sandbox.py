"""The sandbox as a process: what goes over the wire."""

import contextlib
import fcntl
import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

TRACK = "/open_api/v1.3/event/track/"
PIXEL = "C0ABCDEFGH1234567890"
TOKEN = "a-long-token-0123456789-WXYZ"
XSS = "<script>alert('x')</script>\"&"


class Sandbox:
    """A process, and the calls that steer it."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "tikrelay", "sandbox", "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.second_line = self.process.stdout.readline()
        self.port = int(self.first_line.rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, timeout_s: float = 10
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, raw, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return json.loads(self.ask("GET", "/sandbox/" + path)[1])

    def send(self, *events: dict[str, Any], timeout_s: float = 10, **envelope: Any) -> tuple[int, bytes, Any]:
        body = {"event_source": "web", "event_source_id": PIXEL, "data": list(events) or [lead()], **envelope}
        return self.ask("POST", TRACK, body, headers={"Access-Token": TOKEN}, timeout_s=timeout_s)

    def code(self, *events: dict[str, Any], **envelope: Any) -> int:
        return json.loads(self.send(*events, **envelope)[1])["code"]

    def fault(self, **fault: Any) -> None:
        assert 200 == self.ask("POST", "/sandbox/faults", fault)[0]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@contextlib.contextmanager
def running(*options: str) -> Iterator[Sandbox]:
    sandbox = Sandbox(*options)
    try:
        yield sandbox
    finally:
        sandbox.process.kill()
        sandbox.process.wait(10)
        assert sandbox.process.stdout is not None
        sandbox.process.stdout.close()


@pytest.fixture(scope="module")
def process() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(process: Sandbox) -> Sandbox:
    assert 200 == process.ask("POST", "/sandbox/clear")[0]
    return process


def lead(event_id: str = "1", **fields: Any) -> dict[str, Any]:
    return {"event": "Lead", "event_time": int(time.time()), "event_id": event_id, **fields}


def test_the_first_line_is_the_address_and_the_second_says_how_to_use_it(sandbox: Sandbox):
    address = f"http://127.0.0.1:{sandbox.port}"

    assert f"sandbox: {address}\n" == sandbox.first_line
    assert f'[tiktok] base_url = "{address}"' in sandbox.second_line


def test_a_call_is_answered_as_tiktok_answers(sandbox: Sandbox):
    status, body, headers = sandbox.send(lead())
    answer = json.loads(body)

    assert (200, "application/json") == (status, headers["content-type"])
    assert ["code", "message", "request_id", "data"] == list(answer)
    assert (0, "OK", {}) == (answer["code"], answer["message"], answer["data"])
    assert re.fullmatch(r"20[0-9]{12}[0-9A-F]{20}", answer["request_id"])


def test_a_refusal_is_http_200_and_takes_no_event_of_the_batch(sandbox: Sandbox):
    status, body, _ = sandbox.send(lead("1"), lead("2", event=7))

    assert (200, 40002) == (status, json.loads(body)["code"])
    assert "Batch.1.event: Not a valid string" == json.loads(body)["message"]
    assert [] == sandbox.get("events")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", TRACK[:-1]),
        ("GET", TRACK),
        ("POST", "/open_api/v1.2/pixel/track/"),
        ("GET", "/open_api"),
        ("PUT", TRACK),
    ],
)
def test_another_route_is_not_found_in_json(sandbox: Sandbox, method: str, path: str):
    status, body, _ = sandbox.ask(method, path, b"{}", headers={"Access-Token": TOKEN})

    assert (200, 40400) == (status, json.loads(body)["code"])


def test_a_request_is_kept_with_its_answer_and_without_its_token(sandbox: Sandbox):
    sandbox.send(lead("1"), lead("2"))
    sandbox.ask("POST", TRACK, b"{broken")
    good, broken = sandbox.get("requests")

    assert (200, 0, "OK", 2, "WXYZ") == tuple(
        good[key] for key in ("status", "code", "message", "events", "token_last4")
    )
    assert [PIXEL, "2"] == [good["body"]["event_source_id"], good["body"]["data"][1]["event_id"]]
    assert (40000, "{broken", "") == (broken["code"], broken["body"], broken["token_last4"])
    assert TOKEN not in json.dumps([good, broken])
    assert [broken] == sandbox.get("requests?limit=1")


def test_a_repeat_is_one_event_with_two_copies(sandbox: Sandbox):
    first, second = lead("1"), lead("2", page={"url": "https://shop.example/ü"})
    request_id = json.loads(sandbox.send(first, second)[1])["request_id"]
    sandbox.send(second)
    sandbox.send({**first, "user": {}})
    events = sandbox.get("events")

    assert [(1, 2, False), (2, 2, True)] == [(event["n"], event["copies"], event["same_body"]) for event in events]
    assert [first, second] == [event["event"] for event in events]
    assert {(PIXEL, "", request_id)} == {
        (event["event_source_id"], event["test_event_code"], event["first_request_id"]) for event in events
    }


def test_the_test_code_of_a_call_stands_with_its_events(sandbox: Sandbox):
    sandbox.send(lead(), test_event_code="TEST123")

    assert ["TEST123"] == [event["test_event_code"] for event in sandbox.get("events")]


def test_events_are_read_page_by_page(sandbox: Sandbox):
    sandbox.send(*[lead(str(number)) for number in range(7)])

    assert ["4", "5"] == [event["event"]["event_id"] for event in sandbox.get("events?after=4&limit=2")]
    assert [] == sandbox.get("events?after=7")


def test_counts_add_up(sandbox: Sandbox):
    sandbox.send(lead("1"), lead("1"), lead("2", event="Contact"))
    sandbox.send(lead("3", event_time="now"))

    assert {
        "requests": 2,
        "accepted_events": 3,
        "unique_events": 2,
        "refused_requests": 1,
        "by_code": {"0": 1, "40002": 1},
        "by_event": {"Lead": 2, "Contact": 1},
    } == sandbox.get("counts")


@pytest.mark.parametrize("path", ["events?limit=x", "events?after=-1", "requests?limit=99999999999"])
def test_a_number_that_is_none_is_refused(sandbox: Sandbox, path: str):
    status, body, _ = sandbox.ask("GET", "/sandbox/" + path)

    assert (400, "invalid") == (status, json.loads(body)["error"]["code"])


# ---- faults ----------------------------------------------------------------------------------------------------------


def test_faults_are_listed_with_how_often_they_fired_and_cleared(sandbox: Sandbox):
    sandbox.fault(kind="code", code=50000, times=1)
    answers = [sandbox.code(), sandbox.code()]
    listed = sandbox.get("faults")
    left = json.loads(sandbox.ask("DELETE", "/sandbox/faults")[1])

    assert [50000, 0] == answers
    assert [{"kind": "code", "times": 1, "code": 50000, "fired": 1}] == listed
    assert [] == left


def test_a_wrong_switch_is_answered_with_what_is_wrong(sandbox: Sandbox):
    status, body, _ = sandbox.ask("POST", "/sandbox/faults", {"kind": "slow"})

    assert (400, "a fault of kind slow needs seconds") == (status, json.loads(body)["error"]["message"])
    assert [] == sandbox.get("faults")


def test_a_gateways_error_is_html_with_a_retry_after(sandbox: Sandbox):
    sandbox.fault(kind="http", status=503, retry_after=7)
    status, body, headers = sandbox.send()

    assert (503, "7", True) == (status, headers["retry-after"], body.startswith(b"<html>"))
    assert (0, {"http 503": 1}) == (sandbox.get("counts")["accepted_events"], sandbox.get("counts")["by_code"])


def test_garbage_is_http_200_without_json(sandbox: Sandbox):
    sandbox.fault(kind="garbage")
    status, body, _ = sandbox.send()

    assert 200 == status
    with pytest.raises(ValueError):
        json.loads(body)


def test_a_redirect_points_elsewhere(sandbox: Sandbox):
    sandbox.fault(kind="redirect", location="http://127.0.0.1:9/x")
    status, _, headers = sandbox.send()

    assert (301, "http://127.0.0.1:9/x") == (status, headers["location"])


@pytest.mark.parametrize(("kind", "accepted"), [("reset", 0), ("reset_after_accepting", 1)])
def test_a_reset_ends_the_connection_and_only_one_kind_accepts(sandbox: Sandbox, kind: str, accepted: int):
    sandbox.fault(kind=kind, times=1)

    with pytest.raises(ConnectionResetError):
        sandbox.send(lead(page={"url": "x" * 500_000}))
    assert accepted == sandbox.get("counts")["accepted_events"]
    assert 0 == sandbox.code()


def test_what_was_accepted_before_a_reset_is_a_copy_when_it_comes_again(sandbox: Sandbox):
    event = lead()
    sandbox.fault(kind="reset_after_accepting", times=1)
    with contextlib.suppress(ConnectionResetError):
        sandbox.send(event)
    sandbox.send(event)

    assert [(2, True)] == [(kept["copies"], kept["same_body"]) for kept in sandbox.get("events")]


def test_a_hanging_call_is_never_answered_and_nothing_is_accepted(sandbox: Sandbox):
    sandbox.fault(kind="hang", times=1)

    with pytest.raises(TimeoutError):
        sandbox.send(timeout_s=0.3)
    assert {"hang": 1} == sandbox.get("counts")["by_code"]
    assert 0 == sandbox.code()


@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang"},
        {"kind": "half"},
        {"kind": "reset_amid"},
        {"kind": "length", "length": 500},
        {"kind": "trickle", "seconds": 30},
    ],
)
def test_an_answer_that_never_ends_well_may_have_accepted(sandbox: Sandbox, fault: dict[str, Any], accept: bool):
    sandbox.fault(**fault, accept=accept, times=1)

    with pytest.raises((OSError, http.client.HTTPException)):
        sandbox.send(timeout_s=0.3)
    assert int(accept) == sandbox.get("counts")["accepted_events"]
    assert 0 == sandbox.code()


def test_a_reset_before_the_body_is_read_accepts_nothing(sandbox: Sandbox):
    sandbox.fault(kind="reset_early", times=1)

    with pytest.raises(OSError):
        sandbox.send(lead(page={"url": "x" * 5_000_000}))
    assert ({"reset_early": 1}, 0) == (
        sandbox.get("counts")["by_code"],
        sandbox.get("counts")["accepted_events"],
    )
    assert 0 == sandbox.code()


def test_an_endless_answer_goes_on_until_nobody_listens(sandbox: Sandbox):
    sandbox.fault(kind="endless", times=1)
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    connection.request("POST", TRACK, b"{}", {"Access-Token": TOKEN})
    began = connection.getresponse().read(5_000_000)
    connection.close()

    assert 5_000_000 == len(began)
    assert 0 == sandbox.code()


def test_an_answer_can_be_any_text(sandbox: Sandbox):
    sandbox.fault(kind="body", body="[0]", status=201)
    status, body, _ = sandbox.send()

    assert (201, b"[0]") == (status, body)


def test_an_answer_longer_than_it_says_is_cut_by_whoever_believes_it(sandbox: Sandbox):
    sandbox.fault(kind="length", length=10)
    _, body, _ = sandbox.send()

    assert b'{"code":0,' == body


def test_a_large_answer_is_as_large_as_was_asked_and_a_bomb_is_small_on_the_wire(sandbox: Sandbox):
    sandbox.fault(kind="large", megabytes=2, times=1)
    _, large, _ = sandbox.send()
    sandbox.fault(kind="bomb", megabytes=20, times=1)
    _, bomb, headers = sandbox.send()

    assert 2_000_000 < len(large) < 2_000_100
    assert ("gzip", 20_000_000) == (headers["content-encoding"], len(gzip.decompress(bomb)) // 1_000_000 * 1_000_000)
    assert len(bomb) < 100_000
    assert 0 == json.loads(large)["code"]
    assert 0 == sandbox.get("counts")["accepted_events"]


def test_a_slow_answer_keeps_nobody_else_waiting(sandbox: Sandbox):
    sandbox.fault(kind="slow", seconds=1.5, times=1)
    answers: list[tuple[str, int]] = []
    slow = threading.Thread(target=lambda: answers.append(("slow", sandbox.code(lead("slow")))))
    slow.start()
    while not sandbox.get("faults")[0]["fired"]:
        time.sleep(0.01)
    answers.append(("quick", sandbox.code(lead("quick"))))
    slow.join()

    assert [("quick", 0), ("slow", 0)] == answers


def test_too_many_calls_in_a_second_are_told_so(sandbox: Sandbox):
    sandbox.fault(kind="rate", per_s=1)

    assert 40100 in [sandbox.code() for _ in range(5)]


def test_a_revoked_token_works_again_once_the_fault_is_cleared(sandbox: Sandbox):
    sandbox.fault(kind="revoke")
    revoked = sandbox.code()
    sandbox.ask("DELETE", "/sandbox/faults")

    assert (40105, 0) == (revoked, sandbox.code())


def test_a_refused_event_costs_its_call_and_a_partial_one_only_itself(sandbox: Sandbox):
    sandbox.fault(kind="refuse", event_id="bad", times=1)
    sandbox.fault(kind="partial", event_id="bad", times=1)
    codes = [sandbox.code(lead("good"), lead("bad")) for _ in range(3)]

    assert [40002, 20001, 0] == codes
    assert [("good", 2), ("bad", 1)] == [(kept["event"]["event_id"], kept["copies"]) for kept in sandbox.get("events")]


def test_an_unknown_address_of_the_control_api_is_answered_in_json(sandbox: Sandbox):
    status, body, _ = sandbox.ask("GET", "/sandbox/nothing")

    assert (404, "unknown") == (status, json.loads(body)["error"]["code"])


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_came_and_runs_nothing_of_it(sandbox: Sandbox):
    sandbox.send(lead(XSS, event=XSS, properties={XSS: XSS}), test_event_code=XSS, event_source_id=XSS)
    sandbox.ask("POST", TRACK, b"{", headers={"Access-Token": "long-enough-<b>"})
    sandbox.fault(kind="refuse", event_id="never", message=XSS)
    _, body, headers = sandbox.ask("GET", "/")
    text = body.decode()

    assert "&lt;script&gt;alert(" in text
    assert "<script" not in text
    assert "<b>" not in text.replace("<div><b>", "")
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert '<meta http-equiv="refresh" content="3">' in text


def test_the_page_names_nothing_outside_this_machine(sandbox: Sandbox):
    text = sandbox.ask("GET", "/")[1].decode()

    assert ["/sandbox/style.css"] == re.findall(r'(?:href|src)="([^"]*)"', text)
    assert "text/css; charset=utf-8" == sandbox.ask("GET", "/sandbox/style.css")[2]["content-type"]


def test_the_page_shows_warnings_codes_and_faults(sandbox: Sandbox):
    sandbox.send(lead(user={"email": "ann@shop.example"}))
    sandbox.fault(kind="code", code=51012, times=1)
    sandbox.send()
    text = sandbox.ask("GET", "/")[1].decode()

    assert "user.email: not a SHA-256" in text
    assert "51012: 1" in text
    assert "Pixel service error." in text
    assert "fired 1 times" in text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}])
def test_a_page_of_another_site_neither_reads_nor_steers(sandbox: Sandbox, headers: dict[str, str]):
    statuses = [
        sandbox.ask(method, path, headers=headers)[0] for method, path in [("GET", "/"), ("POST", "/sandbox/clear")]
    ]

    assert [403, 403] == statuses


# ---- the process -----------------------------------------------------------------------------------------------------


def test_options_reach_the_rules():
    with running("--profile", "strict", "--token", TOKEN, "--token", "other", "--pixel", PIXEL) as sandbox:
        page = {"url": "https://shop.example/"}
        codes = [
            sandbox.code(lead(page=page)),
            sandbox.code(lead()),
            sandbox.code(lead(), event_source_id="C0OTHER"),
            json.loads(sandbox.ask("POST", TRACK, b"{}", headers={"Access-Token": "third"})[1])["code"],
        ]

    assert [0, 40002, 40001, 40105] == codes


def test_an_unknown_profile_is_an_error_with_a_hint():
    command = [sys.executable, "-m", "tikrelay", "sandbox", "--port", "0", "--profile", "cruel"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (64, "tikrelay: no profile is called 'cruel' (take lenient or strict)\n") == (ended.returncode, ended.stderr)


def test_a_taken_port_is_an_error_with_a_hint():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "tikrelay", "sandbox", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert 75 == ended.returncode
    assert "take another --port" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_drops_what_is_open(number: signal.Signals):
    with running() as sandbox:
        sandbox.fault(kind="hang")
        hanging = socket.create_connection(("127.0.0.1", sandbox.port), timeout=10)
        hanging.sendall(b"POST " + TRACK.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}")
        while not sandbox.get("counts")["requests"]:
            time.sleep(0.01)
        sandbox.process.send_signal(number)
        code = sandbox.process.wait(5)
        rest = b""
        with hanging, contextlib.suppress(ConnectionResetError):
            rest = hanging.recv(1000)

    assert (0, b"") == (code, rest)


def test_a_line_is_printed_for_each_request_without_personal_data():
    with running() as sandbox:
        sandbox.send(lead("R-1", user={"email": "ann@shop.example"}), lead("2", event="ann@shop.example"))
        sandbox.stop()
        assert sandbox.process.stdout is not None
        line = sandbox.process.stdout.read()

    assert re.fullmatch(r"\d\d:\d\d:\d\d 0: OK: 1 Lead, 1 names of their own\n", line)


def test_a_reader_who_does_not_read_stops_nothing():
    with running() as sandbox:
        assert sandbox.process.stdout is not None
        fcntl.fcntl(sandbox.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        codes = {sandbox.code() for _ in range(400)}

    assert {0} == codes
