"""Workers to which nobody can tell that jobs are there, and workers to which everything is told."""

import json

import psycopg
import pytest

from tests.reliability.bench import LIMIT, Bench
from tests.servers import wait_until
from tests.stores.storm import storm
from treadle.runtime.plan import Plan
from treadle.stores.postgres_watch import POLL

QUEUES = ("a", "b", "c", "d")
ROUNDS = 60


@pytest.mark.chaos
@pytest.mark.parametrize("url", ["postgresql", "postgresql behind pgbouncer"], indirect=True)
def test_jobs_are_picked_up_within_a_poll_or_so_while_nothing_is_heard(bench: Bench, postgres_url: str) -> None:
    nodes = [bench.start(Plan(queues=(queue,), lease=30.0)).works() for queue in QUEUES]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        for number in range(ROUNDS):
            for place, queue in enumerate(QUEUES):
                _insert(other, queue, len(QUEUES) * number + place)
            wait_until(lambda: _taken(other), LIMIT, "every job is claimed")
        query = "SELECT extract(epoch FROM attempted_at - inserted_at)::float FROM oban_jobs ORDER BY 1"
        waits = [wait for (wait,) in other.execute(query)]
    bench.done(len(waits))
    assert len(waits) == ROUNDS * len(QUEUES) >= 200
    assert waits[len(waits) * 99 // 100] < 1.5 * POLL, waits[-10:]
    assert [node.stops() for node in nodes] == [0] * len(nodes)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_node_goes_on_through_a_storm_of_garbage_and_obeys_what_comes_after_it(bench: Bench) -> None:
    def paused() -> bool:
        workers = bench.app.blocking("workers", bench.app.store.workers())
        return all("default" in worker.paused for worker in workers)

    [job_id] = bench.fill("hold", range(1), folder=str(bench.folder))
    node = bench.start(Plan(lease=600.0))
    wait_until(lambda: len(bench.book.running) == 1, LIMIT, "the job runs")
    with psycopg.connect(bench.url, autocommit=True) as peer:

        def tell(**signal: object) -> None:
            peer.execute("SELECT pg_notify('public.oban_signal', %s)", (json.dumps(signal),))

        storm(peer, "public", 3000)
        tell(action="pkill", job_id=int(job_id))
        wait_until(lambda: bench.book.of("X", 0), LIMIT, "its body is stopped long before the next beat")
        tell(action="pause", queue="default", ident="any")
        wait_until(paused, LIMIT, "the queue is paused")
        bench.fill("tick", range(1, 2))
        wait_until(lambda: bench.states() == {"available": 1, "cancelled": 1}, LIMIT, "one waits, one has ended")
        tell(action="resume", queue="default", ident="any")
        wait_until(lambda: bench.book.ended == 1, LIMIT, "what waited is run")
    assert node.stops() == 0
    assert bench.book.events("ChildDied") == []


def _insert(other: "psycopg.Connection[tuple[object, ...]]", queue: str, number: int) -> None:
    """As Oban's programs do, telling of it."""
    with other.transaction():
        query = "INSERT INTO oban_jobs (worker, queue, args) VALUES ('tick', %s, %s)"
        other.execute(query, (queue, json.dumps({"number": number})))
        other.execute("SELECT pg_notify('public.oban_insert', %s)", (json.dumps({"queue": queue}),))


def _taken(other: "psycopg.Connection[tuple[object, ...]]") -> bool:
    """Whether no job waits; whoever listens meanwhile is hung up on."""
    other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'treadle listen' AND datname = current_database()"
    )
    return other.execute("SELECT 1 FROM oban_jobs WHERE state = 'available' LIMIT 1").fetchone() is None
