"""Enqueueing from sync and async code: what stands in the store, and what is refused."""

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from treadle import Handle, ResultHandle, Treadle
from treadle.app.registry import Registered
from treadle.core.job import Inserted, JobView, NewJob
from treadle.core.states import State
from treadle.errors import ArgumentError, BlockingCall, ConfigError
from treadle.hooks.events import JobInserted
from treadle.hooks.middleware import InsertNext
from treadle.stores.job_query import JobQuery
from treadle.supervise.clock import SystemClock


@pytest.fixture
def welcome(app: Treadle) -> Registered:
    @app.job(queue="mail", max_attempts=5)
    def welcome(user_id: int, lang: str = "en") -> None: ...

    return welcome


def view(app: Treadle, handle: Handle) -> JobView:
    return app.blocking("view", _view(app, handle))


async def _view(app: Treadle, handle: Handle) -> JobView:
    (found,) = await (await app.astore()).find(JobQuery(ids=(handle.id,)))
    return found


def due_in(job: JobView) -> float:
    assert job.scheduled_at is not None
    return job.scheduled_at.timestamp() - SystemClock().now()


def test_an_enqueued_job_stands_in_the_store_as_it_was_declared_and_called(app: Treadle, welcome: Registered) -> None:
    job = view(app, welcome.enqueue(42, lang="de"))
    assert (job.name, job.queue, job.max_attempts) == ("welcome", "mail", 5)
    assert (job.args, job.state, job.attempt) == ({"user_id": 42, "lang": "de"}, State.AVAILABLE, 0)


def test_the_async_twin_does_the_same(app: Treadle, welcome: Registered) -> None:
    async def story() -> JobView:
        job = await _view(app, await welcome.aenqueue(42))
        await app.aclose()
        return job

    assert asyncio.run(story()).args == {"user_id": 42}


def test_options_hold_for_one_call_and_leave_the_job_as_it_was(app: Treadle, welcome: Registered) -> None:
    slow = welcome.options(queue="slow", max_attempts=2).options(delay=300)
    job = view(app, slow.enqueue(42))
    assert (job.queue, job.max_attempts, job.state) == ("slow", 2, State.SCHEDULED)
    assert 290 < due_in(job) <= 300
    assert view(app, welcome.enqueue(42)).queue == "mail"


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-9))])
def test_an_instant_is_kept_whatever_its_time_zone(app: Treadle, welcome: Registered, zone: timezone) -> None:
    at = datetime(2100, 1, 2, 3, 4, 5, 678, tzinfo=zone)
    assert view(app, welcome.options(at=at).enqueue(42)).scheduled_at == at
    assert view(app, welcome.options(at=at.timestamp()).enqueue(42)).scheduled_at == at


def test_many_calls_are_enqueued_together_and_their_handles_come_in_order(app: Treadle, welcome: Registered) -> None:
    other = app.job(name="other", record=True)(lambda: None)
    handles = app.enqueue_all([welcome.new(1), other.new(), welcome.options(delay=5).new(2)])
    assert [view(app, handle).name for handle in handles] == ["welcome", "other", "welcome"]
    assert [type(handle) for handle in handles] == [Handle, ResultHandle, Handle]
    assert app.enqueue_all([]) == []


def test_many_calls_are_enqueued_together_from_a_coroutine(app: Treadle, welcome: Registered) -> None:
    async def story() -> int:
        handles = await app.aenqueue_all([welcome.new(number) for number in range(10)])
        assert await app.aenqueue_all([]) == []
        return len({handle.id for handle in handles})

    assert asyncio.run(story()) == 10


def test_a_call_that_does_not_bind_is_a_type_error_there_and_enqueues_nothing(
    app: Treadle, welcome: Registered
) -> None:
    with pytest.raises(TypeError) as caught:
        welcome.enqueue()
    assert str(caught.value) == (
        "job \"welcome\": missing a required argument: 'user_id'; "
        "its signature is welcome(user_id: int, lang: str = 'en') -> None"
    )
    with pytest.raises(ArgumentError):
        app.enqueue_all([welcome.new(1), welcome.new(1, 2, 3)])
    assert app.blocking("counts", app.store.counts()) == {}


def test_only_a_recorded_job_gives_a_handle_that_can_be_awaited(app: Treadle, welcome: Registered) -> None:
    assert type(welcome.enqueue(1)) is Handle
    assert type(app.job(name="kept", record=True)(lambda: None).enqueue()) is ResultHandle


# By name


def test_a_job_is_enqueued_by_name_for_programs_in_other_languages(app: Treadle) -> None:
    job = view(app, app.enqueue("MyApp.Mailer", {"id": 1}, queue="elixir"))
    assert (job.name, job.queue, job.args, job.max_attempts) == ("MyApp.Mailer", "elixir", {"id": 1}, 20)
    assert view(app, app.enqueue("MyApp.Mailer")).args == {}


def test_a_recorded_job_enqueued_by_a_name_that_it_answers_to_has_its_result(app: Treadle) -> None:
    app.job(name="kept", aliases=["MyApp.Kept"], record=True)(lambda: None)
    assert isinstance(app.enqueue("kept"), ResultHandle)
    assert isinstance(app.enqueue("MyApp.Kept"), ResultHandle)


def test_a_registered_job_enqueued_by_name_takes_its_declared_options(app: Treadle, welcome: Registered) -> None:
    job = view(app, app.enqueue("welcome", {"user_id": 1}))
    assert (job.queue, job.max_attempts) == ("mail", 5)
    assert view(app, app.enqueue("welcome", {"user_id": 1}, queue="slow")).queue == "slow"


