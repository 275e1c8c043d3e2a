"""Deletes finished jobs that nobody will ask for any more."""

from collections.abc import Callable, Mapping

from treadle.core.states import State
from treadle.hooks.events import Events, JobsPruned
from treadle.stores.contract import Keeps
from treadle.supervise.periodic import OnError, Periodic

EVERY = 60.0
PAGE = 10_000
DAY = 86_400.0

KEPT: Mapping[State, float] = {State.COMPLETED: DAY, State.CANCELLED: DAY, State.DISCARDED: 180 * DAY}
"""Seconds for which finished jobs are kept."""


def pruner(store: Keeps, events: Events, *, jitter: Callable[[], float], on_error: OnError) -> Periodic:
    """Prune each minute, page after page while there is more."""

    async def step() -> float | None:
        count = await store.prune(KEPT, PAGE)
        if count:
            events.emit(JobsPruned(count=count))
        return 0.0 if count >= PAGE else None

    return Periodic("pruner", step, every=EVERY, jitter=jitter, on_error=on_error)
