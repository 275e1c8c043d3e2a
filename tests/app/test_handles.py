"""Handles ask after a job, cancel it, and wait for its value."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from treadle import Cancel, ResultHandle, Treadle
from treadle.app.registry import Registered
from treadle.core.states import State
from treadle.errors import JobCancelled, JobFailed


class Jobs:
    """An app with recorded jobs that end in each way."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.app = Treadle(url)
        self.begun = asyncio.Event()
        self.double = self._job(_double)
        self.nothing = self._job(_nothing)
        self.fail = self._job(_fail)
        self.give_up = self._job(_give_up)
        self.hang = self._job(self._hang)

    def _job(self, function: Callable[..., Any]) -> Registered:
        return self.app.job(name=function.__name__.strip("_"), record=True, max_attempts=1)(function)

    async def _hang(self) -> None:
        self.begun.set()
        await asyncio.Event().wait()


async def _double(number: int) -> int:
    return 2 * number


async def _nothing() -> None: ...
async def _fail() -> NoReturn:
    raise ValueError("no such user")


async def _give_up() -> NoReturn:
    raise Cancel("no longer wanted")


async def result_of(job: Registered, *args: Any) -> ResultHandle[Any]:
    handle = await job.aenqueue(*args)
    assert isinstance(handle, ResultHandle)
    return handle


def play(story: Callable[[Jobs], Awaitable[None]]) -> None:
    async def run() -> None:
        jobs = Jobs()
        try:
            async with jobs.app.worker(grace=0.0):
                await asyncio.wait_for(story(jobs), 20)
        finally:
            await asyncio.to_thread(jobs.app.close)

    asyncio.run(run())


def test_an_awaited_handle_gives_the_value() -> None:
    async def story(jobs: Jobs) -> None:
        assert await (await result_of(jobs.double, 21)) == 42
        assert await (await result_of(jobs.nothing)) is None
        handle = await result_of(jobs.double, 1)
        assert [await handle, await handle.aresult(timeout=5)] == [2, 2]
        assert await handle.astatus() is State.COMPLETED

    play(story)


def test_a_blocking_thread_gets_the_value_too() -> None:
    async def story(jobs: Jobs) -> None:
        handle = await result_of(jobs.double, 21)
        assert await asyncio.to_thread(handle.result, 10) == 42
        assert await asyncio.to_thread(handle.status) is State.COMPLETED
        assert await asyncio.to_thread(handle.cancel) is False

    play(story)


def test_a_failed_job_raises_with_its_last_failure() -> None:
    jobs = Jobs()
    with jobs.app.testing() as kit:
        handle = jobs.fail.enqueue()
        kit.drain()
        with pytest.raises(JobFailed, match=rf"(?s)^job {handle.id} failed: .*ValueError: no such user"):
            handle.result()
        assert handle.status() is State.DISCARDED


def test_a_cancelled_job_raises_that_it_was() -> None:
    jobs = Jobs()
    with jobs.app.testing() as kit:
        handle = jobs.give_up.enqueue()
        kit.drain()
        with pytest.raises(JobCancelled, match=f"^job {handle.id} was cancelled$"):
            handle.result()


def test_a_wait_that_ends_first_is_a_time_out_of_our_own() -> None:
    async def story(jobs: Jobs) -> None:
        handle = await result_of(jobs.hang)
        await jobs.begun.wait()
        with pytest.raises(TimeoutError, match=rf"^job {handle.id} did not end within 0.01 s, and goes on$"):
            await handle.aresult(timeout=0.01)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(handle.result, 0.01)
        assert await handle.astatus() is State.EXECUTING

    play(story)


def test_a_waiting_job_is_cancelled_at_once() -> None:
    jobs = Jobs()
    with jobs.app.testing() as kit:
        handle = jobs.hang.options(delay=60).enqueue()
        assert handle.status() is State.SCHEDULED
        assert handle.cancel() is True
        assert handle.status() is State.CANCELLED
        assert handle.cancel() is False
        with pytest.raises(JobCancelled):
            handle.result(timeout=5)
        assert kit.advance(60) == {}


def test_a_handle_is_made_of_an_id_alone() -> None:
    jobs = Jobs()
    with jobs.app.testing():
        handle = jobs.double.enqueue(1)
        assert repr(handle) == f"ResultHandle('{handle.id}')"
        assert jobs.app.jobs.get(handle.id).status() is State.AVAILABLE


@pytest.mark.parametrize("job_id", ["999", "no such id", "", "1; DROP TABLE oban_jobs", "9" * 50])
def test_a_job_of_which_nothing_is_kept_has_no_status_and_cannot_be_cancelled(tmp_path: Path, job_id: str) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")
    handle = app.jobs.get(job_id)
    assert handle.status() is None
    assert handle.cancel() is False
    app.close()


def test_a_plain_handle_has_no_value_and_says_why(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")
    handle: Any = app.job(name="plain")(lambda: None).enqueue()
    text = (
        "expected the handle of a job declared with record=True, got one whose value is not kept: it has no result, "
        "and cannot be awaited"
    )

    async def wait() -> None:
        await handle

    with pytest.raises(TypeError) as awaited:
        asyncio.run(wait())
    with pytest.raises(AttributeError) as asked:
        _ = handle.result
    assert [str(awaited.value), str(asked.value)] == [text, text]
    with pytest.raises(AttributeError, match="a Handle has no attribute 'results'"):
        _ = handle.results
    app.close()
