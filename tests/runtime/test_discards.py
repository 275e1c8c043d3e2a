"""What a job wants called before it is discarded: when, where, with what, and what it cannot break."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import pytest

from tests.runtime.desk import OWNER, Desk, perform, play
from tests.servers import until
from treadle import Cancel, Job, current_job
from treadle.core.job import JobView
from treadle.core.outcomes import Released, SetAside, Verdict
from treadle.core.states import State
from treadle.errors import Expired, JobFailed, JobTimeout
from treadle.hooks.events import JobCompleted, JobDiscarded
from treadle.runtime.slots import Group
from treadle.stores.claim import Demand, Settlement

on_either = pytest.mark.parametrize("is_async", [True, False], ids=["loop", "thread"])


def failing(error: BaseException, *, is_async: bool) -> Callable[[], Any]:
    async def later() -> NoReturn:
        raise error

    def now() -> NoReturn:
        raise error

    return later if is_async else now


@on_either
def test_it_is_called_with_the_job_and_its_error_before_the_discard_is_settled(is_async: bool) -> None:  # noqa: FBT001
    error = ValueError("no such user")

    async def story(desk: Desk) -> list[object]:
        seen: list[object] = []

        async def alert(job: Job, why: BaseException) -> None:
            seen.extend([why, job.attempt, current_job().id == job.id, (await desk.view(job.id)).state])

        function = failing(error, is_async=is_async)
        (job_id,) = await desk.put(desk.job(function, max_attempts=1, on_discard=[alert]))
        async with desk.working():
            await desk.until(JobDiscarded)
        assert (await desk.view(job_id)).state is State.DISCARDED
        return seen

    assert play(story) == [error, 1, True, State.EXECUTING]


@on_either
def test_a_sync_function_runs_where_its_job_does_not_hold_up_the_loop(is_async: bool) -> None:  # noqa: FBT001
    threads: list[tuple[bool, bool]] = []

    def alert(job: Job, _: BaseException) -> None:
        threads.append((threading.get_ident() == main, current_job().id == job.id))

    main = threading.get_ident()
    perform(failing(ValueError(), is_async=is_async), max_attempts=1, on_discard=[alert])
    assert threads == [(is_async, True)]


@pytest.mark.parametrize("error", [ValueError(), Cancel("no longer wanted")])
def test_it_is_not_called_where_the_job_is_not_discarded(error: Exception) -> None:
    called: list[object] = []
    perform(failing(error, is_async=True), on_discard=[lambda *_: called.append(1)])
    assert not called


@on_either
def test_it_is_called_for_an_error_that_discards_the_job_in_its_first_attempt(is_async: bool) -> None:  # noqa: FBT001
    seen: list[BaseException] = []
    error = KeyError("user")
    view = perform(
        failing(error, is_async=is_async), discard_on=(LookupError,), on_discard=[lambda _, why: seen.append(why)]
    )
    assert view.state is State.DISCARDED
    assert seen == [error]


@on_either
def test_it_is_called_for_a_last_attempt_whose_time_out_passed(is_async: bool) -> None:  # noqa: FBT001
    seen: list[BaseException] = []

    async def later() -> None:
        await asyncio.Event().wait()

    def now() -> None:
        while True:
            pass

    view = perform(
        later if is_async else now,
        timeout=0.05,
        max_attempts=1,
        on_discard=[lambda _, why: seen.append(why)],
    )
    assert view.state is State.DISCARDED
    assert [type(why) for why in seen] == [JobTimeout]


def test_it_is_called_for_a_value_that_cannot_be_kept() -> None:
    seen: list[BaseException] = []

    async def welcome() -> object:
        return object()

    perform(welcome, record=True, on_discard=[lambda _, why: seen.append(why)])
    (why,) = seen
    assert isinstance(why, JobFailed)
    assert str(why).startswith('ArgumentError: job "welcome", returned value: expected')


@on_either
@pytest.mark.parametrize("error", [RuntimeError("no mail"), SystemExit(3), StopIteration()])
def test_what_it_raises_is_logged_and_changes_nothing(
    error: BaseException,
    is_async: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    called: list[str] = []

    def breaks(_: Job, __: BaseException) -> NoReturn:
        raise error

    async def alert(_: Job, __: BaseException) -> None:
        called.append("alert")

    function = failing(ValueError("no such user"), is_async=is_async)
    with caplog.at_level(logging.ERROR, "treadle.jobs"):
        view = perform(function, max_attempts=1, on_discard=[breaks, alert])
    assert view.state is State.DISCARDED
    assert view.errors[0].error.rstrip().endswith("ValueError: no such user")
    assert called == ["alert"]
    (record,) = caplog.records
    assert record.getMessage() == f"on_discard of job {function.__name__} {view.id} failed"
    assert type(error).__name__ in caplog.text


def test_it_is_called_outside_of_middleware() -> None:
    order: list[str] = []

    async def watch(_: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        try:
            return await call_next()
        finally:
            order.append("middleware ends")

    async def story(desk: Desk) -> None:
        function = failing(ValueError(), is_async=False)
        await desk.put(desk.job(function, max_attempts=1, on_discard=[lambda *_: order.append("on_discard")]))
        async with desk.working(around=[watch]):
            await desk.until(JobDiscarded)

    play(story)
    assert order == ["middleware ends", "on_discard"]


@on_either
def test_one_that_does_not_end_is_cut_off_with_the_workers_grace(
    is_async: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    began, ended = threading.Event(), threading.Event()

    async def hangs(_: Job, __: BaseException) -> None:
        began.set()
        await asyncio.Event().wait()

    def blocks(_: Job, __: BaseException) -> None:
        began.set()
        ended.wait(20)

    async def story(desk: Desk) -> JobView:
        function = failing(ValueError(), is_async=is_async)
        (job_id,) = await desk.put(
            desk.job(function, max_attempts=1, on_discard=[hangs if is_async else blocks, lambda *_: None])
        )
        async with desk.working():
            await until(began.is_set, what="it is called")
        return await desk.view(job_id)

    view = play(story)
    ended.set()
    assert view.state is State.DISCARDED
    assert "was cut off: its worker stops" in caplog.text


# Jobs that ended without a worker


async def set_aside(desk: Desk, name: str, deaths: int) -> str:
    """The job, as its worker's parent leaves it."""
    (job_id,) = await desk.put(name)
    [claim] = await desk.store.claim(OWNER, [Demand(("default",), 1)])
    await desk.store.settle(OWNER, [Settlement(claim, SetAside(deaths))])
    return job_id


