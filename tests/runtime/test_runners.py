"""Coroutine jobs share a few tasks of one loop, and none of them sees another."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import NoReturn

import pytest

from tests.runtime.desk import Replies, attempt_of, noop, run, runners_of
from treadle.errors import ConfigError
from treadle.hooks.current import current_job

colour: ContextVar[str] = ContextVar("colour", default="none")


def test_values_and_errors_are_handed_on() -> None:
    async def good(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    async def bad() -> NoReturn:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def story() -> Replies:
        replies = Replies()
        runners = runners_of(1, replies)
        runners.submit(attempt_of(good, 41))
        runners.submit(attempt_of(bad))
        await replies.reach(2)
        await runners.close()
        return replies

    replies = run(story)
    assert replies.values == [42, None]
    assert replies.errors[0] is None
    assert str(replies.errors[1]) == "no"


def test_a_thousand_jobs_that_do_not_wait_all_end() -> None:
    async def story() -> Replies:
        replies = Replies()
        runners = runners_of(10, replies)
        for _ in range(1000):
            runners.submit(attempt_of(noop))
        await replies.reach(1000)
        await runners.close()
        return replies

    assert run(story).values == ["done"] * 1000


def test_never_more_than_the_limit_run_at_a_time() -> None:
    running, most = 0, 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1

    async def story() -> None:
        replies = Replies()
        runners = runners_of(7, replies)
        for _ in range(100):
            runners.submit(attempt_of(count))
        await replies.reach(100)
        await runners.close()

    run(story)
    assert most == 7


def test_a_job_that_waits_does_not_hold_up_those_behind_it() -> None:
    async def story() -> Replies:
        released = asyncio.Event()

        async def waits() -> str:
            await released.wait()
            return "waited"

        async def releases() -> str:
            released.set()
            return "released"

        replies = Replies()
        runners = runners_of(3, replies)
        for _ in range(3):
            # The second round finds idle runners, the first one none.
            released.clear()
            runners.submit(attempt_of(waits))
            runners.submit(attempt_of(noop))
            runners.submit(attempt_of(releases))
            await replies.reach(len(replies.got) + 3)
        await runners.close()
        return replies

    values = run(story).values
    assert values[2::3] == ["waited"] * 3


def test_a_context_variable_that_a_job_sets_is_its_own() -> None:
    seen: list[str] = []

    async def paints(name: str) -> None:
        seen.append(colour.get())
        colour.set(name)
        await asyncio.sleep(0)
        seen.append(colour.get())

    async def story() -> None:
        replies = Replies()
        runners = runners_of(1, replies)
        for name in ("red", "green"):
            runners.submit(attempt_of(paints, name))
        await replies.reach(2)
        await runners.close()

    run(story)
    assert seen == ["none", "red", "none", "green"]
    assert colour.get() == "none"


def test_each_job_knows_which_it_is_also_after_it_waited() -> None:
    async def who() -> tuple[str, str]:
        before = current_job().id
        await asyncio.sleep(0)
        return before, current_job().id

    async def story() -> None:
        replies = Replies()
        runners = runners_of(2, replies)
        attempts = [attempt_of(who) for _ in range(4)]
        for attempt in attempts:
            runners.submit(attempt)
        await replies.reach(4)
        await runners.close()
        for attempt, value, _ in replies.got:
            assert value == (attempt.claim.job.id, attempt.claim.job.id)

    run(story)
    with pytest.raises(ConfigError, match=r"expected current_job\(\) to be called while a job runs"):
        current_job()


async def cancels_itself() -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return "returned"


async def cancels_itself_and_waits() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def raises_stop_iteration() -> NoReturn:
    raise StopIteration("out")


async def exits() -> NoReturn:
    raise SystemExit(3)


async def interrupts() -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("function", "value", "error"),
    [
        (cancels_itself, "returned", None),
        (cancels_itself_and_waits, None, asyncio.CancelledError),
        (raises_stop_iteration, None, RuntimeError),
        (exits, None, SystemExit),
        (interrupts, None, KeyboardInterrupt),
    ],
)
def test_whatever_a_job_does_to_its_task_the_next_one_runs(
    function: Callable[[], Awaitable[object]], value: object, error: type[BaseException] | None
) -> None:
    async def story() -> Replies:
        replies = Replies()
        runners = runners_of(1, replies)
        for _ in range(3):
            runners.submit(attempt_of(function))
            runners.submit(attempt_of(waits_a_turn))
        await replies.reach(6)
        await runners.close()
        return replies

    replies = run(story)
    for place in range(0, 6, 2):
        assert replies.values[place] == value
        assert isinstance(replies.errors[place], error or type(None))
        assert replies.values[place + 1] == "turned"


async def waits_a_turn() -> str:
    await asyncio.sleep(0)
    return "turned"


def test_the_tools_of_asyncio_work_inside_a_job() -> None:
    async def uses_them() -> list[str]:
        used = []
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            used.append("timeout")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await asyncio.Event().wait()
        except* ValueError:
            used.append("group")
        used.append(await asyncio.wait_for(waits_a_turn(), 10))
        return used

    async def fails() -> NoReturn:
        raise ValueError

    async def story() -> Replies:
        replies = Replies()
        runners = runners_of(1, replies)
        runners.submit(attempt_of(uses_them))
        runners.submit(attempt_of(waits_a_turn))
        await replies.reach(2)
        await runners.close()
        return replies

    replies = run(story)
    assert replies.values == [["timeout", "group", "turned"], "turned"]