@pytest.mark.parametrize("args", [[1], "ab", b"ab", 5, {1}])
def test_args_of_another_shape_than_the_stores_are_refused(app: Treadle, args: Any) -> None:  # noqa: ANN401
    with pytest.raises(ArgumentError) as caught:
        app.enqueue("MyApp.Mailer", args)
    assert str(caught.value) == (
        f'job "MyApp.Mailer": expected args to be a mapping of names to values on this store, got {type(args).__name__}'
    )


# Blocking


def test_a_blocking_call_where_a_loop_runs_is_refused_with_the_name_of_its_twin(
    app: Treadle, welcome: Registered
) -> None:
    handle = app.job(name="kept", record=True)(lambda: None).enqueue()
    assert isinstance(handle, ResultHandle)
    calls: list[tuple[Callable[[], object], str, str]] = [
        (lambda: welcome.enqueue(1), "enqueue", "await aenqueue"),
        (lambda: app.enqueue("x"), "enqueue", "await aenqueue"),
        (lambda: app.enqueue_all([welcome.new(1)]), "enqueue_all", "await aenqueue_all"),
        (handle.status, "status", "await handle.astatus()"),
        (handle.cancel, "cancel", "await handle.acancel()"),
        (handle.result, "result", "await handle"),
    ]

    async def story() -> None:
        for call, name, instead in calls:
            with pytest.raises(BlockingCall) as caught:
                call()
            assert str(caught.value) == (
                f"{name} would block the event loop that runs on this thread: use {instead} there"
            )

    asyncio.run(story())


def test_an_app_may_allow_blocking_calls_where_a_loop_runs(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db", sync_in_loop="allow")
    job = app.job(name="work")(lambda: None)

    async def story() -> State | None:
        return job.enqueue().status()

    assert asyncio.run(story()) is State.AVAILABLE
    app.close()


def test_a_notebooks_cell_may_block_its_loop() -> None:
    program = (
        "import asyncio, builtins, treadle\n"
        "builtins.__IPYTHON__ = True\n"
        "app = treadle.Treadle('sqlite://')\n"
        "job = app.job(name='work')(lambda: None)\n"
        "async def cell(): print(job.enqueue().status().value)\n"
        "asyncio.run(cell())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("available\n", "")


def test_a_thread_beside_a_loop_may_block(app: Treadle, welcome: Registered) -> None:
    async def story() -> Handle:
        return await asyncio.to_thread(welcome.enqueue, 42)

    assert view(app, asyncio.run(story())).args == {"user_id": 42}


def test_threads_that_use_an_app_first_at_the_same_time_share_one_store() -> None:
    app = Treadle("sqlite://")
    job = app.job(name="work")(lambda: None)
    together = threading.Barrier(8)

    def enqueue() -> Handle:
        together.wait()
        return job.enqueue()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(lambda _: enqueue(), range(8)))
    assert len({handle.id for handle in handles}) == 8
    assert app.blocking("counts", app.store.counts()) == {"default": {State.AVAILABLE: 8}}
    app.close()


def test_an_app_that_was_closed_opens_its_store_anew(app: Treadle, welcome: Registered) -> None:
    handle = welcome.enqueue(1)
    app.close()
    app.close()
    assert handle.status() is State.AVAILABLE


def test_one_app_serves_one_loop_after_the_other(app: Treadle, welcome: Registered) -> None:
    async def story() -> None:
        await welcome.aenqueue(1)
        await app.aclose()

    for _ in range(3):
        asyncio.run(story())
    assert app.blocking("counts", app.store.counts()) == {"mail": {State.AVAILABLE: 3}}


# Middleware and events


@pytest.mark.parametrize("is_async", [True, False])
def test_middleware_around_insert_sees_the_jobs_and_may_change_them(
    app: Treadle,
    welcome: Registered,
    is_async: bool,  # noqa: FBT001
) -> None:
    told: list[JobInserted] = []
    app.on(JobInserted)(told.append)

    @app.around_insert
    async def reroute(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        return await call_next([msgspec.structs.replace(job, queue="rerouted") for job in jobs])

    handle = asyncio.run(_enqueue(app, welcome)) if is_async else welcome.enqueue(1)
    assert view(app, handle).queue == "rerouted"
    assert told == [JobInserted(id=handle.id, queue="rerouted", name="welcome")]


async def _enqueue(app: Treadle, job: Registered) -> Handle:
    handle: Handle = await job.aenqueue(1)
    await app.aclose()
    return handle


def test_middleware_that_drops_a_job_is_told_that_it_owes_an_answer(app: Treadle, welcome: Registered) -> None:
    @app.around_insert
    async def drop(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        return await call_next(jobs[1:])

    with pytest.raises(ConfigError, match=r"to give one Inserted for each of 2 jobs, got \[Ins.*let it return"):
        app.enqueue_all([welcome.new(1), welcome.new(2)])


def test_every_insert_is_told_with_its_id(app: Treadle, welcome: Registered) -> None:
    told: list[JobInserted] = []

    @app.on(JobInserted)
    def listen(event: JobInserted) -> None:
        told.append(event)

    handles = app.enqueue_all([welcome.new(1), welcome.new(2)])
    assert [event.id for event in told] == [handle.id for handle in handles]
    assert {(event.queue, event.name) for event in told} == {("mail", "welcome")}


def test_a_payload_above_the_limit_is_refused(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db", max_payload=20)

    @app.job
    def small(text: str) -> None: ...

    assert view(app, small.enqueue("x" * 9)).args == {"text": "x" * 9}
    with pytest.raises(ArgumentError):
        small.enqueue("x" * 10)
    with pytest.raises(ArgumentError):
        app.enqueue("small", {"text": "x" * 10})
    app.close()
