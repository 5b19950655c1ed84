"""What a power cut leaves: every acknowledged event, in a whole file.

The file system layer below keeps two things of each file: what was synced, and the writes since. A cut makes files
that hold what was synced and some of those writes: none, the first few, a random half, or a random half of their
sectors. The directory itself is taken to be safe (SQLite syncs it). The layer has no shared memory, so SQLite keeps its
index of the log on the heap (locking_mode exclusive); nothing else differs from how the outbox runs.

A cut also comes between the sending of events and the writing of what became of them. Then their file says that nobody
knows, or what became of them; never that they were not tried.
"""
# ruff: noqa: ARG002, N802  SQLite's own names and arguments

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from harness import SEED
from tikrelay.outbox.rows import unpack
from tikrelay.outbox.schema import VERSION
from tikrelay.outbox.store import Accepted, Call, Dead, DeadReason, Outcome, Record, RetryAt

SECTOR = 512
EVENTS = ("waiting", "dead", "delivered")
OUTCOMES: dict[str, Callable[[float], Outcome]] = {
    "gone": lambda _: Accepted(),
    "dead": lambda _: Dead(reason=DeadReason.REFUSED),
    "waiting": lambda now: RetryAt(at=now),
    "unknown": lambda now: RetryAt(at=now, unknown=True),
}
PLACE_OF = {"gone": "delivered", "dead": "dead"}
Change = tuple[int, bytes | None]  # where, and what was written; None: the file was cut off there


