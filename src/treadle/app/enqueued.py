"""Jobs that wait in a store, as a test looks at them: with their arguments by name, as Python values."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from treadle.core.job import JobView
from treadle.core.jsontext import dump
from treadle.errors import ArgumentError
from treadle.runtime.handler import Handler

_SHOWN = 10


class EnqueuedJob(JobView, frozen=True, kw_only=True):
    """A job that waits. `args` has every argument by its name, as the job will get it, those left at their default too.

    Of a job that this app does not know, or whose arguments do not bind, `args` is what stands in the store.
    """

    def __repr__(self) -> str:
        given = self.args.items() if isinstance(self.args, Mapping) else ()
        text = ", ".join(f"{name}={value!r}" for name, value in given) or ", ".join(map(repr, self.args))
        due = f", due {self.scheduled_at:%Y-%m-%d %H:%M:%S}" if self.state != "available" and self.scheduled_at else ""
        return f'{self.name}({text}) on "{self.queue}"{due}'


class Enqueued(list[EnqueuedJob]):
    """The jobs that were asked for, oldest first. Its text tells of the others too, for a failing assert."""

    def __init__(self, found: Iterable[EnqueuedJob], others: Iterable[EnqueuedJob]) -> None:
        super().__init__(found)
        self._others = list(others)

    def __repr__(self) -> str:
        shown = [f"{job!r}" for job in self._others[:_SHOWN]]
        more = len(self._others) - len(shown)
        others = "; ".join([*shown, f"{more} more"] if more else shown)
        return f"{super().__repr__()} beside {others}" if others else super().__repr__()


def read(view: JobView, handler: Handler | None) -> EnqueuedJob:
    """A view with its arguments as `handler` will get them."""
    args = view.args if handler is None else _converted(view.args, handler)
    return EnqueuedJob(**{**{name: getattr(view, name) for name in view.__struct_fields__}, "args": args})


def check_names(handler: Handler, wanted: Iterable[str]) -> None:
    """Raise ArgumentError for a name that no argument of the job has: nothing would ever match it."""
    names = [name for name in inspect.signature(handler.function).parameters if name not in handler.signature.injected]
    for name in wanted:
        if name not in names:
            known = ", ".join(names) or "none"
            raise ArgumentError(f'job "{handler.name}": expected one of its arguments ({known}), got "{name}"')


def includes(job: EnqueuedJob, wanted: Mapping[str, Any]) -> bool:
    """Whether the job's arguments have these values."""
    args = job.args if isinstance(job.args, Mapping) else {}
    return all(name in args and args[name] == value for name, value in wanted.items())


def _converted(args: Any, handler: Handler) -> Any:  # noqa: ANN401 - any JSON
    try:
        positional, named = handler.signature.load(dump(args, handler.name))
    except ArgumentError:
        return args
    bound = inspect.signature(handler.function).bind(*positional, **named)
    bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if name not in handler.signature.injected}
