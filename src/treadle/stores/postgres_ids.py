"""Ids that an insert need not ask for: they came with the answer to the last one."""

import threading
from collections import deque
from collections.abc import Sequence

from treadle.core.clock import Clock
from treadle.stores.postgres_connection import Session

FRESH = 1.0
"""Seconds for which an id may wait for its job: people read jobs by their ids, newest first."""

MOST = 1_000
"""So many are drawn ahead at the most."""

# Of one statement.
_DRAWN_TOGETHER = 10_000


class Ids:
    """Of one store object; thread-safe. What it gives rises from call to call; ids that nobody takes leave gaps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._drawn: deque[tuple[int, float]] = deque()
        self._highest = 0

    def take(self, session: Session, count: int) -> list[int]:
        """So many ids, of those that wait or drawn now."""
        taken = self._waiting(count)
        for start in range(len(taken), count, _DRAWN_TOGETHER):
            taken += [row[0] for row in session.rows("draw_ids", {"count": min(count - start, _DRAWN_TOGETHER)})]
        with self._lock:
            self._highest = max(self._highest, max(taken, default=0))
        return taken

    def ahead(self, count: int) -> int:
        """How many to draw with an insert of so many jobs, for the next one."""
        with self._lock:
            return max(min(count, MOST) - len(self._drawn), 0)

    def give(self, ids: Sequence[int]) -> None:
        """Keep what was drawn ahead. A thread's reply may come late: what is lower than others had is left out."""
        now = self._clock.steady()
        with self._lock:
            for number in sorted(ids):
                if number > self._highest:
                    self._drawn.append((number, now))
                    self._highest = number

    def _waiting(self, count: int) -> list[int]:
        """So many, or none: what is drawn instead must not be higher than what is used after it."""
        with self._lock:
            oldest = self._clock.steady() - FRESH
            while self._drawn and self._drawn[0][1] < oldest:
                self._drawn.popleft()
            if len(self._drawn) < count:
                self._drawn.clear()
                return []
            return [self._drawn.popleft()[0] for _ in range(count)]
