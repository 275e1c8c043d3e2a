"""Tracebacks show the user's frames and not ours, of whatever was raised."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from tests.runtime.desk import Desk, play
from treadle.core.job import Job
from treadle.hooks.events import JobRetried
from treadle.runtime.traces import TRACE_LIMIT, stacks, user_traceback


def raised_by(function: Callable[[], Any], *, around: Any = ()) -> str:  # noqa: ANN401
    """The traceback that is kept of a job."""

    async def story(desk: Desk) -> str:
        await desk.put(desk.job(function))
        async with desk.working(around=around):
            (event,) = await desk.until(JobRetried)
        return event.failure.traceback

    return play(story)


def test_a_coroutines_traceback_begins_in_the_users_code_and_ends_there() -> None:
    async def inner() -> NoReturn:
        await asyncio.sleep(0)
        raise ValueError("no such user")

    async def welcome() -> None:
        await inner()

    text = raised_by(welcome)
    assert "treadle/runtime" not in text
    assert text.index("in welcome") < text.index("in inner") < text.index("ValueError: no such user")


def test_a_threads_traceback_does_so_too() -> None:
    def welcome() -> NoReturn:
        raise ValueError("no such user")

    text = raised_by(welcome)
    assert "treadle/runtime" not in text
    assert "in welcome" in text


def test_frames_of_ours_between_the_users_are_dropped() -> None:
    async def outer(_: Job, call_next: Callable[[], Any]) -> object:
        return await call_next()

    async def welcome() -> NoReturn:
        raise ValueError("no such user")

    text = raised_by(welcome, around=[outer])
    assert text.index("in outer") < text.index("in welcome")
    assert "src/treadle" not in text


def test_frames_of_ours_are_dropped_from_the_errors_that_led_to_it() -> None:
    async def welcome() -> None:
        try:
            user_code()
        except ValueError as error:
            raise RuntimeError("could not greet") from error

    text = raised_by(welcome)
    assert "ValueError: no such user" in text
    assert "The above exception was the direct cause" in text
    assert "treadle/runtime" not in text


def user_code() -> NoReturn:
    raise ValueError("no such user")


def test_a_group_shows_all_of_its_errors() -> None:
    async def welcome() -> None:
        raise ExceptionGroup("both", [ValueError("one"), KeyError("two")])

    text = raised_by(welcome)
    assert "ValueError: one" in text
    assert "KeyError: 'two'" in text


class UnprintableError(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError("no")


def test_an_error_that_cannot_be_printed_has_a_traceback_all_the_same() -> None:
    assert "UnprintableError" in user_traceback(UnprintableError())


def test_an_error_that_is_its_own_cause_is_shown_once() -> None:
    error, other = ValueError("one"), KeyError("two")
    error.__cause__, other.__cause__ = other, error
    text = user_traceback(error)
    assert text.count("ValueError: one") == 1


def test_a_long_traceback_loses_its_middle() -> None:
    text = user_traceback(ValueError("a" + "x" * 2 * TRACE_LIMIT + "z"))
    assert len(text) < TRACE_LIMIT + 10
    assert text.startswith("ValueError: a")
    assert text.rstrip().endswith("z")
    assert "\n…\n" in text


def test_an_endless_recursion_is_kept_short() -> None:
    def fall() -> None:
        fall()

    with pytest.raises(RecursionError) as caught:
        fall()
    text = user_traceback(caught.value)
    assert "Previous line repeated" in text
    assert len(text) < 5_000


def test_the_stacks_of_all_threads_and_tasks_are_shown() -> None:
    async def sleeper() -> None:
        await asyncio.Event().wait()

    async def story() -> str:
        task = asyncio.create_task(sleeper(), name="the sleeper")
        await asyncio.sleep(0)
        text = stacks()
        task.cancel()
        return text

    text = asyncio.run(story())
    assert "thread MainThread" in text
    assert "task the sleeper" in text
    assert "in sleeper" in text


def test_stacks_are_shown_where_no_loop_runs() -> None:
    assert "thread MainThread" in stacks()
