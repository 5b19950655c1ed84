"""What a running server leaves on disk and in its metrics: who may read it, and how much strangers can put there."""

import re
import stat
from pathlib import Path

from harness import Gateway
from prometheus_text import lines
from tikrelay.watch.measures import MOST_SERIES


def test_whatever_the_server_writes_is_for_its_owner_alone(gateway: Gateway):
    gateway.data({"event_name": "purchase"})
    written = [gateway.outbox, *gateway.outbox.rglob("*")]
    process = Path(f"/proc/{gateway.process.pid}/status").read_text()

    assert len(written) >= 3
    assert [] == [path.name for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert "Umask:\t0077" in process


def test_what_a_hit_carries_beyond_the_known_is_not_kept(gateway: Gateway, sandbox):
    marks = {f"own_{number}": f"mark-{number}" * 50 for number in range(500)}
    status, _ = gateway.data({"event_name": "purchase", "event_id": "R-1", **marks})
    sandbox.wait_for_events(1)

    assert status == 200
    assert [] == [event for event in sandbox.events() if "mark-" in str(event)]
    assert [] == [path.name for path in gateway.outbox.glob("*.db*") if b"mark-" in path.read_bytes()]


def test_strangers_make_no_more_metrics_than_there_is_room_for(gateway: Gateway):
    for start in range(0, 1000, 200):
        gateway.data([{"event_name": f"name_{number}"} for number in range(start, start + 200)])
    for number in range(100):
        gateway.hit(f"v=2&tid=G-{number}&en=other_{number}&ep.own_{number}=1", prefix=f"/p{number}")

    names = re.findall(r'^tikrelay_events_received_total\{event="(\w+)"', page := gateway.metrics(), re.MULTILINE)
    assert 50 < len(names) < 60
    assert len(lines(page)) <= MOST_SERIES
