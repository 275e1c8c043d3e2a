"""The workers of tests/interop/oban/peer.py as treadle's jobs, which write what runs into the same table."""

import asyncio
import json
import threading
from typing import Any

import psycopg

from treadle import Cancel, Snooze, Treadle, current_job

app = Treadle()


def ran(args: dict[str, Any]) -> None:
    """Report the begin of an attempt."""
    with psycopg.connect(app.url) as connection:
        connection.execute(
            "INSERT INTO interop_runs (job_id, program, args) VALUES (%s, 'treadle', %s)",
            (int(current_job().id), json.dumps(args)),
        )


@app.job(name="Echo", queue="treadle")
def echo(text: str = "", numbers: list[int] | None = None) -> None:
    """Come to an end."""
    ran({"text": text, "numbers": numbers})


@app.job(name="Failing", queue="treadle", max_attempts=3)
def failing() -> None:
    """Fail at the first attempt."""
    ran({})
    if current_job().attempt == 1:
        raise RuntimeError("boom")


@app.job(name="Snoozing", queue="treadle")
def snoozing() -> None:
    """Snooze once."""
    ran({})
    if "snoozed" not in current_job().meta:
        raise Snooze(1)


@app.job(name="Cancelling", queue="treadle")
def cancelling() -> None:
    """End as cancelled."""
    ran({})
    raise Cancel("not today")


@app.job(name="Recording", queue="treadle", record=True)
def recording(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Give the value back."""
    ran({})
    return value


@app.job(name="Long", queue="treadle", executor="thread")
def long(seconds: float) -> None:
    """Take so long."""
    ran({"seconds": seconds})
    threading.Event().wait(seconds)


@app.job(name="Holding", queue="treadle", executor="loop")
async def holding() -> None:
    """Run until it is cancelled."""
    ran({})
    await asyncio.Event().wait()


@app.job(name="Ordered", queue="narrow")
def ordered(text: str = "") -> None:
    """Come to an end in a queue with one slot."""
    ran({"text": text})
