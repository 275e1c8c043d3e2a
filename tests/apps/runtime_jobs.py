"""Jobs for helper processes, and one for each way in which such a job can end."""

import asyncio
import os
import signal
import sys

from treadle import Cancel, Retry, Snooze, Treadle, current_job

app = Treadle("sqlite://")


@app.job(executor="process", record=True)
def double(number: int) -> int:
    return 2 * number


@app.job(executor="process", record=True)
async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


@app.job(executor="process", record=True)
def where() -> tuple[int, str]:
    return os.getpid(), current_job().id


@app.job(executor="process", record=True)
def unwritable() -> object:
    return object()


@app.job(executor="process")
def fail() -> None:
    raise ValueError("no such user")


@app.job(executor="process")
def leave() -> None:
    sys.exit(3)


@app.job(executor="process")
def snooze() -> None:
    raise Snooze(60)


@app.job(executor="process")
def cancel() -> None:
    raise Cancel("no longer wanted")


@app.job(executor="process")
def again() -> None:
    raise Retry(5)


@app.job(executor="process")
def vanish() -> None:
    os._exit(7)


@app.job(executor="process")
def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.job(executor="process")
def hang() -> None:
    signal.pause()


@app.job(executor="process", discard_on=LookupError)
def look_up(name: str) -> None:
    raise KeyError(name)


@app.job(executor="process", retry_on=LookupError)
def connect(name: str) -> None:
    raise ConnectionError(name)
