"""The crontab's part of the contract: entries, each with its last tick, and the one step that fires them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from treadle.core.cron_entry import CronEntry
from treadle.core.job import Inserted, NewJob

CRON_KEPT = 30 * 86_400.0
"""Seconds for which an entry stays that stands in no worker's code any more."""


class CronRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the crontab as it stands in the store. Instants are seconds since the epoch by the store's clock.

    `last_tick`: everything up to it is settled; where it never ticked, when the entry came. `declared`: it stands in
    code, and `seen` is when a worker last said so. `changed`: what it says is what a person made of it, not the code.
    """

    entry: CronEntry
    last_tick: int
    paused: bool = False
    changed: bool = False
    seen: float | None = None

    @property
    def declared(self) -> bool:
        """Whether it stands in the code of some app."""
        return self.seen is not None


class Crontab(msgspec.Struct, frozen=True, kw_only=True):
    """Every entry by its name, at one moment of the store's clock. `unreadable` names those that are no entries."""

    now: float
    rows: Mapping[str, CronRow]
    unreadable: tuple[str, ...] = ()


class Firing(msgspec.Struct, frozen=True):
    """That an entry goes on from its last tick to this one, and the jobs that it inserts on the way."""

    name: str
    last_tick: int
    tick: int
    jobs: tuple[NewJob, ...] = ()


class Ticks(Protocol):
    """Called by the crontab of every node, and by people who change it."""

    async def crontab(self) -> Crontab:
        """All the entries, and the store's clock."""
        ...

    async def declare_crons(self, entries: Sequence[CronEntry], *, fresh: bool) -> None:
        """Write down that a worker has these in its code; whoever starts, `fresh`, sets what they say.

        What a person changed or paused stays so. New ones, and those whose schedule is another now, begin now. One that
        nobody declared for CRON_KEPT seconds is deleted, unless a person changed or paused it.
        """
        ...

    async def put_cron(self, entry: CronEntry) -> None:
        """Add an entry, or change the one of its name; it begins now if its schedule is new."""
        ...

    async def pause_cron(self, name: str, *, paused: bool) -> bool:
        """Let an entry tick no more, or again, from now on; False where there is none of this name."""
        ...

    async def remove_cron(self, name: str) -> bool:
        """Delete an entry; False where there is none of this name."""
        ...

    async def fire_cron(self, firing: Firing) -> Sequence[Inserted] | None:
        """In one step: if the entry is not paused and its last tick is still that one, go on and insert the jobs.

        None where it is not so, or the tick is that one itself or lies in the store's future: then nothing was done.
        Raises StoreFull.
        """
        ...
