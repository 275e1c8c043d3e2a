"""Code of the user's around every insert and around every run of a job: plain async callables, outermost first."""

from collections.abc import Awaitable, Callable, Sequence

from treadle.core.job import Inserted, Job, NewJob
from treadle.errors import ConfigError

# Takes the job and what comes next; gives what the job returned. What it raises is the attempt's failure.
PerformNext = Callable[[], Awaitable[object]]
AroundPerform = Callable[[Job, PerformNext], Awaitable[object]]

# Takes the jobs and what comes next, which it calls with the jobs to insert; gives what that gave.
InsertNext = Callable[[Sequence[NewJob]], Awaitable[Sequence[Inserted]]]
AroundInsert = Callable[[Sequence[NewJob], InsertNext], Awaitable[Sequence[Inserted]]]


def check_inserted(given: object, count: int) -> Sequence[Inserted]:
    """What middleware gave, if it answers for so many jobs. Raises ConfigError."""
    if isinstance(given, Sequence) and len(given) == count and all(isinstance(one, Inserted) for one in given):
        return given
    raise ConfigError(
        f"expected the middleware around insert to give one Inserted for each of {count} jobs, got {given!r:.80}; let "
        f"it return what call_next gives"
    )


async def perform_within(around: Sequence[AroundPerform], job: Job, body: Callable[[], Awaitable[object]]) -> object:
    """Run `body` within every middleware."""
    if not around:
        return await body()
    return await around[0](job, lambda: perform_within(around[1:], job, body))


async def insert_within(
    around: Sequence[AroundInsert], jobs: Sequence[NewJob], insert: InsertNext
) -> Sequence[Inserted]:
    """Insert `jobs` within every middleware."""
    if not around:
        return await insert(jobs)
    return await around[0](jobs, lambda jobs: insert_within(around[1:], jobs, insert))
