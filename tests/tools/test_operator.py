"""``tikrelay events``, ``replay`` and ``forget``, with a server that runs and with none."""

import asyncio
import hashlib
import io
import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import PIXEL, TOKEN, Gateway, free_port, get, purchase, wait_for
from tikrelay.base.clock import SystemClock
from tikrelay.base.happenings import silent
from tikrelay.event import DestinationName, EventId
from tikrelay.outbox.sqlite import SqliteOutbox
from tikrelay.outbox.store import Dead, DeadReason, Record
from tikrelay.tools import cli
from tikrelay.tools.forget import NobodyNamedError, digests_of
from tikrelay.watch.reading import BODY_WITHIN_S

PASSWORD = "a long and random one"
EMAIL = "ann@shop.example"
DIGEST = hashlib.sha256(EMAIL.encode()).hexdigest()


class Said:
    """What a command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"{self.code}\n{self.out}\n{self.err}"

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command with a gateway's settings, as the shell would; on a wide screen, and with nobody to ask."""
    monkeypatch.setenv("COLUMNS", "300")

    def run_it(gateway: Gateway, *arguments: str, stdin: str = "", **environment: str) -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with monkeypatch.context() as context:
            for name, value in environment.items():
                context.setenv(name, value)
            code = cli.run([*arguments, "--config", str(gateway.config)])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run_it


@pytest.fixture
def refused(gateway, sandbox) -> Gateway:
    """A gateway that has delivered R-2, and whose R-1 TikTok refused."""
    return refuse_the_first(gateway, sandbox)


def refuse_the_first(gateway: Gateway, sandbox) -> Gateway:
    sandbox.fault("refuse", event_id="R-1")
    gateway.hit(purchase(1, **{"ep.user_data.email": EMAIL}))
    gateway.hit(purchase(2))
    gateway.wait_until_settled()
    return gateway


def ref_of(run, gateway: Gateway, event_id: str) -> str:
    (event,) = run(gateway, "events", "--event-id", event_id, "--json").json["events"]
    return event["ref"]


def mend_and_replay(run, gateway: Gateway, sandbox) -> None:
    """What the person on call does, from the first look to the last."""
    listed = run(gateway, "events", "--state", "dead")
    shown = run(gateway, "events", ref_of(run, gateway, "R-1"))
    looked = run(gateway, "replay", "--reason", "refused", "--dry-run")
    unsaid = run(gateway, "replay", "--reason", "refused")
    sandbox.heal()
    replayed = run(gateway, "replay", "--reason", "refused", "--yes")

    assert re.search(r"dead +shop +PlaceAnOrder +R-1 +\(refused 40002 a field has", listed.out), listed
    assert "R-2" not in listed.out
    assert re.search(r"call 1: .* refused; 40002 a field .* Batch\.0\.event_id: .* request 2026", shown.out), shown
    assert f"nothing, until you run: tikrelay replay {ref_of_first(shown)}" in shown.out
    assert '"event":"PlaceAnOrder"' in shown.out
    assert (0, "1 dead letter would go out again\n") == (looked.code, looked.out)
    assert (64, "--yes" in unsaid.err) == (unsaid.code, True)
    assert (0, "1 dead letter goes out again\n") == (replayed.code, replayed.out)


def ref_of_first(shown: Said) -> str:
    match = re.search(r"tikrelay replay (\S+)", shown.out)
    return match[1] if match else ""


def test_events_are_found_by_what_stands_in_them_and_letters_by_their_code_with_a_server_and_with_none(run, refused):
    def found(*options: str) -> list[str]:
        return sorted(event["event_id"] for event in run(refused, "events", *options, "--json").json["events"])

    def looked() -> list[list[str] | str]:
        return [
            found("--text", "SKU-1"),
            found("--text", "SKU"),
            found("--text", EMAIL),
            found("--code", "40002"),
            found("--code", "40000"),
            run(refused, "replay", "--code", "40002", "--dry-run").out,
            run(refused, "replay", "--code", "40000", "--dry-run").out,
        ]

    expected = [
        ["R-1", "R-2"],
        [],
        ["R-1"],
        ["R-1"],
        [],
        "1 dead letter would go out again\n",
        "0 dead letters would go out again\n",
    ]

    assert expected == looked()
    assert refused.process.terminate() == 0
    assert expected == looked()


