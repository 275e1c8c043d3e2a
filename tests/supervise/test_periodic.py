"""A step is repeated until it is told to stop, whatever the step does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loops import NoWaitLoop
from treadle.supervise.periodic import Periodic


class Steps:
    """Counts steps and lets a test wait for them; `does` is what a step does, and gives."""

    def __init__(self, does: Callable[[int], Awaitable[float | None]] | None = None) -> None:
        self.count = 0
        self.errors: list[tuple[str, str]] = []
        self._does = does
        self._changed = asyncio.Condition()

    async def step(self) -> float | None:
        self.count += 1
        async with self._changed:
            self._changed.notify_all()
        return None if self._does is None else await self._does(self.count)

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.count >= count)

    def periodic(self, every: float = 3600.0, jitter: float = 0.0, again: float | None = None) -> Periodic:
        return Periodic(
            "cleaner",
            self.step,
            every=every,
            again=again,
            jitter=lambda: jitter,
            on_error=lambda name, error: self.errors.append((name, str(error))),
        )


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_the_first_step_runs_at_once() -> None:
    async def story() -> None:
        steps = Steps()
        periodic = steps.periodic()
        periodic.start()
        await steps.reach(1)
        await periodic.stop()
        assert steps.count == 1

    play(story)


def test_a_step_that_gives_seconds_is_repeated_after_them_and_not_later_than_usual() -> None:
    async def story() -> None:
        async def soon(count: int) -> float | None:
            return 0.0 if count < 3 else 1e9

        steps = Steps(soon)
        periodic = steps.periodic(every=0.01)
        periodic.start()
        await steps.reach(5)
        await periodic.stop()

    play(story)


def test_one_that_is_hastened_runs_its_next_step_at_once_and_once_more_where_a_step_was_running() -> None:
    async def story() -> None:
        goes_on = asyncio.Event()

        async def waits(count: int) -> float | None:
            if count == 2:
                await goes_on.wait()
            return None

        steps = Steps(waits)
        periodic = steps.periodic()
        periodic.start()
        await steps.reach(1)
        periodic.hasten()
        await steps.reach(2)
        for _ in range(3):
            periodic.hasten()
        goes_on.set()
        await steps.reach(3)
        await periodic.stop()
        assert steps.count == 3

    play(story)


def test_a_stop_before_the_start_is_harmless_and_lets_no_step_begin() -> None:
    async def story() -> None:
        steps = Steps()
        periodic = steps.periodic()
        await periodic.stop()
        await periodic.stop()
        periodic.start()
        await periodic.stop()
        assert steps.count == 0

    play(story)


def test_a_second_stop_is_harmless() -> None:
    async def story() -> None:
        steps = Steps()
        periodic = steps.periodic()
        periodic.start()
        await steps.reach(1)
        await periodic.stop()
        await periodic.stop()

    play(story)


def test_a_second_start_is_an_error() -> None:
    async def story() -> None:
        periodic = Steps().periodic()
        periodic.start()
        with pytest.raises(RuntimeError, match="cleaner was started already"):
            periodic.start()
        await periodic.stop()
        with pytest.raises(RuntimeError, match="cleaner was started already"):
            periodic.start()

    play(story)


def test_a_step_that_raises_is_reported_and_repeated() -> None:
    async def story() -> None:
        async def fail(count: int) -> float | None:
            raise ValueError(f"step {count}")

        steps = Steps(fail)
        periodic = steps.periodic(every=0.0)
        periodic.start()
        await steps.reach(3)
        await periodic.stop()
        assert steps.errors[:2] == [("cleaner", "step 1"), ("cleaner", "step 2")]

    play(story)


def test_a_step_that_raises_is_repeated_sooner_where_that_is_asked_for() -> None:
    async def story() -> None:
        async def fail(count: int) -> float | None:
            raise ValueError(f"step {count}")

        steps = Steps(fail)
        periodic = steps.periodic(every=3_600.0, again=0.0)
        periodic.start()
        await steps.reach(3)
        await periodic.stop()

    play(story)


def test_a_stop_lets_the_running_step_end() -> None:
    async def story() -> None:
        stopping, ended = asyncio.Event(), []

        async def work(_: int) -> float | None:
            await stopping.wait()
            ended.append(True)
            return None

        steps = Steps(work)
        periodic = steps.periodic()
        periodic.start()
        await steps.reach(1)
        stop = asyncio.create_task(periodic.stop())
        stopping.set()
        await stop
        assert ended == [True]
        assert steps.count == 1

    play(story)


def test_a_step_that_does_not_end_is_cancelled_after_a_second() -> None:
    async def story() -> None:
        cancelled = []

        async def hang(_: int) -> float | None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            return None

        steps = Steps(hang)
        periodic = steps.periodic()
        periodic.start()
        await steps.reach(1)
        await periodic.stop()
        assert cancelled == [True]

    play(story)


@given(jitter=st.floats(0.0, 1.0, exclude_max=True), every=st.floats(1.0, 1e6))
def test_the_wait_is_spread_by_up_to_a_tenth(jitter: float, every: float) -> None:
    loops: list[NoWaitLoop] = []

    def make() -> NoWaitLoop:
        loops.append(NoWaitLoop())
        return loops[0]

    async def story() -> None:
        async def twice(count: int) -> float | None:
            if count > 1:
                await asyncio.Event().wait()
            return None

        steps = Steps(twice)
        periodic = steps.periodic(every=every, jitter=jitter)
        periodic.start()
        while steps.count < 2:  # noqa: ASYNC110 - this loop does not wait
            await asyncio.sleep(0)
        await periodic.stop()

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(story())
    asked = loops[0].asked[0]
    assert asked == pytest.approx(every * (1 - 0.1 * jitter), abs=0.05)
