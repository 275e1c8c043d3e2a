"""Sync jobs run on a pool of threads, and what tells them to stop hits the right one or nobody."""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, NoReturn

import pytest

from tests.loops import CountingLoop
from tests.runtime.desk import Replies, attempt_of, run
from tests.servers import until
from treadle.errors import ArgumentError, ConfigError
from treadle.hooks.current import current_job
from treadle.runtime.attempt import Attempt, Interrupted, Stop
from treadle.runtime.threads import ThreadRunners

LONG = 20.0

colour: ContextVar[str] = ContextVar("colour", default="none")


def spin() -> None:
    """Never waits, so that an interruption comes at the next line."""
    while True:
        pass


def small() -> int:
    return sum(range(20))


def on(limit: int, story: Callable[[ThreadRunners, Replies], Coroutine[Any, Any, None]]) -> Replies:
    async def play() -> Replies:
        replies = Replies()
        runners = ThreadRunners(limit, {})
        try:
            await story(runners, replies)
        finally:
            runners.close()
        return replies

    return run(play)


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads take turns so often that races come to light; garbage of other tests is not theirs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(before)


def test_values_and_errors_come_back_to_the_loops_thread() -> None:
    threads = set()

    def good(number: int) -> int:
        threads.add(threading.get_ident())
        return number + 1

    def bad() -> NoReturn:
        raise ValueError("no")

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        def reply(attempt: Attempt, value: object, error: BaseException | None) -> None:
            assert threading.get_ident() not in threads
            replies(attempt, value, error)

        runners.submit(attempt_of(good, 41), reply)
        await replies.reach(1)
        runners.submit(attempt_of(bad), reply)
        await replies.reach(2)

    replies = on(1, story)
    assert replies.values == [42, None]
    assert str(replies.errors[1]) == "no"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration("out"), GeneratorExit()])
def test_whatever_a_job_raises_its_thread_goes_on(error: BaseException) -> None:
    def raises() -> NoReturn:
        raise error

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        runners.submit(attempt_of(raises), replies)
        runners.submit(attempt_of(small), replies)
        await replies.reach(2)

    replies = on(1, story)
    assert replies.errors == [error, None]


def test_as_many_run_at_a_time_as_the_limit_says_and_no_more() -> None:
    together = threading.Barrier(4)
    lock = threading.Lock()
    running, most = 0, 0

    def meet() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(LONG)
        with lock:
            running -= 1

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        for _ in range(40):
            runners.submit(attempt_of(meet), replies)
        await replies.reach(40)

    on(4, story)
    assert most == 4


def test_threads_are_started_as_they_are_needed() -> None:
    async def story(runners: ThreadRunners, replies: Replies) -> None:
        names = set()

        def named() -> None:
            names.add(threading.current_thread().name)

        for count in range(1, 6):
            runners.submit(attempt_of(named), replies)
            await replies.reach(count)
        assert names == {"treadle thread 1"}

    on(10, story)


def test_what_ends_while_the_loop_is_busy_comes_back_in_one_batch() -> None:
    async def play() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        replies, runners = Replies(), ThreadRunners(4, {})
        left = threading.Semaphore(0)
        for _ in range(100):
            runners.submit(attempt_of(left.release), replies)
        for _ in range(100):
            # The loop stands still meanwhile.
            assert left.acquire(timeout=LONG)
        await replies.reach(100)
        runners.close()
        return loop.woken

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        # The last of them may end after the loop has looked.
        assert runner.run(play()) <= 5


def test_a_context_variable_that_a_job_sets_is_its_own() -> None:
    seen = []

    def paints(name: str) -> str:
        seen.append(colour.get())
        colour.set(name)
        return current_job().id

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        for name in ("red", "green"):
            runners.submit(attempt_of(paints, name), replies)
        await replies.reach(2)
        for attempt, value, _ in replies.got:
            assert value == attempt.claim.job.id

    on(1, story)
    assert seen == ["none", "none"]


def test_arguments_that_do_not_bind_fail_the_attempt() -> None:
    def takes_one(number: int) -> None: ...

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        attempt = attempt_of(small)
        handler = attempt_of(takes_one, 1).handler
        runners.submit(Attempt(attempt.claim, handler), replies)
        await replies.reach(1)

    (error,) = on(1, story).errors
    assert isinstance(error, ArgumentError)
    assert str(error) == 'job "takes_one": argument "number" is missing: expected at least 1, got 0'


def test_a_sync_function_that_gives_a_coroutine_has_not_run_and_fails() -> None:
    async def hidden() -> None: ...

    def wrapper() -> object:
        return hidden()

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        runners.submit(attempt_of(wrapper), replies)
        await replies.reach(1)

    (error,) = on(1, story).errors
    assert isinstance(error, ConfigError)
    assert str(error) == 'job "wrapper" gave a coroutine that nobody runs: write it, or its wrapper, async'


