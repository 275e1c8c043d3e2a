"""A function that is a job: still callable, and the place from which it is enqueued."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from treadle.app.handle import Handle, ResultHandle
from treadle.app.surface import App
from treadle.core.arguments import check_size
from treadle.core.job import NewJob
from treadle.core.options import CallOptions, check_count, check_name, check_seconds
from treadle.errors import ConfigError
from treadle.runtime.handler import Handler

_UNSET: Any = object()


class NewCall(msgspec.Struct, frozen=True):
    """A call of a job that is not enqueued yet; `Treadle.enqueue_all` takes many of them."""

    job: "JobFunction"
    new: NewJob


class JobFunction:
    """A registered job. Calling it calls the function; the rest enqueues it."""

    def __init__(self, app: App, handler: Handler, options: CallOptions | None = None) -> None:
        self._app = app
        self.handler = handler
        self._options = options or CallOptions()
        functools.update_wrapper(self, handler.function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        """Call the function, here and now."""
        return self.handler.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.name}>"

    @property
    def name(self) -> str:
        """The name under which the job stands in a store."""
        return self.handler.name

    def options(
        self,
        *,
        queue: str = _UNSET,
        max_attempts: int = _UNSET,
        delay: float = _UNSET,
        at: Any = _UNSET,  # noqa: ANN401 - a datetime or seconds; checked
    ) -> "JobFunction":
        """The same job, enqueued otherwise: on another queue, `delay` seconds from now, or `at` an instant.

        `at` is an aware datetime, or seconds since the epoch. Raises ConfigError.
        """
        where = f'of job "{self.name}"'
        changes: dict[str, Any] = {}
        if queue is not _UNSET:
            changes["queue"] = check_name(queue, f"the queue {where}")
        if max_attempts is not _UNSET:
            changes["max_attempts"] = check_count(max_attempts, f"max_attempts {where}")
        if delay is not _UNSET:
            changes["delay"] = check_seconds(delay, f"delay {where}")
        if at is not _UNSET:
            changes["at"] = _instant(at, f"at {where}")
        options = msgspec.structs.replace(self._options, **changes)
        if options.delay is not None and options.at is not None:
            raise ConfigError(f"expected either delay or at {where}, got both")
        return JobFunction(self._app, self.handler, options)

    def new(self, *args: Any, **kwargs: Any) -> NewCall:
        """A call that `enqueue_all` takes. Raises ArgumentError."""
        declared, chosen = self.handler.options, self._options
        written = self.handler.signature.dump(args, kwargs, self._app.store.shape)
        job = NewJob(
            name=self.name,
            queue=chosen.queue or declared.queue,
            args=check_size(written, self.name, self._app.max_payload),
            max_attempts=chosen.max_attempts or declared.max_attempts,
            delay=chosen.delay,
            at=chosen.at,
        )
        return NewCall(self, job)

    def enqueue(self, *args: Any, **kwargs: Any) -> Handle:
        """Enqueue a call. Raises ArgumentError, BlockingCall, StoreUnavailable, Unconfirmed, StoreFull."""
        return self.handle(self._app.insert([self.new(*args, **kwargs).new], instead="aenqueue")[0])

    async def aenqueue(self, *args: Any, **kwargs: Any) -> Handle:
        """Enqueue a call from a coroutine; see `enqueue`."""
        return self.handle((await self._app.ainsert([self.new(*args, **kwargs).new]))[0])

    def handle(self, job_id: str) -> Handle:
        """The handle of a call that was enqueued elsewhere."""
        return (ResultHandle if self.handler.options.record else Handle)(self._app, job_id)


Decorator = Callable[[Callable[..., Any]], JobFunction]


def _instant(value: object, what: str) -> float:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigError(f"expected {what} to be an aware datetime, got the naive {value.isoformat()}")
        return value.timestamp()
    return check_seconds(value, what)
