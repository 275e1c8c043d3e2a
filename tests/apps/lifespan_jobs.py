"""An app with a lifespan and providers: every step is a line `PID words` in the file that STEPS names."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator

from treadle import Inject, Job, Treadle

app = Treadle(os.environ.get("TREADLE_URL", "sqlite://"))
CLOSED = "the database is closed"


def note(words: str) -> None:
    if "STEPS" in os.environ:
        with open(os.environ["STEPS"], "a") as file:  # noqa: PTH123 - a line is one write
            file.write(f"{os.getpid()} {words}\n")


@app.lifespan
async def lifespan(of: Treadle) -> AsyncIterator[None]:
    assert of is app
    if os.environ.get("FAILS") == "begin":
        raise RuntimeError(CLOSED)
    # It must be left by the task that entered it.
    async with asyncio.timeout(600):
        note("begins")
        yield
        note("ends")
    if os.environ.get("FAILS") == "end":
        raise RuntimeError(CLOSED)


def session(*, job: Job = Inject()) -> Iterator[str]:
    try:
        yield job.name
    except BaseException as error:
        note(f"{job.name} sees {type(error).__name__}")
        raise
    note(f"{job.name} is closed")


async def users(db: str = Inject(session)) -> AsyncIterator[str]:
    async with asyncio.timeout(600):
        yield f"users of {db}"
    note(f"{db} has no users")


@app.job(record=True)
async def on_loop(*, repo: str = Inject(users)) -> str:
    note("on_loop runs")
    return repo


@app.job(record=True)
def on_thread(*, repo: str = Inject(users)) -> str:
    note("on_thread runs")
    return repo


@app.job(record=True, executor="process")
def in_process(*, repo: str = Inject(users)) -> str:
    note("in_process runs")
    return repo


@app.job(record=True, executor="process")
async def later_in_process(*, repo: str = Inject(users)) -> str:
    await asyncio.sleep(0)
    return repo


@app.job(executor="process", max_attempts=1)
def fails_in_process(*, repo: str = Inject(users)) -> None:
    sys.exit(repo)
