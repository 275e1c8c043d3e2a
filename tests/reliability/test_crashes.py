"""Jobs that end their process: the guilty one is set aside, and no innocent one with it."""

import pytest

from tests.reliability.bench import Bench, on_every_store, on_one_store
from treadle.runtime.plan import Plan

INNOCENT = 50
POISON = 1000
WORST = "crashed its worker 3 times"


@on_every_store
def test_one_poison_job_among_50_of_a_second_each_is_discarded_after_three_deaths_alone(bench: Bench) -> None:
    half = INNOCENT // 2
    bench.fill("work", range(half), seconds=1.0)
    poison = bench.fill("leave_at_once", range(POISON, POISON + 1))
    bench.fill("work", range(half, INNOCENT), seconds=1.0)
    node = bench.start(Plan(processes=2, concurrency=5, lease=5.0))
    bench.done(INNOCENT)
    [buried] = bench.appear("JobDiscarded")
    assert ([buried.job], buried.values["failure"]["message"]) == (poison, WORST)
    assert bench.book.runs[POISON] == 4
    assert node.stops() == 0
    bench.accounted(INNOCENT, faults=4, discarded=1)


@on_one_store
@pytest.mark.parametrize("end", ["violate", pytest.param("kill_itself", marks=pytest.mark.chaos)])
def test_a_job_that_ends_its_process_by_a_signal_is_discarded_and_the_queue_flows(bench: Bench, end: str) -> None:
    poison = bench.fill(end, range(POISON, POISON + 1))
    bench.fill("tick", range(INNOCENT))
    node = bench.start(Plan(lease=5.0))
    [buried] = bench.appear("JobDiscarded")
    assert ([buried.job], buried.values["failure"]["message"]) == (poison, WORST)
    bench.done(INNOCENT)
    assert node.stops() == 0
    bench.accounted(INNOCENT, faults=9, discarded=1)


@on_one_store
@pytest.mark.parametrize("name", ["ask_to_exit", "run_out_of_memory"])
def test_sys_exit_and_a_lack_of_memory_are_ordinary_failures(bench: Bench, name: str) -> None:
    bench.fill(name, range(1))
    bench.fill("tick", range(1, 5))
    node = bench.start(Plan(lease=5.0)).works()
    pids = node.children
    bench.done(5)
    assert node.children == pids
    assert node.stops() == 0
    assert bench.book.runs[0] == 2
    bench.accounted(5, faults=1)


def test_a_process_that_dies_while_it_tells_of_a_discard_tells_of_it_again(bench: Bench) -> None:
    [job] = bench.enqueue(bench.new("give_up", number=0, max_attempts=1))
    node = bench.start(Plan(lease=5.0))
    [buried] = bench.appear("JobDiscarded")
    assert (buried.job, buried.values["failure"]["message"]) == (job, "it cannot be done")
    assert node.stops() == 0
    assert bench.book.runs[0] == len(bench.book.of("T")) == 2