@pytest.mark.parametrize("option", [("--text", "R-1"), ("--code", "40002")])
def test_what_comes_is_not_chosen_by_what_only_the_list_knows(run, gateways, option: tuple[str, str]):
    said = run(gateways(), "events", "--follow", *option)

    assert (64, True) == (said.code, "leave out --follow" in said.err)


def test_a_refused_purchase_is_found_mended_and_replayed_and_delivered_once(run, refused, sandbox):
    mend_and_replay(run, refused, sandbox)

    books = refused.wait_until_settled()

    assert {"received": 2, "accepted": 2, "waiting": 0, "dead": 0, "dropped": 0} == books
    (event,) = sandbox.events(event_id="R-1")
    assert (1, True) == (event["_"]["copies"], event["_"]["same_body"])
    (line,) = refused.said("events_replayed")
    assert ("127.0.0.1", 1, {}) == (line["by"], line["replayed"], line["kept"])
    history = run(refused, "events", ref_of(run, refused, "R-1"), "--json").json
    assert ["refused", "accepted"] == sorted({call["outcome"] for call in history["calls"]}, reverse=True)
    assert ("delivered", "nothing: TikTok took it") == (history["state"], history["next"])


def test_attempts_say_which_calls_do_not_count(run, gateway, sandbox):
    sandbox.fault("code", code=40105)
    gateway.hit(purchase(1))
    wait_for(lambda: gateway.status()["destinations"]["shop"]["state"] == "paused")

    shown = run(gateway, "events", ref_of(run, gateway, "R-1"))

    assert re.search(r"attempts: +0; calls of a pause, .* do not count\n", shown.out), shown


def test_that_a_lost_event_cannot_be_listed_is_said_where_it_is_looked_for(run, refused):
    said = run(refused, "events", "--state", "dead", "--reason", "damaged")

    assert said.out.startswith("no event matches\nnothing is left to list of events that were lost with a damaged file")


def test_a_narrow_terminal_shows_every_reference_whole(run, refused):
    refs = [event["ref"] for event in run(refused, "events", "--json").json["events"]]
    command = [sys.executable, "-m", "tikrelay", "events", "--config", str(refused.config)]
    master, terminal = pty.openpty()
    done = subprocess.run(command, stdout=terminal, env={**os.environ, "COLUMNS": "60"}, timeout=60, check=True)
    os.close(terminal)
    seen = os.read(master, 65536).decode()
    os.close(master)

    assert (0, 2) == (done.returncode, len(refs))
    assert refs == [word for line in seen.splitlines() for word in line.split()[:1] if word in refs]


def test_the_same_goes_without_a_server(run, refused, sandbox):
    assert 0 == refused.process.terminate()
    mend_and_replay(run, refused, sandbox)
    waits = run(refused, "events", "--state", "waiting", "--json").json["events"]
    shown = run(refused, "events", waits[0]["ref"])
    refused.start()

    books = refused.wait_until_settled()

    assert "it goes out once the server runs" in shown.out
    assert {"received": 2, "accepted": 2, "waiting": 0, "dead": 0, "dropped": 0} == books
    assert [1] == [event["_"]["copies"] for event in sandbox.events(event_id="R-1")]


def test_a_stored_event_becomes_an_example_with_a_server_and_without(run, refused, tmp_path):
    ref = ref_of(run, refused, "R-1")
    asked = run(refused, "events", ref, "--example")
    assert 0 == refused.process.terminate()
    read = run(refused, "events", ref, "--example")
    (tmp_path / "refused.toml").write_text(asked.out)
    tested = run(refused, "test", str(tmp_path / "refused.toml"))

    assert (0, 0, asked.out) == (asked.code, read.code, read.out)
    assert "by the route ga4_web" in asked.out
    assert (0, True) == (tested.code, tested.out.startswith("ok"))


def test_an_example_is_of_one_event(run, refused):
    said = run(refused, "events", "--example")

    assert (64, True) == (said.code, "--example is of one event" in said.err)


def test_a_replay_as_a_test_leaves_the_letter(run, refused, sandbox):
    sandbox.heal()

    said = run(refused, "replay", ref_of(run, refused, "R-1"), "--test-event-code", "TEST7", "--yes")

    assert (0, "1 event goes as a test under TEST7; what was copied stays as it is\n") == (said.code, said.out)
    (event,) = sandbox.wait_for_events(1, event_id="R-1")
    assert "TEST7" == event["_"]["test_event_code"]
    assert ["R-1"] == [letter["event_id"] for letter in refused.dead()]


