"""What every check works with: a place for jobs that is empty, and short words for the common steps."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from treadle.core.arguments import Shape
from treadle.core.job import NewJob
from treadle.core.outcomes import COMPLETED, Failure, Outcome
from treadle.core.states import State
from treadle.stores.claim import Claim, Demand, Settled, Settlement
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.views import OwnerReport

LONG = 60.0
"""Seconds of a lease that does not run out during a check."""

SHORT = 0.4
"""Seconds of a lease, or of a delay, that a check waits out."""

OWNER = "bench:1:a"
OTHER = "bench:2:b"
QUEUE = "default"

STARTED = 1_795_348_800.0
"""When every owner has started, in seconds since the epoch."""

FAILURE = Failure("ValueError", "no such user", "")


class Place(Protocol):
    """An empty place for jobs. Made anew for each check."""

    def store(self) -> AbstractAsyncContextManager[Store]:
        """A store object on this place, opened, and closed at the end. May be called again: each is another client.

        A store that has no second client (one in memory) gives the same object.
        """
        ...

    def now(self) -> float:
        """Seconds since the epoch by the store's clock."""
        ...

    async def elapse(self, seconds: float) -> None:
        """Return when so much of the store's time has passed: wait, or move the clock that the store was given."""
        ...


class Lender(Protocol):
    """A connection of a user's own, of blocking code, in whose transaction jobs can be inserted."""

    def commit(self) -> None:
        """Commit the transaction; the next statement begins another."""
        ...

    def rollback(self) -> None:
        """Roll the transaction back."""
        ...


@runtime_checkable
class LendingPlace(Protocol):
    """The place of a store that shares transactions."""

    def lend(self) -> AbstractContextManager[Lender]:
        """A user's own connection to the database that is the store; closed at the end."""
        ...


class BrokenPromise(AssertionError):
    """A store does not do what the contract says."""


def expect(got: object, wanted: object, promise: str) -> None:
    """Raise BrokenPromise unless both are equal."""
    if got != wanted:
        raise BrokenPromise(f"{promise}: expected {wanted!r}, got {got!r}")


async def refused(call: object, error: type[Exception], promise: str) -> None:
    """Await a call and raise BrokenPromise unless it raises this error."""
    try:
        got = await call  # type: ignore[misc] # a coroutine of any verb
    except error:
        return
    raise BrokenPromise(f"{promise}: expected {error.__name__}, got {got!r}")


class Bench:
    """One store object with one owner on it."""

    def __init__(self, store: Store, owner: str = OWNER) -> None:
        self.store = store
        self.owner = owner

    async def enroll(self, lease: float = LONG) -> "Bench":
        """Make the owner known."""
        await self.store.enroll(self.owner, lease)
        return self

    def job(self, name: str = "work", *, queue: str = QUEUE, **given: Any) -> NewJob:
        """A job without arguments, in the store's own shape."""
        args = b"[]" if self.store.shape is Shape.LIST else b"{}"
        return NewJob(**{"name": name, "queue": queue, "args": args, "max_attempts": 5, **given})

    async def put(self, count: int = 1, *, queue: str = QUEUE) -> list[str]:
        """Insert so many jobs in one call; their ids."""
        return await self.insert(*(self.job(queue=queue) for _ in range(count)))

    async def insert(self, *jobs: NewJob) -> list[str]:
        """Insert these in one call, each as a job of its own; their ids."""
        inserted = await self.store.insert(jobs)
        expect([one.conflict for one in inserted], [False] * len(jobs), "what is not unique conflicts with nothing")
        return [one.id for one in inserted]

    async def take(self, limit: int = 100, *queues: str, alone: bool = False) -> list[Claim]:
        """Claim from these queues, or from the default one."""
        return list(await self.store.claim(self.owner, [Demand(queues or (QUEUE,), limit, alone)]))

    async def take_one(self, *, alone: bool = False) -> Claim:
        """Claim the one job that has to be there."""
        claims = await self.take(1, alone=alone)
        expect(len(claims), 1, "a job that waits can be claimed")
        return claims[0]

    async def end(self, claims: Sequence[Claim], outcome: Outcome = COMPLETED) -> list[str]:
        """Settle them with one outcome; the answers."""
        return [settled.answer for settled in await self.settle(claims, outcome)]

    async def settle(self, claims: Sequence[Claim], outcome: Outcome = COMPLETED) -> Sequence[Settled]:
        """Settle them with one outcome."""
        return await self.store.settle(self.owner, [Settlement(claim, outcome) for claim in claims])

    async def report(self, *queues: str, **shown: Any) -> Sequence[str]:
        """Show the owner as one that serves these queues, or the default one; the signals that were sent to it."""
        usual: dict[str, Any] = {"concurrency": 10, "running": (), "quiet": False, "started": STARTED, "rss": 1024}
        values = {**usual, "completed": 3, "failed": 1, **shown}
        return await self.store.report(OwnerReport(owner=self.owner, queues=queues or (QUEUE,), **values))

    async def number(self, state: State, queue: str = QUEUE) -> int:
        """How many jobs of a queue are in a state."""
        return (await self.store.counts()).get(queue, {}).get(state, 0)

    def one(self, job_id: str) -> JobQuery:
        """The query for one job."""
        return JobQuery(ids=(job_id,))


def ids(claims: Sequence[Claim]) -> list[str]:
    """The ids of the claimed jobs."""
    return [claim.job.id for claim in claims]