# Stopping


def test_an_interrupted_job_ends_and_its_thread_goes_on() -> None:
    async def story(runners: ThreadRunners, replies: Replies) -> None:
        begun = threading.Event()

        def spins() -> None:
            begun.set()
            spin()

        attempt = attempt_of(spins)
        runners.submit(attempt, replies)
        runners.submit(attempt_of(small), replies)
        assert await asyncio.to_thread(begun.wait, LONG)
        assert runners.interrupt(attempt)
        await replies.reach(2)

    replies = on(1, story)
    assert isinstance(replies.errors[0], Interrupted)
    assert replies.values[1] == 190


def test_a_job_that_was_stopped_before_it_began_does_not_run() -> None:
    ran = []

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        attempt = attempt_of(lambda: ran.append(True))
        attempt.stop = Stop.CANCEL
        assert not runners.interrupt(attempt)
        runners.submit(attempt, replies)
        await replies.reach(1)

    replies = on(1, story)
    assert isinstance(replies.errors[0], Interrupted)
    assert ran == []


def test_an_interruption_of_a_job_that_has_ended_hits_nobody() -> None:
    async def story(runners: ThreadRunners, replies: Replies) -> None:
        attempt = attempt_of(small)
        runners.submit(attempt, replies)
        await replies.reach(1)
        assert not runners.interrupt(attempt)
        assert not runners.abandon(attempt)
        runners.submit(attempt_of(small), replies)
        await replies.reach(2)

    assert on(1, story).errors == [None, None]


def test_interruptions_that_race_with_the_ends_of_jobs_hit_the_right_one_or_nobody() -> None:
    count, limit = 2000, 3

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        told = set()
        for done in range(0, count, limit):
            attempts = [attempt_of(small) for _ in range(limit)]
            for attempt in attempts:
                runners.submit(attempt, replies)
            for attempt in attempts[:-1]:
                if runners.interrupt(attempt):
                    told.add(attempt)
            await replies.reach(done + limit)
        for attempt, value, error in replies.got:
            assert value == 190 or (isinstance(error, Interrupted) and attempt in told)
        # All threads live: as many as ever can meet.
        together = threading.Barrier(limit)
        for _ in range(limit):
            runners.submit(attempt_of(lambda: together.wait(LONG)), replies)
        before = len(replies.got)
        await replies.reach(before + limit)
        assert replies.errors[before:] == [None] * limit

    with switching_often():
        replies = on(limit, story)
    assert len({attempt for attempt, _, _ in replies.got}) == len(replies.got)


@pytest.mark.timeout(30)
def test_whether_jobs_were_interrupted_or_not_functions_can_be_traced() -> None:
    async def story(runners: ThreadRunners, replies: Replies) -> None:
        for done in range(300):
            attempt = attempt_of(small)
            runners.submit(attempt, replies)
            runners.interrupt(attempt)
            await replies.reach(done + 1)

    on(1, story)
    seen: list[str] = []

    def tracer(frame: FrameType, _event: str, _arg: object) -> None:
        seen.append(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        small()
    finally:
        sys.settrace(before)
    assert seen[0] == "small"


def test_an_abandoned_job_gives_its_place_up_and_is_never_heard_again() -> None:
    begun, released, ended = threading.Event(), threading.Event(), threading.Event()

    def hangs() -> None:
        begun.set()
        released.wait(LONG)
        ended.set()

    async def story(runners: ThreadRunners, replies: Replies) -> None:
        attempt = attempt_of(hangs)
        runners.submit(attempt, replies)
        assert await asyncio.to_thread(begun.wait, LONG)
        assert runners.abandon(attempt)
        runners.submit(attempt_of(small), replies)
        await replies.reach(1)
        released.set()
        assert await asyncio.to_thread(ended.wait, LONG)
        runners.submit(attempt_of(small), replies)
        await replies.reach(2)

    assert on(1, story).values == [190, 190]


def test_closing_ends_the_threads() -> None:
    async def play() -> None:
        replies, runners = Replies(), ThreadRunners(2, {})
        pool: set[threading.Thread] = set()
        together = threading.Barrier(2)

        def joins() -> None:
            pool.add(threading.current_thread())
            together.wait(LONG)

        for _ in range(2):
            runners.submit(attempt_of(joins), replies)
        await replies.reach(2)
        assert all(thread.is_alive() and thread.daemon for thread in pool)
        runners.close()
        await until(lambda: not any(thread.is_alive() for thread in pool), what="the threads end")

    run(play)
