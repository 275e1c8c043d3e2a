"""Where a claim may begin to look in a queue while a transaction that stays open makes the beginning slow.

Rows that were claimed leave their places in the index until nobody can see them any more; an open snapshot keeps them
for as long as it lasts, and every claim walks over all of them. The server counts what a claim walked over. Where that
is much more than it took, the next ones begin where the last one ended, and now and then one at the beginning, where
jobs of a higher priority and such that came back may stand.
"""

from collections.abc import Mapping, Sequence

from treadle.core.clock import Clock
from treadle.log import Log

WALKED = 2_000
"""Places in the index, beyond twice those of what it takes, that a claim may walk over: about a millisecond."""

TOLD = 20_000
"""Such places, from which on a person is told: once, until it is over."""

LOOK_EVERY = 1.0
"""Seconds between two claims that look at everything, where that is much."""

SHARE = 10.0
"""Such a claim may take this part of the time; where it takes long, they come more seldom."""

Position = tuple[int, float, int]
"""Priority, when it is due in seconds since the epoch, and id: the order in which jobs are claimed."""

BEGINNING: Position = (-1, float("-inf"), 0)

_log = Log("treadle.stores.postgres")


class Hints:
    """Of one store object; used by one thread, told to forget by any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, Position] = {}
        self._forget = False
        self._began = 0.0
        self._pause = 0.0
        self._looked = 0.0
        self._whole = True
        self._told = False

    def forget(self) -> None:
        """Have a claim look at everything soon: jobs may have come back."""
        self._forget = True

    def begin(self, queues: Sequence[str]) -> Mapping[str, Sequence[float]]:
        """The positions from which these queues are looked at, for the statement; it is run at once."""
        self._began = self._clock.steady()
        pause = self._pause if self._forget else max(self._pause, LOOK_EVERY)
        self._whole = not self._ends or self._began - self._looked >= pause
        if self._whole:
            self._forget = False
        positions = [BEGINNING if self._whole else self._ends.get(queue, BEGINNING) for queue in queues]
        least, since, first = zip(*positions, strict=True) if positions else ((), (), ())
        return {"least": list(least), "since": list(since), "first": list(first)}

    def end(self, taken: Sequence[tuple[str, Position]], walked: int) -> None:
        """Queue and position of what was claimed, in this order; how many places were walked over."""
        if self._whole:
            self._looked = self._clock.steady()
            self._pause = SHARE * (self._looked - self._began)
            self._tell(walked)
            if walked <= WALKED + 2 * len(taken):
                self._ends = {}
                return
        elif not taken:
            self._forget = True
        self._ends = {**self._ends, **dict(taken)}

    def _tell(self, walked: int) -> None:
        if walked >= TOLD and not self._told:
            _log.warning(
                "a claim walked over %d places of jobs that are not available any more: a transaction that stays open "
                "keeps them from being cleaned up; `treadle doctor` says for how long, pg_stat_activity which it is",
                walked,
            )
        self._told = walked >= WALKED and (self._told or walked >= TOLD)
