"""Shows foreign programs, which judge by time alone, that long jobs of living workers still run."""

from collections.abc import Callable

from treadle.stores.contract import Keeps
from treadle.supervise.periodic import OnError, Periodic


def restamper(store: Keeps, age: float, *, jitter: Callable[[], float], on_error: OnError) -> Periodic:
    """Stamp jobs so often that none that runs bears a stamp of more than `age` seconds."""

    async def step() -> None:
        await store.restamp(age / 2)

    return Periodic("restamper", step, every=age / 3, jitter=jitter, on_error=on_error)
