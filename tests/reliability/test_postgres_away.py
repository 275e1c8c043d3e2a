"""A PostgreSQL that loses replies, connections and itself, under a whole worker."""

from collections.abc import Callable

import psycopg
import pytest

from tests.postgres import USER, PostgresServer
from tests.postgres_proxy import PostgresProxy
from tests.reliability.bench import LIMIT, Bench
from tests.reliability.faults import crash, hang_up, lose_replies, repeated_only_near
from tests.servers import wait_until
from treadle.runtime.plan import Plan

on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

# Seconds of claims and completions that a crash of the server may take back: 3 x wal_writer_delay, and one to spare.
UNWRITTEN = 1.6

EVERY_BACKEND = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

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
    lose_replies(bench, postgres_proxy, through, STATEMENTS, rounds)


@on_postgresql
@pytest.mark.parametrize("jobs", [1_000, pytest.param(5_000, marks=pytest.mark.chaos)])
def test_backends_ended_five_times_a_second_cost_no_job(bench: Bench, postgres_url: str, jobs: int) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        hang_up(bench, jobs, lambda: other.execute(EVERY_BACKEND))


@on_postgresql
@pytest.mark.parametrize("times", [2, pytest.param(10, marks=[pytest.mark.chaos, pytest.mark.timeout(300)])])
def test_a_server_that_crashes_repeats_only_what_it_heard_last_and_takes_nobody_for_dead(
    bench: Bench, start_postgres: Callable[..., PostgresServer], times: int
) -> None:
    server, jobs = start_postgres(), 400 * (times + 2)
    bench.move(server.url_of(server.fresh_database()))
    crashes = crash(bench, server, times, jobs, lease=3.0, within=LIMIT)
    assert bench.book.events("OwnersRescued") == bench.book.events("WorkerFenced") == []
    repeated_only_near(bench, jobs, crashes, UNWRITTEN)


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
