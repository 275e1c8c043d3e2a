"""What to do while the store is away: say so once, wait longer each time, and say when it is back."""

import asyncio
from collections.abc import Callable

from treadle.core.clock import Clock
from treadle.hooks.events import Events, StoreFound, StoreLost

FIRST = 0.05
MOST = 2.0


class Patience:
    """Shared by everything in one process that calls the store."""

    def __init__(self, clock: Clock, events: Events, jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._events = events
        self._jitter = jitter
        self._pause = FIRST
        self._since: float | None = None

    async def wait(self, error: Exception) -> None:
        """The store failed with `error`: wait before the next try, from 50 ms to 2 s."""
        if self._since is None:
            self._since = self._clock.steady()
            self._events.emit(StoreLost(error=str(error)))
        pause = self._pause * (0.5 + 0.5 * self._jitter())
        self._pause = min(self._pause * 2, MOST)
        await asyncio.sleep(pause)

    def reset(self) -> None:
        """The store answered."""
        if self._since is not None:
            self._events.emit(StoreFound(seconds=self._clock.steady() - self._since))
            self._since = None
            self._pause = FIRST
