"""oban-py on the other side of the table: run by its own Python, asked one JSON line at a time on stdin.

Started as the module `peer`, so that its workers are called `peer.Echo` and so on. What runs is written into the table
`interop_runs`, as the jobs of tests/apps/oban_peer.py do it.
"""

import asyncio
import json
import sys
from typing import Any

from oban import Cancel, Job, Oban, Record, Snooze, worker  # type: ignore[import-not-found] # has a Python of its own
from oban._notifier import decode_payload  # type: ignore[import-not-found] # as above
from oban._recorded import decode_recorded  # type: ignore[import-not-found] # as above
from oban._scheduler import register_scheduled  # type: ignore[import-not-found] # as above

POOL: Any = None
SHOWN = ("id", "state", "errors", "meta", "attempt")


async def ran(job: Any) -> None:  # noqa: ANN401 - oban's job
    async with POOL.connection() as connection:
        await connection.execute(
            "INSERT INTO interop_runs (job_id, program, args) VALUES (%s, 'oban-py', %s)",
            (job.id, json.dumps(job.args)),
        )


@worker(queue="oban")
class Echo:
    async def process(self, job: Any) -> None:  # noqa: ANN401
        await ran(job)


@worker(queue="oban", max_attempts=3)
class Failing:
    """Fails at its first attempt."""

    async def process(self, job: Any) -> None:  # noqa: ANN401
        await ran(job)
        if job.attempt == 1:
            raise RuntimeError("boom")


@worker(queue="oban")
class Snoozing:
    """Snoozes once."""

    async def process(self, job: Any) -> Any:  # noqa: ANN401
        await ran(job)
        return None if "snoozed" in job.meta else Snooze(1)


@worker(queue="oban")
class Cancelling:
    async def process(self, job: Any) -> Any:  # noqa: ANN401
        await ran(job)
        return Cancel("not today")


@worker(queue="oban")
class Recording:
    async def process(self, job: Any) -> Any:  # noqa: ANN401
        await ran(job)
        return Record(job.args["value"])


@worker(queue="oban")
class Holding:
    """Runs until it is cancelled."""

    async def process(self, job: Any) -> Any:  # noqa: ANN401
        await ran(job)
        # What job.cancelled() looks at; oban-py has no way to wait for it.
        await job._cancellation.wait()  # noqa: SLF001
        return Cancel("was told")


HEARD: list[list[Any]] = []


async def listen(oban: Any, channels: list[str]) -> None:  # noqa: ANN401 - oban's instance
    """Keep what comes on these channels."""
    for channel in channels:
        # oban-py has no public way to it.
        await oban._notifier.listen(channel, lambda name, message: HEARD.append([name, message]))  # noqa: SLF001


def heard() -> list[list[Any]]:
    """What came since the last time."""
    found = HEARD.copy()
    HEARD.clear()
    return found


def shown(queue: Any) -> Any:  # noqa: ANN401 - what oban tells of a queue
    return queue and {"limit": queue.limit, "paused": queue.paused}


async def answer(oban: Any, request: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    answers: dict[str, Any] = {
        "enqueue": lambda **job: oban.enqueue(Job(**job)),
        "cancel": oban.cancel_many_jobs,
        "retry": oban.retry_many_jobs,
        "pause": oban.pause_queue,
        "resume": oban.resume_queue,
        "scale": oban.scale_queue,
        "start": oban.start_queue,
        "stop": oban.stop_queue,
        "queue": lambda queue: shown(oban.check_queue(queue)),
        "job": oban.get_job,
        "notice": decode_payload,
        "recorded": decode_recorded,
        "listen": lambda channels: listen(oban, channels),
        "heard": heard,
        "schedule": lambda expr: register_scheduled(expr, Echo),
        "leading": lambda: oban.is_leader,
    }
    found = answers[request.pop("do")](**request)
    found = await found if asyncio.iscoroutine(found) else found
    return {name: getattr(found, name) for name in SHOWN} if isinstance(found, Job) else found


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, default=str) + "\n")
    sys.stdout.flush()


async def main() -> None:
    global POOL  # noqa: PLW0603 - the workers are made by oban-py
    options = json.loads(sys.argv[1])
    POOL = await Oban.create_pool(options.pop("dsn"))
    async with Oban(pool=POOL, **options) as oban:
        say({"result": "ready"})
        while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            try:
                reply = {"result": await answer(oban, json.loads(line))}
            except Exception as error:  # noqa: BLE001 - the test sees it
                reply = {"error": repr(error)}
            say(reply)
    await POOL.close()
