"""Drain no-op async jobs in one process: `python benchmarks/drain.py URL [JOBS] [LIMIT]`."""

import asyncio
import sys
import time

from treadle import Treadle
from treadle.app.worker import new_loop


async def drain(app: Treadle, jobs: int, limit: int) -> float:
    """Jobs a second from the first claim to the last settlement."""
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
    began = time.perf_counter()
    async with app.worker(concurrency=limit):
        await finished.wait()
    return jobs / (time.perf_counter() - began)


def main() -> None:
    url = sys.argv[1]
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        rate = runner.run(drain(Treadle(url), jobs, limit))
    print(f"{url.partition(':')[0]}: {jobs} no-op async jobs, limit {limit}, one process: {rate:,.0f} jobs/s")


if __name__ == "__main__":
    main()
