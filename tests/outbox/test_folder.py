"""The outbox folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.outbox.folder import OutboxFolder, file_system_of
from tikrelay.outbox.lock import OutboxLock

AS_NOBODY = """
import asyncio, os, sys
import concurrent.futures.thread  # now: nobody may not read where Python lies
from pathlib import Path
from tikrelay.base.clock import SystemClock
from tikrelay.base.errors import OutboxError
from tikrelay.base.happenings import silent
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.sqlite import SqliteOutbox
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
folder = OutboxFolder(Path(sys.argv[1]))
for step in (
    folder.make,
    lambda: OutboxFolder(folder.path / "inner").make(),
    lambda: asyncio.run(SqliteOutbox.open(folder.path / "outbox-000.db", clock=SystemClock(), emit=silent)),
):
    try:
        step()
    except OutboxError as error:
        print(type(error).__name__, error)
    else:
        print("done")
"""


@pytest.fixture
def folder(tmp_path):
    made = OutboxFolder(tmp_path / "data")
    made.make()
    return made


@pytest.fixture
def read_only():
    """A folder that any user may read and none but root may write in."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o555)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def owner_of(folder, name):
    lock = OutboxLock(folder.path / name)
    lock.acquire()
    return lock


@pytest.mark.parametrize("log", ["outbox-003.db-wal", "outbox-003.db-wal.kept-20200101T000000Z"])
def test_a_file_of_which_a_log_is_left_is_one_to_open(folder, log):
    (folder.path / "outbox-001.db").touch()
    (folder.path / log).write_bytes(b"frames")
    (folder.path / "outbox-004.db-wal").touch()
    (folder.path / "outbox-005.db-wal.kept-20200101T000000Z.done").write_bytes(b"frames")

    assert ["outbox-001.db", "outbox-003.db"] == folder.to_open() == folder.free_names(2)
    assert ["outbox-001.db"] == folder.names()


def test_a_relative_url_counts_from_the_folder_of_the_settings(tmp_path):
    assert tmp_path / "data" == OutboxFolder.of("sqlite:data", base=tmp_path).path


def test_an_absolute_url_is_taken_as_it_is(tmp_path):
    assert Path("/var/lib/tikrelay") == OutboxFolder.of("sqlite:/var/lib/tikrelay", base=tmp_path).path


def test_a_folder_is_made_with_its_parents_for_its_owner_alone(tmp_path):
    OutboxFolder(tmp_path / "a" / "b").make()

    assert 0o700 == (tmp_path / "a" / "b").stat().st_mode & 0o777


def test_a_folder_that_is_there_is_left_as_it_is(folder):
    (folder.path / "outbox-000.db").touch()
    folder.make()

    assert ["outbox-000.db"] == folder.names()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutboxUnavailable, match=f"cannot make {tmp_path}/file/data: Not a directory") as caught:
        OutboxFolder(tmp_path / "file" / "data").make()

    assert "outbox.url" in caught.value.hint


def test_a_read_only_folder_is_refused_with_what_to_do(read_only):
    child = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(read_only)], capture_output=True, text=True, check=True, cwd="/"
    )
    user = 65534 if os.geteuid() == 0 else os.geteuid()

    made, inner, opened = child.stdout.splitlines()
    assert f"OutboxUnavailable cannot write in {read_only} (" in made
    assert f"chown {user} {read_only}" in made
    assert f"OutboxUnavailable cannot make {read_only}/inner: Permission denied (" in inner
    assert f"OutboxUnavailable cannot open {read_only}/outbox-000.lock: Permission denied (check" in opened


def test_only_outbox_files_are_names(folder):
    for name in ("outbox-001.db", "outbox-000.db", "outbox-000.db-wal", "outbox-000.lock", "outbox-1.db", "notes.db"):
        (folder.path / name).touch()

    assert ["outbox-000.db", "outbox-001.db"] == folder.names()


def test_new_owners_get_new_files(folder):
    assert ["outbox-000.db", "outbox-001.db"] == folder.free_names(2)


def test_files_that_nobody_owns_are_taken_first(folder):
    (folder.path / "outbox-005.db").touch()

    assert ["outbox-000.db", "outbox-005.db"] == folder.free_names(2)


def test_files_that_somebody_owns_are_left_to_him(folder):
    (folder.path / "outbox-000.db").touch()
    lock = owner_of(folder, "outbox-000.db")
    names = folder.free_names(2)
    free = folder.is_free("outbox-000.db")
    lock.release()

    assert ["outbox-001.db", "outbox-002.db"] == names
    assert not free
    assert folder.is_free("outbox-000.db")


def test_fewer_owners_than_files_take_the_lowest(folder):
    for number in range(3):
        (folder.path / f"outbox-00{number}.db").touch()

    assert ["outbox-000.db"] == folder.free_names(1)


def test_a_file_that_is_being_made_is_not_new_for_somebody_else(folder):
    lock = owner_of(folder, "outbox-000.db")
    names = folder.free_names(1)
    lock.release()

    assert ["outbox-001.db"] == names


def test_more_owners_than_a_folder_has_files_are_refused(folder):
    with pytest.raises(OutboxUnavailable, match=r"every file in .* is in use"):
        folder.free_names(1001)


def test_the_room_left_is_that_of_its_disk(folder):
    assert 0 < folder.free_bytes() <= shutil.disk_usage(folder.path).total


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a file system in memory")
def test_a_folder_in_memory_is_advised_against():
    (advice,) = OutboxFolder(Path("/dev/shm")).advise()

    assert "lies in memory (tmpfs)" in advice.text


def test_a_path_of_which_nothing_is_known_has_no_advice(tmp_path):
    kind = file_system_of(tmp_path)

    assert bool(OutboxFolder(tmp_path).advise()) == (kind in {"tmpfs", "ramfs", "overlay", "aufs", "9p", "nfs4"})
