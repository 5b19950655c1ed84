"""The outbox folder: its files, and what it lies on."""

import contextlib
import itertools
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from tikrelay.base.errors import OutboxUnavailable
from tikrelay.base.happenings import Advice
from tikrelay.outbox.damage import KEPT, KEPT_LOG, LOG, is_marked
from tikrelay.outbox.lock import is_free

_NAME: Final = re.compile(r"outbox-(\d{3})\.db")
_LOG: Final = re.compile(rf"(outbox-\d{{3}}\.db)(?:{re.escape(LOG)}|{re.escape(KEPT_LOG)}.*Z)")
_MOST_FILES: Final = 1000
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_OVER_A_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"})
_OF_A_CONTAINER: Final = frozenset({"overlay", "aufs"})


def is_nothing(path: Path) -> bool:
    """Say whether there is no such file, or nothing in it."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size == 0
    return True


class OutboxFolder(msgspec.Struct, frozen=True):
    """A folder that holds ``outbox-000.db`` and so on."""

    path: Path

    @classmethod
    def of(cls, url: str, *, base: Path) -> "OutboxFolder":
        """Read ``sqlite:PATH``; a relative path counts from ``base``."""
        return cls((base / url.partition(":")[2].strip()).absolute())

    def make(self) -> None:
        """Make the folder, for its owner alone. Raises OutboxUnavailable when it cannot be made or written in."""
        try:
            missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in missing:
                sync_folder(path.parent)  # or a power cut could take the new folder away with all that is in it
        except OSError as error:
            hint = "choose another outbox.url, or make the folder and give it to the user tikrelay runs as"
            raise OutboxUnavailable(f"cannot make {self.path}: {error.strerror}", hint=hint) from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            hint = f"give it to the user tikrelay runs as: chown {os.geteuid()} {self.path}"
            raise OutboxUnavailable(f"cannot write in {self.path}", hint=hint)

    def names(self) -> list[str]:
        """The outbox files there are, damaged ones included."""
        return sorted(path.name for path in self.path.iterdir() if _NAME.fullmatch(path.name))

    def to_open(self) -> list[str]:
        """The outbox files there are, and those of which only a log is left: what is in it comes back at an opening."""
        logs = [
            found[1] for path in self.path.iterdir() if (found := _LOG.fullmatch(path.name)) and not is_nothing(path)
        ]
        return sorted({*self.names(), *logs})

    def damaged(self) -> list[str]:
        """The files that were found damaged: nobody opens them, and their events wait in them for a repair."""
        return [name for name in self.names() if is_marked(self.path / name)]

    def to_salvage(self) -> list[Path]:
        """The damaged files, also one whose salvage was ended before the new file had its name."""
        whole = {f"{path.stem}.db" for path in self.path.glob("outbox-*.salvaged")}
        return [self.path / name for name in sorted({*self.damaged(), *filter(_NAME.fullmatch, whole)})]

    def kept(self) -> list[str]:
        """The damaged files that were left after a salvage, and logs; ``forget`` does not reach into them."""
        logs = ("-wal", "-shm")
        files = [path.name for path in self.path.glob(f"outbox-*.db{KEPT}*") if not path.name.endswith(logs)]
        return sorted([*files, *self.kept_logs()])

    def kept_logs(self) -> list[str]:
        """The logs with a damaged place, behind which SQLite reads nothing."""
        return sorted(path.name for path in self.path.glob(f"outbox-*.db{KEPT_LOG}*"))

    def is_free(self, name: str) -> bool:
        """Say whether a file may be taken: nobody owns it, and it was not found damaged."""
        return not is_marked(self.path / name) and is_free(self.path / name)

    def free_names(self, count: int, *, besides: Collection[str] = ()) -> list[str]:
        """Choose files for new owners: the lowest that are free, those that exist first, and none of ``besides``."""
        there = self.to_open()
        found = [name for name in there if name not in besides and self.is_free(name)][:count]
        unused = {*map("outbox-{:03}.db".format, range(_MOST_FILES))} - {*there, *besides}
        found += itertools.islice(filter(self.is_free, sorted(unused)), count - len(found))
        if len(found) < count:
            hint = f"a folder holds {_MOST_FILES} files; start fewer workers or choose another outbox.url"
            raise OutboxUnavailable(f"every file in {self.path} is in use", hint=hint)
        return sorted(found)

    def free_bytes(self) -> int:
        """Room left on the disk, for this user."""
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def free_bytes_or_none(self) -> int | None:
        """Room left on the disk, or None while the folder cannot be looked at."""
        try:
            return self.free_bytes()
        except OSError:
            return None

    def held_bytes_or_none(self) -> int | None:
        """Bytes of all outbox files, their logs and what was kept of them, or None while the folder cannot be read."""
        try:
            return sum(path.stat().st_size for path in self.path.glob("outbox-*"))
        except OSError:
            return None  # also where a file went away meanwhile

    def file_system(self) -> str:
        """The kind of file system it lies on, or nothing where that cannot be told."""
        return file_system_of(self.path)

    def advise(self) -> list[Advice]:
        """Say what of the place itself endangers what is stored."""
        kind = self.file_system()
        if kind in _IN_MEMORY:
            text = f"the outbox {self.path} lies in memory ({kind}): a restart of the machine loses what waits in it"
        elif kind in _OVER_A_NETWORK:
            text = (
                f"the outbox {self.path} lies on a network disk ({kind}): SQLite's locks and syncs cannot be relied on"
            )
        elif kind in _OF_A_CONTAINER:
            text = f"the outbox {self.path} lies in the container's own layer ({kind}): it goes with it; mount a volume"
        else:
            return []
        return [Advice(kind="outbox_place", text=text)]


def sync_folder(path: Path) -> None:
    """Have the names in a folder outlive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def file_system_of(path: Path) -> str:
    """Read the kind of file system from the kernel's list of mounts (Linux).

    >>> file_system_of(Path("/proc/self"))
    'proc'
    """
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    resolved = str(path.resolve())
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ")
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, after.split()[0]
    return kind
