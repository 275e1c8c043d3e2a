"""A look through the table of an SQL store, from the newest job to the oldest, in steps none of which takes long.

Where a query names ids, or states and queues of few jobs, their ids are taken from the index first; else the table is
read in windows. Between two steps others have their turn.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from treadle.core.clock import Clock
from treadle.core.found import Page, Tally
from treadle.core.job import JobView
from treadle.core.query_narrow import narrowed
from treadle.core.states import State
from treadle.errors import QueryError
from treadle.stores.job_query import JobQuery
from treadle.stores.oban import NO_ID, row_id

T = TypeVar("T")

# Rows that are looked at in one step, and ids that an index may give: beyond that, the table is read in its order.
WINDOW = 10_000
CHUNK = 1_000
MOST_CANDIDATES = 100_000
# Jobs that are acted on in one transaction.
PAGE = 500

_BEYOND = (1 << 63) - 1


class Where(NamedTuple):
    """A query as a condition of SQL, and the values that it binds."""

    text: str
    values: Mapping[str, Any]


class Window(NamedTuple):
    """The rows from one id to below another."""

    low: int
    below: int


Rows = Window | Sequence[int]
"""Which rows a statement looks at: those of a window, or those of these ids."""


class Table(Protocol):
    """The table of jobs as one connection reads it."""

    def candidates(self, states: Collection[str], queues: Collection[str] | None, most: int) -> list[int]:
        """The ids of jobs in these states and queues, from the index; any order, at most so many."""
        ...

    def window(self, below: int, size: int) -> tuple[int, int]:
        """The lowest id of so many rows below an id, and how many there are."""
        ...

    def match(self, where: Where, rows: Rows, limit: int) -> list[int]:
        """The ids of those of these rows that match, newest first, at most so many."""
        ...

    def tally(self, where: Where, rows: Rows) -> list[tuple[str, int]]:
        """How many of these rows match, by state."""
        ...

    def views(self, ids: Sequence[int]) -> list[JobView]:
        """These jobs, newest first."""
        ...


class Reads(Protocol):
    """Runs a step on the connection that reads."""

    def __call__(self, step: Callable[[Table], T], /) -> Awaitable[T]:
        """What the step gives."""
        ...


class Plan(NamedTuple):
    """How to look: `candidates` are ids that an index gave, newest first; None where any row may match."""

    where: Where
    candidates: Sequence[int] | None
    below: int | None


class Step(NamedTuple):
    """What one step looked at: rows, how many, and below which id the next one goes on; None at the end."""

    rows: Rows
    looked: int
    below: int | None


# What the stores' verbs do


async def find(read: Reads, query: JobQuery, where: Where, clock: Clock) -> Page:
    """The jobs that match, newest first."""
    since, plan = clock.steady(), await read(partial(plan_of, query, where))
    jobs: list[JobView] = []
    looked, below = 0, plan.below
    while below is not None and len(jobs) < query.limit:
        found, step = await read(partial(_views, plan, below, query.limit - len(jobs)))
        jobs += found
        looked, below = looked + step.looked, step.below
        if query.within is not None and clock.steady() - since >= query.within:
            break
    return Page(tuple(jobs), looked, None if below is None else str(below))


async def tally(read: Reads, query: JobQuery, where: Where, clock: Clock) -> Tally:
    """How many jobs match, by state."""
    since, plan = clock.steady(), await read(partial(plan_of, query, where))
    states: dict[State, int] = {}
    looked, below = 0, plan.below
    while below is not None:
        found, step = await read(partial(_tally, plan, below))
        for state, number in found:
            states[State(state)] = states.get(State(state), 0) + number
        looked, below = looked + step.looked, step.below
        if query.within is not None and clock.steady() - since >= query.within:
            break
    return Tally(states, looked, None if below is None else str(below))


async def pages(read: Reads, query: JobQuery, where: Where) -> AsyncIterator[Sequence[int]]:
    """The ids of all that matches, page by page; when its turn comes, a job may match no more."""
    plan = await read(partial(plan_of, query, where))
    below = plan.below
    while below is not None:
        found, step = await read(partial(matching, plan, below, PAGE))
        below = step.below
        if found:
            yield found


# The steps


def plan_of(query: JobQuery, where: Where, table: Table) -> Plan:
    """How to look for it. Raises QueryError for a place to go on that no page gave."""
    below = _BEYOND if query.after is None else row_id(query.after)
    if below == NO_ID:
        raise QueryError(f"expected `after` to be the cursor of a page of this store, got {query.after!r:.80}")
    candidates = _candidates(query, table)
    if candidates is not None:
        candidates = sorted((job_id for job_id in candidates if job_id < below), reverse=True)
    return Plan(where, candidates, None if candidates == [] else below)


def _candidates(query: JobQuery, table: Table) -> Collection[int] | None:
    narrow = narrowed(query.whole)
    if query.ids or narrow.ids is not None:
        return {*map(row_id, query.ids or narrow.ids or ())}
    if narrow.states is None and narrow.queues is None:
        return None
    states = [*State] if narrow.states is None else narrow.states
    found = table.candidates(states, narrow.queues, MOST_CANDIDATES + 1)
    return found if len(found) <= MOST_CANDIDATES else None


def next_step(plan: Plan, below: int, table: Table) -> Step:
    """The next rows below an id."""
    if plan.candidates is None:
        low, looked = table.window(below, WINDOW)
        return Step(Window(low, below), looked, low if looked == WINDOW else None)
    start = next((index for index, job_id in enumerate(plan.candidates) if job_id < below), len(plan.candidates))
    ids = plan.candidates[start : start + CHUNK]
    return Step(ids, len(ids), ids[-1] if start + CHUNK < len(plan.candidates) else None)


def matching(plan: Plan, below: int, limit: int, table: Table) -> tuple[list[int], Step]:
    """Which of the next rows match; where there are more than `limit`, it goes on below the last of them."""
    step = next_step(plan, below, table)
    found = table.match(plan.where, step.rows, limit) if step.looked else []
    return found, step._replace(below=found[-1]) if found and len(found) == limit else step


def _views(plan: Plan, below: int, limit: int, table: Table) -> tuple[list[JobView], Step]:
    found, step = matching(plan, below, limit, table)
    return table.views(found) if found else [], step


def _tally(plan: Plan, below: int, table: Table) -> tuple[list[tuple[str, int]], Step]:
    step = next_step(plan, below, table)
    return table.tally(plan.where, step.rows) if step.looked else [], step
