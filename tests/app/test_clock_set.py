"""A machine whose clock is set while the server runs (a shim in the way of clock_gettime sets it)."""

import shutil
import subprocess
import time

import pytest

from harness import purchase, wait_for

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(which, now);
    long by = 0;
    FILE *set = which == CLOCK_REALTIME ? fopen(getenv("CLOCK_SET_BY"), "r") : NULL;
    if (set) {
        if (fscanf(set, "%ld", &by) == 1) now->tv_sec += by;
        fclose(set);
    }
    return result;
}
"""

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(shutil.which("cc") is None, reason="the shim needs a C compiler"),
]


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "shim.so", "shim.c", "-ldl"], cwd=folder, check=True)
    return folder / "shim.so"


@pytest.mark.parametrize("by_s", [-3600, 86400])
def test_nothing_is_lost_late_or_twice_when_the_clock_is_set(gateways, sandbox, shim, tmp_path, by_s: int):
    clock = tmp_path / "clock"
    gateway = gateways().start(environment={"LD_PRELOAD": str(shim), "CLOCK_SET_BY": str(clock)})
    sandbox.fault("http", status=503)
    for number in range(5):
        gateway.hit(purchase(number))
    wait_for(lambda: sandbox.counts()["requests"] >= 2)
    calls = sandbox.counts()["requests"]
    set_at = time.time()
    clock.write_text(str(by_s))
    (told,) = wait_for(lambda: gateway.said("clock_set"))
    time.sleep(2)
    calls = sandbox.counts()["requests"] - calls
    age_s = gateway.status()["destinations"]["shop"]["oldest_waiting_s"]
    sandbox.heal()
    events = sandbox.wait_for_events(5, within_s=40)
    gateway.hit(purchase(9))

    assert abs(told["seconds"] - by_s) <= 1
    assert age_s < 60
    assert calls < 20  # no storm
    assert {(event["event_id"], event["_"]["same_body"]) for event in events} == {(f"R-{n}", True) for n in range(5)}
    assert all(abs(event["event_time"] - set_at) < 60 for event in events)
    sandbox.wait_for_events(6)
    assert gateway.wait_until_settled() == {"received": 6, "accepted": 6, "waiting": 0, "dead": 0, "dropped": 0}
    assert [trouble["kind"] for trouble in gateway.status()["troubles"]] == ["clock_set"]
    assert "tikrelay_clock_set_total 1.0" in gateway.metrics()
