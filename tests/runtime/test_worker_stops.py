"""A worker on SQLite: what stops a job from outside, and what becomes of it then."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.desk import Desk, play
from tests.servers import until
from treadle.core.job import Job, JobView
from treadle.core.states import State
from treadle.hooks.events import (
    ClaimLost,
    JobCancelled,
    JobCompleted,
    JobReleased,
    JobRetried,
    JobStuck,
)
from treadle.runtime.slots import Group
from treadle.stores.job_query import JobQuery

LONG = 20.0
ONE = Group(("default",), 1)


def one(function: Callable[..., Any], **options: Any) -> JobView:
    """The job when one attempt of this function has ended."""

    async def story(desk: Desk) -> JobView:
        (job_id,) = await desk.put(desk.job(function, **options))
        async with desk.working():
            await desk.until_ended(1)
        return await desk.view(job_id)

    return play(story)


# Time-outs


def test_a_coroutine_that_runs_too_long_is_cancelled_and_has_failed() -> None:
    async def welcome() -> None:
        await asyncio.Event().wait()

    view = one(welcome, timeout=0.05)
    assert view.state is State.RETRYABLE
    assert "JobTimeout: ran longer than its time-out of 0.05 s" in view.errors[0].error


def test_a_thread_that_runs_too_long_is_interrupted_and_has_failed() -> None:
    def welcome() -> None:
        while True:
            pass

    view = one(welcome, timeout=0.05)
    assert view.state is State.RETRYABLE
    assert "JobTimeout: ran longer than its time-out of 0.05 s" in view.errors[0].error


def test_a_job_that_does_not_stop_has_failed_and_its_slot_is_given_to_another() -> None:
    released = threading.Event()

    def hangs() -> None:
        released.wait(LONG)

    async def welcome() -> None: ...

    async def story(desk: Desk) -> None:
        (hung,) = await desk.put(desk.job(hangs, timeout=0.05))
        async with desk.working(stuck_limit=1) as worker:
            (event,) = await desk.until(JobStuck)
            assert (event.job.id, event.stuck) == (hung, 1)
            await asyncio.wait_for(worker.ended.wait(), LONG)
            await desk.put(desk.job(welcome))
            await desk.until(JobCompleted)
        assert not worker.fenced
        assert (await desk.view(hung)).state is State.RETRYABLE

    try:
        play(story)
    finally:
        released.set()


# Middleware


async def waits_before(_: Job, call_next: Callable[[], Awaitable[object]]) -> object:
    await asyncio.Event().wait()
    return await call_next()


async def waits_after(_: Job, call_next: Callable[[], Awaitable[object]]) -> object:
    value = await call_next()
    await asyncio.Event().wait()
    return value


@pytest.mark.parametrize("middleware", [waits_before, waits_after])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_job_that_its_middleware_holds_is_stopped_at_its_time_out(
    middleware: Any,  # noqa: ANN401
    is_async: bool,  # noqa: FBT001
) -> None:
    async def later() -> None: ...
    def now() -> None: ...

    async def story(desk: Desk) -> JobView:
        (job_id,) = await desk.put(desk.job(later if is_async else now, timeout=0.05))
        async with desk.working(around=[middleware]):
            await desk.until(JobRetried)
        return await desk.view(job_id)

    assert "JobTimeout" in play(story).errors[0].error


def test_a_stuck_thread_under_middleware_gives_up_its_thread_and_its_runner() -> None:
    released = threading.Event()
    ended: list[str] = []

    def hangs() -> None:
        released.wait(LONG)

    async def welcome() -> None: ...

    async def around(job: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        try:
            return await call_next()
        finally:
            ended.append(job.name)

    async def story(desk: Desk) -> None:
        await desk.put(desk.job(hangs, timeout=0.05))
        async with desk.working([ONE], around=[around]):
            await desk.until(JobStuck)
            await desk.put(desk.job(welcome))
            await desk.until(JobCompleted)

    try:
        play(story)
    finally:
        released.set()
    assert ended == ["hangs", "welcome"]


# From outside


def test_a_running_job_that_somebody_cancels_is_stopped_and_its_neighbours_go_on() -> None:
    async def story(desk: Desk) -> tuple[JobView, JobView]:
        begun, released = asyncio.Semaphore(0), asyncio.Event()

        async def welcome() -> None:
            begun.release()
            await released.wait()

        first, second = await desk.put(desk.job(welcome), 2)
        async with desk.working() as worker:
            await begun.acquire()
            await begun.acquire()
            await desk.store.act("cancel", JobQuery(ids=(first,)))
            await worker.audit()
            await desk.until(JobCancelled)
            released.set()
            await desk.until(JobCompleted)
        return await desk.view(first), await desk.view(second)

    cancelled, completed = play(story)
    assert cancelled.state is State.CANCELLED
    assert completed.state is State.COMPLETED


@pytest.mark.parametrize(
    "sql", ["DELETE FROM oban_jobs WHERE id = ?", "UPDATE oban_jobs SET state = 'cancelled' WHERE id = ?"]
)
def test_a_running_job_whose_row_another_program_takes_is_stopped_and_its_neighbours_go_on(
    tmp_path: Path, sql: str
) -> None:
    path = str(tmp_path / "jobs.db")

    async def story(desk: Desk) -> None:
        begun, released = asyncio.Semaphore(0), asyncio.Event()

        async def welcome() -> None:
            begun.release()
            await released.wait()

        first, second = await desk.put(desk.job(welcome), 2)
        async with desk.working() as worker:
            await begun.acquire()
            await begun.acquire()
            with closing(sqlite3.connect(path, isolation_level=None)) as beside:
                beside.execute(sql, (first,))
            await worker.audit()
            (lost,) = await desk.until(ClaimLost)
            assert lost.job.id == first
            await until(lambda: [claim.job.id for claim in worker.running] == [second], what="the lost job is stopped")
            released.set()
            await desk.until(JobCompleted)

    play(story, path)


def test_when_the_store_lost_its_data_what_runs_may_end_and_its_claim_is_said_to_be_lost() -> None:
    async def story(desk: Desk) -> None:
        begun, released = asyncio.Event(), asyncio.Event()

        async def welcome() -> None:
            begun.set()
            await released.wait()

        await desk.put(desk.job(welcome))
        async with desk.working() as worker:
            await begun.wait()
            await desk.store.leave(worker.owner)
            assert await desk.store.act("delete", JobQuery()) == 1
            for _ in range(2):
                await worker.audit()
            for _ in range(3):
                await worker.audit(hastened=True)
            released.set()
            await desk.until(JobCompleted)
            await desk.until(ClaimLost)

    play(story)


# Ends


def test_a_drain_gives_back_what_has_not_begun_and_what_does_not_end_untouched() -> None:
    async def story(desk: Desk) -> list[JobView]:
        begun = asyncio.Event()

        async def welcome() -> None:
            begun.set()
            await asyncio.Event().wait()

        ids = await desk.put(desk.job(welcome), 3)
        async with desk.working([ONE]):
            await begun.wait()
        assert len(desk.of(JobReleased)) == 1
        return [await desk.view(job_id) for job_id in ids]

    views = play(story)
    assert [(view.state, view.attempt) for view in views] == [(State.AVAILABLE, 0)] * 3


def test_a_job_that_is_broken_off_and_raises_its_own_error_goes_back_untouched_too() -> None:
    async def story(desk: Desk) -> JobView:
        begun = asyncio.Event()

        async def welcome() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OSError("the connection was closed under me") from None

        (job_id,) = await desk.put(desk.job(welcome))
        async with desk.working([ONE]):
            await begun.wait()
        return await desk.view(job_id)

    view = play(story)
    assert (view.state, view.attempt, view.errors) == (State.AVAILABLE, 0, ())


def test_a_drain_lets_what_runs_end_within_its_grace() -> None:
    async def story(desk: Desk) -> JobView:
        begun, released = asyncio.Event(), asyncio.Event()

        async def welcome() -> None:
            begun.set()
            await released.wait()

        (job_id,) = await desk.put(desk.job(welcome))
        async with desk.working() as worker:
            await begun.wait()
            drain = asyncio.create_task(worker.drain(LONG))
            await asyncio.sleep(0)
            released.set()
            await drain
        return await desk.view(job_id)

    assert play(story).state is State.COMPLETED
