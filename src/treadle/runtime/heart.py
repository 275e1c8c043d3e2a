"""Renews the leases of the processes that it stands for."""

from collections.abc import Callable, Sequence
from typing import Protocol

from treadle.core.clock import Clock
from treadle.errors import Fenced
from treadle.hooks.events import Events, StoreReset
from treadle.runtime.page import Page
from treadle.stores.contract import Consumes, Reports

BEATS_PER_LEASE = 6
STALE = 0.7
"""The part of its lease after which a process that saw no beat stops claiming."""


class BeatingStore(Consumes, Reports, Protocol):
    """The verbs of a store that are needed here."""


class Heart:
    """Beats for owners; `fenced` is called with one that was declared dead, `forgotten` with one that was forgotten."""

    def __init__(
        self,
        store: BeatingStore,
        lease: float,
        clock: Clock,
        events: Events,
        *,
        fenced: Callable[[str], None],
        forgotten: Callable[[str], None],
    ) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._events = events
        self._fenced = fenced
        self._forgotten = forgotten
        self._pages: dict[str, Page] = {}

    @property
    def every(self) -> float:
        """Seconds between beats: six in a lease."""
        return self._lease / BEATS_PER_LEASE

    async def add(self, owner: str, page: Page) -> None:
        """Enrol an owner and beat for it from now on."""
        asked = self._clock.steady()
        await self._store.enroll(owner, self._lease)
        page.beat = asked
        self._pages[owner] = page

    def remove(self, owner: str) -> None:
        """Beat no more for an owner."""
        self._pages.pop(owner, None)

    async def beat(self) -> None:
        """Renew every lease once; an owner that the store has forgotten is enrolled again."""
        if not self._pages:
            return
        # Counted from before the call: the lease in the store never ends earlier than this process believes.
        asked = self._clock.steady()
        answers = await self._store.beat(dict.fromkeys(self._pages, self._lease))
        forgotten = []
        for owner, answer in answers.items():
            page = self._pages.get(owner)
            if page is None:
                continue
            if answer == "fenced":
                self._refuse(owner)
            elif answer == "unknown":
                forgotten.append(owner)
            else:
                page.beat = asked
        if forgotten:
            await self._enroll_again(forgotten, asked)

    async def _enroll_again(self, owners: Sequence[str], asked: float) -> None:
        for owner in owners:
            self._forgotten(owner)
            try:
                await self._store.enroll(owner, self._lease)
            except Fenced:
                self._refuse(owner)
            else:
                if owner in self._pages:
                    self._pages[owner].beat = asked
        self._events.emit(StoreReset(owners=tuple(owners)))

    def _refuse(self, owner: str) -> None:
        self.remove(owner)
        self._fenced(owner)
