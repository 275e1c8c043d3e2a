"""Process jobs run in helper processes, which are kept, and can be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import psutil
import pytest

from tests.apps import runtime_jobs
from tests.runtime.desk import run
from tests.servers import until
from treadle.core.arguments import Shape
from treadle.core.job import Job
from treadle.core.outcomes import Cancelled, Completed, Discarded, Outcome, Retried, Snoozed
from treadle.runtime.attempt import Attempt, Interrupted, Stop
from treadle.runtime.processes import ProcessDied, ProcessRunners
from treadle.stores.claim import Claim


def command(app: str) -> tuple[str, ...]:
    """What starts a helper process, without a log of its own."""
    return (sys.executable, "-m", "treadle.app.helper", app, "", "")


COMMAND = command("tests.apps.runtime_jobs:app")


def attempt_of(name: str, *args: Any, job_id: str = "7") -> Attempt:
    handler = runtime_jobs.app.handlers[name]
    raw = handler.signature.dump(args, {}, Shape.LIST)
    return Attempt(Claim(Job(job_id, name, "default", raw, 1, 20), "receipt"), handler)


def on(story: Callable[[ProcessRunners], Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        runners = ProcessRunners(COMMAND, begun=lambda _: None)
        try:
            await story(runners)
        finally:
            await runners.close()

    run(play)


def test_every_way_in_which_a_job_can_end_comes_back_as_its_outcome() -> None:
    outcomes: dict[str, Outcome] = {}

    async def story(runners: ProcessRunners) -> None:
        for name, args in (("double", (21,)), ("double_later", (21,))):
            assert await runners.run(attempt_of(name, *args)) == Completed(b"42")
        for name in ("fail", "leave", "snooze", "cancel", "again", "unwritable"):
            outcomes[name] = await runners.run(attempt_of(name))

    on(story)
    assert outcomes["snooze"] == Snoozed(60.0)
    assert outcomes["cancel"] == Cancelled("no longer wanted")
    failed, left, again, unwritable = (outcomes[name] for name in ("fail", "leave", "again", "unwritable"))
    assert isinstance(failed, Retried)
    assert failed.failure.message == "no such user"
    assert "runtime_jobs.py" in failed.failure.traceback
    assert "helper.py" not in failed.failure.traceback
    assert isinstance(left, Retried)
    assert left.failure.error_class == "SystemExit"
    assert isinstance(again, Retried)
    assert again.after == 5.0
    assert isinstance(unwritable, Discarded)


def test_a_process_is_kept_for_the_next_job_and_each_job_knows_which_it_is() -> None:
    async def story(runners: ProcessRunners) -> None:
        first = await runners.run(attempt_of("where", job_id="1"))
        second = await runners.run(attempt_of("where", job_id="2"))
        assert isinstance(first, Completed)
        assert isinstance(second, Completed)
        assert (first.result or b"").replace(b'"1"', b'"2"') == second.result

    on(story)


def test_jobs_that_run_at_a_time_have_a_process_each() -> None:
    async def story(runners: ProcessRunners) -> None:
        results = await asyncio.gather(*(runners.run(attempt_of("where")) for _ in range(2)))
        assert len(set(map(repr, results))) == 2

    on(story)


@pytest.mark.parametrize(("name", "end"), [("vanish", "exit code 7"), ("crash", "signal 9")])
def test_a_process_that_dies_fails_its_job_and_says_how(name: str, end: str) -> None:
    async def story(runners: ProcessRunners) -> None:
        with pytest.raises(ProcessDied) as caught:
            await runners.run(attempt_of(name))
        assert str(caught.value) == f'the process that ran "{name}" ended with {end}'
        assert await runners.run(attempt_of("double", 1)) == Completed(b"2")

    on(story)


def test_a_stopped_job_is_killed_with_its_process_and_the_next_one_gets_another() -> None:
    async def story(runners: ProcessRunners) -> None:
        attempt = attempt_of("hang")
        running = asyncio.create_task(runners.run(attempt))
        await until(lambda: runners.stop(attempt), what="the job has its process")
        attempt.stop = Stop.TIMEOUT
        with pytest.raises(Interrupted):
            await running
        assert not runners.stop(attempt)
        assert await runners.run(attempt_of("double", 1)) == Completed(b"2")

    on(story)


def test_a_job_that_was_stopped_before_it_began_does_not_run() -> None:
    async def story(runners: ProcessRunners) -> None:
        attempt = attempt_of("double", 1)
        attempt.stop = Stop.CANCEL
        with pytest.raises(Interrupted):
            await runners.run(attempt)

    on(story)


def test_a_process_that_died_while_it_was_idle_costs_no_job_its_attempt() -> None:
    async def story(runners: ProcessRunners) -> None:
        outcome = await runners.run(attempt_of("where"))
        assert isinstance(outcome, Completed)
        pid = int((outcome.result or b"").strip(b"[]").split(b",")[0])
        os.kill(pid, signal.SIGKILL)
        await until(lambda: is_dead(pid), what="the idle process is dead")
        assert await runners.run(attempt_of("double", 1)) == Completed(b"2")

    on(story)


def is_dead(pid: int) -> bool:
    """Whether it has ended, waited for or not."""
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_process_that_cannot_import_its_app_fails_the_job() -> None:
    async def play() -> None:
        runners = ProcessRunners(command("tests.apps.cli_broken:app"), begun=lambda _: None)
        with pytest.raises(ProcessDied, match="ended with exit code 1"):
            await runners.run(attempt_of("double", 1))
        await runners.close()

    run(play)
