"""What one program tells queues, the other's nodes obey: pause, resume and scale between a live oban-py and treadle."""

import asyncio

import pytest

from tests.interop.oban.programs import Database, ObanPeer
from tests.interop.program import PATIENCE
from tests.servers import wait_until
from treadle import Treadle
from treadle.stores.views import WorkerView

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("node")]


def worker(app: Treadle) -> WorkerView:
    async def look() -> WorkerView:
        [found] = [one for one in await (await app.astore()).workers() if not one.foreign]
        await app.aclose()
        return found

    return asyncio.run(look())


def test_treadle_obeys_what_oban_tells(database: Database, oban: ObanPeer, app: Treadle) -> None:
    for queue in ("treadle", "*"):
        oban.ask("pause", queue=queue)
        wait_until(lambda: "treadle" in worker(app).paused, PATIENCE, "treadle's node has paused the queue")
        job_id = oban.enqueue("Echo", "treadle")
        assert database.job(job_id)["state"] == "available"
        oban.ask("resume", queue=queue)
        database.wait_for(job_id, "completed")
    oban.ask("scale", queue="treadle", limit=3)
    wait_until(lambda: worker(app).limits.get("treadle") == 3, PATIENCE, "treadle's node has scaled the queue")


def test_oban_obeys_what_treadle_tells(database: Database, oban: ObanPeer, app: Treadle) -> None:
    database.wait_for(oban.enqueue("peer.Echo", "oban"), "completed")
    for queue in ("oban", "*"):
        app.queues.pause(queue)
        wait_until(lambda: oban.ask("queue", queue="oban")["paused"], PATIENCE, "oban-py has paused the queue")
        job_id = app.enqueue("peer.Echo", args={}, queue="oban").id
        assert database.job(job_id)["state"] == "available"
        app.queues.resume(queue)
        database.wait_for(job_id, "completed")
    app.queues.scale("oban", 7)
    wait_until(lambda: oban.ask("queue", queue="oban")["limit"] == 7, PATIENCE, "oban-py has scaled the queue")


def test_a_job_that_treadle_cancels_is_stopped_by_the_oban_that_runs_it(
    database: Database, oban: ObanPeer, app: Treadle
) -> None:
    handle = app.enqueue("peer.Holding", args={}, queue="oban")
    database.wait_for_run(handle.id)
    app.queues.scale("oban", 1)
    waiting = app.enqueue("peer.Echo", args={}, queue="oban")
    assert handle.cancel()
    # Its one slot is free again only when the body has stopped.
    database.wait_for(waiting.id, "completed")
