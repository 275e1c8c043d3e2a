"""Log lines, drawn from events; and handlers for programs that have set up none."""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from treadle.core.job import Job
from treadle.core.printable import one_line
from treadle.hooks import events as happened
from treadle.hooks.events import Event, Events
from treadle.hooks.frames import user_frames
from treadle.hooks.records import Console, JobContext, Json, fields
from treadle.log import Log

jobs = Log("treadle.jobs")
processes = Log("treadle.processes")
stores = Log("treadle.stores")

# Gives the arguments of a job as they may be shown.
ShowArguments = Callable[[Job], str]


def log_events(events: Events, show: ShowArguments | None = None) -> None:
    """Write a line for every event whose level is switched on now; harmless when repeated.

    With `show` the lines about jobs have their arguments.
    """
    for kind, (logger, level, text) in LINES.items():
        if logger.isEnabledFor(level):
            events.listen(kind, _Writer(logger, level, text, show))


def setup_logging(form: str, level: str = "info") -> None:
    """Log to stderr from this level, as text or with `form` "json" as one object a line.

    On a terminal levels have colours, unless NO_COLOR is set (https://no-color.org). A root that has handlers is left
    alone, and so is all where `form` is empty.
    """
    root = logging.getLogger()
    if not form or root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    handler.setFormatter(Json() if form == "json" else Console(colours=colours))
    handler.addFilter(JobContext())
    root.addHandler(handler)
    root.setLevel(level.upper())


