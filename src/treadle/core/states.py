"""The states of a job and the moves between them, as data; documentation and tests are drawn from these tables."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a job stands. The words are Oban's (`oban_job_state`); every store maps its own places onto them."""

    AVAILABLE = "available"
    SCHEDULED = "scheduled"
    EXECUTING = "executing"
    RETRYABLE = "retryable"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"
    SUSPENDED = "suspended"


MEANINGS: Mapping[State, str] = {
    State.AVAILABLE: "waits for a worker",
    State.SCHEDULED: "waits for its time",
    State.EXECUTING: "is held by a worker",
    State.RETRYABLE: "failed, and waits for its next attempt",
    State.COMPLETED: "returned",
    State.DISCARDED: "failed for good",
    State.CANCELLED: "was ended on purpose",
    State.SUSPENDED: "is set aside: it was running when its worker died, and runs alone next",
}

MOVES: Mapping[State, frozenset[State]] = {
    State.AVAILABLE: frozenset({State.EXECUTING, State.CANCELLED}),
    State.SCHEDULED: frozenset({State.AVAILABLE, State.CANCELLED}),
    State.RETRYABLE: frozenset({State.AVAILABLE, State.CANCELLED}),
    State.SUSPENDED: frozenset({State.EXECUTING, State.AVAILABLE, State.CANCELLED}),
    State.EXECUTING: frozenset(
        {
            State.COMPLETED,
            State.RETRYABLE,
            State.SCHEDULED,
            State.DISCARDED,
            State.CANCELLED,
            State.AVAILABLE,
            State.SUSPENDED,
        }
    ),
    State.COMPLETED: frozenset({State.AVAILABLE}),
    State.DISCARDED: frozenset({State.AVAILABLE}),
    State.CANCELLED: frozenset({State.AVAILABLE}),
}

WAITING = frozenset({State.AVAILABLE, State.SCHEDULED, State.RETRYABLE, State.SUSPENDED})
FINAL = frozenset({State.COMPLETED, State.DISCARDED, State.CANCELLED})
