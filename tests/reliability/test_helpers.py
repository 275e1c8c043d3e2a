"""Process jobs: their helper process ends with them and with its worker, and takes nothing else along."""

import os
import signal

import psutil
import pytest

from tests.reliability.bench import LIMIT, Bench, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan


def is_alive(pid: int) -> bool:
    """Whether a process runs. The entry of an orphan that died stays until init, which is in no hurry, reaps it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_process_job_is_dead_before_it_runs_again_when_its_worker_is_killed(bench: Bench) -> None:
    bench.fill("toil", range(2), seconds=0.6)
    node = bench.start(Plan(lease=5.0))
    wait_until(lambda: len({line.what for line in bench.book.of("L")}) == 2, LIMIT, "the jobs run")
    helpers = {line.pid for line in bench.book.of("S")}
    [child] = node.children
    assert {psutil.Process(helper).ppid() for helper in helpers} == {child}
    os.kill(child, signal.SIGKILL)
    bench.done(2)
    for number in range(2):
        first, again = bench.book.of("S", number)
        last_sign = max(line.at for line in bench.book.of("L", number) if line.pid == first.pid)
        assert last_sign < again.at
    assert not any(is_alive(helper) for helper in helpers)
    assert node.stops() == 0
    bench.accounted(2, faults=2)


@on_one_store
def test_a_process_job_that_ends_its_process_is_an_ordinary_failed_attempt(bench: Bench) -> None:
    bench.fill("toil_and_leave", range(1))
    bench.fill("tick", range(1, 10), seconds=0.5)
    node = bench.start(Plan(lease=5.0)).works()
    pids = node.children
    [failed] = bench.appear("JobRetried")
    assert (failed.values["failure"]["error_class"], failed.values["after"]) == ("ProcessDied", 0.0)
    assert "exit code 5" in failed.values["failure"]["message"]
    bench.done(10)
    assert node.children == pids
    assert node.stops() == 0
    bench.accounted(10, faults=1)


@on_one_store
def test_a_process_job_past_its_time_out_is_killed(bench: Bench) -> None:
    bench.enqueue(bench.new("toil_too_long", number=0, max_attempts=1))
    node = bench.start(Plan(lease=5.0))
    [lost] = bench.appear("JobDiscarded")
    assert lost.values["failure"]["error_class"] == "JobTimeout"
    helper = bench.book.of("S")[0].pid
    wait_until(lambda: not is_alive(helper), 5, "the helper is gone")
    assert bench.book.events("JobStuck") == []
    assert node.stops() == 0
    bench.accounted(0, discarded=1)


@on_one_store
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_helper_outlives_its_node(bench: Bench, number: signal.Signals) -> None:
    bench.fill("toil", range(2), seconds=60.0)
    node = bench.start(Plan(lease=3.0, grace=0.1))
    wait_until(lambda: len({line.what for line in bench.book.of("L")}) == 2, LIMIT, "the jobs run")
    helpers = {line.pid for line in bench.book.of("S")}
    node.send(number)
    node.ends()
    wait_until(lambda: not any(is_alive(helper) for helper in helpers), 5, "the helpers are gone")
