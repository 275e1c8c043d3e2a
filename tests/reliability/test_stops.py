"""Stops: what runs may end, what does not end goes back untouched, and the order stays."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.proxy import CutProxy
from tests.reliability.bench import APP, LIMIT, Bench, Running, on_every_store, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

HELD = 3
JOBS = 8
SIGNALS = [
    signal.SIGTERM,
    signal.SIGINT,
    pytest.param(signal.SIGQUIT, marks=pytest.mark.chaos),
    pytest.param(signal.SIGHUP, marks=pytest.mark.chaos),
]


def _work(bench: Bench, *arguments: str, **environment: str) -> Running:
    return bench.run("treadle.cli", "work", APP, "--lease", "2", *arguments, **environment)


def test_an_idle_worker_ends_at_once(bench: Bench) -> None:
    worker = _work(bench).works()
    worker.send(signal.SIGTERM)
    assert worker.ends(2.0) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_it_within_2_seconds_and_leaves_jobs_untouched_in_their_order(
    bench: Bench, number: signal.Signals
) -> None:
    bench.fill("hold", range(JOBS), folder=str(bench.folder))
    worker = _work(bench, "--concurrency", str(HELD))
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "the jobs run")
    worker.send(number)
    wait_until(lambda: "draining" in worker.log, 5, "it drains")
    worker.send(number)
    assert worker.ends(2.0) == (130 if number is signal.SIGINT else 0)
    assert [line.rest for line in bench.book.of("X")] == ["CancelledError"] * HELD
    assert bench.states() == {"available": JOBS}
    bench.release(*range(JOBS))
    again = bench.start(Plan(concurrency=1))
    bench.done(JOBS)
    assert again.stops() == 0
    assert [(line.what, line.rest) for line in bench.book.of("S")[HELD:]] == [(str(n), "1") for n in range(JOBS)]
    bench.accounted(JOBS, faults=HELD)


def test_what_outlasts_the_grace_goes_back_untouched(bench: Bench) -> None:
    bench.fill("work", range(1), seconds=30.0)
    bench.fill("hold", range(1, 3), folder=str(bench.folder))
    worker = _work(bench, "--grace", "0.2")
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    worker.send(signal.SIGTERM)
    assert worker.ends(8.0) == 0
    assert bench.states() == {"available": 3}
    assert bench.book.of("D") == []


@contextmanager
def _stalled(bench: Bench, proxy: CutProxy | None) -> Iterator[None]:
    """Meanwhile the store keeps every call of a worker waiting."""
    if proxy is not None:
        proxy.stall()
        yield
        proxy.forward()
        return
    blocker = sqlite3.connect(bench.url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    yield
    blocker.execute("ROLLBACK")
    blocker.close()


@on_every_store
@pytest.mark.parametrize("job", ["hold", "hold_and_fail"])
def test_a_stop_while_it_settles_and_claims_loses_neither(
    bench: Bench, request: pytest.FixtureRequest, job: str
) -> None:
    kind = bench.url.partition(":")[0]
    fixture = {"redis": "redis_proxy", "postgresql": "postgres_proxy"}.get(kind)
    proxy = request.getfixturevalue(fixture) if fixture else None
    url = proxy.url if proxy else bench.url
    bench.fill(job, range(2), folder=str(bench.folder))
    worker = _work(bench, "--concurrency", "1", TREADLE_URL=url)
    wait_until(lambda: bench.book.running, LIMIT, "the first job runs")
    with _stalled(bench, proxy):
        bench.release(0)
        wait_until(lambda: bench.book.of("D", 0) or bench.book.of("X", 0), 5, "its body ends")
        worker.send(signal.SIGTERM)
        wait_until(lambda: "draining" in worker.log, 5, "it drains")
    assert worker.ends() == 0
    assert len(bench.book.of("S")) == 1
    bench.release(1)
    again = bench.start()
    bench.done(2)
    assert again.stops() == 0
    bench.accounted(2, faults=2 if job == "hold_and_fail" else 0)


@on_one_store
def test_a_stop_while_middleware_runs_waits_for_it(bench: Bench) -> None:
    [job] = bench.enqueue(bench.new("tick", queue="hold", number=0))
    node = bench.start(app="tests.apps.faulty_middleware:app", plan=Plan(queues=("hold",)))
    wait_until(lambda: bench.book.of("M"), LIMIT, "the middleware runs")
    assert bench.book.of("M")[0].what == job
    node.send(signal.SIGTERM)
    wait_until(lambda: bench.states() == {"executing": 1}, 5, "it still runs")
    (bench.folder / "middleware").touch()
    assert node.ends() == 0
    bench.accounted(1)
