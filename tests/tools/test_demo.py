"""The demo comes true as a whole, and says so with its exit code."""

import re
import subprocess
import sys


def test_the_demo_comes_true():
    done = subprocess.run(
        [sys.executable, "-m", "tikrelay", "demo"], capture_output=True, check=False, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 received = 13 accepted + 0 waiting + 1 dead + 1 dropped   (all of it came true)" in done.stdout
    assert len(re.findall(r"answer  code 0 OK  request_id [0-9A-F]{34}", done.stdout)) == 8
    assert "dead    R-1005: refused, code 40002" in done.stdout
