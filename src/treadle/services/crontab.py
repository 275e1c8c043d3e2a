"""Inserts the jobs of the crontab at their ticks.

An entry that stands in code ticks only where some worker has that code: one that is gone from it ticks no more, and
several apps may share a store.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf

from treadle.core.controls import CRONTAB
from treadle.core.cron_entry import CronEntry
from treadle.errors import ArgumentError, ConfigError, StoreError, StoreFull, StoreUnavailable
from treadle.features.cron import AHEAD, LATE, due, ticks_here, ticks_of
from treadle.hooks.events import CronFired, CronMissed, Events, JobConflicted, StoreWarning
from treadle.stores.ticks import CronRow, Crontab, Ticks
from treadle.supervise.periodic import OnError, Periodic

EVERY = 30.0
"""Seconds after which an entry that somebody added or changed is seen where nobody told of it."""

DECLARE_EVERY = 60.0

AGAIN = 5.0
"""Seconds after which a tick is tried again that the store did not let happen."""

_NEAR = 5.0


class Ticker:
    """Fires what is due, whoever else does so too; `entries` are those that this app's code declares.

    `next` is when the next one is due by the store's clock, as the last step saw it; infinite for never.
    """

    def __init__(self, store: Ticks, events: Events, entries: Sequence[CronEntry]) -> None:
        self.next = inf
        self._store = store
        self._events = events
        self._entries = {entry.name: entry for entry in entries}
        self._declared: float | None = None
        self._told: set[str] = set()

    async def step(self) -> float:
        """Fire what is due; the seconds to the next tick."""
        table = await self._store.crontab()
        if self._must_declare(table):
            await self._store.declare_crons([*self._entries.values()], fresh=self._declared is None)
            self._declared = table.now
            table = await self._store.crontab()
        for name in table.unreadable:
            self._tell(name, "does not tick: what the store has of it is no entry")
        ours = [row for row in table.rows.values() if ticks_here(row, self._entries)]
        for row in ours:
            self._tell_if_odd(row, table.now)
        upcoming = [await self._tick(row, table.now) for row in ours]
        self.next = min(upcoming, default=inf)
        return max(self.next - table.now, 0.0)

    def _must_declare(self, table: Crontab) -> bool:
        if not self._entries and not any(row.declared for row in table.rows.values()):
            return False
        # Somebody removed one, or the store lost its data.
        if self._entries.keys() - table.rows.keys() - {*table.unreadable}:
            return True
        return self._declared is None or not 0 <= table.now - self._declared < DECLARE_EVERY

    async def _tick(self, row: CronRow, now: float) -> float:
        """Fire an entry if it is due; when it is due next. One that cannot be holds up no other."""
        try:
            await self._fire(row, now)
            upcoming = ticks_of(row.entry).next_after(now)
        except (StoreUnavailable, StoreFull):
            raise
        except (ConfigError, ArgumentError, StoreError) as error:
            self._tell(row.entry.name, f"does not tick: {error}")
            return now + AGAIN if isinstance(error, StoreError) else inf
        return inf if upcoming is None else upcoming

    async def _fire(self, row: CronRow, now: float) -> None:
        found = due(row, now)
        fired = None if found is None else await self._store.fire_cron(found.firing)
        if found is None or fired is None:
            return
        job = row.entry.job
        for tick, one in zip(found.ticks, fired, strict=True):
            if one.conflict:
                self._events.emit(JobConflicted(id=one.id, queue=job.queue, name=job.name))
            else:
                at = datetime.fromtimestamp(tick, UTC)
                self._events.emit(CronFired(entry=row.entry.name, name=job.name, tick=at, id=one.id))
        if found.missed:
            self._events.emit(CronMissed(entry=row.entry.name, count=found.missed))

    def _tell_if_odd(self, row: CronRow, now: float) -> None:
        """What is right by all rules, and yet not what anybody expects."""
        name, job, own = row.entry.name, row.entry.job.name, self._entries.get(row.entry.name)
        if own is not None and own.job.name != job and row.declared and not row.changed:
            self._tell(
                name,
                f'inserts "{job}", as a worker said that started later, and not "{own.job.name}" as the code here has '
                f"it: if that is another app, give one of the entries another name",
            )
        if LATE < row.last_tick - now <= AHEAD:
            at = datetime.fromtimestamp(row.last_tick, UTC)
            self._tell(
                name,
                f"does not tick: its last tick, {at:%Y-%m-%d %H:%M:%S} UTC, lies ahead of the store's clock, which was "
                f"set back: it goes on from there; to begin now, pause and resume it",
            )

    def _tell(self, name: str, what: str) -> None:
        """Once, not at every look."""
        text = f'the cron entry "{name}" {what}'
        if text not in self._told:
            self._told.add(text)
            self._events.emit(StoreWarning(text=text))


def crontab(
    store: Ticks, events: Events, entries: Sequence[CronEntry], *, jitter: Callable[[], float], on_error: OnError
) -> Periodic:
    """Fire at each tick, and look for entries that somebody added or changed now and then, or when hastened."""
    ticker = Ticker(store, events, entries)

    async def step() -> float:
        return told(await ticker.step())

    return Periodic(CRONTAB, step, every=EVERY, again=AGAIN, jitter=jitter, on_error=on_error)


def told(seconds: float) -> float:
    """What a Periodic, which waits up to a tenth less than it is told, is told where the next tick is so far ahead.

    Near a tick, enough not to come before it and look twice; from afar, not so much that it could come a second late.
    """
    return seconds / 0.9 if seconds <= _NEAR else seconds
