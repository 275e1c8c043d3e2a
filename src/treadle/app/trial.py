"""A worker's whole life in one call, for tests: it runs one job after the other until no more are lent, and ends.

It is the worker of every process, with what a process has around it. Only where its jobs come from differs: a `Source`
lends it one at a time, and says when it has no more.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

import msgspec

from treadle.app.surface import App
from treadle.app.worker import helper_command, owner_name, worker_setting
from treadle.core.job import Job
from treadle.core.outcomes import Cancelled, Completed, Discarded, Outcome, Retried, Snoozed
from treadle.errors import ConfigError, JobFailed, JobTimeout
from treadle.hooks.current import current_job
from treadle.runtime.attempt import Interrupted
from treadle.runtime.handler import Handler, Resolve
from treadle.runtime.page import new_page
from treadle.runtime.slots import Group, Slots
from treadle.runtime.worker import Worker
from treadle.stores.claim import APPLIED, Claim, Demand, Settled, Settlement
from treadle.stores.contract import Consumes, Store, Watch

_ALL = 1_000_000
_LEASE = 86_400.0


class Source(Consumes, Protocol):
    """What lends the jobs of one trial; `empty` is set when there are no more, or none shall run."""

    empty: asyncio.Event


class Ear:
    """The outermost middleware: hears what the job that runs returned, and what it raised."""

    def __init__(self) -> None:
        self.value: object = None
        self.error: BaseException | None = None

    async def __call__(self, _: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        """Listen to what comes next."""
        self.value, self.error = None, None
        try:
            self.value = await call_next()
        except BaseException as error:
            self.error = error
            raise
        return self.value

    def failure(self, outcome: Outcome | None) -> BaseException | None:
        """Why an attempt with this outcome did not complete: what its job raised, or why it was stopped; else None."""
        if isinstance(outcome, Completed):
            return None
        if self.error is not None and not isinstance(self.error, asyncio.CancelledError | Interrupted):
            return self.error
        if not isinstance(outcome, Retried | Discarded):
            return JobFailed("it was stopped before it ended")
        failure = outcome.failure
        if failure.error_class == JobTimeout.__qualname__:
            return JobTimeout(failure.message)
        return JobFailed(f"{failure.error_class}: {failure.message}")


class Due:
    """Every due job of a store. With an `ear` it ends at the first that fails, and keeps what that one raised.

    Jobs that no function answers to, which run in other programs, are left as they are.
    """

    def __init__(self, store: Store, resolve: Resolve, ear: Ear | None = None) -> None:
        self.empty = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._store = store
        self._resolve = resolve
        self._ear = ear

    async def enroll(self, owner: str, lease: float) -> None:
        """As the store does."""
        await self._store.enroll(owner, lease)

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:  # noqa: ARG002 - any queue
        """The next due job of whichever queue."""
        await self._store.stage(_ALL)
        while self.failure is None:
            queues = tuple(await self._store.counts())
            claims = await self._store.claim(owner, [Demand(queues, 1)]) if queues else ()
            if not claims:
                break
            # What is unknown stays claimed, out of the way, until the owner leaves.
            if self._resolve(claims[0].job.name):
                return claims
        self.empty.set()
        return ()

    async def held(self, owner: str) -> Sequence[Claim]:
        """As the store does."""
        return await self._store.held(owner)

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """As the store does."""
        return await self._store.taken(keys)

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Keep count of what became of each."""
        for settlement in settlements:
            self._count(settlement.outcome)
        return await self._store.settle(owner, settlements)

    async def leave(self, owner: str) -> int:
        """As the store does."""
        return await self._store.leave(owner)

    def watch(self) -> Watch:
        """As the store does."""
        return self._store.watch()

    def _count(self, outcome: Outcome) -> None:
        match outcome:
            case Completed():
                self.counts["completed"] += 1
            case Snoozed():
                self.counts["snoozed"] += 1
            case Cancelled():
                self.counts["cancelled"] += 1
            case Retried() | Discarded():
                self.counts["retried" if isinstance(outcome, Retried) else "discarded"] += 1
                if self._ear is not None:
                    self.failure = self._ear.failure(outcome)


class Single:
    """One job that stands in no store; `outcome` is what became of it."""

    def __init__(self, job: Job) -> None:
        self.empty = asyncio.Event()
        self.outcome: Outcome | None = None
        self._claims = [Claim(job, "trial")]

    async def enroll(self, owner: str, lease: float) -> None:
        """Nothing: nobody else lends this job."""

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:  # noqa: ARG002 - the contract's
        """The job, once."""
        if self._claims:
            return [self._claims.pop()]
        self.empty.set()
        return ()

    async def held(self, owner: str) -> Sequence[Claim]:  # noqa: ARG002 - the contract's
        """Nothing: no reply of this source is lost."""
        return ()

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:  # noqa: ARG002 - as above
        """None: nobody else has this job."""
        return ()

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:  # noqa: ARG002
        """Keep what became of the job."""
        self.outcome = settlements[-1].outcome
        return [APPLIED] * len(settlements)

    async def leave(self, owner: str) -> int:  # noqa: ARG002 - the contract's
        """Nothing is held."""
        return 0

    def watch(self) -> Watch:
        """Nothing ever changes here."""
        return _Still()


class _Still:
    async def wait(self, timeout: float) -> None:
        await asyncio.sleep(timeout)


async def run(app: App, source: Source, ear: Ear | None = None) -> None:
    """Run the jobs of a source until it is empty; jobs of the app's processes run in this one."""
    app.load()
    setting = msgspec.structs.replace(
        worker_setting(app, helper_command(""), sys.maxsize),
        resolve=lambda name: _here(app.resolve(name)),
        around=(*filter(None, [ear]), *app.around_performs),
        # A test says `advance(17)`: the first retry is due then, and not up to a tenth later.
        jitter=lambda: 0.0,
    )
    owner = owner_name(os.getpid())
    async with _lifetime(app):
        await source.enroll(owner, _LEASE)
        page = new_page(1)
        worker = Worker(source, owner, Slots([Group(("default",), 1)]), page, setting)
        worker.start()
        try:
            await source.empty.wait()
        finally:
            await worker.drain(0.0)
            await worker.close()
            await source.leave(owner)
            page.close()


def _lifetime(app: App) -> AbstractAsyncContextManager[None]:
    """The app's lifespan, unless a job enqueued this one inline: then it is that job's, and has begun."""
    try:
        current_job()
    except ConfigError:
        return app.living()
    return nullcontext()


def _here(handler: Handler | None) -> Handler | None:
    """A job that has a process of its own runs in this one: a helper would see none of the test's stand-ins."""
    if handler is None or handler.options.executor != "process":
        return handler
    options = msgspec.structs.replace(handler.options, executor="loop" if handler.is_async else "thread")
    return msgspec.structs.replace(handler, options=options)
