"""Stager, rescuer and pruner on a real store: what they do, what they say, and when they come again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.stores.places import SqliteFile
from treadle.core.outcomes import Cancelled, Completed, Discarded, Failure, Outcome
from treadle.core.states import State
from treadle.hooks.events import Event, Events, JobsPruned, OwnersRescued, Staged
from treadle.services import pruner as pruning
from treadle.services import rescuer as rescuing
from treadle.services import restamper as restamping
from treadle.services import stager as staging
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.supervise.periodic import Periodic
from treadle.testing.checks.bench import OTHER, Bench

DAY = 86_400.0


def fail(name: str, error: Exception) -> None:
    raise AssertionError(f"{name}: {error}")


class Scene:
    """A store with one enrolled owner, a bus whose events are kept, and the three services."""

    def __init__(self, place: SqliteFile, store: Store) -> None:
        self.clock = place.clock
        self.store = store
        self.bench = Bench(store)
        self.heard: list[Event] = []
        self._events = Events()
        self._changed = asyncio.Event()
        for kind in (Staged, OwnersRescued, JobsPruned):
            self._events.listen(kind, self._hear)

    def stager(self) -> Periodic:
        return staging.stager(self.store, self._events, jitter=lambda: 0.5, on_error=fail)

    def rescuer(self) -> Periodic:
        return rescuing.rescuer(self.store, self._events, every=5.0, jitter=lambda: 0.5, on_error=fail)

    def restamper(self, age: float) -> Periodic:
        return restamping.restamper(self.store, age, jitter=lambda: 0.5, on_error=fail)

    def pruner(self) -> Periodic:
        return pruning.pruner(self.store, self._events, jitter=lambda: 0.5, on_error=fail)

    async def until_heard(self, total: int, size: Callable[[Event], int]) -> None:
        """Return when the events heard add up."""
        async with asyncio.timeout(10):
            while sum(map(size, self.heard)) < total:
                self._changed.clear()
                await self._changed.wait()

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        self._changed.set()


def play(folder: Path, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        place = SqliteFile(folder)
        async with place.store() as store:
            scene = Scene(place, store)
            await scene.bench.enroll()
            await story(scene)

    asyncio.run(run())


def count_of(event: Event) -> int:
    assert isinstance(event, Staged | JobsPruned)
    return event.count


async def stamp_of(store: Store, job_id: str) -> float | None:
    [job] = await store.find(JobQuery(ids=(job_id,)))
    return job.attempted_at.timestamp() if job.attempted_at else None


def test_the_stager_makes_due_jobs_available_and_leaves_the_others(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        bench = scene.bench
        await scene.store.insert([bench.job(delay=5.0), bench.job(delay=5.0), bench.job(delay=50.0)])
        scene.clock.advance(6.0)
        stager = scene.stager()
        stager.start()
        await scene.until_heard(2, count_of)
        await stager.stop()
        assert scene.heard == [Staged(count=2)]
        assert await bench.number(State.AVAILABLE) == 2
        assert await bench.number(State.SCHEDULED) == 1

    play(tmp_path, story)


def test_the_stager_takes_page_after_page_without_waiting(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        count = staging.PAGE * 2 + 1
        await scene.store.insert([scene.bench.job(delay=5.0) for _ in range(count)])
        scene.clock.advance(6.0)
        stager = scene.stager()
        stager.start()
        await scene.until_heard(count, count_of)
        await stager.stop()
        assert [count_of(event) for event in scene.heard] == [staging.PAGE, staging.PAGE, 1]

    play(tmp_path, story)


def test_a_service_that_finds_nothing_says_nothing(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        for service in (scene.stager(), scene.rescuer(), scene.pruner()):
            service.start()
            await asyncio.sleep(0)
            await service.stop()
        assert scene.heard == []

    play(tmp_path, story)


def test_the_rescuer_gives_back_what_the_dead_held_and_names_them(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        dead = await Bench(scene.store, OTHER).enroll(lease=30.0)
        await dead.put(3)
        await dead.take(2)
        scene.clock.advance(31.0)
        rescuer = scene.rescuer()
        rescuer.start()
        await scene.until_heard(2, lambda event: event.claims if isinstance(event, OwnersRescued) else 0)
        await rescuer.stop()
        assert scene.heard == [OwnersRescued(owners=(OTHER,), claims=2)]
        assert await dead.number(State.AVAILABLE) == 3

    play(tmp_path, story)


def test_the_restamper_leaves_no_stamp_of_a_running_job_older_than_it_was_told(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.bench.put()
        [claim] = await scene.bench.take()
        begun, due = scene.clock.now(), scene.clock.now() + 40.0
        scene.clock.advance(40.0)
        restamper = scene.restamper(60.0)
        restamper.start()
        async with asyncio.timeout(10):
            while await stamp_of(scene.store, claim.job.id) == begun:  # noqa: ASYNC110 - nothing tells of a stamp
                await asyncio.sleep(0)
        await restamper.stop()
        assert await stamp_of(scene.store, claim.job.id) == due

    play(tmp_path, story)


@pytest.mark.parametrize(("state", "kept"), list(pruning.KEPT.items()))
def test_the_pruner_deletes_what_ended_before_its_time(state: State, kept: float, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        bench = scene.bench
        await end_one(bench, state)
        scene.clock.advance(2.0)
        await end_one(bench, state)
        scene.clock.advance(kept - 1.0)
        pruner = scene.pruner()
        pruner.start()
        await scene.until_heard(1, count_of)
        await pruner.stop()
        assert scene.heard == [JobsPruned(count=1)]
        assert await bench.number(state) == 1

    play(tmp_path, story)


async def end_one(bench: Bench, state: State) -> None:
    await bench.put()
    ends: dict[State, Outcome] = {
        State.COMPLETED: Completed(),
        State.CANCELLED: Cancelled("why"),
        State.DISCARDED: Discarded(Failure("ValueError", "no")),
    }
    await bench.end([await bench.take_one()], ends[state])


def test_finished_jobs_are_kept_for_a_day_and_failed_ones_for_half_a_year() -> None:
    assert pruning.KEPT == {State.COMPLETED: DAY, State.CANCELLED: DAY, State.DISCARDED: 180 * DAY}
