"""What is to happen to a job after an attempt: computed here, once, and handed to the store as data."""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from treadle.core import backoff
from treadle.core.job import Job
from treadle.core.options import SECONDS_LIMIT, JobOptions
from treadle.errors import Cancel, Expired, JobTimeout, Retry, Snooze, TreadleError

UNKNOWN_JOB_DELAY = 30.0
DEATHS_ALLOWED = 3
MESSAGE_LIMIT = 10_000


class Failure(msgspec.Struct, frozen=True):
    """Why an attempt failed: the error's class name, its text (at most 10,000 characters) and its traceback."""

    error_class: str
    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException, traceback: str = "") -> "Failure":
        """The failure that an exception means; an exception that cannot be printed is named by its class."""
        try:
            message = str(error)
        except BaseException as unprintable:  # noqa: BLE001 - user code: a broken __str__ must not hide the failure
            message = f"<{type(error).__name__} whose text cannot be made: {type(unprintable).__name__}>"
        return cls(type(error).__qualname__, _clean(message)[:MESSAGE_LIMIT], _clean(traceback))


class Completed(msgspec.Struct, frozen=True, tag=True):
    """It returned. `result` is the JSON of its value where the job is recorded, else None."""

    result: bytes | None = None


class Retried(msgspec.Struct, frozen=True, tag=True):
    """It failed; its next attempt is due `after` seconds from the store's now."""

    after: float
    failure: Failure


class Discarded(msgspec.Struct, frozen=True, tag=True):
    """It failed for good."""

    failure: Failure


class Snoozed(msgspec.Struct, frozen=True, tag=True):
    """It asked for a later time, `after` seconds from the store's now; the attempt is not consumed."""

    after: float


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """It was ended on purpose."""

    reason: str = ""


class Released(msgspec.Struct, frozen=True, tag=True):
    """It goes back to the head of its queue as it was, or `after` seconds from now; the attempt is not consumed."""

    after: float = 0.0


class SetAside(msgspec.Struct, frozen=True, tag=True):
    """Its worker died while it ran: it runs alone next. `deaths` counts those that died while it ran alone."""

    deaths: int = 0


Outcome = Completed | Retried | Discarded | Snoozed | Cancelled | Released | SetAside

COMPLETED = Completed()


def after_error(job: Job, error: BaseException, failure: Failure, options: JobOptions, *, jitter: float) -> Outcome:
    """The outcome of an attempt that raised; `jitter` is drawn from [0, 1).

    Raises whatever the job's own back-off raises, and TypeError or ValueError where it or a signal gives no number of
    seconds.
    """
    match error:
        case Snooze():
            return Snoozed(_seconds(error.seconds))
        case Cancel():
            return Cancelled(_clean(str(error.reason))[:MESSAGE_LIMIT])
        case _ if _was_last(job, error, options):
            return Discarded(failure)
        case Retry():
            return Retried(_seconds(error.seconds), failure)
        case _ if options.backoff is not None:
            return Retried(_seconds(options.backoff(job.attempt)), failure)
        case _:
            return after_failure(job, failure, jitter=jitter)


def _was_last(job: Job, error: BaseException, options: JobOptions) -> bool:
    """Whether no attempt is left, or another would be worth nothing by what the job says of this error."""
    if job.attempt >= job.max_attempts or isinstance(error, Expired):
        return True
    if isinstance(error, Retry):
        return False
    if isinstance(error, options.discard_on):
        return True
    if options.retry_on is None or isinstance(error, options.retry_on):
        return False
    # Our own errors say nothing of what the job does: its arguments may fit a newer worker, a store may come back.
    return isinstance(error, JobTimeout) or not isinstance(error, TreadleError)


