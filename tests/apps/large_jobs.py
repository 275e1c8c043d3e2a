"""One step of a large job's life in a process of its own; prints how far its resident memory rose, in bytes.

Called with a store's URL, the step, and the size of the job.
"""

import asyncio
import resource
import sys

from treadle import Snooze, Treadle
from treadle.core.job import NewJob
from treadle.core.outcomes import Discarded, Failure, Outcome, Released, SetAside
from treadle.hooks.events import JobDiscarded, JobRetried, JobSnoozed
from treadle.stores.claim import Claim, Demand, Settlement
from treadle.stores.contract import Store

URL, STEP, SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3])
OWNER = "host:1:a"
FAILURE = Failure("ValueError", "no")
ENDS: dict[str, Outcome] = {
    "release": Released(),
    "discard": Discarded(FAILURE),
    "set aside": SetAside(1),
    "discard alone": Discarded(FAILURE),
}

app = Treadle(URL)


@app.job
async def fails(text: str) -> None:
    raise ValueError(len(text))


@app.job
def snoozes(text: str) -> None:
    raise Snooze(len(text))


@app.job(max_attempts=1)
def discards(text: str) -> None:
    raise ValueError(len(text))


@discards.on_discard
def tell(*_: object) -> None: ...


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def put(store: Store, name: str, size: int, *, rerun: bool = True, delay: float | None = None) -> None:
    args = b'["%b"]' if URL.startswith("redis") else b'{"text":"%b"}'
    attempts = 1 if name == "discards" else 5
    job = NewJob(name=name, queue="default", args=args % (b"x" * size), max_attempts=attempts, rerun=rerun, delay=delay)
    await store.insert([job])


async def prepare() -> None:
    """Put the large job where the step finds it. Runs in another process than the step."""
    store = app.store
    await store.open()
    await put(store, STEP, SIZE, rerun=STEP != "leave", delay=0.001 if STEP == "stage" else None)
    if STEP in {"bury", "leave", "discard alone"}:
        await store.enroll(OWNER, 600)
        [claim] = await take(store)
        if STEP == "discard alone":
            await store.settle(OWNER, [Settlement(claim, SetAside(2))])
    await store.aclose()


async def take(store: Store, *, alone: bool = False) -> list[Claim]:
    return list(await store.claim(OWNER, [Demand(("default",), 1, alone)]))


async def step() -> int:
    store = app.store
    await store.open()
    await store.enroll(OWNER, 600)
    await store.counts()
    before = peak()
    match STEP:
        case "stage":
            while not await store.stage(10):
                pass
        case "leave":
            assert await store.leave(OWNER) == 1
        case "bury":
            [claim] = await store.held(OWNER)
            await store.settle(OWNER, [Settlement(claim, SetAside(1))])
        case "fails" | "snoozes" | "discards":
            await work()
        case _:
            [claim] = await take(store, alone=STEP == "discard alone")
            [settled] = await store.settle(OWNER, [Settlement(claim, ENDS[STEP])])
            assert settled.answer == "applied"
    await store.aclose()
    return peak() - before


async def work() -> None:
    ended = asyncio.Event()
    for kind in (JobRetried, JobSnoozed, JobDiscarded):
        app.on(kind)(lambda _: ended.set())
    async with app.worker():
        await ended.wait()


if __name__ == "__main__":
    print(asyncio.run(prepare() if sys.argv[4:] else step()))
