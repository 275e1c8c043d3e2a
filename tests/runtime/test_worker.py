"""A worker on SQLite: every way in which a job can end, as it then stands in the store."""

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import pytest

from tests.runtime.desk import Desk, play
from tests.stores.places import NOON
from treadle.core.job import Job, JobView, NewJob
from treadle.core.states import State
from treadle.errors import Cancel, Retry, Snooze
from treadle.hooks.current import current_job
from treadle.hooks.events import (
    JobCompleted,
    JobDiscarded,
    JobRetried,
    JobStarted,
    JobUnknown,
)
from treadle.runtime.handler import RESULT_LIMIT
from treadle.runtime.slots import Group
from treadle.stores.views import Result

LONG = 20.0
ONE = Group(("default",), 1)


def after(view: JobView) -> float:
    """Seconds until the job is due, by the store's clock."""
    assert view.scheduled_at is not None
    return view.scheduled_at.timestamp() - NOON


def one(function: Callable[..., Any], **options: Any) -> tuple[JobView, Result | None, Desk]:
    """The job, its result and what happened, when one attempt of this function has ended."""

    async def story(desk: Desk) -> tuple[JobView, Result | None, Desk]:
        (job_id,) = await desk.put(desk.job(function, **options))
        async with desk.working():
            await desk.until_ended(1)
        return await desk.view(job_id), await desk.store.result(job_id), desk

    return play(story)


def test_a_job_that_returns_has_completed() -> None:
    ran = []

    async def welcome() -> None:
        ran.append(current_job().name)

    view, _, desk = one(welcome)
    assert view.state is State.COMPLETED
    assert view.attempt == 1
    assert ran == ["welcome"]
    assert [type(event) for event in desk.heard] == [JobStarted, JobCompleted]


def test_a_job_that_raises_is_retried_after_the_back_off_with_its_traceback() -> None:
    async def welcome() -> NoReturn:
        raise ValueError("no such user")

    view, _, desk = one(welcome)
    assert view.state is State.RETRYABLE
    assert after(view) == pytest.approx(17.0)
    (error,) = view.errors
    assert error.attempt == 1
    assert "test_worker.py" in error.error
    assert error.error.rstrip().endswith("ValueError: no such user")
    (event,) = desk.of(JobRetried)
    assert event.failure.message == "no such user"
    assert event.after == 17.0


def test_the_last_attempts_error_discards_the_job() -> None:
    async def welcome() -> NoReturn:
        raise ValueError("no such user")

    view, result, desk = one(welcome, max_attempts=1)
    assert view.state is State.DISCARDED
    assert result is not None
    assert "no such user" in (result.error or "")
    assert len(desk.of(JobDiscarded)) == 1


@pytest.mark.parametrize("is_async", [True, False])
def test_the_signals_of_a_job_are_obeyed_on_either_executor(is_async: bool) -> None:  # noqa: FBT001
    def job_of(error: Exception) -> Callable[[], Any]:
        async def later() -> NoReturn:
            raise error

        def now() -> NoReturn:
            raise error

        return later if is_async else now

    snoozed, _, _ = one(job_of(Snooze(60)))
    assert (snoozed.state, after(snoozed), snoozed.attempt, snoozed.errors) == (State.SCHEDULED, 60.0, 0, ())
    cancelled, _, _ = one(job_of(Cancel("no longer wanted")))
    assert cancelled.state is State.CANCELLED
    assert [error.error for error in cancelled.errors] == ["no longer wanted"]
    retried, _, _ = one(job_of(Retry(5)))
    assert (retried.state, after(retried), retried.attempt) == (State.RETRYABLE, 5.0, 1)


@pytest.mark.parametrize("seconds", [float("nan"), "soon", None, 1e300])
def test_a_signal_without_seconds_is_an_ordinary_failure_that_says_so(seconds: Any) -> None:  # noqa: ANN401
    async def welcome() -> NoReturn:
        raise Snooze(seconds)

    view, _, _ = one(welcome)
    assert (view.state, after(view)) == (State.RETRYABLE, 17.0)
    assert "its next run could not be timed:" in view.errors[0].error


