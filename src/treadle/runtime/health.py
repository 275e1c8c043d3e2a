"""Whether a node makes progress, judged by what its worker processes write into their pages: it asks nobody.

A process whose loop stands, that looks at none of its queues, or that does not become ready stalls the node. One that
is full, quiet or draining owes its queues no look.
"""

from collections.abc import Collection, Iterator

from treadle.core.clock import Clock
from treadle.runtime.child import Child
from treadle.runtime.heart import STALE
from treadle.runtime.place import Place
from treadle.runtime.plan import Plan


class Health:
    """Looks at `places`, which their node keeps up to date."""

    def __init__(self, plan: Plan, clock: Clock, places: Collection[Place]) -> None:
        self._plan = plan
        self._clock = clock
        self._places = places

    def stalls(self) -> list[str]:
        """What stands still, a line each; nothing of a node that makes progress."""
        now = self._clock.steady()
        return [stall for place in self._places for stall in self._stalls_in(place, now)]

    def unready(self) -> str:
        """Why no job would be claimed now; empty where one would."""
        beats = [place.child.page.beat for place in self._places if place.child and place.child.page.turned]
        if not beats:
            return "no worker process is ready"
        silent = self._clock.steady() - max(beats)
        return f"the store has not answered for {silent:.0f} s" if silent > self._plan.lease * STALE else ""

    def _stalls_in(self, place: Place, now: float) -> Iterator[str]:
        child = place.child
        if child is not None and child.page.turned:
            yield from self._stalls_of(child, now)
        elif now - place.since > self._plan.start_within:
            yield f"no worker process became ready in place {place.index} for {now - place.since:.0f} s"

    def _stalls_of(self, child: Child, now: float) -> Iterator[str]:
        turned, fetched = child.page.turned, child.page.fetched
        if now - turned > self._plan.answer_within:
            yield f"the loop of worker process {child.pid} has not answered for {now - turned:.0f} s"
        if now - fetched > self._plan.fetch_within:
            yield f"worker process {child.pid} has not looked at its queues for {now - fetched:.0f} s"
