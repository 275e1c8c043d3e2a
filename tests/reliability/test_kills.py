"""Processes that are killed: nothing is lost, and what ran runs again soon."""

import os
import signal
from statistics import median

import pytest

from tests.reliability.bench import LIMIT, UNHURRIED, WAYS, Bench, Running, by_every_way
from tests.servers import wait_until
from treadle.runtime.heart import BEATS_PER_LEASE
from treadle.runtime.plan import Plan

CONCURRENCY = 10
LEASE = 1.0
SLACK = 0.5  # seconds for two busy cores


@pytest.mark.parametrize(
    "url",
    ["sqlite", "redis", *(pytest.param(f"postgresql {way}".strip(), marks=pytest.mark.chaos) for way in ("", *WAYS))],
    indirect=True,
)
@pytest.mark.parametrize("kills", [20, pytest.param(32, marks=[pytest.mark.chaos, pytest.mark.timeout(300)])])
def test_killed_children_lose_no_job_of_thousands_and_repeat_only_what_they_ran(bench: Bench, kills: int) -> None:
    jobs = 300 * kills
    bench.fill("tick", range(jobs), seconds=0.02)
    node = bench.start(Plan(processes=4, concurrency=CONCURRENCY, lease=UNHURRIED)).works(4)
    waits = []
    for kill in range(1, kills + 1):
        bench.done(kill * jobs // (kills + 4))
        waits.append(_kill_one(bench, node, kill))
    # Nobody waits for a lease to end; a busy machine takes its time to start a process.
    assert median(waits) < 2.0
    assert max(waits) < UNHURRIED
    bench.done(jobs)
    assert node.stops() == 0
    bench.accounted(jobs, faults=kills * CONCURRENCY)
    assert bench.book.runs.total() > jobs + kills


@by_every_way
@pytest.mark.parametrize("again", ["another node", "the node of the same host once more"])
def test_a_node_that_is_killed_whole_is_rescued_within_its_lease_and_a_beat(bench: Bench, again: str) -> None:
    plan = Plan(lease=LEASE)
    bench.fill("hold", range(CONCURRENCY), folder=str(bench.folder))
    first = bench.start(plan)
    wait_until(lambda: len(bench.book.running) == CONCURRENCY, LIMIT, "all jobs run")
    if again == "another node":
        bench.start(plan).works()
    lost = bench.book.now
    first.close()
    if again != "another node":
        bench.start(plan)
    for number in range(CONCURRENCY):
        bench.release(number)
        _again(bench, str(number), lost)
    if again == "another node":
        assert bench.book.of("S")[-1].at - lost < LEASE * (1 + 2 / BEATS_PER_LEASE) + SLACK
    bench.done(CONCURRENCY)
    bench.accounted(CONCURRENCY, faults=CONCURRENCY)
    rescues = bench.book.events("OwnersRescued")
    assert [event.values["claims"] for event in rescues] == [CONCURRENCY]


def _kill_one(bench: Bench, node: Running, turn: int) -> float:
    """Kill a child; how long the last of what it ran waited for its next start."""
    candidates = wait_until(lambda: node.ready, 10, "a child works")
    victim = candidates[turn % len(candidates)]
    killed = bench.book.now
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in node.children, 5, "the child is gone")
    cut = [line.what for line in bench.book.running if line.pid == victim]
    return max((_again(bench, what, killed) - killed for what in cut), default=0.0)


def _again(bench: Bench, what: str, after: float) -> float:
    def starts() -> list[float]:
        return [line.at for line in bench.book.of("S", int(what)) if line.at > after]

    return wait_until(starts, 10, f"job {what} runs again")[0]