def broken(_: int) -> NoReturn:
    raise RuntimeError("broken back-off")


def leaving(_: int) -> NoReturn:
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("backoff", "reason"),
    [
        (broken, "RuntimeError: broken back-off"),
        (leaving, "SystemExit: 1"),
        (lambda _: float("nan"), "ValueError: expected less than 1e+10 seconds, got nan"),
        (lambda _: "soon", "ValueError: could not convert string to float: 'soon'"),
    ],
)
def test_a_broken_back_off_function_is_reported_and_the_default_one_used(
    backoff: Callable[[int], Any], reason: str
) -> None:
    async def welcome() -> NoReturn:
        raise ValueError("no such user")

    view, _, _ = one(welcome, backoff=backoff)
    assert (view.state, after(view)) == (State.RETRYABLE, 17.0)
    text = view.errors[0].error
    assert "ValueError: no such user" in text
    assert reason in text


# Results


def test_what_a_recorded_job_returns_is_kept() -> None:
    async def welcome() -> dict[str, list[int]]:
        return {"numbers": [1, 2]}

    view, result, _ = one(welcome, record=True)
    assert view.state is State.COMPLETED
    assert result == Result(State.COMPLETED, b'{"numbers":[1,2]}')


class Unshowable:
    def __repr__(self) -> NoReturn:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), 'job "welcome", returned value: expected a value that JSON has'),
        (Unshowable(), "got Unshowable that cannot be shown: RuntimeError"),
        (float("nan"), "expected a finite number, got nan"),
        ({1: 2}, "expected keys that are text, got int 1"),
        ("x" * RESULT_LIMIT, f'job "welcome": expected a result of at most {RESULT_LIMIT} bytes'),
    ],
)
def test_a_value_that_cannot_be_kept_discards_the_job_for_its_effects_have_happened(value: object, reason: str) -> None:
    async def welcome() -> object:
        return value

    view, _, desk = one(welcome, record=True)
    assert view.state is State.DISCARDED
    assert reason in desk.of(JobDiscarded)[0].failure.message


def test_a_job_that_is_not_recorded_may_return_anything() -> None:
    async def welcome() -> object:
        return Unshowable()

    view, _, _ = one(welcome)
    assert view.state is State.COMPLETED


# Unknown jobs


def test_an_unknown_job_goes_back_for_30_seconds_and_no_attempt_is_consumed() -> None:
    async def story(desk: Desk) -> JobView:
        (job_id,) = await desk.put("os.system")
        async with desk.working():
            (event,) = await desk.until(JobUnknown)
            assert (event.job.name, event.after) == ("os.system", 30.0)
        return await desk.view(job_id)

    view = play(story)
    assert (view.state, after(view), view.attempt, view.errors) == (State.SCHEDULED, 30.0, 0, ())


def test_an_unknown_job_holds_up_nobody() -> None:
    async def welcome() -> None: ...

    async def story(desk: Desk) -> None:
        desk.job(welcome)
        await desk.put("unknown", 20)
        await desk.put("welcome", 20)
        async with desk.working():
            await desk.until(JobCompleted, 20)
        assert len(desk.of(JobUnknown)) == 20

    play(story)


def test_a_job_of_a_newer_program_runs_when_a_worker_comes_that_knows_it_and_has_lost_no_attempt() -> None:
    async def welcome() -> int:
        return current_job().attempt

    async def story(desk: Desk) -> Result | None:
        (job_id,) = await desk.put("welcome")
        for count in (1, 2):
            async with desk.working():
                await desk.until(JobUnknown, count)
            desk.clock.advance(30.0)
            await desk.store.stage(10)
        desk.job(welcome, record=True)
        async with desk.working():
            await desk.until(JobCompleted)
        return await desk.store.result(job_id)

    assert play(story) == Result(State.COMPLETED, b"1")


