"""treadle: `python treadle_.py URL JOBS LIMIT`."""

import asyncio
import sys
import time
from itertools import count

from phases import PROBES, SINGLE, WARM, phase

from treadle import Treadle
from treadle.app.worker import new_loop

URL, JOBS, LIMIT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

app = Treadle(URL)
done = count(1)
wanted = JOBS + SINGLE + WARM
finished = asyncio.Event()
began: "asyncio.Queue[float]" = asyncio.Queue()


@app.job
async def noop(_number: int, _text: str) -> None:
    if next(done) == wanted:
        finished.set()


@app.job
async def stamp(sent: float) -> None:
    began.put_nowait(time.perf_counter() - sent)


async def main() -> None:
    for number in range(WARM):
        await noop.aenqueue(number, "text")
    with phase("enqueue one by one", SINGLE):
        for number in range(SINGLE):
            await noop.aenqueue(number, "text")
    with phase("enqueue in bulk", JOBS):
        for start in range(0, JOBS, 1000):
            await app.aenqueue_all([noop.new(number, "text") for number in range(start, start + 1000)])
    with phase("drain", wanted):
        worker = app.worker(concurrency=LIMIT)
        await worker.__aenter__()
        await finished.wait()
    with phase("latency", PROBES) as told:
        late = []
        for _ in range(PROBES):
            await asyncio.sleep(0.02)
            await stamp.aenqueue(time.perf_counter())
            late.append(await began.get())
        told["late"] = late
    await worker.__aexit__(None, None, None)


with asyncio.Runner(loop_factory=new_loop()) as runner:
    runner.run(main())
