"""Jobs that are enqueued by name, for a program that may be written in another language."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from treadle.app.function import uniqueness
from treadle.app.handle import Handle, Unborn
from treadle.app.registry import Registered
from treadle.app.surface import App
from treadle.core.arguments import Shape, check_size
from treadle.core.job import Inserted, NewJob
from treadle.core.jsontext import dump
from treadle.core.options import JobOptions, check_name
from treadle.errors import ArgumentError
from treadle.stores.contract import check_able


class Knows(App, Protocol):
    """An app with the jobs that it knows."""

    def find(self, name: str) -> Registered | None:
        """The job that answers to a name."""
        ...


def named(app: Knows, name: str, args: Mapping[str, Any] | Sequence[Any], queue: str | None) -> NewJob:
    """What such a call inserts. Raises ArgumentError, ConfigError."""
    as_mapping = app.store.shape is Shape.MAPPING
    fits = isinstance(args, Mapping) if as_mapping else isinstance(args, list | tuple)
    if not fits and args not in ((), [], {}):
        expected = "a mapping of names to values" if as_mapping else "a list of values"
        came = type(args).__name__
        raise ArgumentError(f'job "{name}": expected args to be {expected} on this store, got {came}')
    values: Mapping[str, Any] | list[Any] = dict(args) if as_mapping else list(args)
    known = app.find(check_name(name, "the name of a job"))
    declared = known.handler.options if known else JobOptions(executor="loop")
    job = NewJob(
        name=name,
        queue=declared.queue if queue is None else check_name(queue, f'the queue of job "{name}"'),
        args=check_size(dump(values, f'job "{name}", args'), name, app.max_payload),
        max_attempts=declared.max_attempts,
        priority=declared.priority,
        tags=declared.tags,
        meta=declared.meta,
        rerun=declared.rerun,
        unique=uniqueness(known.handler, declared.unique) if known else None,
    )
    return check_able(app.store, job)


def handle_of_named(app: Knows, new: NewJob, inserted: Inserted | Unborn) -> Handle:
    """The handle of such a call."""
    known = app.find(new.name)
    job_id = inserted if isinstance(inserted, Unborn) else inserted.id
    handle: Handle = known.options(queue=new.queue).handle(job_id) if known else Handle(app, job_id)
    if not isinstance(inserted, Unborn):
        handle.appoint(inserted)
    return handle
