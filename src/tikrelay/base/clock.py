"""What time it is, how long a thing took, and how to wait."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time as the steps see it; passed in, so that a test can turn the hands."""

    def now(self) -> float:
        """Unix seconds, UTC. For what is stored and compared across restarts."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards. For spans and deadlines within one process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Unix seconds, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
