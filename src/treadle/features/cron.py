"""What the crontab does at a moment of the store's clock: which ticks are due, which were missed, what comes of it."""

from collections.abc import Container
from functools import lru_cache

import msgspec

from treadle.core.cron import Days, parse_cron
from treadle.core.cron_entry import CronEntry
from treadle.core.cron_ticks import CronTicks
from treadle.features.zones import zone
from treadle.stores.ticks import CronRow, Firing

LATE = 60.0
"""Seconds after which a tick that nobody fired counts as missed; up to then it comes late."""

MOST = 1_000
"""The most ticks that are caught up together: the latest of them."""

AHEAD = 86_400.0
"""A last tick that lies farther ahead than this was fired by a clock that had gone wrong and was set right."""


class Due(msgspec.Struct, frozen=True):
    """A firing, the tick of each job that it inserts, and how many were missed and stay out, counted up to 1,001."""

    firing: Firing
    ticks: tuple[int, ...] = ()
    missed: int = 0


def ticks_of(entry: CronEntry) -> CronTicks:
    """When an entry ticks. Raises ConfigError for an expression or a zone that is none."""
    return _ticks(entry.expr, entry.tz, entry.days)


def due(row: CronRow, now: float) -> Due | None:
    """What has to be done about an entry at this moment; None where it has nothing due. Raises ConfigError."""
    entry, last = row.entry, row.last_tick
    if last > now + AHEAD:
        return Due(Firing(entry.name, last, int(now)))
    ticks = ticks_of(entry)
    fresh = ticks.latest(max(last, now - LATE), now, MOST)
    missed = ticks.latest(last, now - LATE, MOST + 1) if last < now - LATE else []
    match entry.catch_up:
        case "skip":
            caught_up = []
        case "last":
            # What comes now anyway is later still.
            caught_up = [] if fresh else missed[-1:]
        case "all":
            caught_up = missed[-MOST:]
    if not fresh and not missed:
        return None
    coming = (*caught_up, *fresh)
    firing = Firing(entry.name, last, (fresh or missed)[-1], tuple(entry.job_at(tick) for tick in coming))
    return Due(firing, coming, len(missed) - len(caught_up))


def ticks_here(row: CronRow, declared: Container[str]) -> bool:
    """Whether an entry ticks on a node whose code declares these: its own do, and those that stand in no code."""
    return not row.paused and (not row.declared or row.entry.name in declared)


@lru_cache(maxsize=4_096)
def _ticks(expr: str, tz: str, days: Days) -> CronTicks:
    return CronTicks(parse_cron(expr, days), zone(tz, "tz"))
