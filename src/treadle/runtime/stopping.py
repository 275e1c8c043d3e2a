"""Whether a node stops, and for how long it may still wait for others."""

import asyncio
from math import inf

from treadle.core.clock import Clock


class Stopping:
    """Begun once and for all; asked for again, it may only become shorter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = asyncio.Event()
        self._last_chance = inf

    @property
    def begun(self) -> bool:
        """Whether it was asked for."""
        return self._begun.is_set()

    def begin(self, patience: float) -> None:
        """After so many seconds at the latest nothing is waited for any more."""
        self._begun.set()
        self._last_chance = min(self._last_chance, self._clock.steady() + patience)

    def no_time_left(self) -> bool:
        """Whether these seconds are over."""
        return self._clock.steady() >= self._last_chance

    async def rest(self, seconds: float) -> None:
        """Return after so many seconds, or when it begins."""
        try:
            async with asyncio.timeout(seconds):
                await self._begun.wait()
        except TimeoutError:
            return
