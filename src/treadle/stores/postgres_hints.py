"""Where a claim may begin to look in a queue while a transaction that stays open makes the beginning slow.

Rows that were claimed leave their places in the index until nobody can see them any more; an open snapshot keeps them
for as long as it lasts, and every claim walks over all of them. Meanwhile a claim begins where the last one ended, and
once a second at the beginning, where jobs of a higher priority and such that came back may stand.
"""

from collections.abc import Iterable, Mapping, Sequence

from treadle.core.clock import Clock

SLOW = 0.02
"""Seconds by which a claim that looks at everything must be slower than the quickest one."""

LOOK_EVERY = 1.0
"""Seconds between two claims that look at everything, where these are slow."""

Position = tuple[int, float]
"""Priority, and when it is due in seconds since the epoch: the order in which jobs are claimed."""

BEGINNING: Position = (-1, float("-inf"))


class Hints:
    """Of one store object; used by one thread, told to forget by any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, Position] = {}
        self._quickest = float("inf")
        self._looked = float("-inf")
        self._whole = True
        self._began = 0.0

    def forget(self) -> None:
        """Have the next claim look at everything: jobs may have come back."""
        self._ends = {}

    def begin(self, queues: Sequence[str]) -> Mapping[str, list[float]]:
        """The positions from which these queues are looked at, for the statement; it is run at once."""
        self._began = self._clock.steady()
        self._whole = not self._ends or self._began - self._looked >= LOOK_EVERY
        positions = [BEGINNING if self._whole else self._ends.get(queue, BEGINNING) for queue in queues]
        return {"least": [float(position[0]) for position in positions], "since": [due for _, due in positions]}

    def end(self, taken: Iterable[tuple[str, int, float]]) -> None:
        """Queue, priority and due time of what was claimed, in this order."""
        now = self._clock.steady()
        seconds = now - self._began
        self._quickest = min(self._quickest, seconds)
        if self._whole:
            self._looked = now
            if seconds < self._quickest + SLOW:
                self._ends = {}
                return
        ends = dict(self._ends)
        for queue, priority, due in taken:
            ends[queue] = (priority, due)
        self._ends = ends