def after_failure(job: Job, failure: Failure, *, jitter: float) -> Outcome:
    """The outcome of a failed attempt by the back-off of the system that wrote the job."""
    if job.attempt >= job.max_attempts:
        return Discarded(failure)
    if job.origin == "sidekiq":
        # Without a bound a forged retry_count gives an instant that no calendar has.
        return Retried(min(backoff.sidekiq(job.attempt, jitter), SECONDS_LIMIT), failure)
    return Retried(backoff.exponential(job.attempt, job.max_attempts, jitter), failure)


LOST = Failure("WorkerDied", "lost: its worker ended while it may have run, and it must not run again (rerun=False)")
"""Why a job with `rerun=False` ends that nobody can say of whether it ran."""
CRASHED = Failure("WorkerDied", f"crashed its worker {DEATHS_ALLOWED} times")
OVERRAN = Failure("JobTimeout", "its time-out passed and it could not be stopped; its worker was killed")


class Verdict(IntEnum):
    """How a job ended without a worker that could call its `on_discard`: it is set aside, with this as its deaths.

    It is not run again: whoever claims it makes that call and discards it. The workers that die of it are counted on.
    """

    CRASHED = DEATHS_ALLOWED
    OVERRAN = 100
    LOST = 200

    @classmethod
    def of(cls, job: Job) -> "Verdict | None":
        """The verdict on a claimed job; None for one that is to be run."""
        if job.deaths < DEATHS_ALLOWED:
            return None
        return next((verdict for verdict in reversed(cls) if job.deaths >= verdict), None)

    @property
    def failure(self) -> Failure:
        """Why the job ended."""
        return _VERDICTS[self]

    @classmethod
    def told(cls, job: Job) -> Job:
        """A claimed job as its `on_discard` sees it: without what no worker died of."""
        verdict = cls.of(job)
        return job if verdict is None else msgspec.structs.replace(job, deaths=verdict.deaths)

    @property
    def deaths(self) -> int:
        """How many workers died while they ran the job alone, as far as its `on_discard` is told."""
        return int(self) if self is Verdict.CRASHED else 0


_VERDICTS: Mapping[Verdict, Failure] = {Verdict.CRASHED: CRASHED, Verdict.OVERRAN: OVERRAN, Verdict.LOST: LOST}


def handed_over(end: Failure) -> SetAside:
    """What becomes of a job that ended so without its worker, and that has an `on_discard`."""
    # A plain number: what packs it for a store may know no others.
    return SetAside(next(int(verdict) for verdict, failure in _VERDICTS.items() if failure == end))


def after_death(job: Job, *, alone: bool) -> Outcome:
    """The outcome of a job that ran when its worker died by itself. A death counts only if the job ran alone."""
    if not job.rerun:
        return Discarded(LOST)
    deaths = job.deaths + alone
    return SetAside(deaths) if deaths < DEATHS_ALLOWED else Discarded(CRASHED)


def after_death_telling(job: Job, verdict: Verdict) -> Outcome:
    """The outcome of a job whose worker died while it called its `on_discard`: three such calls are enough."""
    if job.deaths + 1 - verdict < DEATHS_ALLOWED:
        return SetAside(job.deaths + 1)
    text = f"{verdict.failure.message}; its on_discard crashed {DEATHS_ALLOWED} workers more"
    return Discarded(Failure(verdict.failure.error_class, text))


def after_stop(job: Job) -> Outcome:
    """The outcome of a job that was broken off because its worker stops: it did not fail, but it has begun."""
    return Released() if job.rerun else Discarded(LOST)


def after_overrun(job: Job, *, jitter: float) -> Outcome:
    """The outcome of a job whose worker had to be killed because the job let its time-out pass."""
    return after_failure(job, OVERRAN, jitter=jitter)


def _clean(text: str) -> str:
    """What every store can keep: UTF-8 has no lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _seconds(value: float) -> float:
    """What user code gave as a wait; less than nothing is nothing."""
    seconds = float(value)
    if not seconds < SECONDS_LIMIT:
        raise ValueError(f"expected less than {SECONDS_LIMIT:g} seconds, got {value!r:.80}")
    return max(seconds, 0.0)
