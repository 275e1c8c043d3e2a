"""Shows foreign programs, which judge by time alone, that long jobs of living workers still run."""

from collections.abc import Callable

from treadle.stores.contract import Keeps
from treadle.supervise.periodic import OnError, Periodic

OFTEN = 10.0
"""Seconds: oban-py forgets a worker from which it has not heard for a minute."""


def restamper(store: Keeps, age: float, *, jitter: Callable[[], float], on_error: OnError) -> Periodic:
    """Stamp jobs so often that none that runs bears a stamp of more than `age` seconds."""

    async def step() -> None:
        await store.restamp(age / 2)

    return Periodic("restamper", step, every=min(age / 3, OFTEN), jitter=jitter, on_error=on_error)
