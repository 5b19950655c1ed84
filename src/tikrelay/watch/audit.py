"""What is left in the log of what an operator did: what, how many, from where."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tikrelay.watch.gate import client_of
from tikrelay.watch.log import say
from tikrelay.watch.operations import ForgetDone, ForgetOrder, ReplayDone, ReplayOrder


def note_replay(scope: Mapping[str, Any], order: ReplayOrder, done: ReplayDone) -> None:
    """Note that dead letters were sent again; a dry run did nothing."""
    if order.dry_run:
        return
    asked: dict[str, Any] = {"test": bool(order.test_event_code), "accept_duplicates": order.accept_duplicates}
    say("events_replayed", by=client_of(scope), **asked, replayed=done.replayed, kept=done.kept)


def note_forget(scope: Mapping[str, Any], order: ForgetOrder, done: ForgetDone) -> None:
    """Note that events were erased; of whom is in no log."""
    say("events_forgotten", by=client_of(scope), digests=len(order.digests), **msgspec.structs.asdict(done))
