"""A place of a node, in which one worker process after the other works."""

from treadle.core.clock import Clock
from treadle.runtime.child import Child

STEADY = 10.0
FIRST_PAUSE = 0.25
MOST_PAUSE = 30.0


class Place:
    """`child` is who works here, or starts; `since` when the place was made, or the last one that worked here ended."""

    def __init__(self, index: int, clock: Clock, *, alone: bool = False) -> None:
        self.index = index
        self.alone = alone
        self.child: Child | None = None
        self.children = 0
        self.since = clock.steady()
        self._clock = clock
        self._began = 0.0
        self._fruitful = False
        self._pause = 0.0

    def enter(self, child: Child) -> None:
        """A child starts here."""
        self.child = child
        self.children += 1
        self._began = self._clock.steady()

    def leave(self, child: Child) -> None:
        """It has ended; its page can still be read."""
        now = self._clock.steady()
        self.child = None
        if child.page.turned:
            self.since = now
        self._fruitful = child.recycled or any(child.page.tally) or now - self._began > STEADY

    def rest(self) -> float:
        """Seconds for which it shall stay empty now.

        The first to die is replaced at once, and so is who did some work; a suspect that kills its process must not
        wait for others. Who dies again and again having done nothing makes it wait longer each time.
        """
        fruitful, self._fruitful = self._fruitful, False
        if fruitful or self.alone:
            self._pause = 0.0
            return 0.0
        rest, self._pause = self._pause, min(self._pause * 2 or FIRST_PAUSE, MOST_PAUSE)
        return rest
