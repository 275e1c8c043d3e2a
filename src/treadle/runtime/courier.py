"""Brings a node, or an embedded worker, what people tell its queues and its running jobs through the store.

Life: 1. `open` notes where the orders of its time begin. 2. `start` makes one task, which asks the store for what came
since, and hands each order on. 3. While the store is away it asks again each second. 4. `stop` ends it.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from treadle.core.controls import Order
from treadle.stores.views import Orders
from treadle.supervise.periodic import OnError

WAIT = 15.0
AGAIN = 1.0


class Tells(Protocol):
    """The one verb of a store that is needed here."""

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        """What workers were told."""
        ...


class Courier:
    """`obey` is called with every order, in the order in which they were given."""

    def __init__(self, store: Tells, obey: Callable[[Order], None], on_error: OnError) -> None:
        self._store = store
        self._obey = obey
        self._on_error = on_error
        self._position = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Orders that are given from now on are heard. Raises StoreError."""
        self._position = (await self._store.orders(None, wait=0.0)).position

    def start(self) -> None:
        """Begin to hand orders on."""
        self._task = asyncio.create_task(self._run(), name="treadle courier")

    async def stop(self) -> None:
        """Hand on no more; harmless when repeated, and where it was never started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            try:
                told = await self._store.orders(self._position, wait=WAIT)
            except Exception as error:  # noqa: BLE001 - a loop's edge: reported, and tried again
                self._on_error("courier", error)
                await asyncio.sleep(AGAIN)
                continue
            self._position = told.position
            for order in told.orders:
                self._hand_on(order)

    def _hand_on(self, order: Order) -> None:
        try:
            self._obey(order)
        except Exception as error:  # noqa: BLE001 - one that cannot be obeyed must not hold up the next
            self._on_error("courier", error)
