"""What a node does at the store of its processes: it beats for them, hears what they are told, and runs the services.

Life: 1. `open` looks at the store and refuses one that is not fit. 2. What is done again and again is started, the
services among it. 3. `close` ends it all.
"""

import asyncio
from collections.abc import Callable, Sequence

from treadle.core.controls import CRONTAB, CrontabChange, Order
from treadle.core.cron_entry import CronEntry
from treadle.errors import StoreError
from treadle.runtime.courier import Courier
from treadle.runtime.drain import Drain
from treadle.runtime.heart import Heart
from treadle.runtime.plan import Plan
from treadle.runtime.safety import check_company, check_store
from treadle.runtime.serving import Serving
from treadle.runtime.staff import Staff
from treadle.stores.contract import Store
from treadle.supervise.periodic import Periodic, Step, hasten

Named = tuple[str, Step, float]
"""What is done again and again: its name, the step, the seconds between."""

EVERY_JOB = 1_000_000
"""More than any drain stages when it begins."""


class Upkeep:
    """`fenced` is called with an owner that was declared dead, `forgotten` with one that the store has forgotten."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        staff: Staff,
        serving: Serving,
        *,
        fenced: Callable[[str], None],
        forgotten: Callable[[str], None],
    ) -> None:
        self.store = store
        self.heart = Heart(store, plan.lease, staff.clock, staff.events, fenced=fenced, forgotten=forgotten)
        self._plan = plan
        self._staff = staff
        self._serving = serving
        self._courier = Courier(store, self._obey, staff.on_error)
        self._drain = Drain(store, plan.lease, staff.clock) if plan.drain else None
        self._periodics: list[Periodic] = []

    async def open(self, queues: Sequence[str], crons: Sequence[CronEntry], steps: Sequence[Named]) -> None:
        """For workers of these queues, with this crontab; `steps` are done too. Raises ConfigError, StoreError."""
        await self.store.open()
        await check_store(self.store, self._staff.events, unsafe=self._plan.unsafe)
        await check_company(self.store, queues, self._plan.share)
        await self._courier.open()
        self._courier.start()
        if self._plan.drain:
            await self.store.stage(EVERY_JOB)
        self._periodics = self._staff.services(self.store, crons, self._serving.pulses)
        chance, on_error = self._staff.jitter, self._staff.on_error
        for name, step, every in (("heart", self.heart.beat, self.heart.every), *steps):
            self._periodics.append(Periodic(name, step, every=every, jitter=chance, on_error=on_error))
        for periodic in self._periodics:
            periodic.start()

    async def close(self) -> None:
        """End what was started; the store has only its connections left, which its owner closes."""
        await self._courier.stop()
        await asyncio.gather(*(periodic.stop() for periodic in self._periodics))
        await self.store.aclose()

    def _obey(self, order: Order) -> None:
        if isinstance(order, CrontabChange):
            hasten(self._periodics, CRONTAB)
        else:
            self._serving.obey(order)

    async def any_set_aside(self, *, unknown: bool) -> bool:
        """Whether jobs wait to run alone; `unknown` where the store does not say."""
        try:
            return await self.store.set_aside(self._serving.active) > 0
        except StoreError:
            return unknown

    async def drained(self, owners: Sequence[str]) -> bool:
        """Whether these owners, which are all of ours, have nothing left to do, where they are to do what is there."""
        return self._drain is not None and await self._drain.finished(owners, self._serving.active)
