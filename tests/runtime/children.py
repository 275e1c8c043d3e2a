"""Worker processes that do nothing, whose pages a test writes in their place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from treadle.core.clock import Clock
from treadle.runtime.child import Child
from treadle.runtime.place import Place
from treadle.runtime.plan import Plan


@asynccontextmanager
async def child_of(plan: Plan, index: int = 0, *, alone: bool = False) -> AsyncIterator[Child]:
    """A process that sleeps, enrolled as an owner."""
    child = Child(index, plan, alone=alone)
    # What a node appends to a command are two more numbers of seconds here.
    await child.start(("sleep", "60"))
    child.go(f"host:{child.pid}:a", "host:1", apart=False, quiet=False)
    try:
        yield child
    finally:
        child.kill("the test has ended")
        await child.exited()
        child.page.close()


@asynccontextmanager
async def place_of(plan: Plan, clock: Clock, index: int = 0) -> AsyncIterator[tuple[Place, Child]]:
    """A place with such a process, which has begun to work now and has just seen a beat."""
    place = Place(index, clock)
    async with child_of(plan, index) as child:
        place.enter(child)
        child.page.turned = child.page.fetched = child.page.beat = clock.steady()
        yield place, child