def test_a_delivered_event_goes_as_a_test_and_no_other_way(run, refused, sandbox):
    sandbox.heal()
    refused.data([{"event_name": "contact", "event_id": "C-1"}])
    sandbox.wait_for_events(1, event_id="C-1")
    refused.wait_until_settled()
    ref = ref_of(run, refused, "C-1")
    again = run(refused, "replay", ref, "--yes")
    said = run(refused, "replay", ref, "000-7", "--test-event-code", "TEST7", "--yes")
    tests = wait_for(lambda: [one["body"] for one in sandbox.requests() if one["body"].get("test_event_code")])

    assert (1, "0 dead letters go out again\n1 dead letter stays: there is no such dead letter\n") == (
        again.code,
        again.out,
    )
    assert 1 == said.code
    assert "1 event stays: there is no such event" in said.out
    assert [("TEST7", ["C-1"])] == [(one["test_event_code"], [e["event_id"] for e in one["data"]]) for one in tests]


def put_dead(folder: Path, reason: DeadReason) -> None:
    """Leave a letter in an outbox as hours of failing calls would."""

    async def put() -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        outbox = await SqliteOutbox.open(folder / "outbox-000.db", clock=SystemClock(), emit=silent)
        shop = DestinationName("shop")
        body = b'{"event":"Lead","event_time":1795312345,"event_id":"L-1","user":{"external_id":"%s"}}' % (b"a" * 64)
        record = Record(destination=shop, source="data", name="lead", event="Lead", event_id=EventId("L-1"), body=body)
        await outbox.put([record])
        lease = await outbox.lease(shop, most=10, max_bytes=10_000, now=time.time() + 1)
        await outbox.settle(lease, [Dead(reason=reason)])
        await outbox.close()

    asyncio.run(put())


def test_what_tiktok_may_have_taken_goes_again_only_when_a_repeat_is_accepted(run, gateways, sandbox):
    gateway = gateways()
    put_dead(gateway.outbox, DeadReason.MAYBE_DELIVERED)
    offline = run(gateway, "replay", "--all", "--yes")
    gateway.start()

    online = run(gateway, "replay", "--all", "--yes")
    accepted = run(gateway, "replay", "--all", "--accept-duplicates", "--yes")

    assert (1, 1) == (offline.code, online.code)
    assert "1 dead letter stays: TikTok may have it already" in online.out
    assert 0 == accepted.code
    assert ["L-1"] == [event["event_id"] for event in sandbox.wait_for_events(1)]


def test_letters_of_a_destination_that_is_gone_and_references_to_nothing_stay(run, gateways):
    gateway = gateways(destinations=[{"name": "other"}])
    put_dead(gateway.outbox, DeadReason.REFUSED)

    gone = run(gateway, "replay", "--all", "--yes", "--json")
    nothing = run(gateway, "replay", "000-1", "007-5", "--yes", "--json")

    assert (1, {"no_destination": 1}) == (gone.code, gone.json["kept"])
    assert (1, 0, {"no_dead_letter": 2}) == (nothing.code, nothing.json["replayed"], nothing.json["kept"])


@pytest.mark.parametrize(("answer", "state"), [("n", "dead"), ("", "dead"), ("y", "waiting")])
def test_a_person_at_a_terminal_is_asked_first(run, gateways, answer: str, state: str):
    gateway = gateways()
    put_dead(gateway.outbox, DeadReason.REFUSED)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tikrelay", "replay", "--all", "--config", str(gateway.config)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as asked:
        os.write(ours, f"{answer}\n".encode())
        code = asked.wait(30)

    assert (0 if state == "waiting" else 1) == code
    assert b"send 1 dead letter again? [y/N]" in os.read(ours, 10_000)
    assert [state] == [event["state"] for event in run(gateway, "events", "--json").json["events"]]
    os.close(ours)
    os.close(theirs)


# Forgetting.


def holds(folder: Path, digest: str) -> list[str]:
    """The files of an outbox in which a digest stands."""
    return sorted(file.name for file in folder.iterdir() if file.is_file() and digest.encode() in file.read_bytes())


