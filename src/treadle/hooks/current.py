"""The job that the calling code runs in, whichever executor runs it."""

from collections.abc import Callable
from contextvars import ContextVar

from treadle.core.job import Job
from treadle.core.transaction import Completing, opening
from treadle.errors import ConfigError

_current: ContextVar[Job] = ContextVar("treadle_current_job")


def current_job() -> Job:
    """The job that the calling code runs in. Raises ConfigError outside of one."""
    job = running_job()
    if job is None:
        raise ConfigError("expected current_job() to be called while a job runs, got a call outside of one")
    return job


def running_job() -> Job | None:
    """The job that the calling code runs in, or None outside of one."""
    return _current.get(None)


def enter(job: Job, transaction: Callable[[], Completing] | None = None) -> None:
    """Make `job` the current one of the running context; `transaction` begins the one that completes it."""
    _current.set(job)
    if transaction is not None:
        opening.set(transaction)
