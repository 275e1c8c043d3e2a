"""Orders that nobody waits for: on a node whose beats are 100 s apart, and between nodes that are called by name."""

import json
from collections.abc import Iterator

import pytest

from tests.interop.oban.programs import Database, ObanPeer, TreadleNode
from tests.interop.oban.test_signals import worker
from tests.interop.program import PATIENCE
from tests.servers import wait_until
from treadle import Treadle
from treadle.errors import ConfigError, UnknownNode

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("node")]

PEER = "py-1"


@pytest.fixture(scope="module")
def oban(database: Database) -> Iterator[ObanPeer]:
    with ObanPeer(database.url, queues={"oban": 5}, node=PEER) as peer:
        yield peer


@pytest.fixture(scope="module")
def node(database: Database) -> Iterator[TreadleNode]:
    with TreadleNode(database, "--lease", "600") as node:
        yield node


def test_a_job_that_oban_cancels_is_stopped_at_once(database: Database, oban: ObanPeer) -> None:
    job_id = oban.enqueue("Holding", "treadle")
    database.wait_for_run(job_id)
    oban.ask("cancel", jobs=[job_id])
    # oban-py leaves the row to who runs the job, and treadle ends it when the body has stopped.
    database.wait_for(job_id, "cancelled")


def test_a_job_whose_row_elixir_cancels_is_stopped_at_once(database: Database, oban: ObanPeer) -> None:
    job_id = oban.enqueue("Holding", "narrow")
    database.wait_for_run(job_id)
    waiting = oban.enqueue("Echo", "narrow")
    database.rows("UPDATE oban_jobs SET state = 'cancelled', cancelled_at = now() WHERE id = %s", job_id)
    signal = json.dumps({"action": "pkill", "job_id": job_id})
    database.rows("SELECT pg_notify('public.oban_signal', %s)", signal)
    # Its one slot is free again only when the body has stopped.
    database.wait_for(waiting, "completed")
    assert database.job(job_id)["state"] == "cancelled"


def test_treadles_node_obeys_what_oban_tells_it_by_name(database: Database, oban: ObanPeer, app: Treadle) -> None:
    name = worker(app).node
    oban.ask("pause", queue="treadle", node="elsewhere")
    database.wait_for(oban.enqueue("Echo", "treadle"), "completed")
    oban.ask("start", queue="fresh", limit=2, node=name)
    wait_until(lambda: worker(app).limits.get("fresh") == 2, PATIENCE, "treadle's node has started the queue")
    job_id = oban.enqueue("Echo", "fresh")
    database.wait_for(job_id, "completed")
    assert database.runs(job_id) == ["treadle"]
    assert oban.ask("queue", queue="fresh") is None
    oban.ask("pause", queue="fresh", node=name)
    wait_until(lambda: "fresh" in worker(app).paused, PATIENCE, "treadle's node has paused the queue")
    oban.ask("stop", queue="fresh", node=name)
    wait_until(lambda: "fresh" not in worker(app).queues, PATIENCE, "treadle's node has stopped the queue")


def test_obans_node_obeys_what_treadle_tells_it_by_name(database: Database, oban: ObanPeer, app: Treadle) -> None:
    database.wait_for(oban.enqueue("peer.Echo", "oban"), "completed")
    queues = app.queues
    queues.start("later", limit=2, node=PEER)
    wait_until(lambda: oban.ask("queue", queue="later"), PATIENCE, "oban-py has started the queue")
    job_id = app.enqueue("peer.Echo", args={}, queue="later").id
    database.wait_for(job_id, "completed")
    assert database.runs(job_id) == ["oban-py"]
    assert "later" not in worker(app).queues
    queues.scale("later", 3, node=PEER)
    wait_until(lambda: oban.ask("queue", queue="later")["limit"] == 3, PATIENCE, "oban-py has scaled the queue")
    queues.stop("later", node=PEER)
    wait_until(lambda: oban.ask("queue", queue="later") is None, PATIENCE, "oban-py has stopped the queue")
    # Queues that oban-py 0.7 was told to start hear of no pause: it takes the message apart before they see it.
    queues.pause("oban", node=PEER)
    wait_until(lambda: oban.ask("queue", queue="oban")["paused"], PATIENCE, "oban-py has paused the queue")
    queues.resume("oban", node=PEER)
    wait_until(lambda: not oban.ask("queue", queue="oban")["paused"], PATIENCE, "oban-py has resumed the queue")


def test_a_node_of_oban_starts_no_queue_without_a_limit(oban: ObanPeer, app: Treadle) -> None:
    assert oban.ask("queue", queue="oban")
    with pytest.raises(ConfigError, match=r'expected limit=.* to start queue "later" on py-1'):
        app.queues.start("later", node=PEER)
    with pytest.raises(UnknownNode, match=f'expected one of the live nodes .*{PEER}.*, got "py-2"; did you mean'):
        app.queues.pause("oban", node="py-2")
