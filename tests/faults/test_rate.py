"""How many calls a second TikTok sees with one token, whatever the gateway has to do."""

import bisect
import time

import pytest

from harness import PIXEL, wait_for

CAP = 20
WORKERS = 2
BURST = CAP // 4


def most_within(times, seconds):
    """The most of these times that any span of so many seconds holds."""
    return max(bisect.bisect_left(times, begin + seconds) - place for place, begin in enumerate(times))


def put(gateway, first, count, *, every=25):
    for start in range(first, first + count, every):
        events = [{"event_name": "generate_lead", "event_id": f"e-{start + n}"} for n in range(every)]
        status, _ = gateway.data(events)
        assert status == 200


def stored(gateway, count):
    return lambda: gateway.books()["received"] >= count


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_no_ten_seconds_see_more_calls_than_the_cap_with_workers_destinations_searches_and_adopted_files(
    gateways, sandbox, record_property
):
    other = {"name": "other", "event_source_id": "C0OTHER000000000001"}
    gateway = gateways(
        server={"workers": WORKERS + 1}, send={"max_requests_per_s": CAP, "max_batch": 4}, destinations=[{}, other]
    ).start()
    sandbox.fault("http", status=503)
    put(gateway, 0, 1000)
    wait_for(stored(gateway, 2000))
    assert gateway.process.terminate() == 0
    gateway.settings["server"]["workers"] = WORKERS
    gateway.write()
    sandbox.clear()
    for number in range(0, 1000, 9):
        sandbox.fault("refuse", event_id=f"e-{number}", indexed=False, event_source_id=PIXEL)
    sandbox.fault("http", status=503, times=20, after=100)
    gateway.start()
    time.sleep(40)
    times = sorted(request["at"] for request in sandbox.requests(limit=10_000))
    answers = sandbox.counts()["by_code"]
    adopted = gateway.said("outbox_adopted")
    ten, one = most_within(times, 10), most_within(times, 1)
    record_property("calls", len(times))
    record_property("most_in_10_s", ten)
    record_property("most_in_1_s", one)

    assert ten <= CAP * 10 * 1.05
    assert one <= CAP + BURST
    assert ten >= CAP * 10 * 0.8
    assert {"40002", "http 503"} <= answers.keys()
    assert adopted
