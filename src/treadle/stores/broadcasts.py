"""What a store tells the dashboards of foreign programs while workers work, where they listen rather than look."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from treadle.core.cron_entry import CronEntry
from treadle.core.sketch import Sketch

After = Literal["completed", "retryable", "discarded", "cancelled", "scheduled"]
"""The state in which an attempt leaves its job; "scheduled" after a snooze."""


class Attempts(msgspec.Struct, kw_only=True):
    """Attempts that ended alike, at jobs of one name in one queue: how long they ran, and had been due before."""

    queue: str
    name: str
    after: After
    ran: Sketch
    waited: Sketch


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner does now, and what it did since the last one.

    `slots` has the queues that it serves and how many jobs of each it may run, `paused` those of them of which it
    claims nothing, `running` the ids of the jobs that run. `started` is seconds since the epoch.
    """

    owner: str
    started: float
    slots: Mapping[str, int]
    paused: Sequence[str] = ()
    running: Mapping[str, Sequence[str]] = {}
    attempts: Sequence[Attempts] = ()


TakePulses = Callable[[], Sequence[Pulse]]
"""Gives what there is to tell of each owner."""


@runtime_checkable
class Broadcasts(Protocol):
    """A store whose foreign dashboards listen. What is told is not kept: who hears nothing for a while forgets us."""

    async def broadcast(self, pulses: Sequence[Pulse]) -> None:
        """Tell of these owners, each second."""
        ...

    async def broadcast_crontab(self, node: str, entries: Sequence[CronEntry]) -> None:
        """Tell which entries tick on this node, twice a minute."""
        ...