ALONE = (Group(("default",), 1),)


@on_either
@pytest.mark.parametrize("tellings", [0, 2])
@pytest.mark.parametrize("verdict", Verdict)
def test_one_that_ended_without_a_worker_is_told_of_and_not_run(
    verdict: Verdict,
    tellings: int,
    is_async: bool,  # noqa: FBT001
) -> None:
    seen: list[object] = []

    def alert(job: Job, why: BaseException) -> None:
        seen.extend([job.deaths, type(why), str(why)])

    async def story(desk: Desk) -> JobView:
        function = failing(ValueError("it ran"), is_async=is_async)
        name = desk.job(function, expires=1.0, on_discard=[alert])
        job_id = await set_aside(desk, name, int(verdict) + tellings)
        async with desk.working(ALONE, alone=True):
            [event] = await desk.until(JobDiscarded)
        assert event.failure == verdict.failure
        return await desk.view(job_id)

    view = play(story)
    assert view.state is State.DISCARDED
    assert seen == [verdict.deaths, JobFailed, f"{verdict.failure.error_class}: {verdict.failure.message}"]


def test_one_whose_on_discard_was_taken_away_meanwhile_is_discarded() -> None:
    async def story(desk: Desk) -> JobView:
        job_id = await set_aside(desk, desk.job(failing(ValueError(), is_async=True)), int(Verdict.LOST))
        async with desk.working(ALONE, alone=True):
            await desk.until(JobDiscarded)
        return await desk.view(job_id)

    assert play(story).state is State.DISCARDED


def test_one_that_is_cut_off_while_it_is_told_of_waits_to_be_told_again() -> None:
    async def story(desk: Desk) -> JobView:
        began = asyncio.Event()

        async def hangs(_: Job, __: BaseException) -> None:
            began.set()
            await asyncio.Event().wait()

        job_id = await set_aside(desk, desk.job(failing(ValueError(), is_async=True), on_discard=[hangs]), 3)
        async with desk.working(ALONE, alone=True):
            await began.wait()
        [claim] = await desk.store.claim(OWNER, [Demand(("default",), 1, alone=True)])
        assert claim.job.deaths == Verdict.CRASHED
        await desk.store.settle(OWNER, [Settlement(claim, Released())])
        return await desk.view(job_id)

    assert play(story).state is State.SUSPENDED


# Jobs that expire


def test_a_job_that_waited_longer_than_it_may_is_discarded_and_not_started() -> None:
    ran: list[str] = []
    seen: list[BaseException] = []

    async def welcome() -> None:
        ran.append("welcome")

    async def story(desk: Desk) -> tuple[JobView, JobDiscarded]:
        name = desk.job(welcome, expires=60.0, on_discard=[lambda _, why: seen.append(why)])
        (late,) = await desk.put(name)
        desk.clock.advance(60.5)
        await desk.put(name)
        async with desk.working():
            (event,) = await desk.until(JobDiscarded)
            await desk.until(JobCompleted)
        return await desk.view(late), event

    view, event = play(story)
    assert ran == ["welcome"]
    assert view.state is State.DISCARDED
    assert event.failure.error_class == "Expired"
    assert event.failure.message == "expected to start within 60 s of when it was due, got 60.5 s"
    assert [type(why) for why in seen] == [Expired]


def test_a_job_that_waited_no_longer_than_it_may_is_started() -> None:
    async def welcome() -> None: ...

    async def story(desk: Desk) -> None:
        await desk.put(desk.job(welcome, expires=60.0))
        desk.clock.advance(59.5)
        async with desk.working():
            await desk.until(JobCompleted)

    play(story)


def test_a_retry_expires_by_the_time_since_it_was_due() -> None:
    async def story(desk: Desk) -> list[str]:
        function = failing(ValueError(), is_async=True)
        (job_id,) = await desk.put(desk.job(function, expires=60.0, backoff=lambda _: 3600))
        async with desk.working():
            await desk.until_ended(1)
        desk.clock.advance(3650)
        await desk.store.stage(10)
        async with desk.working():
            await desk.until_ended(2)
        desk.clock.advance(3670)
        await desk.store.stage(10)
        async with desk.working():
            (event,) = await desk.until(JobDiscarded)
        assert event.failure.error_class == "Expired"
        return [error.error.rstrip().rpartition("\n")[2] for error in (await desk.view(job_id)).errors]

    first, second, third = play(story)
    assert (first, second) == ("ValueError", "ValueError")
    assert "expected to start within 60 s of when it was due, got 70.0 s" in third
