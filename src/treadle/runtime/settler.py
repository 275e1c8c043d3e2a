"""Collects outcomes and sends them to the store in batches.

Life: 1. An outcome is added. 2. The batch is sent at 128 entries, 5 ms after its first, or at once where no claimed job
waits to start. 3. While the store does not answer, everything is kept and sent again. 4. An answer frees the slot.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from treadle.errors import StoreUnavailable
from treadle.runtime.patience import Patience
from treadle.stores.claim import Settled, Settlement

FULL = 128
DELAY = 0.005
BATCH = 1000
REFUSED = 5.0


class Settles(Protocol):
    """The one verb of a store that is needed here."""

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Give claims back."""
        ...


class Settler:
    """`settled` is called once for every settlement with its answer, `refused` whenever the store raises for one."""

    def __init__(
        self,
        store: Settles,
        owner: str,
        patience: Patience,
        settled: Callable[[Settlement, Settled], None],
        refused: Callable[[Settlement, Exception], None],
    ) -> None:
        self._store = store
        self._owner = owner
        self._patience = patience
        self._settled = settled
        self._refused = refused
        self._waiting = 0
        self._buffer: list[Settlement] = []
        self._sending: list[Settlement] = []
        self._kick = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="treadle settler")

    @property
    def owed(self) -> int:
        """How many settlements the store has not answered."""
        return len(self._buffer) + len(self._sending) + self._waiting

    def add(self, settlement: Settlement, *, hurry: bool) -> None:
        """Send this soon; `hurry` means with the next turn of the loop."""
        self._buffer.append(settlement)
        self._empty.clear()
        if hurry or len(self._buffer) >= FULL:
            self._kick.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(DELAY, self._kick.set)

    async def flush(self) -> None:
        """Return when the store has answered everything."""
        self._kick.set()
        await self._empty.wait()

    async def close(self) -> None:
        """Stop sending; what is owed stays claimed and goes back with its owner."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._kick.wait()
            self._kick.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._buffer:
                self._sending, self._buffer = self._buffer[:BATCH], self._buffer[BATCH:]
                await self._send(self._sending)
                self._sending = []
            self._empty.set()

    async def _send(self, batch: Sequence[Settlement]) -> None:
        while True:
            try:
                answers = await self._store.settle(self._owner, batch)
            except StoreUnavailable as error:
                await self._patience.wait(error)
            except Exception as error:  # noqa: BLE001 - a loop's edge: a settler that ended would hold every slot
                await self._sort_out(batch, error)
                return
            else:
                self._patience.reset()
                for settlement, answer in zip(batch, answers, strict=True):
                    self._settled(settlement, answer)
                return

    async def _sort_out(self, batch: Sequence[Settlement], error: Exception) -> None:
        """One settlement that the store refuses must not hold up the others: it is kept, and sent again later."""
        if len(batch) > 1:
            for settlement in batch:
                await self._send([settlement])
            return
        self._refused(batch[0], error)
        self._waiting += 1
        self._loop.call_later(REFUSED, self._again, batch[0])

    def _again(self, settlement: Settlement) -> None:
        self._waiting -= 1
        self.add(settlement, hurry=True)
