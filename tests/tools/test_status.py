"""``tikrelay status`` shows the books on one screen, or says in one line why it cannot."""

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import msgspec
import pytest

from harness import get, purchase, wait_for
from tikrelay import __version__
from tikrelay.tiktok.answers import explain_pause
from tikrelay.watch.status import Counts, DestinationStatus, Status, Trouble

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


def status(config, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in a pipe."""
    command = [sys.executable, "-m", "tikrelay", "status", "--config", str(config), *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TIKRELAY_", "TIKTOK_"))}
    surroundings = {**inherited, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=surroundings)


def answered(destinations: dict[str, DestinationStatus]) -> Callable[[bytes], bytes]:
    """Answer as a tikrelay with such destinations would."""
    told = msgspec.json.encode(Status(pid=1, version=__version__, books=Counts(), destinations=destinations))
    return lambda head: JSON + (b'{"events":[]}' if b"/api/events" in head else told)


@contextlib.contextmanager
def other_program(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Answer on a port of this machine until the block ends; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(answer(connection.recv(65536)))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_what_never_became_an_event_is_counted_by_its_reason(gateways):
    gateway = gateways(sources={"measurement_ids": ["G-OURS"]}).start()
    gateway.hit("v=2&tid=G-FOREIGN&cid=1.2&en=purchase")
    gateway.hit("v=2&tid=G-FOREIGN&cid=1.2&en=purchase")
    get(f"{gateway.url}/data", data=b"{")

    assert {"foreign_measurement_id": 2, "bad_json": 1} == gateway.status()["refused"]
    assert "refused since the server began: 2 foreign_measurement_id, 1 bad_json" in status(gateway.config).stdout


def test_a_store_that_takes_nothing_is_shown_with_what_to_do_and_its_503s_are_counted(gateways):
    gateway = gateways(outbox={"max_bytes": 1}).start()
    hits = [gateway.hit(purchase(1)), gateway.hit(purchase(2))]

    done = status(gateway.config)

    assert [503, 503] == hits
    assert done.returncode == 1
    assert "\nact now: outbox-000.db takes no events, and their senders get 503: " in done.stdout
    assert "; raise outbox.max_bytes" in done.stdout
    assert "refused since the server began: 2 cannot_store" in done.stdout


def test_why_events_died_is_shown_also_of_those_that_were_lost_with_a_file(gateways):
    row = DestinationStatus(dead=4, state="flowing", reason="", dead_reasons={"refused": 1, "damaged": 3})

    lines = shown(gateways, {"shop": row})

    assert "dead for shop: 3 damaged, 1 refused" in lines
    assert ["lost with a damaged file" in line for line in lines if line.startswith("damaged: ")] == [True]


def test_in_a_pipe_no_line_wraps_however_narrow_the_screen(gateways):
    row = DestinationStatus(waiting=1, state="paused", reason="http_413")

    with other_program(answered({"shop": row})) as port:
        done = status(gateways(server={"admin_port": port}).config, COLUMNS="40")

    assert [f"shop is paused (http_413): {explain_pause('http_413')}"] == [
        line for line in done.stdout.splitlines() if "http_413" in line
    ]


def test_the_books_are_shown_and_add_up(gateway, sandbox):
    gateway.hit(purchase(1))
    sandbox.wait_for_events(1)
    wait_for(lambda: gateway.books()["accepted"])

    done = status(gateway.config)

    assert done.returncode == 0
    assert "1 received = 1 accepted + 0 waiting + 0 dead + 0 dropped" in done.stdout


def test_json_is_what_the_server_says(gateway):
    done = status(gateway.config, "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["books"]["received"] == 0


def test_a_proxy_of_the_environment_is_not_asked(gateway):
    done = status(gateway.config, http_proxy="http://127.0.0.1:9", no_proxy="")

    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_server_one_line_says_so(gateways):
    done = status(gateways().config)

    assert done.returncode == 75
    assert "nothing answers at http://127.0.0.1:" in done.stderr
    assert "is `tikrelay serve` running" in done.stderr


OTHERS = {
    "a page": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>",
    "a refusal": b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno",
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nConnection: close\r\n\r\n",
    "a redirect to itself": b"HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    "a banner": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a banner of no text": b"\xff\xfe\x00\r\n",
    "an HTTP status that is no number": b"HTTP/1.1 abc\r\n\r\n",
    "nothing": b"",
    "a list": JSON + b"[]",
    "another object": JSON + b'{"status":"green"}',
    "fields of another kind": JSON + b'{"pid":1,"version":"1","books":{},"destinations":{"a":1}}',
    "deep JSON": JSON + b"[" * 100_000,
    "bytes that are no text": JSON + b'{"a":"\xff"}',
}


@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_another_program_on_the_port_is_one_clear_line(gateways, others: str, arguments: list[str]):
    with other_program(lambda _: OTHERS[others]) as port:
        done = status(gateways(server={"admin_port": port}).config, *arguments)

    assert done.returncode == 75
    assert done.stderr.startswith("tikrelay: ")
    assert "server.admin_port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_chosen_at_the_start_is_said_to_stand_in_the_log(gateways):
    gateway = gateways(server={"admin_port": 0}).start()
    (ready,) = gateway.said("ready")
    port = ready["admin"].rpartition(":")[2]

    done = status(gateway.config)

    assert done.returncode == 75
    assert "`ready`" in done.stderr
    assert status(gateway.config, TIKRELAY_SERVER_ADMIN_PORT=port).returncode == 0


@pytest.mark.parametrize(
    ("state", "reason", "shown"),
    [
        ("removed", "no such destination in the settings", "shop is removed: no such destination in the settings"),
        ("paused", "http_308", "paused (http_308): the address answers"),
        ("paused", "envelope", "check [[destinations]]"),
        ("failing", "", "failing"),
    ],
)
def test_a_destination_that_does_not_flow_is_shown_with_its_reason(gateways, state: str, reason: str, shown: str):
    row = DestinationStatus(waiting=1, state=state, reason=reason)

    with other_program(answered({"shop": row})) as port:
        done = status(gateways(server={"admin_port": port}).config)

    assert done.returncode == 1
    assert shown in done.stdout


def test_a_removed_destination_for_which_nothing_waits_is_no_fault(gateways):
    row = DestinationStatus(state="removed", reason="no such destination in the settings")

    with other_program(answered({"shop": row})) as port:
        assert status(gateways(server={"admin_port": port}).config).returncode == 0


def shown(gateways, rows: dict[str, DestinationStatus]) -> list[str]:
    """The lines that are shown of these destinations."""
    with other_program(answered(rows)) as port:
        done = status(gateways(server={"admin_port": port}).config)

    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_reasons_of_drops_are_shown_for_each_destination_the_commonest_first(gateways):
    drops = {"by_rule": 1, "consent_missing": 1, "not_routed": 8}
    de = DestinationStatus(dropped=10, state="flowing", reason="", drop_reasons=drops)
    at = DestinationStatus(dropped=2, state="flowing", reason="", drop_reasons={"not_routed": 2})
    ch = DestinationStatus(state="flowing", reason="", drop_reasons={})

    lines = shown(gateways, {"shop-de": de, "shop-at": at, "shop-ch": ch})

    dropped = ["dropped for shop-de: 8 not_routed, 1 by_rule, 1 consent_missing", "dropped for shop-at: 2 not_routed"]
    assert dropped == [line for line in lines if line.startswith("dropped")]


@pytest.mark.parametrize(("names", "said"), [(["shop"], 0), (["shop-de", "shop-at"], 1)])
def test_that_each_destination_counts_for_itself_is_said_where_there_are_several(gateways, names: list[str], said: int):
    lines = shown(gateways, {name: DestinationStatus(state="flowing", reason="") for name in names})

    assert said == sum(line.startswith("each destination counts for itself") for line in lines)


def on_a_terminal(config) -> list[str]:
    """The lines it shows on a terminal of 80 by 24."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tikrelay", "status", "--config", str(config)]
    size = {"COLUMNS": "80", "LINES": "24", "TERM": "dumb"}
    subprocess.run(command, stdout=theirs, env={**os.environ, **size}, timeout=60, check=False)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    return written.decode().splitlines()