LINES: dict[type[Event], tuple[Log, int, Callable[..., str]]] = {
    happened.JobStarted: (jobs, logging.DEBUG, lambda e: f"{_job(e)} starts, attempt {_attempt(e)}"),
    happened.JobCompleted: (jobs, logging.INFO, lambda e: f"{_job(e)} completed in {e.seconds:.3f} s"),
    happened.JobRetried: (
        jobs,
        logging.WARNING,
        lambda e: f"{_job(e)} failed, attempt {_attempt(e)}, again in {e.after:.0f} s\n{user_frames(_failure(e))}",
    ),
    happened.JobDiscarded: (
        jobs,
        logging.ERROR,
        lambda e: f"{_job(e)} failed for good, attempt {_attempt(e)}\n{_failure(e)}",
    ),
    happened.JobSnoozed: (jobs, logging.INFO, lambda e: f"{_job(e)} snoozed for {e.after:g} s"),
    happened.JobCancelled: (jobs, logging.INFO, lambda e: f"{_job(e)} was cancelled: {one_line(e.reason)}"),
    happened.JobReleased: (jobs, logging.INFO, lambda e: f"{_job(e)} went back to its queue: {one_line(e.reason)}"),
    happened.JobUnknown: (
        jobs,
        logging.WARNING,
        # It may come every 30 seconds until a newer worker does: one line for its name is enough.
        lambda e: f"{_job(e)} is not registered in this app; put back for {e.after:g} s" if e.first else "",
    ),
    happened.JobStuck: (
        jobs,
        logging.ERROR,
        lambda e: f"{_job(e)} did not stop at its time-out; {e.stuck} such in this process",
    ),
    happened.ClaimLost: (
        jobs,
        logging.WARNING,
        lambda e: (
            f"{_job(e)} was cancelled, deleted or taken while it was held here; it is now {e.state or 'elsewhere'}"
        ),
    ),
    happened.SettleRefused: (
        jobs,
        logging.ERROR,
        lambda e: f"the store refuses the outcome of {_job(e)}, which is kept: {e.error}",
    ),
    happened.LoopStalled: (
        processes,
        logging.WARNING,
        lambda e: f"the event loop stood still for {e.seconds:.1f} s, held by\n{e.stack}",
    ),
    happened.WorkerReady: (
        processes,
        logging.INFO,
        lambda e: f"{e.owner} works on {', '.join(e.queues)} with {e.concurrency} slots",
    ),
    happened.WorkerStopped: (processes, logging.INFO, lambda e: f"{e.owner} ended"),
    happened.WorkerFenced: (
        processes,
        logging.ERROR,
        lambda e: f"{e.owner} was declared dead while it lived; its jobs were given to others, and it stops them",
    ),
    happened.ChildDied: (
        processes,
        logging.ERROR,
        lambda e: (
            f"worker process {e.pid} died with {_code(e.code)}: {e.suspects} running jobs set aside to run alone, "
            f"{e.released} others given back"
        ),
    ),
    happened.ChildKilled: (processes, logging.ERROR, lambda e: f"killed worker process {e.pid}: {e.reason}"),
    happened.ChildRecycled: (processes, logging.INFO, lambda e: f"replacing worker process {e.pid}: {e.reason}"),
    happened.NodeListening: (processes, logging.INFO, lambda e: f"listening on {e.host} port {e.port}"),
    happened.QueueControlled: (
        processes,
        logging.INFO,
        lambda e: one_line(
            f"told to {e.action} {'every queue' if e.queue == '*' else f'queue {e.queue}'}"
            f"{'' if e.limit is None else f', limit {e.limit}'}"
        ),
    ),
    happened.StoreLost: (stores, logging.ERROR, lambda e: f"the store does not answer, trying again: {e.error}"),
    happened.StoreFound: (stores, logging.WARNING, lambda e: f"the store answers again after {e.seconds:.1f} s"),
    happened.StoreReset: (
        stores,
        logging.WARNING,
        lambda e: f"store reset: its data was lost or replaced; {', '.join(e.owners)} enrolled again",
    ),
    happened.StoreWarning: (stores, logging.WARNING, lambda e: e.text),
    happened.NodeFailed: (processes, logging.CRITICAL, lambda e: f"this node cannot work: {e.error}"),
    happened.Staged: (stores, logging.DEBUG, lambda e: f"{e.count} jobs became due"),
    happened.CronFired: (
        stores,
        logging.INFO,
        lambda e: one_line(f"cron entry {e.entry}: {e.name} {e.id} inserted for {e.tick:%Y-%m-%d %H:%M:%S} UTC"),
    ),
    happened.CronMissed: (
        stores,
        logging.WARNING,
        lambda e: one_line(f"cron entry {e.entry}: {e.count} ticks were missed, as no worker was there"),
    ),
    happened.OwnersRescued: (
        stores,
        logging.WARNING,
        lambda e: f"rescued {e.claims} jobs of dead processes: {', '.join(e.owners) or 'continued'}",
    ),
    happened.JobsPruned: (stores, logging.DEBUG, lambda e: f"{e.count} old finished jobs deleted"),
    happened.ServiceFailed: (stores, logging.ERROR, lambda e: f"{e.service} failed, trying again: {e.error}"),
}
"""The line of every event that has one: its logger, its level and its text."""


@dataclass(frozen=True, slots=True)
class _Writer:
    """Equal to another of the same line, so that a bus has each line once."""

    logger: Log
    level: int
    text: Callable[..., str]
    show: ShowArguments | None

    def __call__(self, event: Event) -> None:
        text, job = self.text(event), getattr(event, "job", None)
        if not text:
            return
        if job is None:
            self.logger.log(self.level, "%s", text)
            return
        if self.show:
            first, newline, rest = text.partition("\n")
            text = f"{first}, args {one_line(self.show(job))}{newline}{rest}"
        self.logger.log(self.level, "%s", text, extra=fields(job))


def _job(event: happened.JobStarted) -> str:
    return one_line(f"{event.job.name} {event.job.id}")


def _attempt(event: happened.JobStarted) -> str:
    return f"{event.job.attempt}/{event.job.max_attempts}"


def _failure(event: happened.JobDiscarded) -> str:
    failure = event.failure
    return failure.traceback.rstrip() or f"{failure.error_class}: {failure.message}"


def _code(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
