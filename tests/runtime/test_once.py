"""A worker with jobs that must not run again: what its parent may read off its page, and what a stop does to them."""

import asyncio
import threading

from tests.runtime.desk import OWNER, Desk, play
from tests.runtime.doors import Door
from treadle.core.job import NewJob
from treadle.core.outcomes import LOST
from treadle.core.states import State
from treadle.hooks.events import JobCompleted, JobReleased, JobStarted, StoreLost
from treadle.runtime.page import Page, new_page
from treadle.runtime.reporter import Reporter
from treadle.runtime.setting import Setting
from treadle.runtime.slots import Group, Slots
from treadle.runtime.worker import Worker
from treadle.supervise.clock import SystemClock


async def put(desk: Desk, name: str, count: int = 1, *, rerun: bool = False) -> list[str]:
    job = NewJob(name=name, queue="default", args=b"{}", max_attempts=5, rerun=rerun)
    return [one.id for one in await desk.store.insert([job] * count)]


def worker_of(desk: Desk, door: Door, page: Page) -> Worker:
    setting = Setting(
        resolve=desk.handlers.get,
        events=desk.events,
        around=(),
        clock=SystemClock(),
        jitter=lambda: 0.0,
        process_command=(),
        stuck_limit=100,
    )
    return Worker(door, OWNER, Slots((Group(("default",), page.slots),)), page, setting)


def test_a_mark_stands_until_the_store_knows_what_became_of_the_job() -> None:
    async def story(desk: Desk) -> None:
        async def welcome() -> None:
            door.away = True

        door, page = Door(desk.store), new_page(2)
        worker = worker_of(desk, door, page)
        [once] = await put(desk, desk.job(welcome))
        await put(desk, "welcome", rerun=True)
        worker.start()
        await desk.until(JobCompleted, 2)
        await desk.until(StoreLost)
        [mark] = [mark for mark in page.marks if mark]
        [held] = [claim for claim in await desk.store.held(OWNER) if claim.mark == mark]
        assert held.job.id == once
        door.away = False
        await worker.drain(5.0)
        assert not any(page.marks)
        await worker.close()

    play(story)


def test_more_of_them_than_slots_run_all_the_same() -> None:
    async def story(desk: Desk) -> None:
        async def welcome() -> None:
            await asyncio.sleep(0)

        await put(desk, desk.job(welcome), 50)
        async with desk.working((Group(("default",), 3),)):
            await desk.until(JobCompleted, 50)

    play(story)


def test_a_stop_ends_what_has_begun_and_gives_back_what_has_not() -> None:
    async def story(desk: Desk) -> None:
        async def welcome() -> None:
            await asyncio.Event().wait()

        ids = await put(desk, desk.job(welcome), 3)
        async with desk.working((Group(("default",), 2),)):
            await desk.until(JobStarted, 2)
        states = [(await desk.view(job_id)).state for job_id in ids]
        assert states == [State.DISCARDED, State.DISCARDED, State.AVAILABLE]
        assert LOST.message in (await desk.view(ids[0])).errors[0].error
        assert not desk.of(JobReleased)

    play(story)


def test_a_thread_that_does_not_stop_is_lost_when_its_owner_leaves() -> None:
    async def story(desk: Desk) -> None:
        def welcome() -> None:
            release.wait()

        release = threading.Event()
        [once, other] = [*await put(desk, desk.job(welcome)), *await put(desk, "welcome", rerun=True)]
        page = new_page(2)
        worker = worker_of(desk, Door(desk.store), page)
        worker.start()
        await desk.until(JobStarted, 2)
        await worker.drain(0.0)
        await worker.close()
        assert sum(mark != 0 for mark in page.marks) == 2
        assert await desk.store.leave(OWNER) == 2
        states = [(await desk.view(job_id)).state for job_id in (once, other)]
        release.set()
        assert states == [State.DISCARDED, State.AVAILABLE]

    play(story)


def test_what_was_completed_is_reported_once() -> None:
    async def story(desk: Desk) -> None:
        async def welcome() -> None:
            return

        page = new_page(5)
        worker = worker_of(desk, Door(desk.store), page)
        await put(desk, desk.job(welcome), 3, rerun=True)
        worker.start()
        await desk.until(JobCompleted, 3)
        await worker.drain(5.0)
        reporter = Reporter(desk.store, worker, "host:1", desk.clock.now())
        for _ in range(2):
            await reporter.step()
        assert (await desk.store.queues())["default"].rate * 60 == 3
        [shown] = await desk.store.workers()
        assert (shown.name, shown.queues) == (OWNER, ("default",))
        await worker.close()

    play(story)
