"""What a job's body held is let go of with its attempt, and not kept until somebody collects cycles."""

import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, NoReturn

import pytest

from tests.runtime.desk import Desk, play
from tests.servers import until
from treadle import Inject, Job, Snooze
from treadle.hooks.middleware import AroundPerform

ERRORS = [ValueError("no"), Snooze(60), SystemExit(1)]


class Payload:
    """Stands for arguments of many megabytes."""


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def later() -> AsyncIterator[str]:
    yield "connection"


def raising(error: BaseException, held: list["weakref.ref[Payload]"], kind: str) -> Callable[..., Any]:
    """A job that holds a payload, injected or not, and raises."""

    def fail() -> NoReturn:
        payload = Payload()
        held.append(weakref.ref(payload))
        raise type(error)(*error.args)

    async def loop() -> None:
        fail()

    def thread() -> None:
        fail()

    async def loop_provided(*, connection: str = Inject(later)) -> None:
        fail()

    def thread_provided(*, connection: str = Inject(later)) -> None:
        fail()

    return {f.__name__: f for f in (loop, thread, loop_provided, thread_provided)}[kind]


async def watch(_: Job, call_next: Callable[[], Awaitable[object]]) -> object:
    return await call_next()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["loop", "thread", "loop_provided", "thread_provided"])
@pytest.mark.parametrize("around", [(), (watch,)], ids=["bare", "within"])
def test_what_a_failed_body_held_is_let_go_of_at_once(
    error: BaseException, kind: str, around: Sequence[AroundPerform]
) -> None:
    held: list[weakref.ref[Payload]] = []

    async def story(desk: Desk) -> None:
        await desk.put(desk.job(raising(error, held, kind), max_attempts=1, on_discard=[lambda *_: None]))
        async with desk.working(around=around):
            await desk.until_ended(1)
            await until(lambda: held[0]() is None, what="its payload is freed")

    play(story)
