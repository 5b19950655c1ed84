"""``tikrelay doctor --salvage``: saves what can be read of damaged outbox files, also while the server runs."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tikrelay.app.load import read_settings
from tikrelay.base.errors import OutboxError
from tikrelay.outbox.folder import OutboxFolder
from tikrelay.outbox.salvage import Salvaged, salvage
from tikrelay.outbox.store import State
from tikrelay.tools.operator import EXIT_NOT_ALL, folder_of


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of every file, and why nothing came of some."""

    salvaged: tuple[Salvaged, ...]
    failed: dict[str, str]


def salvage_files(config: str | None, files: Sequence[str], *, dry_run: bool, as_json: bool) -> int:
    """Salvage these files, or every one with a mark; exit code 1 when something was lost."""
    os.umask(0o077)
    folder = folder_of(read_settings(config, os.environ, to_send=False))
    done: list[Salvaged] = []
    failed: dict[str, str] = {}
    exit_code = 0
    for path in [_path_of(folder, file) for file in files] or folder.to_salvage():
        try:
            done.append(salvage(path, now=time.time(), dry_run=dry_run))
        except OutboxError as error:
            failed[path.name] = str(error)
            exit_code = error.exit_code
    if as_json:
        report = Report(salvaged=tuple(done), failed=failed)
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _tell(done, failed, dry_run=dry_run)
    return exit_code or (0 if all(one.is_all for one in done) else EXIT_NOT_ALL)


def _path_of(folder: OutboxFolder, file: str) -> Path:
    """A file by its path, or by the name it has in the outbox."""
    return Path(file).absolute() if os.sep in file else folder.path / file


def _tell(done: Sequence[Salvaged], failed: dict[str, str], *, dry_run: bool) -> None:
    for one in done:
        print(f"{one.file}: {_events(one.saved)} {'can be saved' if dry_run else 'saved'}")
        if any(one.lost.values()) or one.at_least:
            verb = "would be lost" if dry_run else "lost"
            print(f"{one.file}: {'at least ' if one.at_least else ''}{_events(one.lost)} {verb}")
        for destination in one.counts_made:
            print(f"{one.file}: the counts of {destination} could not be relied on; they are made of what was found")
        if one.lost_beside:
            print(
                f"{one.file}: figures of past hours and days, or traces, could not all be read; that is no event's loss"
            )
        if one.kept_as:
            print(f"{one.file}: the damaged file is kept as {one.kept_as}; delete it when you need it no more")
    for file, why in failed.items():
        print(f"not salvaged: {file}: {why}", file=sys.stderr)
    if not (done or failed):
        print("no file is marked as damaged")


def _events(counts: dict[State, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items())
