"""Injected parameters are filled once per attempt, wherever the job runs, and what was opened is closed in order."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, Self, TypeVar

import pytest

from tests.runtime.desk import Desk, perform, play, run
from tests.servers import until
from treadle import Inject, Job, Snooze, current_job
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.errors import Cancel
from treadle.hooks.events import JobCompleted, JobStuck
from treadle.runtime.attempt import Interrupted
from treadle.runtime.providers import Held, run_here

T = TypeVar("T")

on_either = pytest.mark.parametrize("is_async", [True, False], ids=["loop", "thread"])

colour: ContextVar[str] = ContextVar("colour", default="none")


def job_of(provider: Callable[..., Any], body: Callable[[Any], Any], *, is_async: bool) -> Callable[..., Any]:
    """A job that hands its injected value to `body`, on the loop or on a thread."""

    async def later(*, value: Any = Inject(provider)) -> Any:  # noqa: ANN401
        return body(value)

    def now(*, value: Any = Inject(provider)) -> Any:  # noqa: ANN401
        return body(value)

    return later if is_async else now


def error_of(view: JobView) -> str:
    assert view.state is State.RETRYABLE
    return view.errors[0].error


# Kinds of providers


def function() -> str:
    return "value"


def generator() -> Iterator[str]:
    yield "value"


async def async_function() -> str:
    await asyncio.sleep(0)
    return "value"


async def async_generator() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    yield "value"
    await asyncio.sleep(0)


class Value(str):
    __slots__ = ()

    def __new__(cls) -> Self:
        return super().__new__(cls, "value")


class Maker:
    def __init__(self, value: str) -> None:
        self.value = value

    def __call__(self) -> Iterator[str]:
        yield self.value

    async def make(self) -> str:
        return self.value


def echo(value: T) -> T:
    return value


KINDS = [
    function,
    generator,
    async_function,
    async_generator,
    Value,
    Maker("value"),
    Maker("value").make,
    functools.partial(echo, "value"),
    lambda: echo(async_generator()),
    "value".lower,
]


@on_either
@pytest.mark.parametrize("provider", KINDS)
def test_every_kind_of_provider_gives_its_value(provider: Callable[..., Any], is_async: bool) -> None:  # noqa: FBT001
    got: list[object] = []
    view = perform(job_of(provider, got.append, is_async=is_async))
    assert view.state is State.COMPLETED
    assert got == ["value"]


@on_either
def test_a_provider_is_called_once_in_an_attempt_however_often_it_is_needed(is_async: bool) -> None:  # noqa: FBT001
    calls: list[str] = []

    def session() -> Iterator[list[str]]:
        calls.append("session")
        yield calls

    async def users(db: list[str] = Inject(session)) -> list[str]:
        return db

    def both(*, db: list[str] = Inject(session), repo: list[str] = Inject(users)) -> bool:
        return db is repo

    got: list[object] = []

    async def story(desk: Desk) -> None:
        await desk.put(desk.job(job_of(both, got.append, is_async=is_async)), 2)
        async with desk.working():
            await desk.until(JobCompleted, 2)

    play(story)
    assert got == [True, True]
    assert calls == ["session", "session"]


@on_either
def test_the_running_job_is_injected_into_jobs_and_providers(is_async: bool) -> None:  # noqa: FBT001
    def name(*, job: Job = Inject()) -> str:
        return job.name

    async def names(*, first: str = Inject(name), job: Job = Inject()) -> list[str]:
        return [first, job.name, current_job().name]

    got: list[list[str]] = []
    function = job_of(names, got.append, is_async=is_async)
    perform(function)
    assert got == [[function.__name__] * 3]


@on_either
def test_an_overridden_provider_is_not_called_nor_is_what_it_needs(is_async: bool) -> None:  # noqa: FBT001
    def url() -> NoReturn:
        raise AssertionError

    def session(url: str = Inject(url)) -> str:
        return url

    def users(db: object = Inject(session)) -> object:
        return db

    got: list[object] = []

    async def story(desk: Desk) -> None:
        await desk.put(desk.job(job_of(users, got.append, is_async=is_async)))
        async with desk.working(overrides={session: print}):
            await desk.until(JobCompleted)

    play(story)
    assert got == [print]


# Where they run


def test_the_sync_providers_of_a_thread_job_run_on_its_thread_and_the_async_ones_on_the_loop() -> None:
    def here() -> Iterator[int]:
        before = threading.get_ident()
        yield before
        assert threading.get_ident() == before

    async def loops() -> AsyncIterator[int]:
        before = threading.get_ident()
        # A time-out must be entered and left by one task.
        async with asyncio.timeout(20):
            yield before
        assert threading.get_ident() == before

    def both(*, here: int = Inject(here), loops: int = Inject(loops)) -> None:
        assert here == threading.get_ident()
        assert loops == main

    main = threading.get_ident()
    assert perform(both).state is State.COMPLETED


@on_either
def test_what_a_provider_does_to_the_context_is_seen_by_its_job_alone(is_async: bool) -> None:  # noqa: FBT001
    def paint() -> Iterator[str]:
        before = colour.get()
        colour.set("red")
        yield before
        assert colour.get() == "red"

    got: list[str] = []

    async def story(desk: Desk) -> None:
        body: Callable[[str], None] = lambda before: got.extend([before, colour.get()])  # noqa: E731
        await desk.put(desk.job(job_of(paint, body, is_async=is_async)), 2)
        async with desk.working():
            await desk.until(JobCompleted, 2)

    play(story)
    assert got == ["none", "red"] * 2


def test_middleware_stands_around_the_providers() -> None:
    order: list[str] = []

    async def watch(_: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        order.append("middleware")
        value = await call_next()
        order.append("middleware ends")
        return value

    def session() -> Iterator[None]:
        order.append("provider")
        yield
        order.append("provider ends")

    async def story(desk: Desk) -> None:
        async with desk.working(around=[watch]):
            await desk.put(desk.job(job_of(session, lambda _: order.append("job"), is_async=False)))
            await desk.until(JobCompleted)

    play(story)
    assert order == ["middleware", "provider", "job", "provider ends", "middleware ends"]


# How they end


class Opened:
    """Generators that note what they see when they end, each needing the one before it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, type[BaseException] | None]] = []

    def first(self) -> Iterator[str]:
        with self._noting("first"):
            yield "first"

    async def second(self, first: str) -> AsyncIterator[str]:
        with self._noting("second"):
            yield f"{first} second"

    def all(self) -> Callable[..., Any]:
        def third(second: str = Inject(functools.partial(self.second, first=Inject(self.first)))) -> Iterator[str]:
            with self._noting("third"):
                yield f"{second} third"

        return third

    def _noting(self, name: str) -> "Noting":
        return Noting(name, self.seen)