class PowerVfs(apsw.VFS):
    """Knows of each file what a power cut may take."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.synced: dict[str, bytearray]
        self.since: dict[str, list[Change]]
        self.after_write: Callable[[], None]
        self.begin_anew()
        super().__init__(name, "")

    def begin_anew(self) -> None:
        self.synced, self.since, self.after_write = {}, {}, lambda: None

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
        if self.path not in self.vfs.synced:
            self.vfs.synced[self.path] = bytearray(Path(self.path).read_bytes())
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


class Known(NamedTuple):
    """What callers had been told before a cut, by event_id.

    ``told``     the bodies that were acknowledged
    ``settled``  what became of events, by the names of OUTCOMES
    ``sent``     the attempts before this one, of events that are on their way
    """

    told: dict[str, bytes]
    settled: dict[str, str]
    sent: dict[str, int]


class Trial:
    """An outbox at work, and what its callers have been told at each moment."""

    def __init__(self, folder: Path, rng: random.Random, vfs: PowerVfs) -> None:
        self.folder = folder
        self.rng = rng
        self.vfs = vfs
        self.known = Known({}, {}, {})
        self.cuts: list[tuple[Path, Known]] = []
        self.ids = count()
        vfs.after_write = self.perhaps_cut

    def perhaps_cut(self) -> None:
        if self.rng.random() < 0.03:
            self.cut()

    def cut(self) -> None:
        folder = self.folder / f"cut-{len(self.cuts)}"
        known = Known(*(dict(part) for part in self.known))  # before the copy: no more than is true of it
        self.vfs.cut(folder, self.rng)
        self.cuts.append((folder, known))

    async def put(self, outbox) -> None:
        records = []
        for _ in range(self.rng.randint(1, 8)):
            event_id = f"e{next(self.ids)}"
            body = event_id.encode() * self.rng.randint(1, 800)
            records.append(Record(destination="shop", source="data", name="n", event="N", event_id=event_id, body=body))
        await outbox.put(records)
        self.known.told.update({record.event_id: record.body for record in records})

    async def settle(self, outbox, now: float) -> None:
        lease = await outbox.lease("shop", most=6, max_bytes=1_000_000, now=now)
        await outbox.begin(lease)
        self.known.sent.update({event.event_id: event.attempts for event in lease.events})
        if self.rng.random() < 0.3:
            self.cut()
        names = [self.rng.choice(list(OUTCOMES)) for _ in lease.events]
        keys = tuple(event.key for event in lease.events)
        call = Call(began_at=now, keys=keys, outcome="partial", status=200, seconds=0.1)
        await outbox.settle(lease, [OUTCOMES[name](now) for name in names], [call])
        for event, name in zip(lease.events, names, strict=True):
            del self.known.sent[event.event_id]
            self.known.settled[event.event_id] = name

    async def run(self, outbox, clock, *, steps: int) -> None:
        for _ in range(steps):
            await asyncio.gather(*(self.put(outbox) for _ in range(self.rng.randint(1, 3))))
            if self.rng.random() < 0.5:
                await self.settle(outbox, clock.now())
            if self.rng.random() < 0.15:
                await outbox._do(outbox._database.checkpoint, writes=False)
            if self.rng.random() < 0.2:
                self.cut()


def judge(folder: Path, known: Known) -> list[str]:
    """Say what is wrong with the files a cut left."""
    connection = apsw.Connection(str(folder / "outbox-000.db"))
    try:
        if (found := connection.pragma("integrity_check")) != "ok":
            return [f"damaged: {found}"]
        return [*judge_events(connection, known), *judge_sent(connection, known)]
    finally:
        connection.close()


def judge_events(connection: apsw.Connection, known: Known) -> Iterator[str]:
    tables = {name: dict(connection.execute(f"SELECT event_id, body FROM {name}")) for name in EVENTS}
    kept = {event_id: body for table in tables.values() for event_id, body in table.items()}
    if missing := known.told.keys() - kept.keys():
        yield f"lost: {sorted(missing)}"
    if any(known.told.get(event_id, body) != body for event_id, body in kept.items()):
        yield "changed"
    if sum(map(len, tables.values())) > len(kept):
        yield "in two places"
    if any(event_id not in tables[PLACE_OF[name]] for event_id, name in known.settled.items() if name in PLACE_OF):
        yield "an outcome was lost"
    counts = dict(connection.execute("SELECT kind, sum(n) FROM counts GROUP BY kind"))
    if counts.get("received", 0) != counts.get("accepted", 0) + counts.get("dead", 0) + len(tables["waiting"]):
        yield "the books do not balance"
    if (counts.get("accepted", 0), counts.get("dead", 0)) != (len(tables["delivered"]), len(tables["dead"])):
        yield "the books count other events than there are"


def judge_sent(connection: apsw.Connection, known: Known) -> Iterator[str]:
    begun = {key for (keys,) in connection.execute("SELECT keys FROM begun") for key in unpack(keys)}
    for key, event_id, attempts, since in connection.execute(
        "SELECT id, event_id, attempts, unknown_since FROM waiting"
    ):
        if known.settled.get(event_id) == "unknown" and since is None:
            yield f"{event_id} may have arrived, and nothing says so"
        if key not in begun and known.sent.get(event_id) == attempts:
            yield f"{event_id} was sent, and nothing says so"


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

    async def run(*, cuts: int, synchronous: int, first_seed: int = 0) -> tuple[int, list[str]]:
        done, faults = 0, []
        for seed in count(first_seed):
            folder = tmp_path / str(seed)
            folder.mkdir()
            power_vfs.begin_anew()
            outbox = await open_outbox(folder / "outbox-000.db", vfs="power")
            await outbox._do(lambda box=outbox: box._database.pragma("synchronous", synchronous), writes=False)
            trial = Trial(folder, random.Random(seed), power_vfs)
            await trial.run(outbox, clock, steps=12)
            power_vfs.after_write = lambda: None
            await outbox.close()
            faults += [f"seed {seed}, {cut[0].name}: {fault}" for cut in trial.cuts for fault in judge(*cut)]
            done += len(trial.cuts)
            shutil.rmtree(folder)
            if done >= cuts:
                return done, faults
        raise AssertionError

    return run


@pytest.fixture
def cut_migrations(open_outbox, clock, power_vfs, tmp_path, write_older):
    """Open files of an older version, with a cut at each of their writes, and then what each cut left.

    Returns (versions that cuts left, faults).
    """

    async def run(*, seeds: range) -> tuple[Counter[int], list[str]]:
        versions: Counter[int] = Counter()
        faults = []
        for seed in seeds:
            folder = tmp_path / str(seed)
            folder.mkdir()
            path = folder / "outbox-000.db"
            write_older(path)
            before = read_events(path)
            power_vfs.begin_anew()
            trial = Trial(folder, random.Random(seed), power_vfs)
            power_vfs.after_write = trial.cut
            await (await open_outbox(path, vfs="power")).close()
            power_vfs.after_write = lambda: None
            for cut, _ in trial.cuts:
                left = cut / "outbox-000.db"
                versions[version_of(left)] += 1
                await (await open_outbox(left)).close()
                if (version_of(left), read_events(left)) != (VERSION, before):
                    faults.append(f"seed {seed}, {cut.name}")
            shutil.rmtree(folder)
        return versions, faults

    return run


def version_of(path: Path) -> int:
    connection = apsw.Connection(str(path))
    try:
        assert connection.pragma("integrity_check") == "ok"
        return connection.pragma("user_version")
    finally:
        connection.close()


def read_events(path: Path) -> list[list[tuple]]:
    """All that a file of any version holds."""
    shared = "id, destination, event, event_id, format, checksum, body, received_at, attempts, unknown_since"
    statements = (
        f"SELECT {shared}, not_before FROM waiting",
        f"SELECT {shared}, died_at, reason, code, message, request_id FROM dead",
        "SELECT kind, destination, first, second, n FROM counts",
    )
    connection = apsw.Connection(str(path))
    try:
        return [connection.execute(statement).fetchall() for statement in statements]
    finally:
        connection.close()


async def test_no_acknowledged_event_and_no_outcome_is_lost_by_a_power_cut(cut_often):
    cuts, faults = await cut_often(cuts=200, synchronous=2)

    assert cuts >= 200
    assert [] == faults


async def test_without_a_sync_for_each_commit_the_trial_finds_losses(cut_often):
    """Else the trial would prove nothing."""
    cuts, faults = await cut_often(cuts=60, synchronous=1)

    assert cuts // 10 < sum("lost" in fault for fault in faults)
    assert any("was sent, and nothing says so" in fault for fault in faults)
    assert not any("damaged" in fault for fault in faults)


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_no_acknowledged_event_is_lost_by_thousands_of_power_cuts(cut_often, record_property):
    cuts, faults = await cut_often(cuts=2000, synchronous=2, first_seed=SEED)
    record_property("cuts, synced", cuts)

    assert cuts >= 2000
    assert [] == faults


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_hundreds_of_power_cuts_without_a_sync_find_losses_and_no_damage(cut_often, record_property):
    cuts, faults = await cut_often(cuts=300, synchronous=1, first_seed=SEED)
    lost = sum(": lost: " in fault for fault in faults)  # at most one of a cut
    record_property("cuts, not synced", cuts)
    record_property("of these with losses", lost)

    assert lost > cuts // 10
    assert not any("damaged" in fault for fault in faults)


async def test_a_power_cut_in_a_migration_leaves_the_older_file_or_the_newer_one(cut_migrations):
    versions, faults = await cut_migrations(seeds=range(1))

    assert min(versions) < max(versions) == VERSION
    assert [] == faults


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_no_event_is_lost_by_hundreds_of_power_cuts_in_migrations(cut_migrations, record_property):
    versions, faults = await cut_migrations(seeds=range(SEED, SEED + 10))
    record_property("cuts by the version they left", dict(sorted(versions.items())))

    assert set(range(min(versions), VERSION + 1)) == versions.keys()
    assert 1 < len(versions)
    assert [] == faults


async def test_an_outbox_goes_on_with_what_a_power_cut_left(open_outbox, clock, power_vfs, tmp_path):
    outbox = await open_outbox(vfs="power")
    trial = Trial(tmp_path, random.Random(7), power_vfs)
    power_vfs.after_write = lambda: None
    await trial.run(outbox, clock, steps=5)
    trial.cut()
    folder, known = trial.cuts[-1]

    after = await open_outbox(folder / "outbox-000.db")
    lease = await after.lease("shop", most=10_000, max_bytes=1 << 30, now=clock.now())

    stayed = {i: body for i, body in known.told.items() if known.settled.get(i) not in PLACE_OF}
    assert stayed == {event.event_id: event.body for event in lease.events}


async def test_what_was_sent_before_a_power_cut_is_known_to_be_unknown(open_outbox, record, clock, power_vfs, tmp_path):
    outbox = await open_outbox(vfs="power")
    await outbox.put([record(number) for number in range(3)])
    lease = await outbox.lease("shop", most=2, max_bytes=1_000_000, now=clock.now())
    await outbox.begin(lease)
    began_at = clock.now()
    power_vfs.cut(tmp_path / "cut", random.Random(1))
    clock.time += 60

    after = await open_outbox(tmp_path / "cut" / "outbox-000.db")
    found = (await after.lease("shop", most=10, max_bytes=1_000_000, now=clock.now())).events

    assert {"e0": (1, began_at), "e1": (1, began_at), "e2": (0, None)} == {
        event.event_id: (event.attempts, event.unknown_since) for event in found
    }
