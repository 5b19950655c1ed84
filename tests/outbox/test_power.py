"""What a power cut leaves: every acknowledged event, in a whole file.

The file system layer below keeps two things of each file: what was synced, and the writes since. A cut makes files
that hold what was synced and some of those writes: none, the first few, a random half, or a random half of their
sectors. The directory itself is taken to be safe (SQLite syncs it). The layer has no shared memory, so SQLite keeps its
index of the log on the heap (locking_mode exclusive); nothing else differs from how the outbox runs.
"""
# ruff: noqa: ARG002, N802  SQLite's own names and arguments

import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import apsw
import pytest

from tikrelay.outbox.store import Accepted, Dead, DeadReason, Record, RetryAt

SECTOR = 512
Change = tuple[int, bytes | None]  # where, and what was written; None: the file was cut off there


class PowerVfs(apsw.VFS):
    """Knows of each file what a power cut may take."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.synced: dict[str, bytearray] = {}
        self.since: dict[str, list[Change]] = {}
        self.after_write: Callable[[], None] = lambda: None
        super().__init__(name, "")

    def xOpen(self, name, flags):
        return PowerFile(self, name, flags)

    def xDelete(self, filename, syncdir):
        super().xDelete(filename, syncdir)
        self.synced.pop(filename, None)
        self.since.pop(filename, None)

    def note(self, path: str, change: Change) -> None:
        self.since[path].append(change)
        self.after_write()

    def sync(self, path: str) -> None:
        for change in self.since[path]:
            apply(self.synced[path], change)
        self.since[path].clear()

    def cut(self, folder: Path, rng: random.Random) -> None:
        """Write the files as a cut at this moment may leave them."""
        folder.mkdir()
        lose = rng.choice([lose_all, lose_the_last, lose_half, lose_sectors])
        for path, synced in self.synced.items():
            content = bytearray(synced)
            for change in lose(self.since[path], rng):
                apply(content, change)
            (folder / Path(path).name).write_bytes(content)


class PowerFile(apsw.VFSFile):
    """One open file of a PowerVfs."""

    def __init__(self, vfs: PowerVfs, name, flags) -> None:
        super().__init__("", name, flags)
        self.vfs = vfs
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self.vfs.synced.setdefault(self.path, bytearray())
        self.vfs.since.setdefault(self.path, [])

    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        self.vfs.note(self.path, (offset, bytes(data)))

    def xTruncate(self, newsize):
        super().xTruncate(newsize)
        self.vfs.note(self.path, (newsize, None))

    def xSync(self, flags):
        self.vfs.sync(self.path)


def apply(content: bytearray, change: Change) -> None:
    offset, data = change
    if data is None:
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def lose_all(_: list[Change], __: random.Random) -> list[Change]:
    return []


def lose_the_last(changes: list[Change], rng: random.Random) -> list[Change]:
    return changes[: rng.randint(0, len(changes))]


def lose_half(changes: list[Change], rng: random.Random) -> list[Change]:
    return [change for change in changes if rng.random() < 0.5]


def lose_sectors(changes: list[Change], rng: random.Random) -> Iterator[Change]:
    for offset, data in changes:
        for start in range(0, len(data or b"x"), SECTOR):
            if rng.random() < 0.5:
                yield (offset + start, data[start : start + SECTOR]) if data is not None else (offset, None)


class Trial:
    """An outbox at work, and what its callers have been told at each moment."""

    def __init__(self, folder: Path, rng: random.Random, vfs: PowerVfs) -> None:
        self.folder = folder
        self.rng = rng
        self.vfs = vfs
        self.told: dict[str, bytes] = {}
        self.settled: dict[str, str] = {}
        self.cuts: list[tuple[Path, dict[str, bytes], dict[str, str]]] = []
        self.ids = count()
        vfs.after_write = self.perhaps_cut

    def perhaps_cut(self) -> None:
        if self.rng.random() < 0.03:
            self.cut()

    def cut(self) -> None:
        folder = self.folder / f"cut-{len(self.cuts)}"
        told, settled = dict(self.told), dict(self.settled)  # before the copy: no more than is true of it
        self.vfs.cut(folder, self.rng)
        self.cuts.append((folder, told, settled))

    async def put(self, outbox) -> None:
        records = []
        for _ in range(self.rng.randint(1, 8)):
            event_id = f"e{next(self.ids)}"
            body = event_id.encode() * self.rng.randint(1, 800)
            records.append(Record(destination="shop", source="data", name="n", event="N", event_id=event_id, body=body))
        await outbox.put(records)
        self.told.update({record.event_id: record.body for record in records})

    async def settle(self, outbox, now: float) -> None:
        lease = await outbox.lease("shop", most=6, max_bytes=1_000_000, now=now)
        table = {"gone": Accepted(), "dead": Dead(reason=DeadReason.REFUSED), "waiting": RetryAt(at=now)}
        what = [self.rng.choice(list(table)) for _ in lease.events]
        await outbox.settle(lease, [table[name] for name in what])
        self.settled.update({event.event_id: name for event, name in zip(lease.events, what, strict=True)})

    async def run(self, outbox, clock, *, steps: int) -> None:
        for _ in range(steps):
            await asyncio.gather(*(self.put(outbox) for _ in range(self.rng.randint(1, 3))))
            if self.rng.random() < 0.5:
                await self.settle(outbox, clock.now())
            if self.rng.random() < 0.15:
                await outbox._do(outbox._database.checkpoint, writes=False)
            if self.rng.random() < 0.2:
                self.cut()


def judge(folder: Path, told: dict[str, bytes], settled: dict[str, str]) -> list[str]:
    """Say what is wrong with the files a cut left."""
    connection = apsw.Connection(str(folder / "outbox-000.db"))
    faults = []
    if (found := connection.pragma("integrity_check")) != "ok":
        faults.append(f"damaged: {found}")
    else:
        waiting = dict(connection.execute("SELECT event_id, body FROM waiting"))
        dead = dict(connection.execute("SELECT event_id, body FROM dead"))
        gone = {event_id for event_id, name in settled.items() if name == "gone"}
        kept = waiting | dead
        accepted = connection.execute("SELECT ifnull(sum(n), 0) FROM counts WHERE kind = 'accepted'").get
        received = connection.execute("SELECT ifnull(sum(n), 0) FROM counts WHERE kind = 'received'").get
        missing = told.keys() - kept.keys() - gone
        if len(missing) > max(0, accepted - len(gone)):  # others were settled, and nobody had been told of it yet
            faults.append(f"lost: {sorted(missing)}")
        if any(told.get(event_id, body) != body for event_id, body in kept.items()):
            faults.append("changed")
        if gone & kept.keys() or any(name == "dead" and i not in dead for i, name in settled.items()):
            faults.append("an outcome was lost")
        if received != accepted + len(waiting) + len(dead):
            faults.append("the books do not balance")
    connection.close()
    return faults


@pytest.fixture
def power_vfs():
    """SQLite through a PowerVfs, with its index of the log on the heap."""
    vfs = PowerVfs("power")

    def keep_to_itself(connection: apsw.Connection) -> None:
        if connection.open_vfs == vfs.name:
            connection.pragma("locking_mode", "exclusive")

    apsw.connection_hooks.append(keep_to_itself)
    yield vfs
    apsw.connection_hooks.remove(keep_to_itself)
    vfs.unregister()


@pytest.fixture
def cut_often(open_outbox, clock, power_vfs, tmp_path):
    """Run trials until there were so many cuts, and judge each: (cuts, faults)."""

    async def run(*, cuts: int, synchronous: int) -> tuple[int, list[str]]:
        done, faults = 0, []
        for seed in count():
            folder = tmp_path / str(seed)
            folder.mkdir()
            power_vfs.synced, power_vfs.since, power_vfs.after_write = {}, {}, lambda: None
            outbox = await open_outbox(folder / "outbox-000.db", vfs="power")
            await outbox._do(lambda box=outbox: box._database.pragma("synchronous", synchronous), writes=False)
            trial = Trial(folder, random.Random(seed), power_vfs)
            await trial.run(outbox, clock, steps=12)
            power_vfs.after_write = lambda: None
            await outbox.close()
            faults += [f"seed {seed}, {cut[0].name}: {fault}" for cut in trial.cuts for fault in judge(*cut)]
            done += len(trial.cuts)
            if done >= cuts:
                return done, faults
        raise AssertionError

    return run


async def test_no_acknowledged_event_and_no_outcome_is_lost_by_a_power_cut(cut_often):
    cuts, faults = await cut_often(cuts=200, synchronous=2)

    assert cuts >= 200
    assert [] == faults


async def test_without_a_sync_for_each_commit_the_trial_finds_losses(cut_often):
    """Else the trial would prove nothing."""
    cuts, faults = await cut_often(cuts=60, synchronous=1)

    assert cuts // 10 < sum("lost" in fault for fault in faults)
    assert not any("damaged" in fault for fault in faults)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_no_acknowledged_event_is_lost_by_thousands_of_power_cuts(cut_often):
    cuts, faults = await cut_often(cuts=2000, synchronous=2)

    assert cuts >= 2000
    assert [] == faults


async def test_an_outbox_goes_on_with_what_a_power_cut_left(open_outbox, clock, power_vfs, tmp_path):
    outbox = await open_outbox(vfs="power")
    trial = Trial(tmp_path, random.Random(7), power_vfs)
    power_vfs.after_write = lambda: None
    await trial.run(outbox, clock, steps=5)
    trial.cut()
    folder, told, settled = trial.cuts[-1]

    after = await open_outbox(folder / "outbox-000.db")
    lease = await after.lease("shop", most=10_000, max_bytes=1 << 30, now=clock.now())

    assert {i: told[i] for i in told if settled.get(i, "waiting") == "waiting"} == {
        event.event_id: event.body for event in lease.events
    }