class Noting:
    def __init__(self, name: str, seen: list[tuple[str, type[BaseException] | None]]) -> None:
        self.name = name
        self.seen = seen

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.seen.append((self.name, kind))


@on_either
def test_generators_end_newest_first_before_the_job_has_completed(is_async: bool) -> None:  # noqa: FBT001
    opened, got = Opened(), []

    async def story(desk: Desk) -> None:
        desk.events.listen(JobCompleted, lambda _: got.append(len(opened.seen)))
        await desk.put(desk.job(job_of(opened.all(), got.append, is_async=is_async)))
        async with desk.working():
            await desk.until(JobCompleted)

    play(story)
    assert got == ["first second third", 3]
    assert opened.seen == [("third", None), ("second", None), ("first", None)]


@on_either
@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError("no"), State.RETRYABLE), (Snooze(60), State.SCHEDULED), (Cancel("no"), State.CANCELLED)],
)
def test_generators_see_the_jobs_exception(error: Exception, state: State, is_async: bool) -> None:  # noqa: FBT001
    def fail(_: object) -> NoReturn:
        raise error

    opened = Opened()
    assert perform(job_of(opened.all(), fail, is_async=is_async)).state is state
    assert opened.seen == [(name, type(error)) for name in ("third", "second", "first")]


@on_either
@pytest.mark.parametrize("sync_provider", [True, False])
def test_a_generator_that_swallows_the_error_does_not_make_the_job_succeed(
    sync_provider: bool,  # noqa: FBT001
    is_async: bool,  # noqa: FBT001
) -> None:
    def session() -> Iterator[None]:
        try:
            yield
        except ValueError:
            return

    async def async_session() -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            return

    def fail(_: object) -> NoReturn:
        raise ValueError("no such user")

    view = perform(job_of(session if sync_provider else async_session, fail, is_async=is_async))
    assert error_of(view).rstrip().endswith("ValueError: no such user")
    assert "contextlib.py" not in error_of(view)


@on_either
def test_an_error_at_the_end_of_a_generator_fails_the_attempt(is_async: bool) -> None:  # noqa: FBT001
    opened = Opened()

    async def session(outer: str = Inject(opened.first)) -> AsyncIterator[str]:
        yield outer
        raise OSError("cannot commit")

    view = perform(job_of(session, lambda _: None, is_async=is_async))
    assert error_of(view).rstrip().endswith("OSError: cannot commit")
    assert opened.seen == [("first", OSError)]


