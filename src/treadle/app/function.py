"""A function that is a job: still callable, and the place from which it is enqueued."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

import msgspec

from treadle.app.handle import Handle, ResultHandle, Unborn
from treadle.app.surface import App, Home
from treadle.core.arguments import Signature, check_size
from treadle.core.inject import injected, sources
from treadle.core.job import Inserted, NewJob
from treadle.core.jsontext import load_json
from treadle.core.options import CallOptions, CallSettings, JobOptions, check_executor, check_known, checked
from treadle.core.results import ReturnedValue
from treadle.core.uniqueness import Unique, Uniqueness, check_keys
from treadle.errors import ArgumentError, ConfigError
from treadle.runtime.handler import Handler, OnDiscard
from treadle.stores.contract import check_able

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
T = TypeVar("T")
H = TypeVar("H", bound=Handle)
D = TypeVar("D", bound=OnDiscard)
H_co = TypeVar("H_co", bound=Handle, covariant=True)


class Declaration:
    """A job as its decorator said it. The options' values are looked at when they are first needed."""

    def __init__(
        self, home: Home, name: str, function: Callable[..., Any], given: Mapping[str, Any], *, external: bool
    ) -> None:
        self.home = home
        self.name = name
        self.function = function
        self.external = external
        self.on_discard: list[OnDiscard] = []
        self._given = given

    @property
    def place(self) -> str:
        """Where the function stands."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        if code is None:
            return f"{self.function!r:.80}"
        return f"{self.function.__module__}.{self.function.__qualname__} ({code.co_filename}:{code.co_firstlineno})"

    @property
    def record(self) -> bool:
        """Whether the job's value is kept."""
        return self._given.get("record") is True

    @cached_property
    def handler(self) -> Handler:
        """The job as a worker sees it. Raises ConfigError for options and signatures that cannot be."""
        function, of = self.function, f'of job "{self.name}"'
        _refuse_to_run(function, self.name)
        is_async = inspect.iscoroutinefunction(function)
        given = {**self.home.app.defaults, **self._given}
        executor = check_executor(given.pop("executor", None), f"executor {of}", function, is_async=is_async)
        options = JobOptions(executor=executor, **checked(given, of))
        # What an app redacts, none of its jobs can uncover.
        redact = options.redact.union(self.home.app.defaults.get("redact", ()))
        options = msgspec.structs.replace(options, redact=redact)
        handler = Handler(
            name=self.name,
            function=function,
            signature=Signature(self.name, function, options.redact),
            options=options,
            is_async=is_async,
            on_discard=self.on_discard,
            sources=sources(function, f'job "{self.name}"'),
            result=ReturnedValue(self.name, function, redact) if options.record else None,
        )
        uniqueness(handler, options.unique)
        return handler

    @cached_property
    def injected(self) -> frozenset[str]:
        """The names of the parameters that a worker fills in."""
        return frozenset(injected(self.function, f'job "{self.name}"'))


@dataclass(frozen=True, slots=True)
class NewCall(Generic[H_co]):
    """A call of a job that is not enqueued yet; `Treadle.enqueue_all` takes many of them."""

    job: "JobFunction[..., Any, H_co]"
    new: NewJob


