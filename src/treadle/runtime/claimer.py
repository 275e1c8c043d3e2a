"""Asks the store for jobs whenever there is room for them.

Life: 1. It waits until a quarter of the slots is free, or for a millisecond. 2. It claims for all queues in one call.
3. Where less came than was asked for, it waits for the store's next change, at most one and a half seconds. 4. After a
call that failed it looks for claims whose reply was lost, and takes them over.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from treadle.errors import Fenced, NotEnrolled, StoreError, StoreUnavailable
from treadle.runtime.patience import Patience
from treadle.runtime.slots import Slots
from treadle.stores.claim import Claim, Demand
from treadle.stores.contract import Watch

BACKSTOP = 1.5
GATHER = 0.001
ASK_AGAIN = 0.1


class Lends(Protocol):
    """The verbs of a store that are needed here."""

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        """Lend what is available."""
        ...

    async def held(self, owner: str) -> Sequence[Claim]:
        """What was lent."""
        ...

    def watch(self) -> Watch:
        """A watch on the store."""
        ...


class Claimer:
    """`arrived` is handed new claims; `may` is asked before every claim, and after a no each tenth of a second.

    `fenced` is called when the store declares this owner dead, `forgotten` when the store does not know it. `owes` is
    told when a look at the queues is owed from now on, and when none is: all slots are taken, or it was stopped.
    """

    def __init__(  # noqa: PLR0913 - six ways in which it speaks to its worker
        self,
        store: Lends,
        owner: str,
        slots: Slots,
        patience: Patience,
        *,
        arrived: Callable[[Sequence[Claim]], None],
        fenced: Callable[[], None],
        forgotten: Callable[[], None],
        may: Callable[[], bool],
        owes: Callable[[bool], None],
    ) -> None:
        self._store = store
        self._owner = owner
        self._slots = slots
        self._patience = patience
        self._arrived = arrived
        self._fenced = fenced
        self._forgotten = forgotten
        self._may = may
        self._owes = owes
        self._room = asyncio.Event()
        self._room.set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._call = asyncio.Lock()
        self.calls = 0

    @property
    def calling(self) -> bool:
        """Whether a claim call is open; `calls` counts them."""
        return self._call.locked()

    async def between_calls(self, timeout: float) -> None:
        """Return when no claim call is open, or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._call:
                pass
        except TimeoutError:
            pass

    def start(self) -> None:
        """Begin to claim."""
        self._owes(True)
        self._task = asyncio.create_task(self._run(), name="treadle claimer")

    def room(self) -> None:
        """A slot has become free."""
        self._room.set()

    def changed(self) -> None:
        """What is to be asked for has changed: ask now."""
        self._changed.set()
        self._room.set()

    async def stop(self) -> None:
        """Claim no more. A claim call that is under way is waited for, so that what it brings is known."""
        if self._task is not None:
            task, self._task = self._task, None
            async with self._call:
                task.cancel()
            await asyncio.wait([task])
        self._owes(False)

    async def _run(self) -> None:
        while True:
            demands = await self._wait_for_room()
            self._changed.clear()
            # Asked only now: the wait for room may have been longer than the lease.
            if not self._may():
                await asyncio.sleep(ASK_AGAIN)
                continue
            watch = self._store.watch()
            claims = await self._claim(demands)
            if claims is None or len(claims) >= sum(demand.limit for demand in demands):
                continue
            await self._wait_for_work(watch, demands, claims)

    async def _wait_for_work(self, watch: Watch, demands: list[Demand], claims: Sequence[Claim]) -> None:
        """Queues that gave all they were asked for may have more: for them, a free slot is a reason to ask again."""
        came = Counter(claim.job.queue for claim in claims)
        more = any(sum(came[queue] for queue in demand.queues) >= demand.limit for demand in demands)
        event = self._room if more else self._changed
        waits = [asyncio.ensure_future(watch.wait(BACKSTOP)), asyncio.ensure_future(event.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_for_room(self) -> list[Demand]:
        while True:
            self._room.clear()
            free = self._slots.free()
            if free and free * 4 < self._slots.limit:
                await asyncio.sleep(GATHER)
            demands = self._slots.demands()
            if demands:
                return demands
            self._owes(False)
            await self._room.wait()
            self._owes(True)

    async def _claim(self, demands: list[Demand]) -> Sequence[Claim] | None:
        """What came; None where the call failed."""
        try:
            async with self._call:
                self.calls += 1
                claims = await self._store.claim(self._owner, demands)
                self._take(claims)
        except Fenced:
            self._fenced()
            return await asyncio.Future()
        except NotEnrolled:
            # The store lost its data; whoever beats for this owner enrols it again.
            self._forgotten()
            await asyncio.sleep(ASK_AGAIN)
            return None
        except Exception as error:  # noqa: BLE001 - a loop's edge: a worker that claims no more must not look alive
            await self._patience.wait(error)
            await self._take_over()
            return None
        self._owes(True)
        self._patience.reset()
        return claims

    def _take(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._slots.take(claim)
        if claims:
            self._arrived(claims)

    async def _take_over(self) -> None:
        """Until it is known what the failed call lent, no other is made: both together may be beyond the limit."""
        while True:
            # A claim that is settled while the store answers may be in the answer and no longer in `slots`.
            known = self._slots.known()
            try:
                held = await self._store.held(self._owner)
            except StoreUnavailable as error:
                await self._patience.wait(error)
            except StoreError:
                return
            else:
                self._take([claim for claim in held if claim.key not in known][: self._slots.free()])
                return
