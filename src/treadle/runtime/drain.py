"""Knows when a node that drains has nothing left to wait for."""

from collections.abc import Sequence

from treadle.core.clock import Clock
from treadle.runtime.heart import BEATS_PER_LEASE
from treadle.stores.contract import Store


class Drain:
    """Looks at the store again and again. Jobs that are scheduled for later are not waited for.

    Another owner that holds claims is waited for until it beats; one that was silent for its lease is rescued, and what
    it held is available again.
    """

    def __init__(self, store: Store, lease: float, clock: Clock) -> None:
        self._store = store
        self._patience = lease * (1 + 1 / BEATS_PER_LEASE)
        self._clock = clock
        self._others: dict[str, tuple[float, float]] = {}

    async def finished(self, owners: Sequence[str], queues: Sequence[str]) -> bool:
        """Whether nothing is available or set aside in these queues, and nobody holds anything who may be dead.

        `owners` are ours.
        """
        if await self._store.set_aside(queues):
            return False
        work = await self._store.work(owners, queues)
        now = self._clock.steady()
        if work.available or work.ours:
            self._others = {}
            return False
        self._others = {owner: self._others.get(owner, (beat, now)) for owner, beat in work.others.items()}
        return all(
            work.others[owner] > beat or now - since > self._patience for owner, (beat, since) in self._others.items()
        )
