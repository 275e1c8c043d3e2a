"""An app: a registry of jobs and the store in which they are kept."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from treadle.app.function import Decorator, JobFunction, NewCall
from treadle.app.handle import Handle
from treadle.app.settings import store_url
from treadle.core.arguments import Shape, Signature, check_size, dump
from treadle.core.backoff import Backoff
from treadle.core.job import NewJob
from treadle.core.options import Executor, JobOptions, check_count, check_executor, check_name, check_seconds
from treadle.errors import ArgumentError, BlockingCall, ConfigError
from treadle.hooks.events import Event, Events, JobInserted
from treadle.hooks.middleware import AroundInsert, AroundPerform, insert_within
from treadle.runtime.handler import Handler
from treadle.runtime.plan import CONCURRENCY, EMBEDDED_LEASE, GRACE, Plan
from treadle.stores.contract import Store
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock
from treadle.supervise.portal import Portal

if TYPE_CHECKING:
    from treadle.app.embedded import EmbeddedWorker

T = TypeVar("T")
E = TypeVar("E", bound=Event)
Function = TypeVar("Function", bound=Callable[..., Any])

MAX_ATTEMPTS = 20
MAX_PAYLOAD = 1024 * 1024
HARD_PAYLOAD = 64 * 1024 * 1024


class Treadle:
    """Jobs, and the store in which they are kept.

    `url` names the store; without it TREADLE_URL does, else it is the file treadle.db beside the project's
    pyproject.toml. Nothing is read and nothing is opened before the first use. `max_payload` is how many bytes of JSON
    the arguments of one job may take, at most 64 MiB.
    """

    def __init__(self, url: str | None = None, *, max_payload: int = MAX_PAYLOAD) -> None:
        self.max_payload = check_count(max_payload, "max_payload of an app", most=HARD_PAYLOAD)
        self._url = url
        self._resolved: str | None = None
        self._store: Store | None = None
        self._making = threading.Lock()
        self._opened = False
        self._portal = Portal()
        self._jobs: dict[str, JobFunction] = {}
        self._answers: dict[str, JobFunction] = {}
        self._around_insert: list[AroundInsert] = []
        self.around_performs: list[AroundPerform] = []
        self.events = Events()
        self.clock = SystemClock()

    @property
    def url(self) -> str:
        """The URL of the store."""
        if self._resolved is None:
            self._resolved = store_url(self._url)
        return self._resolved

    @property
    def store(self) -> Store:
        """The store, for those who build on treadle; it may not be open yet."""
        return self._store or self._make_store()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Every registered job by its name, as a worker sees it."""
        return {name: job.handler for name, job in self._jobs.items()}

    @overload
    def job(self, function: Callable[..., Any], /) -> JobFunction: ...
    @overload
    def job(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        queue: str = "default",
        max_attempts: int = MAX_ATTEMPTS,
        timeout: float | None = None,
        executor: Executor | None = None,
        backoff: Backoff | None = None,
        record: bool = False,
    ) -> Decorator: ...
    def job(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Make a function a job.

        `name` is what stands in the store (default: the function's name), `aliases` are names also answered to.
        `max_attempts` counts the first run. `timeout` is seconds for one attempt. `executor` is "loop", "thread" or
        "process" (default: "loop" for async functions, "thread" for others). `backoff` takes the attempt that failed,
        from 1, and gives seconds. `record=True` keeps what the function returns for a day.
        """
        if function is not None:
            return self._register(function, **options)
        return lambda function: self._register(function, **options)

    def around_perform(self, middleware: AroundPerform) -> AroundPerform:
        """Run this async callable around every attempt: `async def middleware(job, call_next)`."""
        self.around_performs.append(middleware)
        return middleware

    def around_insert(self, middleware: AroundInsert) -> AroundInsert:
        """Run this async callable around every insert: `async def middleware(jobs, call_next)`."""
        self._around_insert.append(middleware)
        return middleware

    def on(self, kind: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]:
        """Call the decorated function for every event of this kind in this process."""

        def listen(listener: Callable[[E], None]) -> Callable[[E], None]:
            self.events.listen(kind, listener)
            return listener

        return listen

    def resolve(self, name: str) -> Handler | None:
        """The job that answers to a name, in any peer's spelling: `A::B`, `Elixir.A.B` and `A.B/1` are `A.B`."""
        found = self._answers.get(name)
        if found is None:
            found = self._answers.get(name.replace("::", ".").removeprefix("Elixir.").partition("/")[0])
        return found.handler if found else None

    def enqueue(self, name: str, args: Mapping[str, Any] | Sequence[Any] = (), *, queue: str = "default") -> Handle:
        """Enqueue a job by name, for a program that may be written in another language.

        `args` is a mapping on Oban's stores and a list on Redis. Raises ArgumentError.
        """
        call = self._named(name, args, queue)
        return call.job.handle(self.insert([call.new], instead="aenqueue")[0])

    async def aenqueue(
        self, name: str, args: Mapping[str, Any] | Sequence[Any] = (), *, queue: str = "default"
    ) -> Handle:
        """Enqueue a job by name from a coroutine; see `enqueue`."""
        call = self._named(name, args, queue)
        return call.job.handle((await self.ainsert([call.new]))[0])

    def enqueue_all(self, calls: Sequence[NewCall]) -> list[Handle]:
        """Enqueue many calls made by `new`, all of them or none."""
        ids = self.insert([call.new for call in calls], instead="aenqueue_all")
        return [call.job.handle(job_id) for call, job_id in zip(calls, ids, strict=True)]

    async def aenqueue_all(self, calls: Sequence[NewCall]) -> list[Handle]:
        """Enqueue many calls made by `new` from a coroutine, all of them or none."""
        ids = await self.ainsert([call.new for call in calls])
        return [call.job.handle(job_id) for call, job_id in zip(calls, ids, strict=True)]

    def insert(self, jobs: Sequence[NewJob], *, instead: str) -> Sequence[str]:
        """Insert jobs, blocking; their ids. Raises BlockingCall where a loop runs, naming `instead`."""
        self._refuse_to_block("enqueue", instead)
        if not jobs:
            return ()
        if self._around_insert:
            return self._portal.run(self.ainsert(jobs))
        if not self._opened:
            self._portal.run(self.astore())
        ids = self.store.insert_now(jobs)
        self._tell(jobs, ids)
        return ids

    async def ainsert(self, jobs: Sequence[NewJob]) -> Sequence[str]:
        """Insert jobs; their ids."""
        if not jobs:
            return ()
        ids = await insert_within(self._around_insert, jobs, self._insert)
        if len(ids) != len(jobs):
            raise ConfigError(f"expected the middleware around insert to give {len(jobs)} ids, got {len(ids)}")
        return ids

    def handle(self, job_id: str) -> Handle:
        """The handle of a job of which only the id is known."""
        return Handle(self, job_id)

    async def astore(self) -> Store:
        """The open store."""
        if not self._opened:
            await self.store.open()
            self._opened = True
        return self.store

    def blocking(self, call: str, coroutine: Coroutine[Any, Any, T], *, instead: str = "") -> T:
        """Run a coroutine for a blocking call. Raises BlockingCall on a thread whose loop runs."""
        try:
            self._refuse_to_block(call, instead or f"await a{call}")
        except BlockingCall:
            coroutine.close()
            raise
        return self._portal.run(coroutine)

    def worker(
        self,
        *,
        queues: Sequence[str] | Mapping[str, int] = (),
        concurrency: int = CONCURRENCY,
        grace: float = GRACE,
        lease: float = EMBEDDED_LEASE,
        unsafe: bool = False,
    ) -> "EmbeddedWorker":
        """A worker inside this program: `async with app.worker(): ...`.

        `queues` narrows to these names, or gives each of them slots of its own; `concurrency` slots serve the others.
        `grace` is how long running jobs may go on when it ends, `lease` how long it may be silent, both in seconds.
        `unsafe` accepts a store that may throw jobs away, such as a Redis that evicts keys.
        """
        # A program that only enqueues never pays for the runtime.
        from treadle.app.embedded import EmbeddedWorker  # noqa: PLC0415

        limits = dict(queues) if isinstance(queues, Mapping) else {}
        plan = Plan(
            queues=tuple(check_name(queue, "a queue of the worker") for queue in queues),
            limits={queue: check_count(limit, f'the limit of queue "{queue}"') for queue, limit in limits.items()},
            concurrency=check_count(concurrency, "concurrency"),
            grace=check_seconds(grace, "grace"),
            lease=check_seconds(lease, "lease", above=0.0),
            unsafe=unsafe,
        )
        return EmbeddedWorker(self, plan)

    def close(self) -> None:
        """End every connection; the app may be used again and opens them anew."""
        self._portal.close(self.aclose)
        if self._store is not None:
            self._store.close()
        self._store, self._opened = None, False

    async def aclose(self) -> None:
        """End what belongs to the running loop."""
        if self._store is not None:
            await self._store.aclose()

    def _register(self, function: Callable[..., Any], **given: Any) -> JobFunction:
        named = given.pop("name", None)
        name = check_name(getattr(function, "__name__", None) if named is None else named, "the name of a job")
        aliases = _aliases(name, given.pop("aliases", ()))
        is_async = inspect.iscoroutinefunction(function)
        options = _options(name, function, is_async=is_async, **given)
        handler = Handler(name, function, Signature(name, function), options, is_async)
        job = JobFunction(self, handler)
        for answer in (name, *aliases):
            other = self._answers.get(answer)
            if other is not None:
                raise ConfigError(
                    f'two jobs answer to "{answer}": {_place(other.handler.function)} and {_place(function)}; '
                    f"give one of them another name="
                )
        self._jobs[name] = job
        self._answers.update(dict.fromkeys((name, *aliases), job))
        return job

    def _named(self, name: str, args: Mapping[str, Any] | Sequence[Any], queue: str) -> NewCall:
        as_mapping = self.store.shape is Shape.MAPPING
        fits = isinstance(args, Mapping) if as_mapping else isinstance(args, list | tuple)
        if not fits and args not in ((), [], {}):
            expected = "a mapping of names to values" if as_mapping else "a list of values"
            raise ArgumentError(f'job "{name}": expected args to be {expected} on this store, got {args!r:.80}')
        values: Mapping[str, Any] | list[Any] = dict(args) if as_mapping else list(args)
        new = NewJob(
            name=check_name(name, "the name of a job"),
            queue=check_name(queue, f'the queue of job "{name}"'),
            args=check_size(dump(values, f'job "{name}", args'), name, self.max_payload),
            max_attempts=MAX_ATTEMPTS,
        )
        return NewCall(self._answers.get(name) or _foreign(self, name), new)

    def _make_store(self) -> Store:
        # Two threads may come first at the same time; what one enqueues in memory the other must find.
        with self._making:
            if self._store is None:
                self._store = make_store(self.url, self.clock)
            return self._store

    async def _insert(self, jobs: Sequence[NewJob]) -> Sequence[str]:
        store = await self.astore()
        ids = await store.insert(jobs)
        self._tell(jobs, ids)
        return ids

    def _tell(self, jobs: Sequence[NewJob], ids: Sequence[str]) -> None:
        if self.events.wanted(JobInserted):
            for job, job_id in zip(jobs, ids, strict=True):
                self.events.emit(JobInserted(id=job_id, queue=job.queue, name=job.name))

    def _refuse_to_block(self, call: str, instead: str) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise BlockingCall(f"{call} would block the event loop that runs on this thread: use {instead} there")


def _options(name: str, function: Callable[..., Any], *, is_async: bool, **given: Any) -> JobOptions:
    of = f'of job "{name}"'
    timeout, backoff = given.pop("timeout", None), given.pop("backoff", None)
    if backoff is not None and not callable(backoff):
        raise ConfigError(f"expected backoff {of} to be a function of the attempt, got {backoff!r:.80}")
    options = JobOptions(
        queue=check_name(given.pop("queue", "default"), f"queue {of}"),
        max_attempts=check_count(given.pop("max_attempts", MAX_ATTEMPTS), f"max_attempts {of}"),
        timeout=None if timeout is None else check_seconds(timeout, f"timeout {of}", above=0.0),
        executor=check_executor(given.pop("executor", None), f"executor {of}", function, is_async=is_async),
        backoff=backoff,
        record=bool(given.pop("record", False)),
    )
    if given:
        known = "name, aliases, queue, max_attempts, timeout, executor, backoff, record"
        raise ConfigError(f'expected the options {of} to be among {known}, got "{next(iter(given))}"')
    return options


def _aliases(name: str, given: object) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f'expected aliases of job "{name}" to be a list of names, got {given!r:.80}')
    return [check_name(alias, f'an alias of job "{name}"') for alias in given]


def _foreign(app: Treadle, name: str) -> JobFunction:
    def elsewhere(*args: Any) -> None:
        raise ConfigError(f'job "{name}" is not registered in this app, got a call with {args!r:.80}')

    options = _options(name, elsewhere, is_async=False)
    return JobFunction(app, Handler(name, elsewhere, Signature(name, elsewhere), options, is_async=False))


def _place(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{function.__module__}.{function.__qualname__} ({code.co_filename}:{code.co_firstlineno})"
