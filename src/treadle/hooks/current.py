"""The job that the calling code runs in, whichever executor runs it."""

from contextvars import ContextVar

from treadle.core.job import Job
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


def enter(job: Job) -> None:
    """Make `job` the current one of the running context."""
    _current.set(job)
