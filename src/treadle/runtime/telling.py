"""From an attempt's outcome to the event that says so."""

from treadle.core.job import Job
from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
    Verdict,
)
from treadle.hooks import events


def tell(bus: events.Events, job: Job, outcome: Outcome, seconds: float) -> None:
    """Emit the event of an outcome, if anybody listens."""
    match outcome:
        case Completed():
            if bus.wanted(events.JobCompleted):
                bus.emit(events.JobCompleted(job=job, seconds=seconds))
        case Retried(after, failure):
            bus.emit(events.JobRetried(job=job, failure=failure, after=after, seconds=seconds))
        case Discarded(failure):
            bus.emit(events.JobDiscarded(job=job, failure=failure, seconds=seconds))
        case Snoozed(after):
            bus.emit(events.JobSnoozed(job=job, after=after, seconds=seconds))
        case Cancelled(reason):
            bus.emit(events.JobCancelled(job=job, reason=reason, seconds=seconds))
        case Released():
            bus.emit(events.JobReleased(job=job, reason="its worker stops"))
        case SetAside(deaths) if deaths >= Verdict.CRASHED:
            bus.emit(events.JobReleased(job=job, reason="it ended without its worker; its on_discard is called next"))
        case SetAside():
            bus.emit(events.JobReleased(job=job, reason="its worker died; it runs alone next"))
