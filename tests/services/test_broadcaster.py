"""What dashboards are told by a node, and that nobody is troubled where that fails."""

import asyncio
from collections.abc import Sequence

import pytest

from treadle.core.cron_entry import CronEntry
from treadle.core.job import Inserted, NewJob
from treadle.core.sketch import Sketch
from treadle.errors import StoreError, StoreUnavailable
from treadle.services.broadcaster import CRONTAB_EVERY, Broadcaster
from treadle.stores.broadcasts import Attempts, Pulse
from treadle.stores.ticks import CronRow, Crontab, Firing

JOB = NewJob(name="Report", queue="default", args=b"{}", max_attempts=20)
SERVING = Pulse(owner="host:1:a", started=0.0, slots={"mail": 1})


def entry(name: str) -> CronEntry:
    return CronEntry(name=name, expr="@daily", job=JOB)


class Store:
    """Keeps what it is told, or raises `error`."""

    def __init__(self, *rows: CronRow) -> None:
        self.pulses: list[Sequence[Pulse]] = []
        self.crontabs: list[list[str]] = []
        self.error: Exception | None = None
        self._rows = {row.entry.name: row for row in rows}

    async def broadcast(self, pulses: Sequence[Pulse]) -> None:
        if self.error is not None:
            raise self.error
        self.pulses.append(pulses)

    async def broadcast_crontab(self, node: str, entries: Sequence[CronEntry]) -> None:
        self.crontabs.append([node, *(one.name for one in entries)])

    async def crontab(self) -> Crontab:
        return Crontab(now=0.0, rows=self._rows)

    async def declare_crons(self, entries: Sequence[CronEntry], *, fresh: bool) -> None:
        raise NotImplementedError

    async def put_cron(self, entry: CronEntry) -> None:
        raise NotImplementedError

    async def pause_cron(self, name: str, *, paused: bool) -> bool:
        raise NotImplementedError

    async def remove_cron(self, name: str) -> bool:
        raise NotImplementedError

    async def fire_cron(self, firing: Firing) -> Sequence[Inserted] | None:
        raise NotImplementedError


def test_pulses_are_told_at_each_step_and_nothing_where_nothing_is_served() -> None:
    store, served = Store(), [SERVING]
    broadcaster = Broadcaster(store, "host:1", lambda: served, ())
    asyncio.run(broadcaster.step())
    served = [Pulse(owner="host:1:a", started=0.0, slots={})]
    asyncio.run(broadcaster.step())
    served = []
    asyncio.run(broadcaster.step())
    assert store.pulses == [[SERVING]]


def test_what_a_stopped_queue_did_last_is_told() -> None:
    last = Attempts(queue="mail", name="Mail", after="completed", ran=Sketch({1: 1}), waited=Sketch({1: 1}))
    store, pulses = Store(), [Pulse(owner="host:1:a", started=0.0, slots={}, attempts=[last])]
    asyncio.run(Broadcaster(store, "host:1", lambda: pulses, ()).step())
    assert store.pulses == [pulses]


def test_the_entries_that_tick_here_are_told_at_once_and_twice_a_minute() -> None:
    rows = [
        CronRow(entry=entry("in our code"), last_tick=0, seen=1.0),
        CronRow(entry=entry("in the code of others"), last_tick=0, seen=1.0),
        CronRow(entry=entry("of a person"), last_tick=0),
        CronRow(entry=entry("paused"), last_tick=0, paused=True),
    ]
    store = Store(*rows)
    broadcaster = Broadcaster(store, "host:1", list, [entry("in our code")])

    async def run() -> None:
        for _ in range(CRONTAB_EVERY + 1):
            await broadcaster.step()

    asyncio.run(run())
    assert store.crontabs == [["host:1", "in our code", "of a person"]] * 2


def test_a_node_that_ticks_nothing_tells_of_no_crontab() -> None:
    store = Store(CronRow(entry=entry("of a person"), last_tick=0))
    asyncio.run(Broadcaster(store, "host:1", list, None).step())
    assert store.crontabs == []


def test_an_error_is_said_once_until_it_is_over_and_a_store_that_is_away_not_at_all() -> None:
    store = Store()
    broadcaster = Broadcaster(store, "host:1", lambda: [SERVING], None)
    said = 0
    for error in [StoreError("full")] * 3 + [None, StoreError("full"), StoreUnavailable("away")] * 2:
        store.error = error
        try:
            asyncio.run(broadcaster.step())
        except StoreError:
            said += 1
    assert said == 3
    assert len(store.pulses) == 2


def test_what_is_no_error_of_the_store_is_said_too() -> None:
    store = Store()
    store.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        asyncio.run(Broadcaster(store, "host:1", lambda: [SERVING], None).step())
