"""The same app within middleware, which does what the name of the job's queue says."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.apps import ledger
from tests.apps.faulty_jobs import app
from treadle import current_job
from treadle.core.job import Job


@app.job(timeout=0.3, executor="thread")
def wait_in_middleware(number: int) -> None:
    """Do nothing; what is around it does not let it."""


@app.around_perform
async def misbehave(job: Job, call_next: Callable[[], Awaitable[object]]) -> object:
    """Around the first attempt only; the second one is left alone."""
    first = current_job().attempt == 1
    if first and job.queue == "hold":
        ledger.write("M", job.id)
        await _released()
    elif first and job.queue == "raise":
        raise RuntimeError("the middleware fails")
    elif first and job.queue == "hang":
        ledger.write("M", job.id)
        await asyncio.Event().wait()
    elif first and job.queue == "cancel":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
    return await call_next()


async def _released() -> None:
    while not (Path(os.environ["LEDGER"]).parent / "middleware").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
