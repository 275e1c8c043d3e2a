"""Two versions of one program, `v1` and `v2`, which a rolling deploy runs side by side. Their store is TREADLE_URL."""

import asyncio

from tests.apps import ledger
from treadle import Treadle, current_job
from treadle.hooks import events

v1, v2 = Treadle(), Treadle()
for app in (v1, v2):
    ledger.write_events(app.events, events.JobDiscarded, events.JobRetried, events.JobUnknown, events.WorkerReady)


async def _run(number: int) -> None:
    ledger.write("S", number, current_job().attempt)
    await asyncio.sleep(0.01)
    ledger.write("D", number)


@v1.job(name="kept")
async def kept_before(number: int) -> None:
    """Be in both."""
    await _run(number)


@v2.job
async def kept(number: int) -> None:
    """Be in both."""
    await _run(number)


@v1.job
async def gone(number: int) -> None:
    """Be in the old one alone."""
    await _run(number)


@v2.job
async def fresh(number: int) -> None:
    """Be in the new one alone."""
    await _run(number)


@v1.job(name="grown", backoff=lambda _: 600.0)
async def grown_before(number: int, colour: str = "red") -> None:
    """Have two parameters."""
    await _run(number)


@v2.job(name="grown")
async def grown(number: int, colour: str = "red", size: str = "small") -> None:
    """Have one more."""
    await _run(number)
