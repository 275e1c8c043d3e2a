"""Makes jobs available when their time has come."""

from collections.abc import Callable

from treadle.hooks.events import Events, Staged
from treadle.stores.contract import Keeps
from treadle.supervise.periodic import OnError, Periodic

EVERY = 1.0
PAGE = 1000


def stager(store: Keeps, events: Events, *, jitter: Callable[[], float], on_error: OnError) -> Periodic:
    """Stage due jobs each second, page after page while there are more."""

    async def step() -> float | None:
        count = await store.stage(PAGE)
        if count:
            events.emit(Staged(count=count))
        return 0.0 if count >= PAGE else None

    return Periodic("stager", step, every=EVERY, jitter=jitter, on_error=on_error)
