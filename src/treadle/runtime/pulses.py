"""What dashboards that listen are told of a worker process: gathered where it works, kept until it is told.

Nothing of it exists in a process whose store has no such dashboards. A process with a parent gives a pulse each second,
which the parent tells; one that is stuck is shown as it was last.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from treadle.core.job import Job
from treadle.core.outcomes import Cancelled, Completed, Discarded, Outcome, Retried, Snoozed
from treadle.core.sketch import Sketch
from treadle.runtime.slots import Slots
from treadle.stores.broadcasts import After, Attempts, Pulse
from treadle.stores.claim import Claim

MOST_SERIES = 1000
"""Names of jobs may be forged: beyond so many together in a second, their attempts are not told."""

FOLD = 1000
"""Durations that are kept as they are."""

_AFTER: Final[Mapping[type[Outcome], After]] = {
    Completed: "completed",
    Retried: "retryable",
    Discarded: "discarded",
    Snoozed: "scheduled",
    Cancelled: "cancelled",
}


class _Series:
    """Attempts that ended alike. The latest are kept as they are: to count many together costs a third of that."""

    __slots__ = ("attempts", "ran", "waited")

    def __init__(self, queue: str, name: str, after: After) -> None:
        self.attempts = Attempts(queue=queue, name=name, after=after, ran=Sketch(), waited=Sketch())
        self.ran: list[float] = []
        self.waited: list[float] = []

    def fold(self) -> Attempts:
        self.attempts.ran.observe(self.ran)
        self.attempts.waited.observe(self.waited)
        self.ran, self.waited = [], []
        return self.attempts


class AttemptCounts:
    """Attempts that ended, in one process or in several."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, After], _Series] = {}

    def count(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """One more; of a job that went back untouched there is nothing to tell."""
        after = _AFTER.get(type(outcome))
        series = None if after is None else self._of(job.queue, job.name, after)
        if series is not None:
            series.ran.append(seconds)
            series.waited.append(job.waited)
            if len(series.ran) >= FOLD:
                series.fold()

    def add(self, attempts: Attempts) -> None:
        """What another process counted."""
        series = self._of(attempts.queue, attempts.name, attempts.after)
        if series is not None:
            series.attempts.ran.add(attempts.ran)
            series.attempts.waited.add(attempts.waited)

    def take(self) -> list[Attempts]:
        """What was counted since the last time."""
        taken, self._series = self._series, {}
        return [series.fold() for series in taken.values()]

    def _of(self, queue: str, name: str, after: After) -> _Series | None:
        key = queue, name, after
        series = self._series.get(key)
        if series is None and len(self._series) < MOST_SERIES:
            series = self._series[key] = _Series(queue, name, after)
        return series


class Works(Protocol):
    """The worker, as far as it is told of."""

    owner: str
    slots: Slots
    counts: AttemptCounts | None

    @property
    def running(self) -> list[Claim]:
        """The claims whose bodies run now."""
        ...


def pulse_of(worker: Works, started: float, *, quiet: bool) -> Pulse:
    """What a worker does now, and did since the last one; one that is `quiet` claims of no queue."""
    slots = worker.slots
    shared = slots.limit - sum(slots.limits.values())
    running: dict[str, list[str]] = {}
    for claim in worker.running:
        running.setdefault(claim.job.queue, []).append(claim.job.id)
    return Pulse(
        owner=worker.owner,
        started=started,
        slots={queue: slots.limits.get(queue, shared) for queue in slots.queues},
        paused=slots.queues if quiet else sorted(slots.paused),
        running=running,
        attempts=[] if worker.counts is None else worker.counts.take(),
    )


class Kept:
    """The last pulse that came from another process, with what it did since one was taken."""

    def __init__(self) -> None:
        self._last: Pulse | None = None
        self._counts = AttemptCounts()

    def heard(self, pulse: Any) -> None:  # noqa: ANN401 - as it came over the line
        """Keep it."""
        self._last = msgspec.convert(pulse, Pulse, str_keys=True)
        for attempts in self._last.attempts:
            self._counts.add(attempts)

    def take(self) -> list[Pulse]:
        """It, if there was one."""
        if self._last is None:
            return []
        return [msgspec.structs.replace(self._last, attempts=self._counts.take())]
