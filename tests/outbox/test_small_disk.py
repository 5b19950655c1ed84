"""A server whose outbox lies on a disk of its own, which fills to its last byte, is made read-only, or loses its files.

The disk is a tmpfs, which only root may mount.
"""

import ctypes
import os
from itertools import count, takewhile
from pathlib import Path

import pytest

from harness import get, purchase, wait_for
from tikrelay.outbox.sqlite import RESERVE_BYTES

DISK_BYTES = RESERVE_BYTES + 16 * 1024 * 1024
RECOVERS_WITHIN_S = 60.0
NOTICED_WITHIN_S = 15.0
ENDS_WITHIN_S = 30.0
READ_ONLY, REMOUNT, DETACH = 0x1, 0x20, 0x2  # MS_RDONLY, MS_REMOUNT, MNT_DETACH of mount(2) and umount2(2)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
libc = ctypes.CDLL(None, use_errno=True)


class Disk:
    """A tmpfs at one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.mount()

    def mount(self, flags: int = 0) -> None:
        options = f"size={DISK_BYTES}".encode()
        if libc.mount(b"tmpfs", bytes(self.folder), b"tmpfs", flags, options):
            pytest.skip(f"only root may mount a disk here: {os.strerror(ctypes.get_errno())}")

    def make_read_only(self) -> bool:
        """Fails, as mount(8) does, while a file is open for writing."""
        return not libc.mount(b"tmpfs", bytes(self.folder), b"tmpfs", READ_ONLY | REMOUNT, b"")

    def fill(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while filler.write(bytes(size)):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def close(self) -> None:
        libc.umount2(bytes(self.folder), DETACH)


@pytest.fixture
def on_a_disk(gateways):
    """A gateway that is not started yet, and the disk of its outbox."""
    gateway = gateways()
    disk = Disk(gateway.outbox)
    yield gateway, disk
    gateway.close()
    disk.close()


def accepted(gateway, numbers):
    return [f"R-{number}" for number in numbers if gateway.hit(purchase(number)) == 204]


def accepted_until_full(gateway, numbers):
    """The server looks at its disk once a second, so a few more are taken."""
    return [f"R-{number}" for number in takewhile(lambda number: gateway.hit(purchase(number)) == 204, numbers)]


def arrived(sandbox):
    return [event["event_id"] for event in sandbox.events()]


def test_a_disk_full_to_its_last_byte_takes_nothing_loses_nothing_and_recovers(on_a_disk, sandbox):
    gateway, disk = on_a_disk
    gateway.start()
    sandbox.fault("http", status=503)
    taken = accepted(gateway, range(200))
    disk.fill()
    taken += accepted_until_full(gateway, count(1000))
    headers = get(f"{gateway.url}/g/collect?{purchase(900)}")[1]
    refused = [gateway.hit(purchase(901 + number)) for number in range(20)]
    sandbox.heal()
    sandbox.wait_for_events(len(taken), within_s=RECOVERS_WITHIN_S)  # what waits goes out without room
    still = [gateway.hit(purchase(930 + number)) for number in range(5)]
    disk.free()
    wait_for(lambda: gateway.hit(purchase(999)) == 204, within_s=RECOVERS_WITHIN_S)
    books = gateway.wait_until_settled(within_s=RECOVERS_WITHIN_S)

    assert int(headers["Retry-After"]) > 0
    assert {503} == {*refused, *still}
    assert {*taken, "R-999"} == set(arrived(sandbox))
    assert books["received"] == books["accepted"] == len(taken) + 1 > 200


def test_a_server_started_on_a_full_disk_ends_with_words_and_finds_everything_when_there_is_room(on_a_disk, sandbox):
    gateway, disk = on_a_disk
    sandbox.fault("http", status=503)
    gateway.start()
    taken = accepted(gateway, range(20))
    gateway.process.terminate()
    sandbox.heal()
    disk.fill()
    gateway.start(ready=False)
    code = gateway.process.popen.wait(ENDS_WITHIN_S)
    disk.free()
    gateway.start()
    gateway.wait_until_settled(within_s=RECOVERS_WITHIN_S)

    assert 20 == len(taken)
    assert code
    assert "the room on its disk" in gateway.said("worker_failed")[0]["why"]
    assert set(taken) == set(arrived(sandbox))


def test_a_server_on_a_read_only_disk_does_not_start_and_names_the_folder(on_a_disk):
    gateway, disk = on_a_disk
    assert disk.make_read_only()
    gateway.start(ready=False)
    code = gateway.process.popen.wait(ENDS_WITHIN_S)

    assert code
    assert str(gateway.outbox) in gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()


def test_a_server_whose_files_are_taken_away_takes_nothing_and_makes_no_others(on_a_disk, sandbox):
    gateway, _ = on_a_disk
    gateway.start()
    taken = accepted(gateway, range(20))
    sandbox.wait_for_events(20)
    for path in gateway.outbox.iterdir():
        path.unlink()
    wait_for(lambda: gateway.hit(purchase(100)) == 503, within_s=NOTICED_WITHIN_S)
    ready = get(f"{gateway.url}/readyz")[0]

    assert 20 == len(taken)
    assert 503 == ready
    assert not list(gateway.outbox.glob("*.db"))
    assert "file_gone" in {line["reason"] for line in gateway.said("store_stopped")}


def test_a_server_goes_on_when_its_file_is_put_back(on_a_disk, sandbox):
    gateway, _ = on_a_disk
    sandbox.fault("http", status=503)
    gateway.start()
    taken = accepted(gateway, range(20))
    file = next(gateway.outbox.glob("*.db"))
    away = gateway.outbox / "away"
    file.rename(away)
    wait_for(lambda: gateway.hit(purchase(100)) == 503, within_s=NOTICED_WITHIN_S)
    away.rename(file)
    wait_for(lambda: gateway.hit(purchase(101)) == 204, within_s=RECOVERS_WITHIN_S)
    sandbox.heal()
    gateway.wait_until_settled(within_s=RECOVERS_WITHIN_S)

    assert 20 == len(taken)
    assert {*taken, "R-101"} <= set(arrived(sandbox))
