"""How many may watch Live at one time: each holds a connection for as long as it likes."""

import contextlib
from collections.abc import Generator
from typing import Final

from tikrelay.base.errors import InputRefused

MOST_VIEWERS: Final = 64


class Viewers:
    """The places of those who watch."""

    def __init__(self) -> None:
        self._watching = 0

    @contextlib.contextmanager
    def place(self) -> Generator[None]:
        """Hold a place meanwhile. Raises InputRefused when none is left."""
        if self._watching >= MOST_VIEWERS:
            what = f"{MOST_VIEWERS} pages watch Live already, and no more can"
            raise InputRefused(503, "too_many_viewers", what, hint="close some of them")
        self._watching += 1
        try:
            yield
        finally:
            self._watching -= 1
