"""How long nobody dials a PostgreSQL that did not answer: its other clients lost it at the same moment."""

from collections.abc import Callable

from treadle.core.clock import Clock
from treadle.errors import StoreUnavailable

PAUSE = 1.0
"""Seconds, and up to a half more or less by chance."""


def by_chance(pause: float, draw: Callable[[int], bytes]) -> float:
    """From a half to one and a half of it."""
    return pause * (0.5 + draw(1)[0] / 256)


class Rest:
    """Of one connection that many ask for, each at a time of its own; used by one thread."""

    def __init__(self, clock: Clock, draw: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._draw = draw
        self._until = 0.0
        self._reason = ""

    def begin(self, error: StoreUnavailable) -> None:
        """It was dialled in vain."""
        self._until = self._clock.steady() + by_chance(PAUSE, self._draw)
        self._reason = str(error)

    def check(self) -> None:
        """Raise StoreUnavailable, with the reason of the last time, until it may be dialled again."""
        if self._clock.steady() < self._until:
            raise StoreUnavailable(self._reason)
