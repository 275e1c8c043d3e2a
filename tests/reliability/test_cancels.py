"""Jobs that are cancelled from outside while they run: that one stops, and no other."""

import json
import sqlite3
from contextlib import closing

import psycopg
import pytest

from tests.reliability.bench import LIMIT, Bench, on_every_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

LEASE = 1.0


@on_every_store
@pytest.mark.parametrize("how", ["its handle", "the row"])
@pytest.mark.parametrize("number", [3, 1])
def test_a_running_job_that_is_cancelled_stops_and_its_neighbours_go_on(bench: Bench, how: str, number: int) -> None:
    if how == "the row" and bench.is_redis:
        pytest.skip("Redis has no row that a peer could change")
    jobs = bench.fill("hold", range(number), folder=str(bench.folder))
    node = bench.start(Plan(lease=LEASE))
    wait_until(lambda: len(bench.book.running) == number, LIMIT, "the jobs run")
    if how == "the row":
        _cancel_row(bench.url, jobs[0])
    else:
        assert bench.app.jobs.get(jobs[0]).cancel()
    wait_until(lambda: bench.book.of("X", 0), 2 * LEASE, "its body is stopped")
    assert bench.book.of("X", 0)[0].rest == "CancelledError"
    bench.release(*range(1, number))
    wait_until(lambda: bench.book.ended == number - 1, 5, "its neighbours end")
    assert node.stops() == 0
    assert bench.book.runs.total() == number
    left = {"cancelled": 1, "completed": number - 1}
    assert bench.states() == ({} if bench.is_redis else {state: count for state, count in left.items() if count})


def test_a_cancel_does_not_wait_for_a_beat(bench: Bench) -> None:
    jobs = bench.fill("hold", range(3), folder=str(bench.folder))
    node = bench.start(Plan(lease=600.0, processes=2, concurrency=2))
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    assert bench.app.jobs.get(jobs[1]).cancel()
    wait_until(lambda: bench.book.of("X", 1), 10.0, "its body is stopped long before the next beat, after 100 s")
    bench.release(0, 2)
    wait_until(lambda: bench.book.ended == 2, 5, "its neighbours end")
    assert node.stops() == 0
    assert bench.book.runs.total() == 3


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("cancels", [True, False], ids=["Elixir's Oban", "oban-py"])
def test_a_peer_that_cancels_the_only_job_of_a_process_does_not_wait_for_a_beat(bench: Bench, *, cancels: bool) -> None:
    jobs = bench.fill("hold", range(2), folder=str(bench.folder))
    node = bench.start(Plan(lease=600.0, processes=2, concurrency=1))
    wait_until(lambda: len(bench.book.running) == 2, LIMIT, "the jobs run")
    with psycopg.connect(bench.url) as peer:
        if cancels:
            # Elixir's Oban ends the row at once, oban-py leaves that to who runs the job.
            peer.execute("UPDATE oban_jobs SET state = 'cancelled' WHERE id = %s", (jobs[1],))
        signal = {"action": "pkill", "job_id": int(jobs[1])}
        peer.execute("SELECT pg_notify('public.oban_signal', %s)", (json.dumps(signal),))
    wait_until(lambda: bench.book.of("X", 1), 10.0, "its body is stopped long before the next beat, after 100 s")
    bench.release(0)
    wait_until(lambda: bench.book.ended == 1, 5, "its neighbour ends")
    assert node.stops() == 0
    assert bench.states() == {"cancelled": 1, "completed": 1}


def _cancel_row(url: str, job_id: str) -> None:
    """What another program does that asks nobody."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as other:
            other.execute("UPDATE oban_jobs SET state = 'cancelled' WHERE id = %s", (job_id,))
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as peer, peer:
        peer.execute("UPDATE oban_jobs SET state = 'cancelled' WHERE id = ?", (job_id,))
