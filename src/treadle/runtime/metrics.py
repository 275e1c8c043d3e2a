"""What attempts are counted, and how it travels from a worker process to its parent.

A worker process sends what is new each second; the parent adds it up, so that what a process did is still counted when
it is dead. Nothing of it exists in a node that shows no metrics.
"""

from bisect import bisect_left
from functools import partial
from typing import Any

import msgspec

from treadle.core.job import Job
from treadle.hooks import events as happened
from treadle.hooks.events import Event, Events

BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)
MOST_SERIES = 1000
UNKNOWN = "unknown"
OTHER = "other"

_ENDED: dict[type[Event], str] = {
    happened.JobCompleted: "completed",
    happened.JobRetried: "retried",
    happened.JobDiscarded: "discarded",
    happened.JobSnoozed: "snoozed",
    happened.JobCancelled: "cancelled",
}


class Histogram(msgspec.Struct, array_like=True):
    """Seconds, counted by bucket; the last counts what is longer than every bound."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def add(self, other: "Histogram") -> None:
        """Count all of another."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class Series(msgspec.Struct, array_like=True):
    """The attempts of the jobs of one name in one queue."""

    outcomes: dict[str, int] = {}
    ran: Histogram = msgspec.field(default_factory=Histogram)
    waited: Histogram = msgspec.field(default_factory=Histogram)

    def count(self, outcome: str) -> None:
        """Count one more."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def add(self, other: "Series") -> None:
        """Count all of another."""
        for outcome, number in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number
        self.ran.add(other.ran)
        self.waited.add(other.waited)


Delta = list[tuple[str, str, Series]]


class Attempts:
    """The attempts of one process or of a whole node. `series` has them by queue and name.

    A job that no app knows goes by the name "unknown"; beyond a thousand series all others share one, "other".
    """

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = {}

    def listen(self, events: Events, *, timed: bool) -> None:
        """Count what happens in this process; `timed` where the events of an attempt know how long it ran."""
        for kind, outcome in _ENDED.items():
            events.listen(kind, partial(self._ended, outcome, timed=timed))
        events.listen(happened.JobReleased, self._released)
        events.listen(happened.JobUnknown, self._unknown)

    def take(self) -> Delta:
        """What was counted since the last time."""
        taken, self.series = self.series, {}
        return [(queue, name, series) for (queue, name), series in taken.items()]

    def add(self, delta: Any) -> None:  # noqa: ANN401 - as it came over the line
        """Count what another process took."""
        for queue, name, series in msgspec.convert(delta, Delta):
            self._of(queue, name).add(series)

    def _of(self, queue: str, name: str) -> Series:
        found = self.series.get((queue, name))
        if found is None:
            key = (queue, name) if len(self.series) < MOST_SERIES else (OTHER, OTHER)
            found = self.series.setdefault(key, Series())
        return found

    def _ended(self, outcome: str, event: happened.JobCompleted, *, timed: bool) -> None:
        job: Job = event.job
        series = self._of(job.queue, job.name)
        series.count(outcome)
        if timed:
            series.ran.observe(event.seconds)
            series.waited.observe(max(job.waited, 0.0))

    def _released(self, event: happened.JobReleased) -> None:
        self._of(event.job.queue, event.job.name).count("released")

    def _unknown(self, event: happened.JobUnknown) -> None:
        self._of(event.job.queue, UNKNOWN).count(UNKNOWN)
