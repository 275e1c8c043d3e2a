"""Jobs that must not run again: whatever dies while one may have run, it never begins a second time."""

import os
import signal

import pytest

from tests.reliability.bench import APP, LIMIT, Bench, Running, on_every_store
from tests.servers import wait_until
from treadle.core.outcomes import LOST
from treadle.core.states import State
from treadle.runtime.plan import Plan

HELD = 10
LEASE = 1.0


def test_killed_children_run_none_of_them_twice(bench: Bench) -> None:
    jobs, kills = 1_500, 5
    bench.fill("tick", range(jobs), seconds=0.02, rerun=False)
    node = bench.start(Plan(processes=2, concurrency=HELD, lease=5.0)).works(2)
    for kill in range(1, kills + 1):
        bench.done(kill * jobs // (kills + 4))
        _kill_one(node)
    once(bench, jobs)
    assert node.stops() == 0
    # What was claimed and had not begun was not lost: no more than what ran at a kill, or had ended unheard.
    assert 0 < bench.states()["discarded"] <= kills * HELD
    lost = bench.book.events("JobDiscarded")
    assert {event.values["failure"]["message"] for event in lost} == {LOST.message}


@on_every_store
@pytest.mark.parametrize("name", ["hold", "work"])
def test_a_child_that_is_killed_loses_what_it_ran_and_nothing_else(bench: Bench, name: str) -> None:
    how = {"folder": str(bench.folder)} if name == "hold" else {"seconds": 60.0}
    bench.fill(name, range(3), rerun=False, **how)
    node = bench.start(Plan(lease=LEASE, concurrency=3))
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    others = bench.fill("tick", range(3, 20), rerun=False)
    os.kill(node.children[0], signal.SIGKILL)
    bench.done(17)
    assert node.stops() == 0
    once(bench, 20)
    assert bench.states()["discarded"] == 3
    assert len(others) == bench.completed


def test_a_tree_that_is_killed_whole_loses_what_it_ran_to_a_rescuer(bench: Bench) -> None:
    ids = bench.fill("hold", range(HELD), folder=str(bench.folder), rerun=False)
    first = bench.start(Plan(lease=LEASE, concurrency=HELD))
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "all jobs run")
    second = bench.start(Plan(lease=LEASE)).works()
    first.close()
    wait_until(lambda: bench.states().get("discarded") == HELD, LIMIT, "all of them are lost")
    assert {view.errors[-1].error.rpartition("WorkerDied: ")[2] for view in bench.find(*ids)} == {LOST.message}
    bench.fill("tick", range(HELD, HELD + 5), rerun=False)
    bench.done(5)
    assert second.stops() == 0
    once(bench, HELD + 5)


def test_a_frozen_owner_that_comes_back_is_told_that_its_jobs_were_lost(bench: Bench) -> None:
    bench.fill("tick", range(HELD), seconds=0.5, rerun=False)
    first = bench.start(Plan(lease=LEASE, concurrency=HELD))
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "the jobs run")
    [frozen] = first.children
    first.tree(signal.SIGSTOP)
    second = bench.start(Plan(lease=LEASE))
    wait_until(lambda: bench.states().get("discarded") == HELD, LIMIT, "all of them are lost")
    os.kill(frozen, signal.SIGCONT)
    told = bench.appear("ClaimLost", HELD)
    assert {event.values["state"] for event in told} == {State.DISCARDED}
    first.send(signal.SIGCONT)
    wait_until(lambda: first.ready and frozen not in first.children, 10, "the child is replaced")
    assert (first.stops(), second.stops()) == (0, 0)
    once(bench, HELD)
    assert bench.states() == {"discarded": HELD}


@pytest.mark.parametrize("name", ["hold", "work"])
def test_a_stop_that_breaks_one_off_ends_it(bench: Bench, name: str) -> None:
    how = {"folder": str(bench.folder)} if name == "hold" else {"seconds": 60.0}
    bench.fill(name, range(3), rerun=False, **how)
    bench.fill("tick", range(3, 10), rerun=False)
    arguments = ("--lease", "2", "--grace", "0.2", "--concurrency", "3")
    worker: Running = bench.run("treadle.cli", "work", APP, *arguments)
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    worker.send(signal.SIGTERM)
    worker.ends()
    assert bench.states() == {"discarded": 3, "available": 7}
    again = bench.start(Plan())
    bench.done(7)
    assert again.stops() == 0
    once(bench, 10)


def _kill_one(node: Running) -> None:
    victim = wait_until(lambda: node.ready, 10, "a child works")[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in node.children, 5, "the child is gone")


def once(bench: Bench, jobs: int) -> None:
    """No job began twice, and each of them has ended, one way or the other."""
    wait_until(lambda: bench.completed + bench.states().get("discarded", 0) == jobs, LIMIT, "all jobs have ended")
    again = {job: runs for job, runs in bench.book.runs.items() if runs > 1}
    assert not again
    assert set(bench.states()) <= {"completed", "discarded"}
