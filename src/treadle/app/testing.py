"""What tests of jobs are written with, `with app.testing() as jobs`: a private store, and a clock moved by hand."""

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from math import inf
from typing import Any, Self, TypeVar, overload

import msgspec

from treadle.app.enqueued import Enqueued, check_names, includes, read
from treadle.app.function import JobFunction
from treadle.app.surface import App
from treadle.app.trial import Due, Ear, Single, run
from treadle.core.clock import Clock
from treadle.core.job import Inserted, Job, JobView, NewJob
from treadle.core.options import check_count, check_seconds
from treadle.core.states import State
from treadle.errors import ConfigError
from treadle.hooks.middleware import AroundInsert, InsertNext
from treadle.services.crontab import Ticker
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.sqlite import SqliteStore
from treadle.supervise.clock import ManualClock
from treadle.supervise.portal import Portal

T = TypeVar("T")

Lend = Callable[[Store, Clock, Sequence[AroundInsert]], AbstractContextManager[None]]

_WAITING = (State.AVAILABLE, State.SCHEDULED, State.RETRYABLE)
_ALL = 1_000_000
_STAMP_DIGITS = 6  # of a second, as the store keeps instants


class JobKit:
    """The jobs of an app under test, from `with app.testing()` or `async with app.testing()` to its end.

    Jobs run in this process, one after the other, as a worker runs them: bound, injected, within the middleware, timed
    out, settled; the app's lifespan begins and ends with each call that runs any. Their wall clock is `now`; time-outs
    are real time.
    """

    def __init__(self, app: App, lend: Lend, *, inline: bool) -> None:
        self._app = app
        self._lend = lend
        self._inline = inline
        self._clock = ManualClock()
        self._portal = Portal()
        self._stack = ExitStack()
        self._crontab: Ticker | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            store = _double(self._app, self._clock)
            stack.callback(store.close)
            stack.enter_context(self._lend(store, self._clock, [self._run_inline] if self._inline else []))
            stack.callback(self._portal.close)
            self._stack = stack.pop_all()
            self._crontab = None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    @property
    def now(self) -> datetime:
        """The time by which delays, schedules and retries are due: at first the real one; `advance` moves it."""
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def enqueued(self, job: JobFunction[..., Any, Any] | str | None = None, /, **args: Any) -> Enqueued:
        """The jobs that wait, now or for their time, oldest first: all, or those of one function or name.

        With arguments: those whose arguments, as the job will get them, include these. Raises ArgumentError for a name
        that no argument of the job has. Unlike other blocking calls it may be called in a coroutine.
        """
        if not isinstance(job, JobFunction | str | None):
            raise _no_job(job)
        name = job.name if isinstance(job, JobFunction) else job
        handler = job.handler if isinstance(job, JobFunction) else self._app.resolve(job or "")
        if handler is not None:
            check_names(handler, args)
        waiting = [
            read(view, handler if view.name == name else self._app.resolve(view.name))
            for view in self._portal.run(self._waiting(_WAITING))
        ]
        found = [view for view in waiting if name in {None, view.name} and includes(view, args)]
        ids = {view.id for view in found}
        return Enqueued(found, [view for view in waiting if view.id not in ids])

    def drain(self) -> Counter[str]:
        """Run what is due, and what that enqueues, until nothing is; a retry that is due later waits.

        How many attempts ended as "completed", "retried", "discarded", "snoozed" and "cancelled".
        """
        return self._app.blocking("drain", self.adrain(), instead="await jobs.adrain()")

    async def adrain(self) -> Counter[str]:
        """Run what is due; see `drain`."""
        due = Due(await self._app.astore(), self._app.resolve)
        await run(self._app, due)
        return due.counts

    def advance(self, seconds: float) -> Counter[str]:
        """Let so much time pass, and run every job at the moment at which it is due, in that order.

        What is due already runs first. The crontab ticks meanwhile. Counts as `drain`.
        """
        return self._app.blocking("advance", self.aadvance(seconds), instead="await jobs.aadvance()")

    async def aadvance(self, seconds: float) -> Counter[str]:
        """Let so much time pass; see `advance`."""
        end = round(self._clock.now() + check_seconds(seconds, "the seconds to advance"), _STAMP_DIGITS)
        counts = await self.adrain()
        ticker = await self._ticker()
        while (due := min(await self._next_due(), ticker.next)) <= end:
            self._clock.put(due)
            await ticker.step()
            counts += await self.adrain()
        self._clock.put(end)
        await ticker.step()
        return counts

    @overload
    def run(
        self, job: JobFunction[..., Coroutine[Any, Any, T], Any], /, *args: Any, attempt: int = 1, **kwargs: Any
    ) -> T: ...
    @overload
    def run(self, job: JobFunction[..., T, Any], /, *args: Any, attempt: int = 1, **kwargs: Any) -> T: ...
    def run(self, job: JobFunction[..., Any, Any], /, *args: Any, attempt: int = 1, **kwargs: Any) -> Any:
        """Run one job with these arguments, in no store, and give what it returns.

        Raises what the job raised, Snooze, Cancel and Retry too; JobTimeout; ArgumentError; JobFailed where a recorded
        value cannot be kept.
        """
        value, error = self._app.blocking("run", self._perform(job, args, kwargs, attempt), instead="await jobs.arun()")
        return _given(value, error)

    @overload
    async def arun(
        self, job: JobFunction[..., Coroutine[Any, Any, T], Any], /, *args: Any, attempt: int = 1, **kwargs: Any
    ) -> T: ...
    @overload
    async def arun(self, job: JobFunction[..., T, Any], /, *args: Any, attempt: int = 1, **kwargs: Any) -> T: ...
    async def arun(self, job: JobFunction[..., Any, Any], /, *args: Any, attempt: int = 1, **kwargs: Any) -> Any:
        """Run one job; see `run`."""
        return _given(*await self._perform(job, args, kwargs, attempt))

    async def _perform(
        self, job: JobFunction[..., Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any], attempt: int
    ) -> tuple[object, BaseException | None]:
        if not isinstance(job, JobFunction):
            raise _no_job(job)
        new = job.new(*args, **kwargs).new
        if self._app.resolve(job.name) is None:
            raise ConfigError(f'expected a job that this app runs, got "{job.name}", which another program does')
        check_count(attempt, f'the attempt of job "{job.name}"', most=new.max_attempts)
        source, ear = Single(_claimed(new, attempt)), Ear()
        await run(self._app, source, ear)
        return ear.value, ear.failure(source.outcome)

    async def _run_inline(self, jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        inserted = await call_next([msgspec.structs.replace(job, delay=None, at=None) for job in jobs])
        ear = Ear()
        due = Due(await self._app.astore(), self._app.resolve, ear)
        await run(self._app, due, ear)
        if due.failure is not None:
            raise due.failure
        return inserted

    async def _ticker(self) -> Ticker:
        """The crontab of the app, from the first call on: what its code declares ticks from then on."""
        if self._crontab is None:
            self._app.load()
            self._crontab = Ticker(await self._app.astore(), self._app.events, self._app.crons.declared())
        await self._crontab.step()
        return self._crontab

    async def _waiting(self, states: Sequence[State]) -> list[JobView]:
        store = await self._app.astore()
        found = [view for state in states for view in await store.find(JobQuery(state=state, limit=_ALL))]
        return sorted(found, key=lambda view: int(view.id))

    async def _next_due(self) -> float:
        """When the next job is due, in seconds since the epoch; infinite where none is."""
        later = await self._waiting((State.SCHEDULED, State.RETRYABLE))
        return min((view.scheduled_at.timestamp() for view in later if view.scheduled_at), default=inf)


def _double(app: App, clock: Clock) -> SqliteStore:
    """A store in memory that takes jobs as the app's own does, which is only looked at, if it can be told at all."""
    try:
        own = app.store
    except ConfigError:
        return SqliteStore(":memory:", clock=clock, sync="normal")
    return SqliteStore(":memory:", clock=clock, sync="normal", shape=own.shape, abilities=own.abilities)


def _no_job(given: object) -> ConfigError:
    return ConfigError(f"expected a job, got {given!r:.80}; a function becomes one by the decorator @app.job")


def _claimed(new: NewJob, attempt: int) -> Job:
    """A job as a worker gets it. Its id is one that no job in a store has."""
    return Job(
        id="0",
        name=new.name,
        queue=new.queue,
        args=new.args,
        attempt=attempt,
        max_attempts=new.max_attempts,
        rerun=new.rerun,
        tags=new.tags,
        meta=new.meta,
    )


def _given(value: object, error: BaseException | None) -> Any:  # noqa: ANN401 - typed by the job's own signature
    if error is not None:
        raise error
    return value
