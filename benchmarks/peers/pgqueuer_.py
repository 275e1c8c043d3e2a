"""pgqueuer: `python pgqueuer_.py URL JOBS LIMIT`."""

import asyncio
import sys
import time

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, PgQueuer
from pgqueuer.queries import Queries
from phases import PROBES, SINGLE, WARM, phase

URL, JOBS, LIMIT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def main() -> None:
    queries = Queries(AsyncpgDriver(await asyncpg.connect(URL)))
    await queries.install()
    done, wanted, finished = 0, JOBS + SINGLE + WARM, asyncio.Event()
    began: asyncio.Queue[float] = asyncio.Queue()
    worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

    @worker.entrypoint("noop")
    async def noop(_job: object) -> None:
        nonlocal done
        done += 1
        if done == wanted:
            finished.set()

    @worker.entrypoint("stamp")
    async def stamp(job: object) -> None:
        began.put_nowait(time.perf_counter() - float(job.payload))

    text = b'{"number": 1, "text": "text"}'
    for _ in range(WARM):
        await queries.enqueue("noop", text)
    with phase("enqueue one by one", SINGLE):
        for _ in range(SINGLE):
            await queries.enqueue("noop", text)
    with phase("enqueue in bulk", JOBS):
        for _ in range(0, JOBS, 1000):
            await queries.enqueue(["noop"] * 1000, [text] * 1000, [0] * 1000)
    with phase("drain", wanted):
        running = asyncio.ensure_future(worker.run(batch_size=LIMIT))
        await finished.wait()
    with phase("latency", PROBES) as told:
        late = []
        for _ in range(PROBES):
            await asyncio.sleep(0.02)
            await queries.enqueue("stamp", str(time.perf_counter()).encode())
            late.append(await began.get())
        told["late"] = late
    worker.shutdown.set()
    await running


uvloop.run(main())
