"""What is gathered of a worker process for dashboards, and what is left of it on the way through its parent."""

import json
from typing import Any

import msgspec

from treadle.core.job import Job
from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.core.sketch import Sketch
from treadle.runtime.pulses import FOLD, MOST_SERIES, AttemptCounts, Kept, pulse_of
from treadle.runtime.slots import Group, Slots
from treadle.stores.claim import Claim

FAILURE = Failure(error_class="RuntimeError", message="boom", traceback="")


def job(job_id: str = "7", queue: str = "mail", name: str = "Welcome") -> Job:
    return Job(job_id, name, queue, b"{}", 1, 20, "treadle", 0, True, 2.0)


class Works:
    """A worker with these slots, which runs jobs of these queues."""

    owner = "host:1:a"

    def __init__(self, slots: Slots, *queues: str) -> None:
        self.slots = slots
        self.counts: AttemptCounts | None = AttemptCounts()
        self.running = [Claim(job(str(number), queue), "r") for number, queue in enumerate(queues, 1)]


def bin_of(seconds: float) -> int:
    sketch = Sketch()
    sketch.observe([seconds])
    [number] = sketch.bins
    return number


def over_the_line(value: object) -> Any:  # noqa: ANN401 - as the parent hears it
    return json.loads(msgspec.json.encode(value))


def test_attempts_are_counted_by_queue_name_and_what_became_of_the_job() -> None:
    counts = AttemptCounts()
    outcomes: list[Outcome] = [Completed(), Retried(9.0, FAILURE), Discarded(FAILURE), Snoozed(5.0), Cancelled("no")]
    for outcome in [*outcomes, Completed(), Released(), SetAside(1)]:
        counts.count(job(), outcome, 0.5)
    taken = {one.after: one for one in counts.take()}
    sizes = {after: one.ran.size for after, one in taken.items()}
    assert sizes == {"completed": 2, "retryable": 1, "discarded": 1, "scheduled": 1, "cancelled": 1}
    assert (taken["completed"].ran.bins, taken["completed"].waited.bins) == ({bin_of(0.5): 2}, {bin_of(2.0): 2})
    assert counts.take() == []


def test_many_attempts_that_nobody_takes_are_counted_and_not_kept() -> None:
    counts = AttemptCounts()
    for _ in range(3 * FOLD + 7):
        counts.count(job(), Completed(), 0.5)
    [attempts] = counts.take()
    assert (attempts.ran.bins, attempts.waited.bins) == ({bin_of(0.5): 3 * FOLD + 7}, {bin_of(2.0): 3 * FOLD + 7})


def test_forged_names_do_not_fill_the_memory() -> None:
    counts = AttemptCounts()
    for number in range(MOST_SERIES + 50):
        counts.count(job(name=f"forged {number}"), Completed(), 0.1)
    assert len(counts.take()) == MOST_SERIES


def test_a_pulse_has_the_slots_of_each_queue_and_what_runs_in_it() -> None:
    slots = Slots((Group(("a", "b"), 10), Group(("narrow",), 2, own=True), Group(("elsewhere",), 0, own=True)))
    slots.regroup((Group(("a", "b"), 10), Group(("narrow",), 2, own=True), Group(("elsewhere",), 0, own=True)), ["b"])
    worker = Works(slots, "a", "narrow", "a")
    pulse = pulse_of(worker, 5.0, quiet=False)
    assert pulse.slots == {"a": 10, "b": 10, "narrow": 2}
    assert pulse.running == {"a": ["1", "3"], "narrow": ["2"]}
    assert list(pulse.paused) == ["b"]
    assert set(pulse_of(worker, 5.0, quiet=True).paused) == {"a", "b", "narrow"}


def test_what_was_not_told_yet_is_kept_and_told_once() -> None:
    worker, kept = Works(Slots((Group(("mail",), 3),)), "mail"), Kept()
    assert kept.take() == []
    for seconds in (0.5, 0.5, 4.0):
        assert worker.counts is not None
        worker.counts.count(job(), Completed(), seconds)
        kept.heard(over_the_line(pulse_of(worker, 5.0, quiet=False)))
    [pulse] = kept.take()
    [attempts] = pulse.attempts
    assert attempts.ran.bins == {bin_of(0.5): 2, bin_of(4.0): 1}
    [again] = kept.take()
    assert (again.running, again.attempts) == ({"mail": ["1"]}, [])