def test_a_persons_events_are_erased_wherever_they_are(run, gateway, sandbox):
    person = {"ep.user_data.email": EMAIL}
    gateway.hit(purchase(3, **person))
    sandbox.wait_for_events(1)
    refuse_the_first(gateway, sandbox)
    sandbox.fault("http", status=503)
    gateway.hit(purchase(4, **person))
    gateway.hit(purchase(5))
    wait_for(lambda: gateway.books()["waiting"] == 2)
    before = holds(gateway.outbox, DIGEST)

    said = run(gateway, "forget", "--email", f" {EMAIL.upper()} ", "--yes")

    assert before
    assert 0 == said.code, said
    assert "3 events erased: 1 waiting, 1 dead, 1 delivered" in said.out
    assert "what TikTok has" in said.out
    assert [] == holds(gateway.outbox, DIGEST)
    books = gateway.books()
    assert {"received": 5, "accepted": 2, "waiting": 1, "dead": 1, "dropped": 1} == books
    assert {"forgotten": 1} == gateway.status()["destinations"]["shop"]["drop_reasons"]
    (line,) = gateway.said("events_forgotten")
    assert (1, 1, 1, 1) == (line["digests"], line["waiting"], line["dead"], line["delivered"])
    assert DIGEST not in gateway.log.read_text()
    sandbox.heal()
    assert 0 == gateway.wait_until_settled()["waiting"]


def test_one_that_is_on_its_way_is_erased_too(run, gateway, sandbox):
    sandbox.fault("hang")
    gateway.hit(purchase(1, **{"ep.user_data.email": EMAIL}))
    leased = wait_for(lambda: [e for e in run(gateway, "events", "--json").json["events"] if e["leased"]])
    shown = run(gateway, "events", leased[0]["ref"])
    said = run(gateway, "forget", "--email", "-", "--yes", "--json", stdin=f"{EMAIL}\n")
    sandbox.heal()

    assert "it is on its way at this moment" in shown.out
    assert {"waiting": 1, "dead": 0, "delivered": 0, "unanswered": {}} == said.json
    assert [] == holds(gateway.outbox, DIGEST)
    assert {"received": 1, "accepted": 0, "waiting": 0, "dead": 0, "dropped": 1} == gateway.wait_until_settled()


def test_forgetting_goes_without_a_server(run, refused):
    assert 0 == refused.process.terminate()
    before = holds(refused.outbox, DIGEST)

    asked = run(refused, "forget", "--email", EMAIL)
    said = run(refused, "forget", "--email", EMAIL, "--yes")

    assert before
    assert (64, "--yes" in asked.err) == (asked.code, True)
    assert (0, True) == (said.code, "1 event erased: 0 waiting, 1 dead" in said.out), said
    assert [] == holds(refused.outbox, DIGEST)


def test_damaged_files_that_a_salvage_left_are_named_as_not_reached(run, refused):
    assert 0 == refused.process.terminate()
    kept = "outbox-001.db.damaged-20261124T093000Z"
    (refused.outbox / kept).write_bytes(b"")
    (refused.outbox / f"{kept}-wal").write_bytes(b"")

    said = run(refused, "forget", "--email", EMAIL, "--yes")

    assert f"Not reached: the damaged files {kept}; delete them" in said.out


