"""oban-py: `python oban_.py URL JOBS LIMIT`."""

import asyncio
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import uvloop
from oban import Oban, worker
from phases import PROBES, SINGLE, WARM, phase

URL, JOBS, LIMIT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

done = count(1)
wanted = JOBS + SINGLE + WARM
finished = asyncio.Event()
began: "asyncio.Queue[float]" = asyncio.Queue()


@worker(queue="default")
class Noop:
    async def process(self, _job: object) -> None:
        if next(done) == wanted:
            finished.set()


@worker(queue="default")
class Stamp:
    async def process(self, job: object) -> None:
        began.put_nowait(time.perf_counter() - job.args["sent"])


async def main() -> None:
    pool = await Oban.create_pool(URL)
    client = Oban(pool=pool)
    args = {"number": 1, "text": "text"}
    async with client:
        for _ in range(WARM):
            await client.enqueue(Noop.new(args))
        with phase("enqueue one by one", SINGLE):
            for _ in range(SINGLE):
                await client.enqueue(Noop.new(args))
        with phase("enqueue in bulk", JOBS):
            for _ in range(0, JOBS, 1000):
                await client.enqueue_many([Noop.new(args) for _ in range(1000)])
    node = Oban(pool=pool, queues={"default": LIMIT})
    with phase("drain", wanted):
        await node.__aenter__()
        await finished.wait()
    with phase("latency", PROBES) as told:
        late = []
        for _ in range(PROBES):
            await asyncio.sleep(0.02)
            await node.enqueue(Stamp.new({"sent": time.perf_counter()}))
            late.append(await began.get())
        told["late"] = late
    await node.__aexit__(None, None, None)
    await pool.close()


subprocess.run(
    [str(Path(sys.executable).with_name("oban")), "install", "--dsn", URL], check=True, stdout=subprocess.DEVNULL
)
uvloop.run(main())