def test_with_two_destinations_troubles_and_many_dead_letters_it_fits_on_one_screen(gateways):
    fails = "outlet is paused (token_invalid); 16 events wait, the oldest for 6 h"
    trouble = Trouble(kind="destination_paused", about="outlet", level="now", what=fails, hint="put in a new token")
    troubles = (trouble,) * 4
    rows = {
        "outlet": DestinationStatus(received=16, waiting=16, state="paused", reason="token_invalid"),
        "shop": DestinationStatus(received=52, dead=52, state="flowing", reason="", dead_reasons={"refused": 52}),
    }
    books = Counts(received=68, waiting=16, dead=52)
    told = Status(
        pid=1, version=__version__, books=books, destinations=rows, troubles=troubles, refused={"no_event": 1}
    )
    letter = {"event": "Lead", "event_id": "R", "reason": "refused", "code": 40002, "message": "no such " * 30}
    letters = [{"ref": "000-1", "state": "dead", "destination": "shop", "received_at": 0.0, **letter}] * 10
    page = {"events": letters}

    with other_program(lambda head: JSON + msgspec.json.encode(page if b"/api/events" in head else told)) as port:
        lines = on_a_terminal(gateways(server={"admin_port": port}).config)

    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert {"outlet", "shop"} <= {line.split()[0] for line in lines[:3]}
    assert any(line.startswith("act now: outlet is paused") for line in lines)
    assert any(line.startswith("68 received =") for line in lines)
    assert 0 < sum(line.startswith("dead: Lead R: refused 40002") for line in lines) < 10
    assert lines[-1].endswith("more dead: tikrelay events --state dead")
