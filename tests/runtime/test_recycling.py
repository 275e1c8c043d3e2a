"""Worn processes are replaced, one at a time, and only when there is another to take their place."""

from contextlib import AsyncExitStack

from tests.runtime.children import child_of
from tests.runtime.desk import run
from treadle.runtime.child import Child
from treadle.runtime.plan import Plan
from treadle.runtime.recycling import Recycling

PLAN = Plan(processes=2, recycle_after=100, recycle_rss=64)


async def children(stack: AsyncExitStack, *indexes: int, plan: Plan = PLAN) -> list[Child]:
    return [await stack.enter_async_context(child_of(plan, index)) for index in indexes]


def test_a_process_is_worn_when_it_has_run_its_jobs() -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            fresh, worn = await children(stack, 0, 1)
            fresh.page.tally, worn.page.tally = (90, 9, 0), (90, 9, 1)
            assert Recycling(PLAN).choose([fresh, worn]) == (worn, "it has run 100 jobs")
            assert (fresh.outgoing, worn.outgoing) == (False, True)

    run(story)


def test_a_process_is_worn_when_it_has_grown_too_large_and_was_of_use() -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            small, idle, worn = await children(stack, 0, 1, 2)
            small.page.rss, idle.page.rss, worn.page.rss = 64 * 1024, 65 * 1024, 65 * 1024
            small.page.tally = worn.page.tally = (1, 0, 0)
            assert Recycling(PLAN).choose([small, idle, worn]) == (worn, "it occupies 65 MiB")

    run(story)


def test_nobody_is_worn_without_limits() -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            (child,) = await children(stack, 0)
            child.page.tally, child.page.rss = (10**9, 0, 0), 2**40
            assert Recycling(Plan()).choose([child]) is None

    run(story)


def test_the_next_is_chosen_when_the_first_has_ended_and_its_successor_works() -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            first, second, successor = await children(stack, 0, 1, 0)
            first.page.tally = second.page.tally = (100, 0, 0)
            second.page.turned = 1.0
            recycling = Recycling(PLAN)
            assert recycling.choose([first, second]) == (first, "it has run 100 jobs")
            assert recycling.relieve([first, second, successor]) is None
            successor.page.turned = 1.0
            assert recycling.relieve([first, second, successor]) is first
            assert recycling.relieve([first, second, successor]) is None
            assert recycling.choose([first, second, successor]) is None
            assert recycling.choose([second, successor]) == (second, "it has run 100 jobs")

    run(story)


def test_one_that_dies_before_its_successor_works_holds_up_the_next() -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            first, second, successor = await children(stack, 0, 1, 0)
            first.page.tally = second.page.tally = (100, 0, 0)
            recycling = Recycling(PLAN)
            recycling.choose([first, second])
            assert recycling.relieve([second, successor]) is None
            assert recycling.choose([second, successor]) is None
            successor.page.turned = 1.0
            assert recycling.relieve([second, successor]) is None
            assert recycling.choose([second, successor]) == (second, "it has run 100 jobs")

    run(story)


def test_who_leaves_or_runs_a_suspect_is_left_alone() -> None:
    async def story() -> None:
        async with child_of(PLAN, 0) as leaving, child_of(PLAN, 2, alone=True) as alone:
            leaving.leaving = True
            leaving.page.tally = alone.page.tally = (100, 0, 0)
            assert Recycling(PLAN).choose([leaving, alone]) is None

    run(story)
