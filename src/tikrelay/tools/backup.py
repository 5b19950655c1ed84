"""``tikrelay backup``: a copy of the outbox, also while the server runs."""

import os
from pathlib import Path

import msgspec

from tikrelay.app.load import read_settings
from tikrelay.outbox.backup import back_up
from tikrelay.tools.operator import EXIT_NOT_ALL, folder_of


def copy_outbox(config: str | None, target: str, *, as_json: bool) -> int:
    """Copy every file; exit code 1 when a damaged one, or what stands in a log, was left out."""
    os.umask(0o077)
    loaded = read_settings(config, os.environ, to_send=False)
    done = back_up(folder_of(loaded), Path(target).absolute())
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
    else:
        for one in done.copied:
            events = ", ".join(f"{count} {state}" for state, count in one.events.items())
            print(f"{one.file}: {one.bytes / 1e6:.1f} MB, {events}")
        print(f"{len(done.copied)} file{'' if len(done.copied) == 1 else 's'} copied to {done.folder}")
        for name in done.damaged:
            print(f"not copied: {name} is damaged; save what can be read with tikrelay doctor --salvage")
        for log in done.logs_left:
            print(f"not copied: events in {log}, which come back when a server starts; copy once more then")
    return EXIT_NOT_ALL if done.damaged or done.logs_left else 0
