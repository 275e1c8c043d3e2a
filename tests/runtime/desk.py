"""A worker on a store in memory, its jobs plain functions; and the waits that tests of the runtime share."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import Any, TypeVar

from tests.stores.places import ManualClock
from treadle.core.arguments import Shape, Signature
from treadle.core.inject import Provider, sources
from treadle.core.job import Job, JobView, NewJob
from treadle.core.options import JobOptions, Unknown
from treadle.core.results import ReturnedValue
from treadle.hooks import events as happened
from treadle.hooks.events import Event, Events
from treadle.hooks.middleware import AroundPerform
from treadle.runtime.attempt import Attempt
from treadle.runtime.handler import Handler, OnDiscard
from treadle.runtime.page import new_page
from treadle.runtime.runners import LoopRunners
from treadle.runtime.setting import Setting
from treadle.runtime.slots import Group, Slots
from treadle.runtime.worker import Worker
from treadle.stores.claim import Claim
from treadle.stores.contract import Consumes, Store
from treadle.stores.job_query import JobQuery
from treadle.stores.sqlite import SqliteStore
from treadle.supervise.clock import SystemClock

T = TypeVar("T")
E = TypeVar("E", bound=Event)

OWNER = "desk:1:a"
LEASE = 600.0
ENDS = (
    happened.JobCompleted,
    happened.JobRetried,
    happened.JobDiscarded,
    happened.JobSnoozed,
    happened.JobCancelled,
)

_numbers = itertools.count(1)


def handler_of(function: Callable[..., Any], *, on_discard: Sequence[OnDiscard] = (), **options: Any) -> Handler:
    """What a registered job of this function is to the runtime."""
    name, is_async = function.__name__, iscoroutinefunction(function)
    usual = {"executor": "loop" if is_async else "thread", "max_attempts": 5}
    chosen = JobOptions(**usual | options)
    return Handler(
        name=name,
        function=function,
        signature=Signature(name, function),
        options=chosen,
        is_async=is_async,
        on_discard=on_discard,
        sources=sources(function, name),
        result=ReturnedValue(name, function) if chosen.record else None,
    )


async def noop() -> str:
    """A job."""
    return "done"


def attempt_of(function: Callable[..., Any], *args: Any, **options: Any) -> Attempt:
    """An attempt of this function, claimed from nowhere."""
    handler = handler_of(function, **options)
    raw = handler.signature.dump(args, {}, Shape.LIST)
    job = Job(str(next(_numbers)), handler.name, "default", raw, 1, handler.options.max_attempts)
    return Attempt(Claim(job, "receipt"), handler)


class Replies:
    """What runners hand back, and a wait for so many of them."""

    def __init__(self) -> None:
        self.got: list[tuple[Attempt, object, BaseException | None]] = []
        self._changed = asyncio.Event()

    def __call__(self, attempt: Attempt, value: object, error: BaseException | None) -> None:
        self.got.append((attempt, value, error))
        self._changed.set()

    @property
    def values(self) -> list[object]:
        return [value for _, value, _ in self.got]

    @property
    def errors(self) -> list[BaseException | None]:
        return [error for _, _, error in self.got]

    async def reach(self, count: int) -> None:
        """Return when there are so many."""
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self._changed.clear()
                await self._changed.wait()


def runners_of(limit: int, replies: Replies, begin: Callable[[Attempt], bool] = lambda _: True) -> LoopRunners:
    """Runners of so many bare functions at once."""
    return LoopRunners(limit, begin=begin, body=_body_of, done=replies)


def _body_of(attempt: Attempt) -> Awaitable[object]:
    args, kwargs = attempt.handler.signature.load(attempt.claim.job.args)
    body: Awaitable[object] = attempt.handler.function(*args, **kwargs)
    return body


class Desk:
    """A store, an enrolled owner, registered functions and every event that happens."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.handlers: dict[str, Handler] = {}
        self.heard: list[Event] = []
        self.events = Events()
        self._changed = asyncio.Event()
        for kind in vars(happened).values():
            if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event:
                self.events.listen(kind, self._hear)

    def job(self, function: Callable[..., Any], **options: Any) -> str:
        """Register a function; its name."""
        handler = handler_of(function, **options)
        self.handlers[handler.name] = handler
        return handler.name

    async def put(self, name: str, count: int = 1, *, queue: str = "default", args: bytes = b"{}") -> list[str]:
        """Enqueue so many jobs of this name; their ids."""
        handler = self.handlers.get(name)
        most = handler.options.max_attempts if handler else 5
        new = NewJob(name=name, queue=queue, args=args, max_attempts=most)
        return [one.id for one in await self.store.insert([new] * count)]

    async def view(self, job_id: str) -> JobView:
        """The job as it stands in the store."""
        (found,) = await self.store.find(JobQuery(ids=(job_id,)))
        return found

    def working(
        self,
        groups: Sequence[Group] = (Group(("default",), 10),),
        *,
        store: Consumes | None = None,
        around: Sequence[AroundPerform] = (),
        process_command: Sequence[str] = (),
        stuck_limit: int = 100,
        overrides: Mapping[Provider, object] = MappingProxyType({}),
        unknown: Unknown = "release",
        alone: bool = False,
    ) -> AbstractAsyncContextManager[Worker]:
        """A worker that claims until the block ends, and then drains without grace; `alone`: what was set aside."""
        setting = Setting(
            resolve=self.handlers.get,
            events=self.events,
            around=around,
            clock=SystemClock(),
            jitter=lambda: 0.0,
            process_command=process_command,
            stuck_limit=stuck_limit,
            overrides=overrides,
            unknown=unknown,
        )
        return _working(store or self.store, Slots(groups, alone=alone), setting)

    def of(self, kind: type[E]) -> list[E]:
        """The events of this kind that happened so far."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait for so many events of this kind."""
        await self.until_true(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    async def until_ended(self, count: int) -> None:
        """Wait until so many attempts have come to an outcome."""
        await self.until_true(lambda: sum(isinstance(event, ENDS) for event in self.heard) >= count)

    async def until_true(self, predicate: Callable[[], bool]) -> None:
        """Wait until this holds; it is asked after every event."""
        async with asyncio.timeout(20):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        self._changed.set()


@asynccontextmanager
async def _working(store: Consumes, slots: Slots, setting: Setting) -> AsyncIterator[Worker]:
    page = new_page(slots.limit)
    worker = Worker(store, OWNER, slots, page, setting)
    worker.start()
    try:
        yield worker
    finally:
        await worker.drain(0.0)
        await worker.close()
        page.close()


def play(story: Callable[[Desk], Awaitable[T]], path: str = ":memory:") -> T:
    """Run a story with a desk of its own."""

    async def run() -> T:
        clock = ManualClock()
        store = SqliteStore(path, clock=clock, sync="normal")
        try:
            await store.open()
            await store.enroll(OWNER, LEASE)
            return await story(Desk(store, clock))
        finally:
            store.close()

    return asyncio.run(run())


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a story that needs no desk."""
    return asyncio.run(story())


def perform(function: Callable[..., Any], **options: Any) -> JobView:
    """The job when one attempt of this function has ended."""

    async def story(desk: Desk) -> JobView:
        (job_id,) = await desk.put(desk.job(function, **options))
        async with desk.working():
            await desk.until_ended(1)
        return await desk.view(job_id)

    return play(story)
