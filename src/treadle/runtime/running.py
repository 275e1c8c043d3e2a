"""The attempts of a worker whose bodies run: each has a place in the page that the parent reads, and its time."""

import asyncio
from collections.abc import Callable, Iterator

from treadle.core.clock import Clock
from treadle.runtime.attempt import Attempt
from treadle.runtime.deadlines import Deadlines
from treadle.runtime.page import Page
from treadle.runtime.slots import Key


class Running:
    """As many at once as there are places. `expired` is called with one whose deadline has come."""

    def __init__(self, page: Page, places: int, clock: Clock, expired: Callable[[Attempt], None]) -> None:
        self._page = page
        self._steady = clock.steady
        self._attempts: dict[Key, Attempt] = {}
        self._places = places
        self._free = list(range(places))
        # The places of jobs that must not run again: until the store knows their outcome they may have run.
        self._kept: dict[Key, int] = {}
        self._deadlines = Deadlines(self._steady, asyncio.get_running_loop().call_later, expired, self._earliest)

    def __len__(self) -> int:
        return len(self._attempts)

    def __iter__(self) -> Iterator[Attempt]:
        """As they are now, whatever becomes of them meanwhile."""
        return iter(list(self._attempts.values()))

    def get(self, key: Key) -> Attempt | None:
        """The attempt at this claim, if it runs."""
        return self._attempts.get(key)

    def grow(self, places: int) -> None:
        """Have room for so many, if that is more than before."""
        # The page may have had more from the start: its parent makes it for what a process may come to serve.
        self._free.extend(range(self._places, places))
        self._places = max(self._places, places)
        self._page.grow(places)

    def enter(self, attempt: Attempt) -> None:
        """It starts now."""
        self._attempts[attempt.claim.key] = attempt
        attempt.slot = self._free.pop()
        self._page.marks[attempt.slot] = attempt.claim.mark
        attempt.started = self._steady()

    def count_time(self, attempt: Attempt, allowance: float = 0.0) -> None:
        """Its time-out, if it has one, begins now, with so many seconds more than it says."""
        timeout = attempt.handler.options.timeout
        if timeout is not None:
            self.stop_time(attempt)
            attempt.deadline = self._steady() + timeout + allowance
            self._deadlines.add(attempt)

    def stop_time(self, attempt: Attempt) -> None:
        """It has no deadline any more."""
        if attempt.deadline:
            self._deadlines.remove(attempt)
            attempt.deadline = 0.0

    def leave(self, attempt: Attempt) -> None:
        """It has ended; nothing is done for one that has left before."""
        key = attempt.claim.key
        if self._attempts.pop(key, None) is None:
            return
        if attempt.claim.job.rerun:
            self._clear(attempt.slot)
        else:
            self._kept[key] = attempt.slot
        self.stop_time(attempt)

    def known(self, key: Key) -> None:
        """The store knows what became of this claim."""
        if self._kept and key in self._kept:
            self._clear(self._kept.pop(key))

    def close(self) -> None:
        """Count no time any more."""
        self._deadlines.close()

    def _clear(self, place: int) -> None:
        self._page.marks[place] = 0
        self._free.append(place)

    def _earliest(self, attempt: Attempt | None) -> None:
        self._page.overdue = (attempt.deadline, attempt.claim.mark) if attempt else (0.0, 0)
