"""Jobs that end their process: the guilty one is set aside, and no innocent one with it."""

import pytest

from tests.reliability.bench import LIMIT, Bench, on_every_store, on_one_store
from tests.servers import wait_until
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


@on_one_store
def test_a_poison_job_is_told_of_until_a_worker_has_heard_it_whole(bench: Bench) -> None:
    [job] = bench.enqueue(bench.new("leave_and_tell", number=0))
    node = bench.start(Plan(lease=5.0))
    [buried] = bench.appear("JobDiscarded")
    assert (buried.job, buried.values["failure"]["message"]) == (job, WORST)
    assert node.stops() == 0
    assert bench.book.runs[0] == 4
    assert [line.rest for line in bench.book.of("T")] == [f"3 WorkerDied: {WORST}"] * 2
    assert bench.states() == {"discarded": 1}


@on_one_store
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("leave_once_and_tell", "WorkerDied: lost: its worker ended"),
        pytest.param("overrun_and_tell", "JobTimeout: its time-out passed", marks=pytest.mark.chaos),
    ],
)
def test_a_job_that_its_parent_ends_is_told_of_and_not_run_again(bench: Bench, name: str, why: str) -> None:
    bench.enqueue(bench.new(name, number=0, max_attempts=1, rerun=name != "leave_once_and_tell"))
    node = bench.start(Plan(lease=5.0, overrun=0.5))
    [buried] = bench.appear("JobDiscarded")
    assert why.partition(": ")[0] == buried.values["failure"]["error_class"]
    assert node.stops() == 0
    assert bench.book.runs[0] == 1
    assert [line.rest.startswith(f"0 {why}") for line in bench.book.of("T")] == [True, True]
    assert bench.states() == {"discarded": 1}


@pytest.mark.chaos
@on_one_store
def test_an_on_discard_that_ends_its_process_is_called_three_times(bench: Bench) -> None:
    bench.fill("leave_and_leave", range(1))
    node = bench.start(Plan(lease=5.0))
    [buried] = bench.appear("JobDiscarded", timeout=60)
    assert buried.values["failure"]["message"] == f"{WORST}; its on_discard crashed 3 workers more"
    assert node.stops() == 0
    assert (bench.book.runs[0], len(bench.book.of("T"))) == (4, 3)
    assert bench.states() == {"discarded": 1}


@pytest.mark.chaos
@on_one_store
def test_a_job_that_a_stop_breaks_off_for_good_is_told_of_by_the_next_node(bench: Bench) -> None:
    bench.enqueue(bench.new("wait_once_and_tell", number=0, rerun=False))
    node = bench.start(Plan(lease=5.0, grace=0.1))
    wait_until(lambda: bench.book.of("S", 0), LIMIT, "it runs")
    node.stops()
    assert bench.states() == {"suspended": 1}
    node = bench.start(Plan(lease=5.0))
    bench.appear("JobDiscarded")
    assert node.stops() == 0
    assert (bench.book.runs[0], len(bench.book.of("T"))) == (1, 2)
    assert bench.states() == {"discarded": 1}