class JobFunction(Generic[P, R_co, H_co]):
    """A registered job. Calling it calls the function; the rest enqueues it, with the function's own arguments."""

    def __init__(self, declaration: Declaration, options: CallOptions | None = None) -> None:
        self._declaration = declaration
        self._options = options or CallOptions()
        functools.update_wrapper(self, declaration.function, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, here and now; a caller gives what a worker would have injected. Raises ArgumentError."""
        if self._declaration.external:
            raise ConfigError(f'job "{self.name}" runs in another program, got a call of its body: enqueue it')
        for name in self._declaration.injected.difference(kwargs):
            raise ArgumentError(
                f'job "{self.name}": expected {name}= in a plain call, got none: only a worker injects it'
            )
        value: R_co = self._declaration.function(*args, **kwargs)
        return value

    def __repr__(self) -> str:
        return f"<job {self.name}>"

    @property
    def name(self) -> str:
        """The name under which the job stands in a store."""
        return self._declaration.name

    @property
    def handler(self) -> Handler:
        """The job as a worker sees it, for those who build on treadle. Raises ConfigError."""
        return self._declaration.handler

    def options(self, **options: Unpack[CallSettings]) -> "JobFunction[P, R_co, H_co]":
        """The same job, enqueued otherwise: on another queue, `delay` seconds from now, `at` an instant, and so on.

        See CallSettings. Raises ConfigError.
        """
        of = f'of a call of job "{self.name}"'
        check_known(options, CallSettings.__annotations__, of)
        chosen = msgspec.structs.replace(self._options, **checked(options, of))
        if chosen.delay is not None and chosen.at is not None:
            raise ConfigError(f"expected either delay or at {of}, got both")
        if chosen.tx is not None and chosen.after_commit is not None:
            raise ConfigError(f"expected either tx or after_commit {of}, got both")
        return JobFunction(self._declaration, chosen)

    def new(self, *args: P.args, **kwargs: P.kwargs) -> NewCall[H_co]:
        """A call that `enqueue_all` takes. Raises ArgumentError."""
        for name in ("tx", "after_commit"):
            if getattr(self._options, name) is not None:
                raise ConfigError(
                    f'expected {name}= to be given to enqueue_all, got it in the options of a call of job "{self.name}"'
                )
        return NewCall(self, self._new(args, kwargs))

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> H_co:
        """Enqueue a call. Raises ArgumentError, BlockingCall, StoreUnavailable, Unconfirmed, StoreFull."""
        if self._options.after_commit is not None:
            new, handle = self._new(args, kwargs), self.handle(Unborn())
            self._app.defer([new], [handle], self._options.after_commit)
            return handle
        inserted = self._app.insert([self._new(args, kwargs)], tx=self._options.tx)
        return handle_of(self, inserted[0])

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> H_co:
        """Enqueue a call from a coroutine; see `enqueue`."""
        if self._options.after_commit is not None:
            new, handle = self._new(args, kwargs), self.handle(Unborn())
            await self._app.adefer([new], [handle], self._options.after_commit)
            return handle
        inserted = await self._app.ainsert([self._new(args, kwargs)], tx=self._options.tx)
        return handle_of(self, inserted[0])

    def handle(self, job_id: str | Unborn) -> H_co:
        """The handle of a call that was enqueued elsewhere."""
        if not self._declaration.record:
            return cast("H_co", Handle(self._app, job_id))
        queue = self._options.queue or self.handler.options.queue
        return cast("H_co", ResultHandle(self._app, job_id, queue, self._read))

    def on_discard(self, callback: D) -> D:
        """Call the decorated function, sync or async, with the Job and its error when the last attempt has failed.

        It runs in the worker before the outcome is written, so it may run again if the worker dies at that moment; what
        it raises is logged. For a job that ends without its worker another one calls it, if there is one on the node.
        """
        self._declaration.on_discard.append(callback)
        return callback

    def _new(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> NewJob:
        app, declared, chosen = self._app, self.handler.options, self._options
        written = self.handler.signature.dump(args, kwargs, app.store.shape)
        job = NewJob(
            name=self.name,
            queue=chosen.queue or declared.queue,
            args=check_size(written, self.name, app.max_payload),
            max_attempts=chosen.max_attempts or declared.max_attempts,
            delay=chosen.delay,
            at=chosen.at,
            priority=declared.priority if chosen.priority is None else chosen.priority,
            tags=declared.tags if chosen.tags is None else chosen.tags,
            meta=declared.meta if chosen.meta is None else chosen.meta,
            rerun=declared.rerun,
            unique=uniqueness(self.handler, declared.unique if chosen.unique is msgspec.UNSET else chosen.unique),
        )
        return check_able(app.store, job)

    def _read(self, raw: bytes) -> Any:  # noqa: ANN401 - what the function returned
        result = self.handler.result
        return load_json(raw) if result is None else result.read(raw)

    @property
    def _app(self) -> App:
        return self._declaration.home.app


def handle_of(job: JobFunction[..., Any, H], inserted: Inserted) -> H:
    """The handle of a call that was enqueued now, or of the job that it is in conflict with."""
    handle = job.handle(inserted.id)
    handle.appoint(inserted)
    return handle


def uniqueness(handler: Handler, rule: Unique | None) -> Uniqueness | None:
    """What is written with a unique job. Raises ConfigError for keys that are none of its arguments."""
    if rule is None:
        return None
    outline = handler.signature.outline
    return Uniqueness(check_keys(rule, [*outline.parameters, *filter(None, [outline.rest])], handler.name), outline)


def new_jobs(calls: Sequence[NewCall[Any]]) -> list[NewJob]:
    """What these calls insert. Raises ConfigError for what is no call."""
    for call in calls:
        if not isinstance(call, NewCall):
            raise ConfigError(f"expected calls as in welcome.new(42) in a bulk of them, got {call!r:.80}")
    return [call.new for call in calls]


def _refuse_to_run(function: Callable[..., Any], job: str) -> None:
    if isinstance(function, type):
        raise ConfigError(f'job "{job}": expected a function, got {function!r:.80}')
    if _is_method(function):
        raise ConfigError(
            f'job "{job}": expected a function, got the method {function.__qualname__}: a worker has no object to call '
            f"it on; write a function, and pass what it needs"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f'job "{job}": expected a function, got a generator: to call it runs nothing')


def _is_method(function: Callable[..., Any]) -> bool:
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    within_class = owner and not owner.endswith("<locals>")
    return bool(within_class) and next(iter(inspect.signature(function).parameters), "") == "self"


class PlainDecorator(Protocol):
    """Makes a function a job whose value is not kept."""

    def __call__(self, function: Callable[P, R], /) -> JobFunction[P, R, Handle]:
        """Declare the job."""
        ...


class RecordedDecorator(Protocol):
    """Makes a function a job whose value is kept."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> JobFunction[P, Coroutine[Any, Any, T], ResultHandle[T]]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> JobFunction[P, T, ResultHandle[T]]: ...
    def __call__(self, function: Callable[..., Any], /) -> JobFunction[..., Any, Any]:
        """Declare the job."""
        ...
