"""Code of the user's around every insert and around every run of a job: plain async callables, outermost first."""

from collections.abc import Awaitable, Callable, Sequence

from treadle.core.job import Job, NewJob

# Takes the job and what comes next; gives what the job returned. What it raises is the attempt's failure.
PerformNext = Callable[[], Awaitable[object]]
AroundPerform = Callable[[Job, PerformNext], Awaitable[object]]

# Takes the jobs and what comes next, which it calls with the jobs to insert; gives their ids.
InsertNext = Callable[[Sequence[NewJob]], Awaitable[Sequence[str]]]
AroundInsert = Callable[[Sequence[NewJob], InsertNext], Awaitable[Sequence[str]]]


async def perform_within(around: Sequence[AroundPerform], job: Job, body: Callable[[], Awaitable[object]]) -> object:
    """Run `body` within every middleware."""
    if not around:
        return await body()
    return await around[0](job, lambda: perform_within(around[1:], job, body))


async def insert_within(around: Sequence[AroundInsert], jobs: Sequence[NewJob], insert: InsertNext) -> Sequence[str]:
    """Insert `jobs` within every middleware."""
    if not around:
        return await insert(jobs)
    return await around[0](jobs, lambda jobs: insert_within(around[1:], jobs, insert))
