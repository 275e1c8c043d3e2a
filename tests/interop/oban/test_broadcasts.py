"""What treadle tells Oban's dashboards, read by oban-py as it runs, and held to what oban-py tells itself."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.interop.oban.programs import Database, ObanPeer, TreadleNode
from tests.interop.program import PATIENCE
from tests.postgres import PostgresServer
from tests.servers import wait_until
from tests.stores.oban_web import Dashboard
from treadle import Treadle
from treadle.stores.migrations import connected, install

pytestmark = pytest.mark.interop

CHANNELS = ("insert", "signal", "leader", "sonar", "gossip", "metrics", "cronitor")
SHOWN = ("gossip", "metrics", "cronitor")


class Web:
    """A dashboard that hears what a live oban-py makes of the notices: one it cannot read would end its ears."""

    def __init__(self, oban: ObanPeer, url: str) -> None:
        self.dashboard = Dashboard()
        self.heard: dict[str, int] = dict.fromkeys(CHANNELS, 0)
        self._oban = oban
        self._ear = psycopg.connect(url, autocommit=True)
        for name in CHANNELS:
            self._ear.execute(f'LISTEN "public.oban_{name}"'.encode())
        oban.ask("listen", channels=list(CHANNELS))

    def close(self) -> None:
        self._ear.close()

    def listen(self, seconds: float = 0.2) -> Dashboard:
        """The dashboard, having taken in what comes in that time; each notice is one that oban-py reads."""
        for notice in self._ear.notifies(timeout=seconds):
            name = notice.channel.removeprefix("public.oban_")
            self.heard[name] += 1
            assert self._oban.ask("notice", payload=notice.payload) is not None
            if name in SHOWN and '"full_count"' not in notice.payload:
                self.dashboard.hear(name, notice.payload)
        return self.dashboard

    def running(self, queue: str) -> set[int]:
        return self.listen().running(queue)


@pytest.fixture(scope="module")
def oban(database: Database) -> Iterator[ObanPeer]:
    """oban-py as a listener alone."""
    with ObanPeer(database.url, queues={}) as peer:
        yield peer


@pytest.fixture
def web(oban: ObanPeer, database: Database) -> Iterator[Web]:
    with closing(Web(oban, database.url)) as web:
        yield web


@pytest.mark.usefixtures("node")
def test_a_job_that_runs_is_shown_by_the_process_that_runs_it(database: Database, web: Web, app: Treadle) -> None:
    handle = app.enqueue("Holding", args={}, queue="treadle")
    database.wait_for_run(handle.id)
    wait_until(lambda: int(handle.id) in web.running("treadle"), PATIENCE, "the job that runs is shown")
    [check] = [one for one in web.dashboard.checks.values() if int(handle.id) in one["running"]]
    assert check["uuid"] == database.job(handle.id)["attempted_by"][1]
    assert check["node"] == database.job(handle.id)["attempted_by"][0]
    [producer] = database.rows("SELECT node, queue FROM oban_producers WHERE uuid = %s", check["uuid"])
    assert producer == {"node": check["node"], "queue": "treadle"}
    handle.cancel()
    database.wait_for(handle.id, "cancelled")
    wait_until(lambda: not web.running("treadle"), PATIENCE, "the job that ended is not shown any more")
    wait_until(lambda: ("cancelled", "treadle", "Holding") in web.listen().counts, PATIENCE, "it is counted")


@pytest.mark.usefixtures("node")
def test_queues_are_shown_as_people_change_them(web: Web, app: Treadle) -> None:
    def shown(**members: object) -> bool:
        checks = [one for one in web.listen().checks.values() if one["queue"] == "narrow"]
        return bool(checks) and any(members.items() <= one.items() for one in checks)

    wait_until(lambda: shown(local_limit=1, paused=False), PATIENCE, "the queue is shown with its limit")
    app.queues.pause("narrow")
    wait_until(lambda: shown(paused=True), PATIENCE, "it is shown as paused")
    app.queues.resume("narrow")
    app.queues.scale("narrow", 3)
    wait_until(lambda: shown(local_limit=3, paused=False), PATIENCE, "it is shown as scaled")
    app.queues.scale("narrow", 1)
    wait_until(lambda: shown(local_limit=1), PATIENCE, "it is shown as scaled back")


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("rounds", [4, pytest.param(120, marks=pytest.mark.chaos)])
def test_oban_reads_whatever_treadle_tells(
    database: Database, oban: ObanPeer, web: Web, app: Treadle, rounds: int
) -> None:
    for _ in range(rounds):
        for name in ("Echo", "Failing", "Snoozing", "Cancelling"):
            app.enqueue(name, args={}, queue="treadle")
        app.queues.pause("narrow")
        app.queues.resume("narrow")
        web.listen(0.5)
    wait_until(
        lambda: web.listen().counts.get(("completed", "treadle", "Echo"), 0) >= rounds,
        PATIENCE,
        "all that ran is counted",
    )
    names = {name: state for state, _, name in web.dashboard.counts}
    assert {"Echo", "Failing", "Snoozing", "Cancelling"} <= set(names)
    # Its notifier ends where it cannot read a notice, and hears nothing any more.
    assert {name for name, _ in oban.ask("heard")} >= {"insert", "signal", "gossip", "metrics"}
    wait_until(lambda: "gossip" in {name for name, _ in oban.ask("heard")}, PATIENCE, "oban-py still listens")
    assert web.heard["gossip"] >= rounds // 3


def test_a_dashboard_that_reads_oban_reads_treadle(postgres_server: PostgresServer) -> None:
    """The dashboard of these tests is held to what a live oban-py tells of itself."""
    url = postgres_server.url_of(postgres_server.fresh_database())
    with connected(url, url) as connection:
        install(connection, "public")
    metrics = {"interval": 0.2, "counts_enabled": False}
    with (
        closing(Database(url)) as database,
        ObanPeer(url, queues={"oban": 5}, stager={"interval": 0.2}, metrics=metrics) as oban,
        closing(Web(oban, url)) as web,
    ):
        database.wait_for(oban.enqueue("peer.Echo", "oban"), "completed")
        wait_until(
            lambda: web.listen().counts == {("completed", "oban", "peer.Echo"): 1},
            PATIENCE,
            "oban-py tells what it ran",
        )
        assert {queue for _, queue in web.dashboard.checks} == {"oban"}


def test_a_process_that_is_stuck_is_shown_as_it_was_last(database: Database, web: Web) -> None:
    with TreadleNode(database, queues=("lone",)) as node:

        def shown() -> bool:
            return any(queue == "lone" for _, queue in web.listen().checks)

        wait_until(shown, PATIENCE, "the queue is shown")
        node.freeze_children()
        web.listen(1.0)
        web.dashboard.checks.clear()
        wait_until(shown, PATIENCE, "its parent tells of it")


def test_a_node_that_stops_tells_no_more(database: Database, web: Web) -> None:
    with TreadleNode(database, queues=("lone",)) as node:
        wait_until(lambda: any(queue == "lone" for _, queue in web.listen().checks), PATIENCE, "shown")
        assert node.stop() == 0
        web.listen()
        web.dashboard.checks.clear()
        web.listen(1.5)
    assert not [queue for _, queue in web.dashboard.checks if queue == "lone"]
