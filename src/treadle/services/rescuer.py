"""Gives back what dead processes of any node held."""

from collections.abc import Callable

from treadle.hooks.events import Events, OwnersRescued
from treadle.stores.contract import Keeps
from treadle.supervise.periodic import OnError, Periodic

PAGE = 1000


def rescuer(store: Keeps, events: Events, *, every: float, jitter: Callable[[], float], on_error: OnError) -> Periodic:
    """Look for owners whose lease ran out each `every` seconds, page after page while there are more claims."""

    async def step() -> float | None:
        rescued = await store.rescue(PAGE)
        if rescued.owners or rescued.claims:
            events.emit(OwnersRescued(owners=rescued.owners, claims=rescued.claims))
        return 0.0 if rescued.claims >= PAGE else None

    return Periodic("rescuer", step, every=every, jitter=jitter, on_error=on_error)