def test_only_the_first_unknown_job_of_a_name_is_marked_as_such_for_one_warning_is_enough() -> None:
    async def story(desk: Desk) -> list[tuple[str, bool]]:
        async with desk.working([ONE]):
            for count, name in enumerate(("first", "second", "first", "second"), 1):
                await desk.put(name)
                await desk.until(JobUnknown, count)
        return [(event.job.name, event.first) for event in desk.of(JobUnknown)]

    assert play(story) == [("first", True), ("second", True), ("first", False), ("second", False)]


def test_a_worker_may_let_unknown_jobs_fail_as_its_peers_do() -> None:
    async def story(desk: Desk) -> tuple[JobView, JobView]:
        (job_id,) = await desk.put("os.system")
        (last,) = await desk.store.insert([NewJob(name="os.system", queue="default", args=b"{}", max_attempts=1)])
        async with desk.working(unknown="fail") as worker:
            await desk.until(JobRetried)
            await desk.until(JobDiscarded)
            assert worker.tally == (0, 1, 1)
        assert not desk.of(JobUnknown)
        return await desk.view(job_id), await desk.view(last.id)

    retried, discarded = play(story)
    assert (retried.state, retried.attempt) == (State.RETRYABLE, 1)
    assert after(retried) == pytest.approx(17.0)
    assert "UnknownJob" in retried.errors[0].error
    assert 'job "os.system" is not registered in this app' in retried.errors[0].error
    assert discarded.state is State.DISCARDED


def test_arguments_that_do_not_bind_fail_the_attempt_by_name() -> None:
    async def welcome(user_id: int) -> None: ...

    view, _, _ = one(welcome)
    assert view.state is State.RETRYABLE
    assert 'job "welcome": argument "user_id" is missing' in view.errors[0].error


def test_the_tally_counts_what_ended_well_failed_and_failed_for_good() -> None:
    async def good() -> None: ...

    async def bad() -> NoReturn:
        raise ValueError

    async def last() -> NoReturn:
        raise ValueError

    async def story(desk: Desk) -> tuple[int, int, int]:
        await desk.put(desk.job(good), 3)
        await desk.put(desk.job(bad), 2)
        await desk.put(desk.job(last, max_attempts=1))
        async with desk.working() as worker:
            await desk.until(JobCompleted, 3)
            await desk.until(JobRetried, 2)
            await desk.until(JobDiscarded)
            return worker.tally

    assert play(story) == (3, 2, 1)


def test_middleware_sees_the_value_and_the_error_of_every_job() -> None:
    seen: list[object] = []

    async def watch(_: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        try:
            value = await call_next()
        except Exception as error:
            seen.append(type(error))
            raise
        seen.append(value)
        return value

    async def good() -> int:
        return 1

    def good_sync() -> int:
        return 2

    def bad() -> NoReturn:
        raise ValueError

    def out() -> NoReturn:
        raise StopIteration

    async def story(desk: Desk) -> None:
        async with desk.working(around=[watch]):
            for count, function in enumerate((good, good_sync, bad, out), 1):
                await desk.put(desk.job(function))
                await desk.until_ended(count)

    play(story)
    assert seen == [1, 2, ValueError, RuntimeError]


def test_what_middleware_returns_is_the_jobs_result() -> None:
    async def doubles(_: Job, call_next: Callable[[], Awaitable[Any]]) -> object:
        return 2 * await call_next()

    async def welcome() -> int:
        return 21

    async def story(desk: Desk) -> Result | None:
        (job_id,) = await desk.put(desk.job(welcome, record=True))
        async with desk.working(around=[doubles]):
            await desk.until(JobCompleted)
        return await desk.store.result(job_id)

    assert play(story) == Result(State.COMPLETED, b"42")
