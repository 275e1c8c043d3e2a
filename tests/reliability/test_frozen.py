"""Processes that stand still and wake up late: what they did meanwhile is refused, and nothing is recorded twice."""

import os
import signal

from tests.reliability.bench import LIMIT, Bench, Running, on_every_store, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

LEASE = 0.8
HELD = 10


@on_every_store
def test_a_tree_frozen_past_its_lease_is_refused_every_late_settle_and_replaces_its_children(bench: Bench) -> None:
    bench.fill("tick", range(HELD), seconds=0.5)
    first = bench.start(Plan(lease=LEASE))
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "the jobs run")
    [frozen] = first.children
    first.tree(signal.SIGSTOP)
    second = bench.start(Plan(lease=LEASE))
    bench.done(HELD)
    _pass(bench, 1.6 * LEASE)
    os.kill(frozen, signal.SIGCONT)
    refused = bench.appear("ClaimLost", HELD)
    assert {event.pid for event in refused} == {frozen}
    first.send(signal.SIGCONT)
    wait_until(lambda: first.ready and frozen not in first.children, 10, "the child is replaced")
    bench.fill("tick", range(HELD, 3 * HELD))
    bench.done(3 * HELD)
    assert (first.stops(), second.stops()) == (0, 0)
    bench.accounted(3 * HELD, faults=HELD)


@on_one_store
def test_a_tree_frozen_past_its_lease_while_no_other_node_lives_works_on(bench: Bench) -> None:
    bench.fill("tick", range(4 * HELD), seconds=0.3)
    node = bench.start(Plan(lease=LEASE))
    wait_until(lambda: bench.book.running, LIMIT, "the jobs run")
    node.tree(signal.SIGSTOP)
    _pass(bench, 1.6 * LEASE)
    node.tree(signal.SIGCONT)
    bench.done(4 * HELD)
    assert node.stops() == 0
    bench.accounted(4 * HELD, faults=HELD)


def test_one_child_frozen_for_three_leases_repeats_nothing(bench: Bench) -> None:
    bench.fill("tick", range(HELD), seconds=0.5)
    node = bench.start(Plan(lease=LEASE))
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "the jobs run")
    other = bench.start(Plan(lease=LEASE)).works()
    [frozen] = node.children
    os.kill(frozen, signal.SIGSTOP)
    _pass(bench, 3 * LEASE)
    os.kill(frozen, signal.SIGCONT)
    bench.done(HELD)
    assert (node.stops(), other.stops()) == (0, 0)
    bench.accounted(HELD)


def test_children_of_a_frozen_parent_stop_claiming_before_their_lease_ends(bench: Bench) -> None:
    node = bench.start(Plan(lease=LEASE)).works()
    [child] = node.children
    node.send(signal.SIGSTOP)
    stopped = bench.book.now
    # They work on as long as the lease lasts.
    for number in range(1000):
        if bench.book.now - stopped > LEASE * 1.5:
            break
        _feed(bench, number)
    last = max(line.at for line in bench.book.of("S"))
    assert last < stopped + LEASE
    other = bench.start(Plan(lease=LEASE)).works()
    bench.done(number)
    assert child in {line.pid for line in bench.book.of("S")}
    node.send(signal.SIGCONT)
    wait_until(lambda: node.ready and child not in node.children, 10, "the child is replaced")
    assert (node.stops(), other.stops()) == (0, 0)
    bench.accounted(number, faults=1)


def test_a_full_child_of_a_frozen_parent_claims_nothing_when_a_slot_becomes_free(bench: Bench) -> None:
    bench.fill("hold", range(HELD), folder=str(bench.folder))
    node = bench.start(Plan(lease=LEASE))
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "the jobs run")
    bench.fill("tick", range(HELD, HELD + 5))
    node.send(signal.SIGSTOP)
    _pass(bench, LEASE)
    bench.release(0, 1)
    bench.done(2)
    _pass(bench, 0.3)
    assert len(bench.book.of("S")) == HELD
    node.send(signal.SIGCONT)
    bench.release(*range(HELD))
    bench.done(HELD + 5)
    assert node.stops() == 0
    bench.accounted(HELD + 5, faults=HELD)


def test_an_embedded_worker_frozen_past_its_lease_goes_on_as_another_owner(bench: Bench) -> None:
    bench.fill("tick", range(HELD), seconds=0.5)
    embedded: Running = bench.start_embedded(lease=LEASE)
    wait_until(lambda: len(bench.book.running) == HELD, LIMIT, "the jobs run")
    embedded.send(signal.SIGSTOP)
    other = bench.start(Plan(lease=LEASE))
    bench.done(HELD)
    assert other.stops() == 0
    embedded.send(signal.SIGCONT)
    bench.appear("WorkerReady", 3)
    bench.fill("tick", range(HELD, 3 * HELD))
    bench.done(3 * HELD)
    assert embedded.stops() == 0
    bench.accounted(3 * HELD, faults=HELD)


def _feed(bench: Bench, number: int) -> None:
    """Enqueue a job, and give it a moment to run."""
    began = bench.book.now
    bench.fill("tick", range(number, number + 1))
    wait_until(lambda: bench.book.runs[number] or bench.book.now - began > 0.1, 1.0, "a moment passes")


def _pass(bench: Bench, seconds: float) -> None:
    """Let time pass: here it is the fault itself."""
    end = bench.book.now + seconds
    wait_until(lambda: bench.book.now > end, seconds + 5, f"{seconds:g} s pass")