@on_either
def test_a_provider_that_cannot_begin_fails_the_attempt_and_what_was_open_ends(is_async: bool) -> None:  # noqa: FBT001
    opened = Opened()

    async def session(outer: str = Inject(opened.first)) -> AsyncIterator[str]:
        if outer:
            raise SystemExit("no database")
        yield outer

    ran: list[object] = []
    view = perform(job_of(session, ran.append, is_async=is_async))
    assert error_of(view).rstrip().endswith("SystemExit: no database")
    assert opened.seen == [("first", SystemExit)]
    assert not ran


@on_either
def test_arguments_that_do_not_bind_open_nothing(is_async: bool) -> None:  # noqa: FBT001
    def session() -> NoReturn:
        raise AssertionError

    async def later(user_id: int, *, db: object = Inject(session)) -> None: ...

    def now(user_id: int, *, db: object = Inject(session)) -> None: ...

    view = perform(later if is_async else now)
    assert 'argument "user_id" is missing' in error_of(view)


# Jobs that are stopped


def test_a_loop_jobs_generators_see_the_cancellation_of_its_time_out() -> None:
    opened = Opened()

    async def slow(*, _db: str = Inject(opened.first)) -> None:
        await asyncio.Event().wait()

    view = perform(slow, timeout=0.05)
    assert "JobTimeout" in error_of(view)
    assert opened.seen == [("first", asyncio.CancelledError)]


def test_a_thread_jobs_generators_see_the_interruption_of_its_time_out() -> None:
    opened = Opened()

    def slow(*, db: str = Inject(opened.all())) -> None:
        while db:
            pass

    view = perform(slow, timeout=0.05)
    assert "JobTimeout" in error_of(view)
    assert opened.seen == [(name, Interrupted) for name in ("third", "second", "first")]


@pytest.mark.parametrize("step", ["begins", "ends"])
def test_a_thread_job_whose_async_provider_hangs_is_stopped_at_its_time_out(step: str) -> None:
    opened, cancelled = Opened(), []

    async def session(outer: str = Inject(opened.first)) -> AsyncIterator[str]:
        try:
            if step == "begins":
                await asyncio.Event().wait()
            yield outer
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(step)
            raise

    async def story(desk: Desk) -> JobView:
        (job_id,) = await desk.put(desk.job(job_of(session, lambda _: None, is_async=False), timeout=0.05))
        async with desk.working():
            await desk.until_ended(1)
        assert not desk.of(JobStuck)
        return await desk.view(job_id)

    assert "JobTimeout" in error_of(play(story))
    assert opened.seen == [("first", Interrupted)]
    assert cancelled == [step]


@on_either
def test_what_a_stopped_worker_breaks_off_is_closed_and_goes_back_untouched(is_async: bool) -> None:  # noqa: FBT001
    opened, began = Opened(), threading.Event()

    async def later(*, _db: str = Inject(opened.first)) -> None:
        began.set()
        await asyncio.Event().wait()

    def now(*, db: str = Inject(opened.first)) -> None:
        began.set()
        while db:
            pass

    async def story(desk: Desk) -> JobView:
        (job_id,) = await desk.put(desk.job(later if is_async else now))
        async with desk.working():
            await until(began.is_set, what="the job runs")
        return await desk.view(job_id)

    view = play(story)
    assert (view.state, view.attempt) == (State.AVAILABLE, 0)
    assert [name for name, _ in opened.seen] == ["first"]


# Its parts


def test_a_held_context_manager_is_entered_and_left_by_one_task() -> None:
    tasks: list[object] = []

    @asynccontextmanager
    async def noting() -> AsyncIterator[str]:
        tasks.append(asyncio.current_task())
        try:
            yield "value"
        finally:
            tasks.append(asyncio.current_task())

    async def story() -> None:
        held = Held(noting())
        assert await asyncio.create_task(held.__aenter__()) == "value"
        await asyncio.create_task(held.__aexit__(None, None, None))
        first, second = tasks
        assert first is second

    run(story)


def test_what_a_held_context_manager_raises_comes_through_and_a_cancellation_goes_in() -> None:
    waiting = asyncio.Event()

    @asynccontextmanager
    async def hanging() -> AsyncIterator[None]:
        waiting.set()
        await asyncio.Event().wait()
        yield

    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        if not waiting.is_set():
            yield
        raise SystemExit("no")

    async def story() -> None:
        entering = asyncio.create_task(Held(hanging()).__aenter__())
        await waiting.wait()
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        manager: AbstractAsyncContextManager[None] = Held(broken())
        with pytest.raises(SystemExit):
            await manager.__aenter__()

    run(story)


def test_only_a_coroutine_that_does_not_suspend_runs_without_a_loop() -> None:
    assert run_here(async_result(1)) == 1
    with pytest.raises(RuntimeError, match="got one that waits"):
        run_here(asyncio.sleep(0))


async def async_result(value: int) -> int:
    return value
