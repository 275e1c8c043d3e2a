"""Time-outs of running attempts on one timer, in place of one timer each."""

from collections.abc import Callable
from typing import Protocol

from treadle.runtime.attempt import Attempt

TICK = 0.05


class Handle(Protocol):
    """What `call_later` gives."""

    def cancel(self) -> None:
        """Do not call."""


class Deadlines:
    """A wheel of buckets a twentieth of a second wide; it turns only while an attempt with a time-out runs.

    `expired` is called once for an attempt, at its deadline or up to two ticks later. `earliest` is told the attempt
    whose deadline comes first, whenever that changes; an attempt stays the earliest until it is removed, so that a
    watcher outside sees one that cannot be stopped.
    """

    def __init__(
        self,
        steady: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Handle],
        expired: Callable[[Attempt], None],
        earliest: Callable[[Attempt | None], None],
    ) -> None:
        self._steady = steady
        self._call_later = call_later
        self._expired = expired
        self._tell = earliest
        self._earliest: Attempt | None = None
        self._buckets: dict[int, set[Attempt]] = {}
        self._late: set[Attempt] = set()
        self._timer: Handle | None = None

    def add(self, attempt: Attempt) -> None:
        """Watch an attempt whose `deadline` is set."""
        self._buckets.setdefault(_bucket(attempt), set()).add(attempt)
        if self._earliest is None or attempt.deadline < self._earliest.deadline:
            self._set_earliest(attempt)
        if self._timer is None:
            self._timer = self._call_later(TICK, self._turn)

    def remove(self, attempt: Attempt) -> None:
        """Forget an attempt that ended."""
        self._late.discard(attempt)
        bucket = self._buckets.get(_bucket(attempt))
        if bucket is not None:
            bucket.discard(attempt)
            if not bucket:
                del self._buckets[_bucket(attempt)]
        if attempt is self._earliest:
            waiting = self._late or (self._buckets[min(self._buckets)] if self._buckets else ())
            self._set_earliest(min(waiting, key=lambda other: other.deadline, default=None))

    def close(self) -> None:
        """Stop turning."""
        if self._timer is not None:
            self._timer.cancel()
        self._buckets.clear()

    def _turn(self) -> None:
        self._timer = None
        now = int(self._steady() / TICK)
        for bucket in sorted(due for due in self._buckets if due < now):
            late = self._buckets.pop(bucket)
            self._late |= late
            for attempt in late:
                self._expired(attempt)
        if self._buckets:
            self._timer = self._call_later(TICK, self._turn)

    def _set_earliest(self, attempt: Attempt | None) -> None:
        self._earliest = attempt
        self._tell(attempt)


def _bucket(attempt: Attempt) -> int:
    return int(attempt.deadline / TICK)
