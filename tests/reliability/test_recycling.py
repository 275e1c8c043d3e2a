"""Worn processes are replaced one at a time, and no job notices."""

import os
import signal

from tests.reliability.bench import LIMIT, Bench, Running, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

FEW = 20


def test_processes_that_have_run_their_jobs_are_replaced_one_at_a_time_and_nothing_is_repeated(bench: Bench) -> None:
    node = bench.start(Plan(lease=3.0, processes=2, recycle_after=FEW)).works(2)
    jobs, most = 0, 0
    while len(bench.book.events("ChildRecycled")) < 4:
        bench.fill("tick", range(jobs, jobs + FEW), seconds=0.02)
        jobs += FEW
        bench.done(jobs)
        most = max(most, len(node.children))
    assert most <= 3
    assert node.stops() == 0
    bench.accounted(jobs)
    assert not bench.book.events("ChildDied")
    _one_at_a_time(bench)


def _one_at_a_time(bench: Bench) -> None:
    """Before the next is worn, the successor of the last works."""
    worn = [event.at for event in bench.book.events("ChildRecycled")]
    ready = [event.at for event in bench.book.events("WorkerReady")[2:]]
    assert all(successor < following for successor, following in zip(ready, worn[1:], strict=False))


@on_one_store
def test_a_process_that_has_grown_too_large_is_replaced(bench: Bench) -> None:
    node = bench.start(Plan(lease=3.0, recycle_rss=300)).works()
    [first] = node.ready
    bench.fill("tick", range(3))
    bench.done(3)
    bench.enqueue(bench.new("grow", number=3, mib=400))
    [event] = bench.appear("ChildRecycled")
    assert event.values["pid"] == first
    assert event.values["reason"].startswith("it occupies ")
    wait_until(lambda: node.ready and first not in node.children, LIMIT, "the process is replaced")
    assert node.stops() == 0
    bench.accounted(4)


@on_one_store
def test_a_long_job_ends_where_it_began_while_the_successor_runs_the_others(bench: Bench) -> None:
    node, worn = _wearing(bench, Plan(lease=3.0, concurrency=2, recycle_after=FEW))
    wait_until(lambda: len(node.ready) == 2, LIMIT, "its successor works")
    [successor] = set(node.ready) - {worn}
    jobs = FEW + 1
    # The worn one still takes some, until it is told to drain.
    while sum(line.pid == successor for line in bench.book.of("D")) < FEW:
        bench.fill("tick", range(jobs, jobs + FEW))
        jobs += FEW
        bench.done(jobs - 1)
    assert len(node.ready) == 2
    # Its successor is worn as well, but two at a time there shall not be.
    assert len(bench.book.events("ChildRecycled")) == 1
    bench.release(0)
    wait_until(lambda: worn not in node.children, LIMIT, "the worn process ends")
    bench.appear("ChildRecycled", 2)
    assert {line.pid for line in bench.book.of("D", 0)} == {worn}
    assert node.stops() == 0
    bench.accounted(jobs)


@on_one_store
def test_a_limit_over_the_node_holds_while_one_succeeds_the_other(bench: Bench) -> None:
    bench.enqueue(*(bench.new("hold", queue="slow", number=number, folder=str(bench.folder)) for number in (0, 1)))
    node = bench.start(Plan(lease=3.0, limits={"slow": 1}, recycle_after=FEW))
    wait_until(lambda: bench.book.running, LIMIT, "the slow job runs")
    [first] = bench.book.running
    bench.fill("tick", range(2, 2 + FEW))
    node.works(2)
    bench.fill("tick", range(2 + FEW, 2 + 2 * FEW))
    bench.done(2 * FEW)
    assert [line.what for line in bench.book.running] == [first.what]
    bench.release(0, 1)
    bench.done(2 + 2 * FEW)
    assert node.stops() == 0
    bench.accounted(2 + 2 * FEW)
    ended, began = min(line.at for line in bench.book.of("D", 0, 1)), max(line.at for line in bench.book.of("S", 0, 1))
    assert ended < began


@on_one_store
def test_a_worn_process_works_on_while_no_successor_can_be_started(bench: Bench) -> None:
    node = bench.start(Plan(lease=3.0, recycle_after=FEW), app="tests.apps.faulty_start:app").works()
    [worn] = node.ready
    (bench.folder / "broken").touch()
    bench.fill("tick", range(FEW))
    wait_until(lambda: node.log.count("the app is broken") >= 2, LIMIT, "no successor can be started")
    bench.fill("tick", range(FEW, 2 * FEW))
    bench.done(2 * FEW)
    assert {line.pid for line in bench.book.of("D")} == {worn}
    (bench.folder / "broken").unlink()
    wait_until(lambda: worn not in node.children and node.ready, LIMIT, "it is replaced")
    assert node.stops() == 0
    bench.accounted(2 * FEW)


@on_one_store
def test_a_worn_process_that_dies_while_it_drains_is_buried_like_any_other(bench: Bench) -> None:
    node, worn = _wearing(bench, Plan(lease=3.0, recycle_after=FEW))
    wait_until(lambda: len(node.ready) == 2, LIMIT, "its successor works")
    os.kill(worn, signal.SIGKILL)
    [event] = bench.appear("ChildDied")
    assert (event.values["pid"], event.values["suspects"]) == (worn, 1)
    bench.release(0)
    bench.done(1 + FEW)
    assert node.stops() == 0
    bench.accounted(1 + FEW, faults=1)


@on_one_store
def test_a_stop_does_not_wait_for_a_worn_process_longer_than_for_others(bench: Bench) -> None:
    node, worn = _wearing(bench, Plan(lease=3.0, recycle_after=FEW, grace=0.5))
    wait_until(lambda: len(node.ready) == 2, LIMIT, "its successor works")
    node.send(signal.SIGTERM)
    assert node.ends(10.0) == 0
    assert worn not in node.children
    wait_until(lambda: bench.states().get("available") == 1, 5, "the job is back")


@on_one_store
def test_who_is_killed_again_and_again_after_good_work_is_replaced_at_once(bench: Bench) -> None:
    kills = 8
    node = bench.start(Plan(lease=5.0)).works()
    for kill in range(kills):
        bench.fill("tick", range(kill, kill + 1))
        bench.done(kill + 1)
        killed = bench.book.now
        os.kill(node.ready[0], signal.SIGKILL)
        bench.appear("WorkerReady", kill + 2)
    assert bench.book.events("WorkerReady")[-1].at - killed < 3.0
    assert node.stops() == 0
    # A body may have ended, and its outcome not have been told.
    bench.accounted(kills, faults=kills)


def _wearing(bench: Bench, plan: Plan) -> tuple[Running, int]:
    """A node whose process is worn while it runs job 0, which holds; and that process."""
    bench.fill("hold", range(1), folder=str(bench.folder))
    node = bench.start(plan)
    wait_until(lambda: bench.book.running, LIMIT, "the job runs")
    bench.fill("tick", range(1, FEW + 1))
    bench.appear("ChildRecycled")
    return node, bench.book.running[0].pid
