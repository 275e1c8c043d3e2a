"""An app: a collection of jobs and the store in which they are kept."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from treadle.app.connection import Connection
from treadle.app.crons import Crons
from treadle.app.discovery import Discovery
from treadle.app.function import NewCall, handle_of, new_jobs
from treadle.app.handle import Handle, Unborn
from treadle.app.inserts import Inserts, exclusive
from treadle.app.jobs import Jobs
from treadle.app.lifespan import Lifespan, living
from treadle.app.lookup import plan_queues, resolve
from treadle.app.named import handle_of_named, named
from treadle.app.queues import Queues
from treadle.app.script import refuse_second_app, share_script
from treadle.app.stored import StoredJobs
from treadle.app.surface import Awaiting
from treadle.core.clock import Clock
from treadle.core.inject import Provider
from treadle.core.job import Inserted, NewJob
from treadle.core.options import (
    IN_LOOP,
    UNKNOWN,
    InLoop,
    JobDefaults,
    Unknown,
    WorkSettings,
    check_choice,
    check_count,
    check_known,
    checked,
)
from treadle.errors import ConfigError
from treadle.hooks.events import Event, Events
from treadle.hooks.middleware import AroundInsert, AroundPerform
from treadle.runtime.plan import EMBEDDED_LEASE, Plan
from treadle.stores.contract import Store

if TYPE_CHECKING:
    from treadle.app.embedded import EmbeddedWorker
    from treadle.app.testing import JobKit

T = TypeVar("T")
E = TypeVar("E", bound=Event)
H = TypeVar("H", bound=Handle)
L = TypeVar("L", bound=Lifespan)

MAX_PAYLOAD = 1024 * 1024
HARD_PAYLOAD = 64 * 1024 * 1024
_NOTHING = object()


class Treadle(Jobs):
    """Jobs, and the store in which they are kept.

    `url` names the store; without it the settings do, else it is the file treadle.db in the project's folder. Nothing
    is read and nothing is opened before the first use. `include` names the modules with jobs as in "shop.jobs" or
    "shop.*.jobs" (`*`: one level of packages, `**`: any number): `load` imports them, so that they may import this app.
    `defaults` holds for every job that does not say otherwise. `max_payload` is how many bytes of JSON the arguments of
    one job may take, at most 64 MiB.
    `sync_in_loop="allow"` lets blocking calls block a running event loop, which else raises BlockingCall.
    `unknown`: what a worker does with a job whose name it does not know: "release" puts it back for 30 seconds, as
    another worker may know it, "fail" makes it an attempt that failed.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        include: Sequence[str] = (),
        defaults: JobDefaults | None = None,
        max_payload: int = MAX_PAYLOAD,
        sync_in_loop: InLoop = "refuse",
        unknown: Unknown = "release",
    ) -> None:
        super().__init__()
        self.max_payload = check_count(max_payload, "max_payload of an app", most=HARD_PAYLOAD)
        self.defaults: JobDefaults = defaults or {}
        check_known(self.defaults, JobDefaults.__annotations__, "in defaults of an app")
        checked(self.defaults, "in defaults of an app")
        self.sync_in_loop = check_choice(sync_in_loop, "sync_in_loop of an app", IN_LOOP)
        self.unknown = check_choice(unknown, "unknown of an app", UNKNOWN)
        self.jobs = StoredJobs(self)
        self.queues = Queues(self)
        self.crons = Crons(self, self._registry)
        self.reference = ""
        self.events = Events()
        self._discovery = Discovery(include)
        self._connection = Connection(url, self.sync_in_loop)
        self._inserts = Inserts(self._connection, self.events)
        self.around_performs: list[AroundPerform] = []
        self.overrides: dict[Provider, object] = {}
        self._lifespan: Lifespan | None = None

    @property
    def app(self) -> "Treadle":
        """This app itself: what is declared on it belongs to it."""
        return self

    @property
    def url(self) -> str:
        """The URL of the store."""
        return self._connection.url

    @property
    def store(self) -> Store:
        """The store, for those who build on treadle; it may not be open yet."""
        return self._connection.store

    @property
    def clock(self) -> Clock:
        """The clocks that the app and its store live by."""
        return self._connection.clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self._connection.clock = clock

    def load(self) -> None:
        """Import the modules that `include` names; workers do it when they start. Harmless when repeated.

        Raises ConfigError for one that does not exist; what a module raises comes through.
        """
        if not self._discovery.done:
            share_script(self)
            self._discovery.load()
            refuse_second_app(self)

    def around_perform(self, middleware: AroundPerform) -> AroundPerform:
        """Run this async callable around every attempt: `async def middleware(job, call_next)`."""
        self.around_performs.append(middleware)
        return middleware

    def around_insert(self, middleware: AroundInsert) -> AroundInsert:
        """Run this async callable around every insert: `async def middleware(jobs, call_next)`."""
        self._inserts.around.append(middleware)
        return middleware

    def lifespan(self, function: L) -> L:
        """Run this async generator once around all the work of every worker process.

        It opens what jobs need before its `yield`, and closes it after that; it runs on the loop that runs the jobs,
        and takes this app or nothing. An error at its start ends the worker, one at its end is logged. Raises
        ConfigError for a second one.
        """
        if self._lifespan is not None:
            raise ConfigError("expected one lifespan of an app, got a second one: open what both open in one of them")
        self._lifespan = function
        return function

    def living(self) -> AbstractAsyncContextManager[None]:
        """Within the block the lifespan has begun and has not ended: what a worker's process has around its jobs."""
        return living(self._lifespan, self)

    @contextmanager
    def override(self, provider: Callable[..., Any], value: T) -> Iterator[T]:
        """Within the block, inject this value in place of what the provider gives; for tests.

        The value is handed on as it is, also where it could be called. It holds for every attempt that this process
        runs itself, not for jobs whose executor is "process".
        """
        hidden = self.overrides.get(provider, _NOTHING)
        self.overrides[provider] = value
        try:
            yield value
        finally:
            if hidden is _NOTHING:
                del self.overrides[provider]
            else:
                self.overrides[provider] = hidden

    def on(self, kind: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]:
        """Call the decorated function for every event of this kind in this process."""

        def listen(listener: Callable[[E], None]) -> Callable[[E], None]:
            self.events.listen(kind, listener)
            return listener

        return listen

    def enqueue(
        self,
        name: str,
        args: Mapping[str, Any] | Sequence[Any] = (),
        *,
        queue: str | None = None,
        tx: object = None,
        after_commit: object = None,
    ) -> Handle:
        """Enqueue a job by name, for a program that may be written in another language.

        Options that are not given are those of the job of that name, if this app has one. `args` is
        a mapping on Oban's stores and a list on Redis. `tx` and `after_commit` are those of
        CallSettings. Raises ArgumentError.
        """
        new = named(self, name, args, queue)
        if after_commit is not None:
            handle = handle_of_named(self, new, Unborn())
            self.defer([new], [handle], exclusive(after_commit, tx))
            return handle
        return handle_of_named(self, new, self.insert([new], tx=tx)[0])

    async def aenqueue(
        self,
        name: str,
        args: Mapping[str, Any] | Sequence[Any] = (),
        *,
        queue: str | None = None,
        tx: object = None,
        after_commit: object = None,
    ) -> Handle:
        """Enqueue a job by name from a coroutine; see `enqueue`."""
        new = named(self, name, args, queue)
        if after_commit is not None:
            handle = handle_of_named(self, new, Unborn())
            await self.adefer([new], [handle], exclusive(after_commit, tx))
            return handle
        return handle_of_named(self, new, (await self.ainsert([new], tx=tx))[0])

    def enqueue_all(self, calls: Sequence[NewCall[H]], *, tx: object = None, after_commit: object = None) -> list[H]:
        """Enqueue many calls made by `new`, all of them or none. `tx` and `after_commit` as in CallSettings."""
        if after_commit is not None:
            jobs, handles = new_jobs(calls), [call.job.handle(Unborn()) for call in calls]
            self.defer(jobs, handles, exclusive(after_commit, tx), call="enqueue_all")
            return handles
        inserted = self.insert(new_jobs(calls), call="enqueue_all", tx=tx)
        return [handle_of(call.job, one) for call, one in zip(calls, inserted, strict=True)]

    async def aenqueue_all(
        self, calls: Sequence[NewCall[H]], *, tx: object = None, after_commit: object = None
    ) -> list[H]:
        """Enqueue many calls made by `new` from a coroutine, all of them or none; see `enqueue_all`."""
        if after_commit is not None:
            jobs, handles = new_jobs(calls), [call.job.handle(Unborn()) for call in calls]
            await self.adefer(jobs, handles, exclusive(after_commit, tx))
            return handles
        inserted = await self.ainsert(new_jobs(calls), tx=tx)
        return [handle_of(call.job, one) for call, one in zip(calls, inserted, strict=True)]

    def insert(self, jobs: Sequence[NewJob], *, call: str = "enqueue", tx: object = None) -> Sequence[Inserted]:
        """Insert jobs, blocking; what came of each. Raises BlockingCall where a loop runs, naming the `call`."""
        return self._inserts.insert(jobs, call=call, tx=tx)

    async def ainsert(self, jobs: Sequence[NewJob], *, tx: object = None) -> Sequence[Inserted]:
        """Insert jobs; what came of each."""
        return await self._inserts.ainsert(jobs, tx=tx)

    def defer(
        self, jobs: Sequence[NewJob], handles: Sequence[Awaiting], after_commit: object, *, call: str = "enqueue"
    ) -> None:
        """Insert jobs when a transaction is committed, at once where there is none."""
        self._inserts.defer(jobs, handles, after_commit, call=call)

    async def adefer(self, jobs: Sequence[NewJob], handles: Sequence[Awaiting], after_commit: object) -> None:
        """Insert jobs when a transaction is committed, at once where there is none."""
        await self._inserts.adefer(jobs, handles, after_commit)

    async def astore(self) -> Store:
        """The open store."""
        return await self._connection.astore()

    def blocking(self, call: str, coroutine: Coroutine[Any, Any, T], *, instead: str = "") -> T:
        """Run a coroutine for a blocking call. Raises BlockingCall on a thread whose loop runs."""
        return self._connection.blocking(call, coroutine, instead=instead)

    def refuse_to_block(self, call: str, instead: str) -> None:
        """Raise BlockingCall on a thread whose loop runs, and ConfigError where treadle imports the calling module."""
        self._connection.refuse_to_block(call, instead)

    def worker(
        self,
        *,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        concurrency: int | None = None,
        grace: float | None = None,
        lease: float | None = None,
        share: Sequence[str] | None = None,
        unsafe: bool | None = None,
    ) -> "EmbeddedWorker":
        """A worker inside this program: `async with app.worker(): ...` on its loop, `with app.worker(): ...` on ours.

        `queues` narrows to these names, or gives each of them slots of its own; `concurrency` slots serve the others.
        `grace` is how long running jobs may go on when it ends, `lease` how long it may be silent, both in seconds.
        `share` names queues that a foreign program may serve too. `unsafe` accepts a store that may throw jobs away,
        such as a Redis that evicts keys. What is not given is that of the settings.
        """
        # A program that only enqueues never pays for the runtime.
        from treadle.app.embedded import EmbeddedWorker  # noqa: PLC0415

        given = {"concurrency": concurrency, "grace": grace, "lease": lease, "share": share, "unsafe": unsafe}
        given |= {"restamp_every": None}
        plan = Plan(**plan_queues(queues), **resolve(given, lease=EMBEDDED_LEASE))
        return EmbeddedWorker(self, plan)

    def work(self, **given: Unpack[WorkSettings]) -> Counter[str]:
        """Do what `treadle work` does, with its options, and return when it ends: the number of jobs in each state.

        With `drain=True` it ends when nothing is left to do. Its worker processes import the module or the script that
        holds this app. Nothing is logged but warnings unless `log_format` says how. Ctrl-C drains, a second one stops
        at once; KeyboardInterrupt is raised when it has ended. Raises ConfigError, StoreError, BlockingCall.
        """
        # A program that only enqueues never pays for the runtime.
        from treadle.app import work  # noqa: PLC0415

        return work.work(self, work.plan_of(given))

    async def awork(self, **given: Unpack[WorkSettings]) -> Counter[str]:
        """Do what `work` does from a coroutine; cancelling it drains, a second cancellation stops at once."""
        from treadle.app import work  # noqa: PLC0415 - as above

        return await work.awork(self, work.plan_of(given))

    def testing(self, *, inline: bool = False) -> "JobKit":
        """Within `with app.testing() as jobs` this app keeps its jobs in memory, by a clock that stands still.

        Nothing runs before `jobs.drain()` or `jobs.advance(seconds)`; with `inline` a job runs as it is enqueued, and
        what it raises comes out there. The app's own store is not touched. Also `async with`. Raises ConfigError for a
        second one while the first lasts.
        """
        # A program that tests nothing never pays for the kit.
        from treadle.app.testing import JobKit  # noqa: PLC0415

        return JobKit(self, self._lend, inline=inline)

    def close(self) -> None:
        """End every connection; the app may be used again and opens them anew."""
        self._connection.close()

    async def aclose(self) -> None:
        """End what belongs to the running loop."""
        await self._connection.aclose()

    @contextmanager
    def _lend(self, store: Store, clock: Clock, around_insert: Sequence[AroundInsert]) -> Iterator[None]:
        """Within the block jobs are kept in another store, by another clock, and whoever lent it closes it."""
        with self._connection.lend(store, clock), self._inserts.within(around_insert):
            yield
