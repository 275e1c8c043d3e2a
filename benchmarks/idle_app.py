"""The app of idle.py: a job on each of five queues, which prints how long after its push it began."""

import asyncio
import os
import time

from treadle import Treadle
from treadle.app.worker import new_loop

QUEUES = tuple(f"queue{number}" for number in range(5))

app = Treadle(os.environ["IDLE_URL"])


@app.job(queue=QUEUES[0])
async def stamp(sent: float) -> None:
    print(f"late {time.perf_counter() - sent:.6f}", flush=True)


async def main() -> None:
    """One embedded worker, until it is killed."""
    async with app.worker(queues=QUEUES):
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        runner.run(main())
