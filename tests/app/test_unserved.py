"""A wait says in the log, once, that no live worker serves the queue of its job."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import until
from tests.stores.places import ManualClock
from treadle import Treadle
from treadle.app.registry import Registered
from treadle.app.unserved import PATIENCE


class Waiting:
    """An app, and one who waits for a job of it."""

    def __init__(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        self.clock = ManualClock()
        self.app = Treadle(url)
        self.app.clock = self.clock
        self.report = self.app.job(name="report", record=True, queue="reports")(lambda: 5)
        self._nudge = self.app.job(name="nudge", queue="elsewhere")(lambda: None)
        self._caplog = caplog

    @property
    def warnings(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records if record.levelno == logging.WARNING]

    async def waits(self, job: Registered, seconds: float) -> "asyncio.Task[Any]":
        """Wait for a call of a job, and let so much time pass."""
        handle = await job.aenqueue()
        task: asyncio.Task[Any] = asyncio.ensure_future(handle.aresult())
        self.id = handle.id
        await self.pass_by(task, 0.0)
        await self.pass_by(task, seconds)
        return task

    async def pass_by(self, task: "asyncio.Task[Any]", seconds: float) -> None:
        """Let time pass, and the waiting one look around."""
        self.clock.advance(seconds)
        for _ in range(3):
            await self._nudge.aenqueue()
            await asyncio.wait([task], timeout=0.05)


def play(url: str, caplog: pytest.LogCaptureFixture, story: Callable[[Waiting], Awaitable[None]]) -> None:
    async def run() -> None:
        waiting = Waiting(url, caplog)
        try:
            await asyncio.wait_for(story(waiting), 20)
        finally:
            await waiting.app.aclose()
            await asyncio.to_thread(waiting.app.close)

    asyncio.run(run())


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    redis_url: str = request.getfixturevalue("redis_url")
    return redis_url


def test_a_wait_for_a_queue_that_nobody_serves_says_so_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(waiting: Waiting) -> None:
        task = await waiting.waits(waiting.report, PATIENCE)
        await until(lambda: waiting.warnings, what="the wait has said so")
        await waiting.pass_by(task, 100.0)
        task.cancel()
        (text,) = waiting.warnings
        assert text == (
            f'job {waiting.id} (report) waits in queue "reports", which no live worker serves; '
            "start one: treadle work APP"
        )

    play(url, caplog, story)


def test_a_queue_that_no_job_names_is_named_in_the_remedy(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(waiting: Waiting) -> None:
        task = await waiting.waits(waiting.report.options(queue="slow"), PATIENCE)
        await until(lambda: waiting.warnings, what="the wait has said so")
        task.cancel()
        assert waiting.warnings[0].endswith("start one: treadle work APP -q slow")

    play(url, caplog, story)


def test_a_wait_of_less_than_two_seconds_says_nothing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(waiting: Waiting) -> None:
        task = await waiting.waits(waiting.report, PATIENCE - 0.1)
        task.cancel()
        assert waiting.warnings == []

    play(url, caplog, story)


def test_a_wait_for_a_queue_that_is_served_says_nothing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(waiting: Waiting) -> None:
        late = waiting.app.job(name="late", record=True, queue="reports")(asyncio.Event().wait)
        async with waiting.app.worker(grace=0.0):
            task = await waiting.waits(late, PATIENCE)
            task.cancel()
        assert [text for text in waiting.warnings if "live worker" in text] == []

    play(url, caplog, story)


def test_a_worker_that_comes_later_ends_the_wait(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(waiting: Waiting) -> None:
        task = await waiting.waits(waiting.report, PATIENCE)
        await until(lambda: waiting.warnings, what="the wait has said so")
        async with waiting.app.worker():
            assert await task == 5

    play(url, caplog, story)


def test_a_store_in_memory_can_be_served_here_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def story(waiting: Waiting) -> None:
        task = await waiting.waits(waiting.report, PATIENCE)
        await until(lambda: waiting.warnings, what="the wait has said so")
        task.cancel()
        assert waiting.warnings[0].endswith("its store is in this process's memory, so run one here: with app.worker()")

    play("sqlite://", caplog, story)


def test_a_wait_for_a_queue_that_is_paused_says_so_though_it_is_served(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(waiting: Waiting) -> None:
        await waiting.app.queues.apause("reports")
        await (await waiting.app.astore()).enroll("host:1:a", 60.0)
        task = await waiting.waits(waiting.report, PATIENCE)
        await until(lambda: waiting.warnings, what="the wait has said so")
        task.cancel()
        (text,) = waiting.warnings
        assert text == (
            f'job {waiting.id} (report) waits in queue "reports", which is paused; '
            "resume it: treadle queues resume reports"
        )

    play(url, caplog, story)
