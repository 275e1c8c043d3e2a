"""Attempts are counted by queue, name and outcome, and what a process counted is added up by its parent."""

import msgspec

from treadle.core.job import Job
from treadle.core.outcomes import Failure
from treadle.hooks import events as happened
from treadle.hooks.events import Events
from treadle.runtime.metrics import BUCKETS, MOST_SERIES, OTHER, Attempts, Histogram

FAILURE = Failure("ValueError", "no")


def job_of(name: str, queue: str = "default", waited: float = 0.0) -> Job:
    return Job("1", name, queue, b"{}", 1, 20, waited=waited)


def counting(*, timed: bool = True) -> tuple[Attempts, Events]:
    attempts, events = Attempts(), Events()
    attempts.listen(events, timed=timed)
    return attempts, events


def test_every_end_of_an_attempt_counts_under_its_outcome() -> None:
    attempts, events = counting()
    job = job_of("mail")
    events.emit(happened.JobCompleted(job=job, seconds=1.0))
    events.emit(happened.JobCompleted(job=job, seconds=1.0))
    events.emit(happened.JobRetried(job=job, failure=FAILURE, after=1.0, seconds=1.0))
    events.emit(happened.JobDiscarded(job=job, failure=FAILURE, seconds=1.0))
    events.emit(happened.JobSnoozed(job=job, after=1.0, seconds=1.0))
    events.emit(happened.JobCancelled(job=job, reason="", seconds=1.0))
    events.emit(happened.JobReleased(job=job, reason=""))
    series = attempts.series["default", "mail"]
    once = dict.fromkeys(("retried", "discarded", "snoozed", "cancelled", "released"), 1)
    assert series.outcomes == once | {"completed": 2}
    assert (sum(series.ran.counts), series.ran.total) == (6, 6.0)


def test_jobs_that_no_app_knows_share_one_name() -> None:
    attempts, events = counting()
    for number in range(10):
        events.emit(happened.JobUnknown(job=job_of(f"foreign {number}", "mail"), after=30.0))
    assert [*attempts.series] == [("mail", "unknown")]
    assert attempts.series["mail", "unknown"].outcomes == {"unknown": 10}


def test_beyond_a_thousand_series_all_others_share_one() -> None:
    attempts, events = counting()
    for number in range(MOST_SERIES + 10):
        events.emit(happened.JobCompleted(job=job_of(f"job {number}"), seconds=0.0))
    assert len(attempts.series) == MOST_SERIES + 1
    assert attempts.series[OTHER, OTHER].outcomes == {"completed": 10}


def test_a_time_falls_into_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram()
    for seconds in (0.0, BUCKETS[0], BUCKETS[0] + 0.001, BUCKETS[-1], BUCKETS[-1] + 1.0):
        histogram.observe(seconds)
    assert histogram.counts == [2, 1, *[0] * (len(BUCKETS) - 3), 1, 1]


def test_how_long_a_job_waited_is_counted_with_its_end() -> None:
    attempts, events = counting()
    for waited in (2.0, -1.0):
        events.emit(happened.JobCompleted(job=job_of("mail", waited=waited), seconds=0.0))
    waited_for = attempts.series["default", "mail"].waited
    assert (sum(waited_for.counts), waited_for.total) == (2, 2.0)


def test_ends_whose_time_nobody_knows_are_counted_without_it() -> None:
    attempts, events = counting(timed=False)
    events.emit(happened.JobDiscarded(job=job_of("mail"), failure=FAILURE, seconds=0.0))
    series = attempts.series["default", "mail"]
    assert (series.outcomes, sum(series.ran.counts)) == ({"discarded": 1}, 0)


def test_what_several_processes_took_adds_up() -> None:
    total = Attempts()
    for _ in range(2):
        attempts, events = counting()
        for name in ("mail", "report"):
            events.emit(happened.JobCompleted(job=job_of(name, waited=3.0), seconds=2.0))
        sent = msgspec.json.decode(msgspec.json.encode(attempts.take()))
        assert attempts.take() == []
        total.add(sent)
    assert [*total.series] == [("default", "mail"), ("default", "report")]
    for series in total.series.values():
        assert series.outcomes == {"completed": 2}
        assert (series.ran.total, series.waited.total) == (4.0, 6.0)
