"""procrastinate: `python procrastinate_.py URL JOBS LIMIT`."""

import asyncio
import sys
import time
from itertools import count

import uvloop
from phases import PROBES, SINGLE, WARM, phase
from procrastinate import App, PsycopgConnector

URL, JOBS, LIMIT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

app = App(connector=PsycopgConnector(conninfo=URL))
done = count(1)
wanted = JOBS + SINGLE + WARM
finished = asyncio.Event()
began: "asyncio.Queue[float]" = asyncio.Queue()


@app.task(name="noop")
async def noop(**_: object) -> None:
    if next(done) == wanted:
        finished.set()


@app.task(name="stamp")
async def stamp(sent: float) -> None:
    began.put_nowait(time.perf_counter() - sent)


async def main() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for number in range(WARM):
            await noop.defer_async(number=number, text="text")
        with phase("enqueue one by one", SINGLE):
            for number in range(SINGLE):
                await noop.defer_async(number=number, text="text")
        with phase("enqueue in bulk", JOBS):
            for start in range(0, JOBS, 1000):
                await noop.batch_defer_async(*[{"number": n, "text": "text"} for n in range(start, start + 1000)])
        with phase("drain", wanted):
            running = asyncio.ensure_future(app.run_worker_async(concurrency=LIMIT, install_signal_handlers=False))
            await finished.wait()
        with phase("latency", PROBES) as told:
            late = []
            for _ in range(PROBES):
                await asyncio.sleep(0.02)
                await stamp.defer_async(sent=time.perf_counter())
                late.append(await began.get())
            told["late"] = late
        running.cancel()
        await asyncio.wait([running])


uvloop.run(main())
