"""A PostgreSQL that loses replies, connections and itself, under a whole worker."""

from collections.abc import Callable

import psycopg
import pytest

from tests.postgres import USER, PostgresServer
from tests.postgres_proxy import PostgresProxy
from tests.reliability.bench import LIMIT, Bench
from tests.servers import wait_until
from treadle.runtime.plan import Plan

on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

# Seconds of claims and completions that a crash of the server may take back: 3 x wal_writer_delay, and one to spare.
UNWRITTEN = 1.6

# What a statement says → the jobs that make a worker send it; those that come again wait for the stager.
STATEMENTS = {
    **dict.fromkeys((b"SKIP LOCKED", b"SET state = 'completed'"), ("tick", "remember")),
    **dict.fromkeys((b"'snoozed'", b"state IN ('scheduled', 'retryable')"), ("tick", "fail_once", "nap_once")),
    **dict.fromkeys((b"renewed AS", b"treadle_done", b"treadle_cancels c ON"), ("tick",)),
}


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.chaos)])
@pytest.mark.parametrize(
    ("url", "postgres_proxy"),
    [
        ("postgresql", ""),
        pytest.param("postgresql of oban-py", "", marks=pytest.mark.chaos),
        pytest.param("postgresql in a schema", "", marks=pytest.mark.chaos),
        pytest.param("postgresql behind pgbouncer", "pgbouncer", marks=pytest.mark.chaos),
    ],
    indirect=True,
)
def test_the_reply_of_every_statement_of_a_worker_is_lost_and_no_job_runs_twice(
    bench: Bench, url: str, postgres_proxy: PostgresProxy, rounds: int
) -> None:
    through = "&".join([postgres_proxy.url, *url.split("?")[1:]])
    node = bench.start(Plan(lease=3.0, concurrency=4), TREADLE_URL=through).works()
    children, number = node.children, 0
    for text in [*STATEMENTS] * rounds:
        number = _cut(bench, postgres_proxy, text, number)
    bench.done(number)
    assert node.children == children
    for event in ("ChildDied", "ChildKilled", "OwnersRescued", "WorkerFenced", "ClaimLost"):
        assert bench.book.events(event) == []
    assert node.stops() == 0
    failed = [line.what for line in bench.book.of("X")]
    assert len(failed) == len(set(failed))
    bench.accounted(number, faults=len(failed))


def _cut(bench: Bench, proxy: PostgresProxy, text: bytes, number: int) -> int:
    """Feed jobs of every kind until a reply to this statement was lost; the number of the next job."""
    before = proxy.cuts
    proxy.cut_reply(matching=text)
    began = bench.book.now
    while proxy.cuts == before:
        assert bench.book.now < began + 10, f"{text!r} is sent"
        bench.enqueue(*(bench.new(job, number=number + place) for place, job in enumerate(STATEMENTS[text])))
        number += len(STATEMENTS[text])
        bench.done(number)
    return number


@on_postgresql
@pytest.mark.parametrize("jobs", [1_000, pytest.param(5_000, marks=pytest.mark.chaos)])
def test_backends_ended_five_times_a_second_cost_no_job(bench: Bench, postgres_url: str, jobs: int) -> None:
    node = bench.start(Plan(lease=5.0, processes=2)).works(2)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        for start in range(0, jobs, 100):
            bench.fill("tick", range(start, start + 100), seconds=0.02)
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            began = bench.book.now
            wait_until(lambda began=began: bench.book.now > began + 0.2, 2, "a fifth of a second passes")  # type: ignore[misc]
    bench.done(jobs)
    assert node.stops() == 0
    assert bench.book.events("WorkerFenced") == bench.book.events("ChildDied") == []
    bench.accounted(jobs)


@on_postgresql
@pytest.mark.parametrize("times", [2, pytest.param(10, marks=[pytest.mark.chaos, pytest.mark.timeout(300)])])
def test_a_server_that_crashes_repeats_only_what_it_heard_last_and_takes_nobody_for_dead(
    bench: Bench, start_postgres: Callable[..., PostgresServer], times: int
) -> None:
    server, jobs = start_postgres(), 400 * (times + 2)
    bench.move(server.url_of(server.fresh_database()))
    bench.fill("tick", range(jobs), seconds=0.01)
    node = bench.start(Plan(lease=3.0)).works()
    crashes = []
    for turn in range(1, times + 1):
        bench.done(400 * turn)
        crashes.append(bench.book.now)
        server.restart(immediate=True)
        up = bench.book.now
        wait_until(lambda up=up: bench.book.of("S")[-1].at > up, LIMIT, "jobs run again")  # type: ignore[misc]
    bench.done(jobs)
    assert node.stops() == 0
    assert bench.book.events("OwnersRescued") == bench.book.events("WorkerFenced") == []
    late = {
        int(line.what)
        for line in (*bench.book.of("S"), *bench.book.of("D"))
        if any(crash - UNWRITTEN <= line.at <= crash + 1 for crash in crashes)
    }
    assert {job for job, runs in bench.book.runs.items() if runs > 1} <= late
    bench.accounted(jobs, faults=len(late))


@on_postgresql
def test_rows_that_a_program_holds_locked_stop_neither_claims_nor_settlements(bench: Bench, postgres_url: str) -> None:
    first, *_ = bench.fill("hold", range(4), folder=str(bench.folder))
    node = bench.start(Plan(lease=5.0)).works()
    wait_until(lambda: len(bench.book.running) == 4, LIMIT, "they run")
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM oban_jobs WHERE id = %s FOR UPDATE", (first,))
        bench.release(*range(4))
        bench.fill("tick", range(4, 20))
        bench.done(20)
    assert node.stops() == 0
    bench.accounted(20)


@on_postgresql
@pytest.mark.chaos
def test_a_standby_that_is_promoted_is_worked_on_within_15_seconds(
    bench: Bench, start_postgres: Callable[..., PostgresServer]
) -> None:
    server, jobs = start_postgres(), 1_000
    database = server.fresh_database()
    with server.standby() as standby:
        hosts = ",".join(f"{host}:{port}" for host, port in (server.address, standby.address))
        bench.move(f"postgresql://{USER}@{hosts}/{database}")
        bench.fill("tick", range(jobs), seconds=0.02)
        node = bench.start(Plan(lease=30.0)).works()
        bench.done(200)
        crash = bench.book.now
        server.kill()
        standby.promote()
        promoted = bench.book.now
        wait_until(lambda: bench.book.of("S")[-1].at > promoted, 15.0, "jobs run again")
        # Completions that the standby had not heard of are made again.
        wait_until(lambda: bench.completed == jobs, LIMIT, "all completions are recorded")
        assert node.stops() == 0
        assert bench.book.events("OwnersRescued") == bench.book.events("WorkerFenced") == []
        late = {int(line.what) for line in bench.book.of("S") if crash - UNWRITTEN <= line.at <= promoted + 1}
        assert {job for job, runs in bench.book.runs.items() if runs > 1} <= late
        bench.accounted(jobs, faults=len(late))
