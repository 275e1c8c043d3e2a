"""Enqueue one by one, from many tasks at once and in bulk: `python benchmarks/enqueue.py URL [JOBS]`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from cost import Cost, Server, measured

from treadle import Treadle
from treadle.app.worker import new_loop

TASKS = 100


class Enqueues:
    """The ways to enqueue no-op jobs."""

    def __init__(self, url: str) -> None:
        self.app = app = Treadle(url)

        @app.job
        async def noop(_number: int, _text: str) -> None: ...

        self._job = noop

    async def one_by_one(self, count: int) -> None:
        for number in range(count):
            await self._job.aenqueue(number, "text")

    async def on_a_thread(self, count: int) -> None:
        def some() -> None:
            for number in range(count):
                self._job.enqueue(number, "text")

        await asyncio.to_thread(some)

    async def at_once(self, count: int) -> None:
        await asyncio.gather(*(self.one_by_one(count // TASKS) for _ in range(TASKS)))

    async def in_bulks(self, size: int, count: int) -> None:
        for start in range(0, count, size):
            await self.app.aenqueue_all(
                [self._job.new(number, "text") for number in range(start, min(start + size, count))]
            )


async def rates(url: str, jobs: int) -> None:
    """Each way of enqueueing, measured after a few jobs that are not counted."""
    enqueues, server = Enqueues(url), Server(url)
    ways: list[tuple[str, int, Callable[[int], Awaitable[None]]]] = [
        ("one by one", jobs // 50, enqueues.one_by_one),
        ("one by one on a thread", jobs // 50, enqueues.on_a_thread),
        (f"{TASKS} tasks at once", jobs // 5, enqueues.at_once),
        ("bulks of 1,000", jobs, partial(enqueues.in_bulks, 1_000)),
        (f"a bulk of {jobs:,}", jobs, partial(enqueues.in_bulks, jobs)),
    ]
    for name, count, way in ways:
        await way(min(count, 1_000))
        cost = await cost_of(server, way, count)
        print(f"{url.partition(':')[0]}: enqueue {name:<24} {cost.shown(count)}")
    await enqueues.app.aclose()


async def cost_of(server: Server, way: Callable[[int], Awaitable[None]], count: int) -> Cost:
    """What enqueueing so many costs."""
    with measured(server) as cost:
        await way(count)
    return cost


def main() -> None:
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        runner.run(rates(sys.argv[1], jobs))


if __name__ == "__main__":
    main()
