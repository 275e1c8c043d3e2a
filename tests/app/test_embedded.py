"""A worker inside a program: jobs of every kind, other workers beside it, and its end."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.apps import runtime_jobs
from tests.servers import until
from tests.stores.places import ManualClock
from treadle import Handle, Job, ResultHandle, Treadle
from treadle.app.registry import Registered
from treadle.core.states import State
from treadle.errors import ConfigError, JobFailed
from treadle.hooks.events import (
    Event,
    JobCancelled,
    JobCompleted,
    JobInserted,
    JobStarted,
    WorkerFenced,
    WorkerReady,
    WorkerStopped,
)
from treadle.stores.sqlite import SqliteStore
from treadle.supervise.clock import SystemClock

T = TypeVar("T")
LONG = 20.0


@pytest.fixture
def welcome(app: Treadle) -> Registered:
    @app.job(record=True)
    async def welcome(user_id: int) -> int:
        return user_id

    return welcome


def play(story: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        return await asyncio.wait_for(story(), LONG)

    return asyncio.run(run())


async def value_of(handle: Handle) -> Any:  # noqa: ANN401 - whatever the job returned
    assert isinstance(handle, ResultHandle)
    return await handle


def heard_by(app: Treadle, *kinds: type[Event]) -> list[Event]:
    heard: list[Event] = []
    for kind in kinds:
        app.events.listen(kind, heard.append)
    return heard


def test_a_job_that_was_enqueued_before_and_one_enqueued_meanwhile_are_run(app: Treadle, welcome: Registered) -> None:
    before = welcome.enqueue(1)

    async def story() -> list[int]:
        async with app.worker():
            meanwhile = await welcome.aenqueue(2)
            return [await value_of(before), await value_of(meanwhile)]

    assert play(story) == [1, 2]


def test_one_worker_runs_jobs_on_the_loop_on_threads_and_in_processes() -> None:
    app = runtime_jobs.app
    threads: dict[str, int] = {}

    @app.job(record=True)
    async def on_loop() -> int:
        threads["loop"] = threading.get_ident()
        return os.getpid()

    @app.job(record=True)
    def on_thread() -> int:
        threads["thread"] = threading.get_ident()
        return os.getpid()

    async def story() -> None:
        async with app.worker():
            handles = [await job.aenqueue() for job in (on_loop, on_thread)]
            apart = await app.aenqueue("where")
            here = [await value_of(handle) for handle in handles]
            pid, job_id = await value_of(apart)
        assert here == [os.getpid()] * 2
        assert threads["loop"] == threading.get_ident() != threads["thread"]
        assert pid != os.getpid()
        assert job_id == apart.id

    play(story)


def test_a_failure_in_a_process_is_the_jobs_failure_and_middleware_sees_it_as_one() -> None:
    app = runtime_jobs.app
    seen: list[object] = []

    @app.around_perform
    async def watch(job: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        try:
            seen.append((job.name, await call_next()))
        except Exception as error:
            seen.append((job.name, type(error).__name__))
            raise
        return None

    async def story() -> None:
        async with app.worker():
            for name in ("double", "fail", "snooze", "cancel"):
                args = {"number": 21} if name == "double" else {}
                await app.aenqueue(name, args)
            await until(lambda: len(seen) == 4, what="all of them have run")

    try:
        play(story)
    finally:
        app.around_performs.clear()
    assert sorted(map(repr, seen)) == sorted(
        map(repr, [("double", 42), ("fail", "FailedInProcess"), ("snooze", "Snooze"), ("cancel", "Cancel")])
    )


def test_a_process_job_whose_app_no_other_process_can_find_is_refused_at_the_start(app: Treadle) -> None:
    @app.job(executor="process")
    def apart() -> None: ...

    async def story() -> None:
        with pytest.raises(ConfigError, match='expected the app of the process job "apart" to be'):
            await app.worker().__aenter__()

    play(story)


def test_a_process_job_that_comes_later_fails_where_no_other_process_can_find_its_app(app: Treadle) -> None:
    async def story() -> None:
        async with app.worker(queues=["default"]):
            apart = app.job(executor="process", record=True, max_attempts=1, name="apart")(lambda: None)
            with pytest.raises(JobFailed, match="ended with exit code 1"):
                await value_of(await apart.aenqueue())

    play(story)


def test_a_worker_may_be_started_again_in_the_same_program(app: Treadle, welcome: Registered) -> None:
    heard = heard_by(app, WorkerReady, WorkerStopped)

    async def story() -> None:
        worker = app.worker()
        for number in range(2):
            async with worker:
                assert await value_of(await welcome.aenqueue(number)) == number
        async with app.worker():
            assert await value_of(await welcome.aenqueue(7)) == 7

    play(story)
    assert [type(event) for event in heard] == [WorkerReady, WorkerStopped] * 3
    assert len({event.owner for event in heard if isinstance(event, WorkerReady)}) == 3


def test_two_workers_in_one_program_share_the_jobs(app: Treadle, welcome: Registered) -> None:
    heard = heard_by(app, JobCompleted)

    async def story() -> None:
        async with app.worker(), app.worker():
            await app.aenqueue_all([welcome.new(number) for number in range(50)])
            await until(lambda: len(heard) == 50, what="every job has run")

    play(story)
    assert len({event.job.id for event in heard if isinstance(event, JobCompleted)}) == 50


def test_only_the_queues_that_are_named_are_served(app: Treadle, welcome: Registered) -> None:
    heard = heard_by(app, JobCompleted)

    async def story() -> State | None:
        async with app.worker(queues=["mail"]):
            other = await welcome.aenqueue(1)
            await welcome.options(queue="mail").aenqueue(2)
            await until(lambda: heard, what="the job of the named queue has run")
            state: State | None = await other.astatus()
            return state

    assert play(story) is State.AVAILABLE


def test_a_queue_with_a_limit_has_slots_of_its_own(app: Treadle, welcome: Registered) -> None:
    heard = heard_by(app, WorkerReady)

    async def story() -> None:
        async with app.worker(queues={"mail": 3}):
            pass

    play(story)
    (ready,) = heard
    assert isinstance(ready, WorkerReady)
    assert (ready.queues, ready.concurrency) == (("mail",), 3)


def test_a_worker_without_jobs_and_queues_is_refused_when_it_starts(app: Treadle) -> None:
    async def story() -> None:
        with pytest.raises(ConfigError, match="expected at least one registered job or one queue"):
            async with app.worker():
                pass

    play(story)


def test_a_worker_that_was_declared_dead_goes_on_as_another_owner(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")
    heard = heard_by(app, WorkerReady, WorkerFenced, WorkerStopped)
    begun, stopped = asyncio.Event(), []

    @app.job(record=True)
    async def survivor() -> str:
        if not begun.is_set():
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stopped.append(True)
                raise
        return "ran again"

    async def story() -> object:
        async with app.worker(lease=60.0):
            handle = await survivor.aenqueue()
            await begun.wait()
            assert await rescued_by_another_node(tmp_path / "jobs.db") == 1
            return await value_of(handle)

    assert play(story) == "ran again"
    assert stopped == [True]
    assert [type(event) for event in heard] == [WorkerReady, WorkerFenced, WorkerStopped, WorkerReady, WorkerStopped]
    first, second = (event.owner for event in heard if isinstance(event, WorkerReady))
    assert first != second
    app.close()


async def rescued_by_another_node(path: Path) -> int:
    """What a node does by whose clock every lease has run out; how many owners it fenced."""
    machine = SystemClock()
    store = SqliteStore(str(path), clock=ManualClock(machine.now(), machine.steady() + 1_000.0), sync="normal")
    try:
        return len((await store.rescue(100)).owners)
    finally:
        store.close()


def test_leaving_gives_back_what_still_runs_with_no_attempt_consumed(app: Treadle) -> None:
    begun = asyncio.Event()

    @app.job
    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def story() -> State | None:
        async with app.worker(grace=0.0):
            handle = await hang.aenqueue()
            await begun.wait()
        return await handle.astatus()

    assert play(story) is State.AVAILABLE


def test_leaving_waits_for_what_runs_within_its_grace(app: Treadle) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    @app.job(record=True)
    async def slow() -> str:
        begun.set()
        await released.wait()
        return "done"

    async def story() -> State | None:
        async with app.worker(grace=LONG):
            handle = await slow.aenqueue()
            await begun.wait()
            asyncio.get_running_loop().call_soon(released.set)
        return await handle.astatus()

    assert play(story) is State.COMPLETED


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_a_running_job_is_cancelled_long_before_the_worker_would_report_again(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    app = Treadle(request.getfixturevalue("redis_url") if store == "redis" else f"sqlite:///{tmp_path}/jobs.db")

    async def story() -> None:
        begun = asyncio.Queue[int]()

        @app.job
        async def hang(number: int) -> None:
            begun.put_nowait(number)
            await asyncio.Event().wait()

        async with app.worker(lease=6_000.0, grace=0.0):
            first, second = await hang.aenqueue(1), await hang.aenqueue(2)
            await begun.get()
            await begun.get()
            cancelled = asyncio.Event()
            app.events.listen(JobCancelled, lambda event: cancelled.set() if event.job.id == first.id else None)
            assert await first.acancel()
            await cancelled.wait()
            assert await second.astatus() is State.EXECUTING
        await app.aclose()

    play(story)
    app.close()


def test_a_cancellation_while_it_drains_gives_back_at_once_what_runs(app: Treadle) -> None:
    begun, draining = asyncio.Event(), asyncio.Event()

    @app.job
    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def stay() -> None:
        async with app.worker(grace=10 * LONG):
            try:
                await asyncio.Event().wait()
            finally:
                draining.set()

    async def story() -> State | None:
        staying = asyncio.create_task(stay())
        handle = await hang.aenqueue()
        await begun.wait()
        staying.cancel()
        await draining.wait()
        staying.cancel()
        await asyncio.wait([staying])
        return await handle.astatus()

    assert play(story) is State.AVAILABLE


def test_a_failed_job_is_told_to_the_programs_log(app: Treadle, caplog: pytest.LogCaptureFixture) -> None:
    @app.job(max_attempts=1)
    async def fail() -> None:
        raise ValueError("no such user")

    async def story() -> None:
        async with app.worker():
            handle = await fail.aenqueue()
            await until(lambda: caplog.records, what="a line of the log")
            assert await handle.astatus() in {State.EXECUTING, State.DISCARDED}

    play(story)
    assert ["no such user" in record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [True]


def test_what_the_program_raises_inside_ends_the_worker_and_comes_through(app: Treadle, welcome: Registered) -> None:
    heard = heard_by(app, WorkerStopped)

    async def story() -> None:
        async with app.worker():
            await welcome.aenqueue(1)
            raise ValueError("the program's own")

    with pytest.raises(ValueError, match="the program's own"):
        play(story)
    assert len(heard) == 1


def test_a_start_that_is_cancelled_leaves_nothing_behind(app: Treadle, welcome: Registered) -> None:
    async def story() -> None:
        async def enter() -> None:
            async with app.worker(grace=0.0):
                await asyncio.Event().wait()

        for turns in range(1, 30):
            entering = asyncio.create_task(enter())
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            await asyncio.wait([entering])
            left = [task.get_name() for task in asyncio.all_tasks()]
            assert not any(name.startswith("treadle") for name in left), (turns, left)

    del welcome
    play(story)


def test_events_come_in_the_order_of_a_jobs_life(app: Treadle, welcome: Registered) -> None:
    heard = heard_by(app, JobInserted, JobStarted, JobCompleted, WorkerReady, WorkerStopped)

    async def story() -> None:
        async with app.worker():
            await value_of(await welcome.aenqueue(1))

    play(story)
    assert [type(event) for event in heard] == [WorkerReady, JobInserted, JobStarted, JobCompleted, WorkerStopped]
