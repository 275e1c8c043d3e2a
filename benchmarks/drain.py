"""Drain no-op async jobs in one process: `python benchmarks/drain.py URL [JOBS] [LIMIT]`."""

import asyncio
import sys

from cost import Cost, Server, measured

from treadle import Treadle
from treadle.app.worker import new_loop


async def drain(url: str, jobs: int, limit: int) -> Cost:
    """What it costs from the first claim to the last settlement."""
    app = Treadle(url)
    done = 0
    finished = asyncio.Event()

    @app.job
    async def noop(_number: int, _text: str) -> None:
        nonlocal done
        done += 1
        if done == jobs:
            finished.set()

    for start in range(0, jobs, 1000):
        await app.aenqueue_all([noop.new(n, "text") for n in range(start, min(start + 1000, jobs))])
    with measured(Server(url)) as cost:
        async with app.worker(concurrency=limit):
            await finished.wait()
    return cost


def main() -> None:
    url = sys.argv[1]
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        cost = runner.run(drain(url, jobs, limit))
    print(f"{url.partition(':')[0]}: drain {jobs} no-op async jobs, limit {limit}, one process: {cost.shown(jobs)}")


if __name__ == "__main__":
    main()