def test_every_hash_the_mapping_may_have_made_is_looked_for():
    def sha(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    found = digests_of(
        external_ids=[" C-77 ", sha("someone").upper()],
        emails=[" Ann@Shop.example", "Ann.Lee@gmail.com"],
        phones=["0151 55501234", "+86 138 0013 8000"],
        phone_country="DE",
    )

    phones = ["+4915155501234", "+8613800138000", "13800138000"]
    texts = ["C-77", "c-77", "someone", "ann@shop.example", "ann.lee@gmail.com", "annlee@gmail.com", *phones]
    assert {sha(text) for text in texts} == set(found)


@pytest.mark.parametrize("wrong", [{"emails": ["nobody"]}, {"phones": ["0151 55501234"]}, {"external_ids": [" "]}])
def test_what_cannot_be_read_is_told_without_repeating_it(wrong: dict[str, list[str]]):
    given = {"external_ids": [], "emails": [], "phones": [], **wrong}

    with pytest.raises(NobodyNamedError) as caught:
        digests_of(**given, phone_country="")

    (value,) = next(iter(wrong.values()))
    assert value not in str(caught.value) or not value.strip()
    assert ("phones" in wrong) == ("country" in caught.value.hint)


# Who answers.


def test_a_server_whose_admin_port_does_not_answer_is_not_gone_around(run, gateway):
    for command in (["events"], ["replay", "--all", "--yes"], ["forget", "--external-id", "C-1", "--yes"]):
        said = run(gateway, *command, TIKRELAY_SERVER_ADMIN_PORT=str(free_port()))

        assert 75 == said.code
        assert "a server holds the outbox" in said.err
        assert "nothing answers at http://127.0.0.1:" in said.err


def test_without_an_outbox_one_line_says_so(run, gateways):
    said = run(gateways(), "events")

    assert (75, True) == (said.code, "there is no outbox" in said.err)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["events", "--state", "lost"], 64, "--state"),
        (["events", "--since", "2 hours"], 64, "length of time"),
        (["events", "--most", "0"], 64, "--most"),
        (["events", "here"], 65, "names no event"),
        (["events", "000-1"], 65, "there is no event"),
        (["replay", "--yes"], 64, "nothing says which"),
        (["replay", "--reason", "bad", "--yes"], 64, "--reason"),
        (["replay", "--all", "--test-event-code", "a b", "--yes"], 65, "test_event_code"),
        (["forget", "--yes"], 64, "whose events"),
        (["forget", "--email", "-", "--yes"], 64, "stdin"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_says_what_to_do(run, gateways, command, code: int, said: str):
    gateway = gateways()
    put_dead(gateway.outbox, DeadReason.REFUSED)

    done = run(gateway, *command)

    assert (code, True) == (done.code, said in done.err), done
    assert done.err.startswith("tikrelay: ")
    assert "Traceback" not in done.err


def test_with_a_password_the_commands_give_it_and_nobody_else_gets_anything(run, gateways, sandbox):
    gateway = gateways(server={"admin_password": PASSWORD}).start()
    gateway.hit(purchase(1))
    sandbox.wait_for_events(1)

    answers = [
        get(gateway.admin_url + path)[0] for path in ("/api/status", "/metrics", "/api/events", "/x", "/healthy")
    ]

    assert [401, 401, 401, 401, 200] == answers
    assert 0 == run(gateway, "status").code
    assert "R-1" in run(gateway, "events").out
    wrong = run(gateway, "events", TIKRELAY_SERVER_ADMIN_PASSWORD="x")
    assert (65, True) == (wrong.code, "that is not the password" in wrong.err)
    assert 200 == get(f"{gateway.admin_url}/metrics", headers={"Authorization": f"Bearer {PASSWORD}"})[0]
    assert PASSWORD not in gateway.log.read_text()


def test_somebody_who_guesses_beside_the_operator_does_not_lock_him_out(run, gateways):
    gateway = gateways(server={"admin_password": PASSWORD}).start()

    guesses = [get(f"{gateway.admin_url}/metrics", headers={"Authorization": "Bearer x"}) for _ in range(11)]

    assert [401] * 10 + [429] == [status for status, _, _ in guesses]
    assert "1" == guesses[-1][1]["retry-after"]
    assert 0 == run(gateway, "status").code


# The admin port itself.


def test_the_admin_port_refuses_in_one_shape_whatever_is_wrong(refused):
    own = {"Content-Type": "application/json"}
    cases = {
        "400 bad_parameter": ("/api/events?stat=dead", {}),
        "400 bad_parameter twice": ("/api/events?most=1&most=2", {}),
        "400 bad_request": ("/api/events?most=1001", {}),
        "400 bad_request nan": ("/api/events?received_from=nan", {}),
        "400 bad_request reason": ("/api/events?reason=because", {}),
        "400 bad_reference": ("/api/events/000-x", {}),
        "404 no_such_route path": ("/api/events/..%2f..%2fetc", {}),
        "404 no_such_event": ("/api/events/000-1", {}),
        "404 no_such_route": ("/api/dead", {}),
        "405 wrong_method": ("/api/replay", {}),
        "405 wrong_method post": ("/api/status", {"data": b"{}", "headers": own}),
        "400 not_confirmed": ("/api/replay", {"data": b'{"all":true}', "headers": own}),
        "400 nothing_chosen": ("/api/replay", {"data": b'{"confirm":true}', "headers": own}),
        "400 bad_request body": ("/api/replay", {"data": b'{"every":true}', "headers": own}),
        "400 bad_request deep": ("/api/replay", {"data": b"[" * 60_000, "headers": own}),
        "400 bad_request plain": ("/api/forget", {"data": b'{"digests":["ann"],"confirm":true}', "headers": own}),
        "400 bad_request none": ("/api/forget", {"data": b'{"digests":[],"confirm":true}', "headers": own}),
        "415 no_json": ("/api/replay", {"data": b'{"all":true,"confirm":true}'}),
        "413 body_too_large": ("/api/replay", {"data": b" " * 100_000, "headers": own}),
        "403 other_origin": (
            "/api/replay",
            {"data": b'{"all":true,"confirm":true}', "headers": {**own, "Origin": "https://evil.example"}},
        ),
        "421 host_refused": ("/api/events", {"headers": {"Host": "evil.example"}}),
    }
    found = {}
    for name, (path, more) in cases.items():
        status, headers, body = get(refused.admin_url + path, **more)
        error = json.loads(body)["error"]
        found[name] = f"{status} {error['code']}"

        assert {"code", "message", "hint"} == set(error)
        assert error["hint"]
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"

    assert {name: " ".join(name.split()[:2]) for name in cases} == found
    assert 1 == refused.books()["dead"]
    assert [] == refused.said("events_replayed") + refused.said("events_forgotten") + refused.said("defect")


@pytest.mark.faults
def test_a_body_that_never_ends_is_given_up(gateway):
    head = (
        b"POST /api/replay HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=BODY_WITHIN_S + 15) as connection:
        connection.sendall(head)

        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_no_answer_of_the_admin_port_holds_a_token_or_a_whole_address(run, gateway, sandbox):
    addresses = {"R-9": "8.8.4.77", "R-8": "2001:4860:7:8:9:a:b:c"}
    gateway.data([{"event_name": "purchase", "event_id": i, "x-ttq-ct-ip-adress": ip} for i, ip in addresses.items()])
    sent = sandbox.wait_for_events(2)
    wait_for(lambda: gateway.books()["accepted"] == 2)
    ref, other = ref_of(run, gateway, "R-9"), ref_of(run, gateway, "R-8")
    shown = run(gateway, "events", ref)
    paths = ("/api/status", "/metrics", "/api/events", f"/api/events/{ref}", f"/api/events/{other}", "/healthy")

    pages = [get(gateway.admin_url + path)[2].decode() for path in paths]

    assert addresses == {event["event_id"]: event["user"]["ip"] for event in sent}
    hidden = (TOKEN, *addresses.values())
    assert [] == [page for page in pages if any(word in page for word in hidden)]
    bodies = [json.loads(page)["body"] for page in pages[3:5]]
    assert ["8.8.4.x", "2001:4860:7:x"] == [body["user"]["ip"] for body in bodies]
    assert "8.8.4.77" not in shown.out
    assert PIXEL not in pages[2]


def test_events_are_listed_over_all_workers_newest_first_and_by_page(run, gateways, sandbox):
    gateway = gateways(server={"workers": 2}).start()
    for number in range(12):
        gateway.hit(purchase(number))
    sandbox.wait_for_events(12)
    wait_for(lambda: gateway.books()["accepted"] == 12)

    listed = run(gateway, "events", "--json", "--most", "100").json["events"]
    first = run(gateway, "events", "--most", "5", "--json").json["events"]
    last = first[-1]["received_at"]
    rest = json.loads(get(f"{gateway.admin_url}/api/events?received_to={last}")[2])["events"]

    assert [f"R-{number}" for number in reversed(range(12))] == [event["event_id"] for event in listed]
    assert [event["ref"] for event in listed] == [event["ref"] for event in [*first, *rest]]
    assert [] == run(gateway, "events", "--since", "1h", "--state", "dead", "--json").json["events"]


def test_pages_lose_none_of_a_batch(run, gateway):
    """All events of one request are received at one moment."""
    gateway.data([{"event_name": "lead", "event_id": f"B-{number}"} for number in range(7)])
    gateway.data({"event_name": "lead", "event_id": "C-1"})
    wait_for(lambda: gateway.books()["accepted"] == 8)
    pages, query = [], "most=2"

    while events := json.loads(get(f"{gateway.admin_url}/api/events?{query}")[2])["events"]:
        pages.append([event["event_id"] for event in events])
        query = f"most=2&received_to={events[-1]['received_at']}"

    assert ["C-1", *(f"B-{number}" for number in reversed(range(7)))] == [one for page in pages for one in page]
    assert 2 == run(gateway, "events", "--most", "2").out.count("000-")
