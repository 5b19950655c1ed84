"""How what runs in the background outlives a defect: it is told, and begun again after a moment."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from tikrelay.watch.log import log_defect

_AGAIN_AFTER_S: Final = (1.0, 5.0, 30.0)  # and so on with the last


async def tend(
    begin: Callable[[], Awaitable[None]], *, where: str, again_after_s: Iterable[float] = _AGAIN_AFTER_S
) -> None:
    """Run something until it ends by itself or is cancelled; an error that nobody expected does not end it."""
    pauses = list(again_after_s)
    for pause_s in itertools.chain(pauses, itertools.repeat(pauses[-1])):
        try:
            await begin()
        except Exception as error:  # noqa: BLE001  whatever it is: nothing here may end silently
            log_defect(error, where=where)
            await asyncio.sleep(pause_s)
        else:
            return
