"""Who owns a file or a folder."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tikrelay.base.errors import OutboxInUse, OutboxUnavailable
from tikrelay.outbox.lock import DirectoryLock, OutboxLock, is_free

HOLD = """
import sys, time
from pathlib import Path
from tikrelay.outbox.lock import OutboxLock
OutboxLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(path):
    """Another process that owns the file."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "held\n" == process.stdout.readline()
        yield process
        process.kill()


def test_a_second_owner_is_refused_and_told_who_has_it(path, holder):
    with pytest.raises(OutboxInUse, match=f"outbox-000.db is in use by process {holder.pid}") as caught:
        OutboxLock(path).acquire()

    assert caught.value.hint


def test_a_lock_ends_with_its_process_however_that_ends(path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    assert OutboxLock(path).try_acquire()


def test_a_lock_names_who_has_it_now_and_not_who_had_it(path, holder):
    holder.kill()
    holder.wait()
    mine = OutboxLock(path)
    mine.acquire()

    with pytest.raises(OutboxInUse, match=f"process {os.getpid()}"):
        OutboxLock(path).acquire()

    mine.release()


def test_a_lock_that_was_let_go_can_be_taken_again(path):
    first = OutboxLock(path)
    first.acquire()
    first.release()
    first.release()

    assert OutboxLock(path).try_acquire()


def test_an_owner_waits_for_somebody_who_only_looks(path):
    look = OutboxLock(path)
    look.acquire()
    threading.Timer(0.03, look.release).start()

    OutboxLock(path).acquire()


def test_looking_leaves_the_file_free(path):
    assert is_free(path)
    assert is_free(path)


def test_a_file_that_is_owned_is_not_free(path, holder):
    assert not is_free(path)


def test_a_holder_without_a_number_is_still_refused(path):
    mine = OutboxLock(path)
    mine.acquire()
    path.with_suffix(".lock").write_text("")

    with pytest.raises(OutboxInUse, match="in use by another process"):
        OutboxLock(path).acquire()

    mine.release()


def test_a_lock_file_is_for_its_owner_alone(path):
    lock = OutboxLock(path)
    lock.acquire()
    mode = path.with_suffix(".lock").stat().st_mode & 0o777
    lock.release()

    assert 0o600 == mode


def test_a_lock_that_cannot_be_made_names_its_path(tmp_path):
    with pytest.raises(OutboxUnavailable, match=r"missing/serve\.lock: No such file") as caught:
        DirectoryLock(tmp_path / "missing").acquire()

    assert caught.value.hint


def test_a_folder_in_use_says_how_to_replace_its_server(tmp_path):
    mine = DirectoryLock(tmp_path)
    mine.acquire()

    with pytest.raises(OutboxInUse, match="serve --take-over"):
        DirectoryLock(tmp_path).acquire()

    mine.release()


def test_a_refusal_comes_soon(path, holder):
    began = time.monotonic()
    with pytest.raises(OutboxInUse):
        OutboxLock(path).acquire()

    assert time.monotonic() - began < 5
