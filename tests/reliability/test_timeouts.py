"""Jobs that take long, and jobs that take too long: the first are never repeated, the second end nobody else's."""

from typing import Any

import pytest

from tests.reliability.bench import LIMIT, Bench, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

# Seconds. A lease that a node on a busy machine keeps, as it must here, and one that is of no account.
KEPT = 3.0
LEASE = 3.0
LATE = 1000  # the number of the job that takes too long
OTHERS = 40


def test_a_hundred_jobs_slower_than_the_lease_are_never_rescued(bench: Bench) -> None:
    bench.fill("tick", range(50), seconds=3 * KEPT)
    bench.fill("work", range(50, 100), seconds=3 * KEPT)
    nodes = [bench.start(Plan(lease=KEPT, concurrency=50)) for _ in range(2)]
    bench.done(100)
    assert [node.stops() for node in nodes] == [0, 0]
    assert bench.book.events("OwnersRescued") == []
    bench.accounted(100)


def test_a_job_that_holds_the_gil_for_longer_than_the_lease_is_not_rescued(bench: Bench) -> None:
    bench.fill("backtrack", range(1), seconds=1.5 * KEPT)
    nodes = [bench.start(Plan(lease=KEPT)) for _ in range(2)]
    bench.done(1)
    assert [node.stops() for node in nodes] == [0, 0]
    assert bench.book.events("OwnersRescued") == []
    bench.accounted(1)


@on_one_store
def test_a_job_that_holds_the_gil_past_its_time_out_is_killed_alone_and_its_neighbours_go_back(bench: Bench) -> None:
    bench.fill("hold", range(3), folder=str(bench.folder))
    node = bench.start(Plan(lease=LEASE, overrun=0.5))
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the neighbours run")
    late = bench.enqueue(bench.new("backtrack_too_long", max_attempts=1, number=LATE, seconds=60.0))
    [lost] = bench.appear("JobDiscarded")
    assert ([lost.job], lost.values["failure"]["error_class"]) == (late, "JobTimeout")
    [killed] = bench.book.events("ChildKilled")
    [began] = bench.book.of("S", LATE)
    # It was killed while it ran, and not before its deadline had passed by the half second.
    assert 1.0 < killed.at - began.at < 60.0
    bench.release(*range(3))
    bench.done(3)
    assert {line.rest for line in bench.book.of("S", 0, 1, 2)} == {"1"}
    assert node.stops() == 0
    bench.accounted(3, faults=3, discarded=1)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_loop_that_stood_still_says_so_with_the_stack_that_held_it(bench: Bench) -> None:
    bench.fill("backtrack", range(1), seconds=6.0)
    node = bench.start(Plan(lease=LEASE))
    [stalled] = bench.appear("LoopStalled", timeout=60)
    assert stalled.values["seconds"] > 5.0
    assert "faulty_jobs.py" in stalled.values["stack"]
    bench.done(1)
    assert node.stops() == 0


@on_one_store
def test_a_coroutine_past_its_time_out_is_cancelled_and_tidies_up(bench: Bench) -> None:
    late = bench.enqueue(bench.new("wait_too_long", number=LATE, max_attempts=1))
    node = bench.start(Plan(lease=LEASE))
    [lost] = bench.appear("JobDiscarded")
    assert ([lost.job], lost.values["failure"]["error_class"]) == (late, "JobTimeout")
    assert len(bench.book.of("F", LATE)) == 1
    assert 0.3 < bench.book.of("F", LATE)[0].at - bench.book.of("S", LATE)[0].at < 1.0
    assert node.stops() == 0
    bench.accounted(0, discarded=1)


@on_one_store
@pytest.mark.parametrize("name", ["will_not_be_cancelled", "will_not_be_interrupted"])
def test_a_job_that_does_not_stop_loses_its_slot_and_the_second_has_the_process_recycled(
    bench: Bench, name: str
) -> None:
    folder: dict[str, Any] = {"folder": str(bench.folder)} if name == "will_not_be_cancelled" else {}
    late = bench.enqueue(bench.new(name, number=LATE, max_attempts=1, **folder))
    node = bench.start(Plan(lease=LEASE, concurrency=4))
    [stuck] = bench.appear("JobStuck")
    [lost] = bench.appear("JobDiscarded")
    assert [stuck.job] == [lost.job] == late
    assert lost.values["failure"]["error_class"] == "JobTimeout"
    [first] = node.children
    bench.fill("hold", range(4), folder=str(bench.folder))
    wait_until(lambda: len(bench.book.of("S", *range(4))) == 4, 5, "every slot works")
    bench.release(*range(4))
    bench.enqueue(bench.new(name, number=LATE + 1, max_attempts=1, **folder))
    bench.fill("work", range(4, OTHERS), seconds=0.2)
    wait_until(lambda: node.ready and first not in node.children, LIMIT, "the process is recycled")
    bench.done(OTHERS)
    assert node.stops() == 0
    assert len(bench.book.events("JobStuck")) == 2
    assert bench.book.events("ChildDied") == bench.book.events("ChildKilled") == []
    bench.accounted(OTHERS, discarded=2)
