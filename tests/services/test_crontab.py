"""The crontab of nodes on a real store whose clock stands until it is moved."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from tests.stores.places import SqliteFile, beside
from treadle.core.cron_entry import CronEntry
from treadle.core.states import State
from treadle.core.uniqueness import Arguments, Unique, Uniqueness
from treadle.hooks.events import CronFired, CronMissed, Event, Events, JobConflicted, StoreWarning
from treadle.services.crontab import DECLARE_EVERY, EVERY, Ticker, crontab, told
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import Bench


class Scene:
    """A store, and what its nodes tell. The clock begins at noon."""

    def __init__(self, place: SqliteFile, store: Store) -> None:
        self.place = place
        self.clock = place.clock
        self.store = store
        self.heard: list[Event] = []
        self.events = Events()
        for kind in (CronFired, CronMissed, JobConflicted, StoreWarning):
            self.events.listen(kind, self.heard.append)

    def entry(self, expr: str = "* * * * *", name: str = "report", **given: str) -> CronEntry:
        return CronEntry(name=name, expr=expr, job=Bench(self.store).job(name), **given)  # type: ignore[arg-type]

    def node(self, *declared: CronEntry) -> Ticker:
        return Ticker(self.store, self.events, declared)

    async def inserted(self) -> list[str]:
        """The names of the jobs that wait, in order."""
        found = await self.store.find(JobQuery(state=State.AVAILABLE, limit=1_000))
        return [view.name for view in reversed(found)]


def play(tmp_path: Path, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        place = SqliteFile(tmp_path)
        async with place.store() as store:
            await story(Scene(place, store))

    asyncio.run(run())


def test_a_tick_comes_once_however_many_nodes_run(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        nodes = [scene.node(scene.entry()) for _ in range(3)]
        for _ in range(5):
            assert {await node.step() for node in nodes} == {60.0}
            scene.clock.advance(60)
        assert await scene.inserted() == ["report"] * 4
        assert [event.tick.minute for event in scene.heard if isinstance(event, CronFired)] == [1, 2, 3, 4]

    play(tmp_path, story)


def test_a_node_sleeps_until_the_next_tick_of_any_entry(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        node = scene.node(scene.entry("5 * * * *"), scene.entry("0 13 * * *", "later"))
        assert await node.step() == 300.0
        assert await scene.node().step() == float("inf")

    play(tmp_path, story)


def test_an_entry_that_is_gone_from_the_code_ticks_only_where_the_old_code_runs(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        old, new = scene.node(scene.entry(name="old"), scene.entry()), scene.node(scene.entry())
        await old.step()
        await new.step()
        scene.clock.advance(60)
        await new.step()
        assert await scene.inserted() == ["report"]
        await old.step()
        assert await scene.inserted() == ["report", "old"]
        scene.clock.advance(60)
        await new.step()
        assert await scene.inserted() == ["report", "old", "report"]

    play(tmp_path, story)


def test_an_entry_that_no_code_has_for_a_month_is_deleted_unless_a_person_touched_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.node(*[scene.entry(name=name) for name in ("old", "paused", "changed")]).step()
        await scene.store.pause_cron("paused", paused=True)
        await scene.store.put_cron(scene.entry("0 4 * * *", "changed"))
        await scene.store.put_cron(scene.entry("0 4 * * *", "added"))
        node = scene.node(scene.entry())
        await node.step()
        scene.clock.advance(31 * 86_400)
        await node.step()
        assert sorted((await scene.store.crontab()).rows) == ["added", "changed", "paused", "report"]

    play(tmp_path, story)


def test_what_people_add_ticks_on_every_node_and_what_they_pause_on_none(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        node = scene.node()
        await scene.store.put_cron(scene.entry())
        await scene.store.put_cron(scene.entry(name="paused"))
        await scene.store.pause_cron("paused", paused=True)
        await node.step()
        scene.clock.advance(60)
        await node.step()
        assert await scene.inserted() == ["report"]

    play(tmp_path, story)


def test_an_entry_that_cannot_tick_holds_up_no_other_and_is_told_of_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.store.put_cron(scene.entry(name="a", tz="Moon/Tycho"))
        await scene.store.put_cron(scene.entry(name="b", expr="tomorrow"))
        await scene.store.put_cron(scene.entry(name="c"))
        await scene.store.put_cron(scene.entry(name="d"))
        beside(scene.place, "UPDATE treadle_crons SET definition = '[]' WHERE name = 'c'")
        node = scene.node()
        await node.step()
        scene.clock.advance(60)
        await node.step()
        assert await scene.inserted() == ["d"]
        warned = [event.text for event in scene.heard if isinstance(event, StoreWarning)]
        assert [text.split(": ")[0] for text in warned] == [
            f'the cron entry "{name}" does not tick' for name in ("c", "a", "b")
        ]

    play(tmp_path, story)


def test_a_tick_whose_unique_job_still_waits_inserts_none(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        entry = scene.entry()
        unique = Uniqueness(Unique(period=None, until="success"), Arguments((), {}))
        entry = msgspec.structs.replace(entry, job=msgspec.structs.replace(entry.job, unique=unique))
        node = scene.node(entry)
        for _ in range(4):
            await node.step()
            scene.clock.advance(60)
        assert await scene.inserted() == ["report"]
        assert [type(event) for event in scene.heard] == [CronFired, JobConflicted, JobConflicted]

    play(tmp_path, story)


def test_what_was_missed_is_told(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.node(scene.entry()).step()
        scene.clock.advance(3_600)
        await scene.node(scene.entry()).step()
        assert await scene.inserted() == ["report"]
        assert CronMissed(entry="report", count=59) in scene.heard

    play(tmp_path, story)


def test_a_clock_that_is_set_back_fires_nothing_twice(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        node = scene.node(scene.entry())
        await node.step()
        for seconds in (60.5, -1.0, 1.0, -60.0, 60.0):
            scene.clock.step(seconds)
            await node.step()
        assert await scene.inserted() == ["report"]
        scene.clock.step(60)
        await node.step()
        assert await scene.inserted() == ["report"] * 2

    play(tmp_path, story)


def test_an_entry_that_a_clock_holds_up_which_was_set_back_is_told_of_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        node = scene.node(scene.entry())
        await node.step()
        scene.clock.step(60)
        for seconds in (0, -30, -3_600, 5):
            scene.clock.step(seconds)
            await node.step()
        [warned] = [event.text for event in scene.heard if isinstance(event, StoreWarning)]
        assert 'the cron entry "report" does not tick: its last tick, 2026-' in warned
        await scene.store.pause_cron("report", paused=True)
        await scene.store.pause_cron("report", paused=False)
        scene.clock.step(60)
        await node.step()
        assert await scene.inserted() == ["report"] * 2

    play(tmp_path, story)


def test_an_entry_that_is_removed_is_written_anew_at_the_next_look_where_code_has_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        declared = scene.entry()
        node = scene.node(declared)
        await node.step()
        await scene.store.put_cron(scene.entry("0 5 * * *"))
        await scene.store.remove_cron("report")
        await node.step()
        [row] = (await scene.store.crontab()).rows.values()
        assert (row.entry, row.changed) == (declared, False)

    play(tmp_path, story)


def test_two_apps_whose_entries_have_one_name_are_told(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ours, theirs = scene.entry(name="nightly"), scene.entry(name="nightly")
        theirs = msgspec.structs.replace(theirs, job=msgspec.structs.replace(theirs.job, name="cleanup"))
        first, second = scene.node(ours), scene.node(theirs)
        for node in (first, second, first, second, first):
            await node.step()
        [warned] = [event.text for event in scene.heard if isinstance(event, StoreWarning)]
        assert warned.startswith('the cron entry "nightly" inserts "cleanup", as a worker said that started later, and')

    play(tmp_path, story)


@pytest.mark.parametrize("declared", [0, 1])
def test_a_crontab_costs_a_look_each_half_minute_and_where_code_has_one_a_note_each_minute(
    tmp_path: Path, declared: int
) -> None:
    async def story(scene: Scene) -> None:
        entries, calls = [scene.entry("0 3 * * *")] * declared, list[str]()
        node = Ticker(Counted(scene.store, calls), scene.events, entries)  # type: ignore[arg-type] # it hands on
        for _ in range(4):
            await node.step()
            scene.clock.advance(EVERY)
        assert calls.count("declare_crons") == (2 if declared else 0)
        assert calls.count("crontab") == 4 + calls.count("declare_crons")

    assert DECLARE_EVERY == 60.0
    play(tmp_path, story)


class Counted:
    """A store whose calls are written down."""

    def __init__(self, store: Store, calls: list[str]) -> None:
        self._store = store
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        self._calls.append(name)
        return getattr(self._store, name)


def test_the_service_waits_for_the_tick_and_not_much_longer(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        fired = asyncio.Event()
        scene.events.listen(CronFired, lambda _: fired.set())
        entry = scene.entry("* * * * * *")
        service = crontab(scene.store, scene.events, [entry], jitter=lambda: 0.5, on_error=_fail)
        service.start()
        while not (await scene.store.crontab()).rows:
            await asyncio.wait([asyncio.create_task(fired.wait())], timeout=0.01)
        scene.clock.advance(1)
        await asyncio.wait_for(fired.wait(), 10)
        await service.stop()

    play(tmp_path, story)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_no_tick_is_a_second_late_however_far_ahead_it_was_and_few_looks_are_needed(chance: float) -> None:
    for tenths in range(1, 3_000):
        left, looks = tenths / 10, 0
        while left > 1e-9:
            left -= min(told(left), EVERY) * (1 - 0.1 * chance)
            looks += 1
        assert left > -1
        assert looks <= 2 + tenths / 10 / (0.9 * EVERY)


def _fail(name: str, error: Exception) -> None:
    raise AssertionError(f"{name}: {error}")
