"""A door before a real store, at which a network fails: calls do not arrive, or replies do not come back."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from treadle.errors import StoreUnavailable
from treadle.stores.claim import Claim, Demand, Settled, Settlement
from treadle.stores.contract import Store, Watch


class Door:
    """Passes everything on; the test cuts what it wants cut.

    While `away`, no call arrives. `lost` says how many replies of a verb are yet to be lost. `fault` is asked about
    every settlement, and raised where it gives an error; `claim_faults` are raised in place of claims, one each.
    `batches` and `demands` show what was asked.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False
        self.lost: Counter[str] = Counter()
        self.fault: Callable[[Settlement], Exception | None] = lambda _: None
        self.claim_faults: list[Exception] = []
        self.batches: list[int] = []
        self.demands: list[list[Demand]] = []
        self.knocked = asyncio.Event()

    async def enroll(self, owner: str, lease: float) -> None:
        await self._store.enroll(owner, lease)

    async def leave(self, owner: str) -> int:
        return await self._store.leave(owner)

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        self._arrive()
        if self.claim_faults:
            raise self.claim_faults.pop()
        self.demands.append(list(demands))
        claims = await self._store.claim(owner, demands)
        self._return("claim")
        return claims

    async def held(self, owner: str) -> Sequence[Claim]:
        self._arrive()
        held = await self._store.held(owner)
        self._return("held")
        return held

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        self._arrive()
        taken = await self._store.taken(keys)
        self._return("taken")
        return taken

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        self._arrive()
        self.batches.append(len(settlements))
        for settlement in settlements:
            if (error := self.fault(settlement)) is not None:
                raise error
        answers = await self._store.settle(owner, settlements)
        self._return("settle")
        return answers

    def watch(self) -> Watch:
        return self._store.watch()

    def _arrive(self) -> None:
        self.knocked.set()
        if self.away:
            raise StoreUnavailable("no route to host")

    def _return(self, verb: str) -> None:
        if self.lost[verb]:
            self.lost[verb] -= 1
            raise StoreUnavailable(f"the reply to {verb} was lost")
