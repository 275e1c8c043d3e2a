"""Tells dashboards that listen how the workers of this node do.

Nothing depends on it: where it fails, that is said once, and where the store is away nothing is, as others say that.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from treadle.core.cron_entry import CronEntry
from treadle.errors import StoreUnavailable
from treadle.features.cron import ticks_here
from treadle.stores.broadcasts import Broadcasts, TakePulses
from treadle.stores.ticks import Ticks
from treadle.supervise.periodic import OnError, Periodic

EVERY = 1.0
CRONTAB_EVERY = 30
"""Steps; who hears nothing of a crontab for a minute forgets it."""


class BroadcastingStore(Broadcasts, Ticks, Protocol):
    """The verbs of a store that are needed here."""


class Broadcaster:
    """`pulses` gives what there is to tell of each worker; `entries` is what the node's code has, None if none tick."""

    def __init__(
        self,
        store: BroadcastingStore,
        node: str,
        pulses: TakePulses,
        entries: Sequence[CronEntry] | None,
    ) -> None:
        self._store = store
        self._node = node
        self._pulses = pulses
        self._declared = None if entries is None else {entry.name for entry in entries}
        self._step = 0
        self._failed = False

    async def step(self) -> None:
        """Tell once. Raises what went wrong, if it did not the last time."""
        try:
            await self._tell()
        except StoreUnavailable:
            return
        except Exception:
            if not self._failed:
                self._failed = True
                raise
        else:
            self._failed = False

    async def _tell(self) -> None:
        number, self._step = self._step, self._step + 1
        pulses = self._pulses()
        if any(pulse.slots or pulse.attempts for pulse in pulses):
            await self._store.broadcast(pulses)
        if self._declared is not None and number % CRONTAB_EVERY == 0:
            table = await self._store.crontab()
            ticking = [row.entry for row in table.rows.values() if ticks_here(row, self._declared)]
            await self._store.broadcast_crontab(self._node, ticking)


def broadcaster(
    store: BroadcastingStore,
    node: str,
    pulses: TakePulses,
    entries: Sequence[CronEntry] | None,
    *,
    jitter: Callable[[], float],
    on_error: OnError,
) -> Periodic:
    """Tell each second."""
    told = Broadcaster(store, node, pulses, entries)
    return Periodic("broadcaster", told.step, every=EVERY, jitter=jitter, on_error=on_error)
