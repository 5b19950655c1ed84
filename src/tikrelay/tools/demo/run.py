"""The demo itself: send, look at TikTok's end, compare with what should have happened."""

import contextlib
import signal
import time
from typing import Any, Final

from tikrelay.tools.demo.show import Show
from tikrelay.tools.demo.stage import Stage, stage
from tikrelay.tools.demo.visit import BATCH, REFUSED_ID, VISIT, Step

_WITHIN_S: Final = 15.0


def demo(*, keep: bool) -> int:
    """Run the visit; exit code 0 only if everything came true."""
    show = Show()
    with stage() as scene:
        show.begin(scene)
        run = _Run(scene, show)
        came_true = [run.step(step) for step in VISIT]
        came_true.append(run.batch())
        books = scene.books()
        as_expected = all(came_true) and books == _expected()
        show.sums(books, as_expected=as_expected)
        if keep:
            show.invite(scene, VISIT[4])
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    return 0 if as_expected else 1


def _expected() -> dict[str, int]:
    """The books after the visit, counted by hand from its steps."""
    steps = (*VISIT, BATCH)
    accepted = sum(len(step.becomes) for step in steps)
    dropped = sum(step.dropped for step in steps)
    return {"received": accepted + dropped + 1, "accepted": accepted, "waiting": 0, "dead": 1, "dropped": dropped}


class _Run:
    def __init__(self, scene: Stage, show: Show) -> None:
        self._scene = scene
        self._show = show
        self._seen = 0

    def step(self, step: Step) -> bool:
        """Send one request, and wait until TikTok's end has its events."""
        self._show.step(step)
        status = self._scene.send(step.method, step.path, body=step.body, headers=step.headers)
        arrived = self._arrived(len(step.becomes)) if 200 <= status < 300 else []
        codes = {call["request_id"]: call for call in self._scene.calls()}
        for entry in arrived:
            call = codes[entry["first_request_id"]]
            self._show.event(entry["event"], code=call["code"], message=call["message"], request_id=call["request_id"])
        if step.dropped:
            self._show.dropped(step.dropped)
        names = tuple(entry["event"]["event"] for entry in arrived)
        if names != step.becomes:
            self._show.missing(
                f"answered {status}; expected {', '.join(step.becomes)}, got {', '.join(names) or 'none'}"
            )
        return names == step.becomes

    def batch(self) -> bool:
        """Send six orders of which TikTok refuses one, and show that it alone is singled out."""
        self._scene.refuse(REFUSED_ID)
        self._show.step(BATCH)
        before = len(self._scene.calls())
        self._scene.send(BATCH.method, BATCH.path, body=BATCH.body, headers=BATCH.headers)
        accepted = self._arrived(len(BATCH.becomes))
        letters = self._dead_letters()
        self._show.search(self._scene.calls()[before:])
        for letter in letters:
            self._show.dead(letter)
        came_true = len(accepted) == len(BATCH.becomes) and [letter["event_id"] for letter in letters] == [REFUSED_ID]
        if not came_true:
            self._show.missing(f"{len(BATCH.becomes)} accepted and {REFUSED_ID} dead")
        return came_true

    def _arrived(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many new events at TikTok's end."""
        deadline = time.monotonic() + _WITHIN_S
        while len(found := self._scene.events_after(self._seen)) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        self._seen = found[-1]["n"] if found else self._seen
        return found

    def _dead_letters(self) -> list[dict[str, Any]]:
        deadline = time.monotonic() + _WITHIN_S
        while not (found := self._scene.dead_letters()) and time.monotonic() < deadline:
            time.sleep(0.05)
        while self._scene.books()["waiting"] and time.monotonic() < deadline:
            time.sleep(0.05)
        return found
