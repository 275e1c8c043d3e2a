"""A node lives while every loop turns and every queue is looked at; it is ready while a process may claim."""

from math import inf

from tests.runtime.children import place_of
from tests.runtime.desk import run
from tests.stores.places import ManualClock
from treadle.runtime.health import Health
from treadle.runtime.place import Place
from treadle.runtime.plan import Plan

PLAN = Plan()


def test_a_process_that_works_stalls_nothing() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, _):
            health = Health(PLAN, clock, [place])
            assert (health.stalls(), health.unready()) == ([], "")
            clock.advance(15.0)
            assert health.stalls() == []

    run(story)


def test_a_loop_that_does_not_answer_for_15_seconds_is_a_stall() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, child):
            health = Health(PLAN, clock, [place])
            clock.advance(15.5)
            assert health.stalls() == [f"the loop of worker process {child.pid} has not answered for 16 s"]
            child.page.turned = clock.steady()
            assert health.stalls() == []

    run(story)


def test_queues_that_are_not_looked_at_for_30_seconds_are_a_stall() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, child):
            health = Health(PLAN, clock, [place])
            clock.advance(31.0)
            child.page.turned = clock.steady()
            assert health.stalls() == [f"worker process {child.pid} has not looked at its queues for 31 s"]

    run(story)


def test_a_process_that_owes_no_look_is_no_stall() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, child):
            child.page.fetched = inf
            clock.advance(1000.0)
            child.page.turned = clock.steady()
            assert Health(PLAN, clock, [place]).stalls() == []

    run(story)


def test_a_process_whose_work_has_ended_is_no_stall() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, child):
            child.page.fetched = child.page.turned = inf
            clock.advance(1000.0)
            assert Health(PLAN, clock, [place]).stalls() == []

    run(story)


def test_a_place_in_which_nobody_becomes_ready_for_2_minutes_is_a_stall() -> None:
    clock = ManualClock()
    places = [Place(3, clock)]
    health = Health(PLAN, clock, places)
    clock.advance(120.0)
    assert health.stalls() == []
    clock.advance(1.0)
    assert health.stalls() == ["no worker process became ready in place 3 for 121 s"]


def test_every_process_is_judged() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (first, _), place_of(PLAN, clock, 1) as (second, well):
            clock.advance(100.0)
            well.page.turned = well.page.fetched = clock.steady()
            assert len(Health(PLAN, clock, [first, second]).stalls()) == 2

    run(story)


def test_a_node_without_a_process_that_works_is_not_ready() -> None:
    clock = ManualClock()
    assert Health(PLAN, clock, [Place(0, clock)]).unready() == "no worker process is ready"


def test_a_node_whose_store_is_silent_is_not_ready() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, _):
            clock.advance(22.0)
            assert Health(PLAN, clock, [place]).unready() == "the store has not answered for 22 s"

    run(story)
