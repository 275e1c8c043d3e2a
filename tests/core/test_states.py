"""The table of states holds together, and nothing else moves a job."""

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from tests.stores.places import SqliteFile
from treadle.core import outcomes
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
from treadle.core.states import FINAL, MEANINGS, MOVES, WAITING, State
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import Bench

FAILURE = Failure("ValueError", "no such user")

# One of each kind; a job of five attempts is in its first.
EXAMPLES: list[Outcome] = [
    Completed(),
    Retried(60.0, FAILURE),
    Discarded(FAILURE),
    Snoozed(60.0),
    Cancelled("why"),
    Released(),
    Released(30.0),
    SetAside(1),
]


def test_every_state_has_a_meaning_and_moves() -> None:
    assert set(MEANINGS) == set(State)
    assert set(MOVES) == set(State)


def test_every_state_waits_runs_or_is_final() -> None:
    assert {*WAITING, *FINAL, State.EXECUTING} == set(State)
    assert not WAITING & FINAL


def test_a_final_state_is_left_only_by_a_retry_that_a_person_asks_for() -> None:
    for state in FINAL:
        assert MOVES[state] == {State.AVAILABLE}


def test_every_waiting_job_can_be_cancelled_and_comes_to_run() -> None:
    for state in WAITING:
        assert State.CANCELLED in MOVES[state]
        assert State.EXECUTING in MOVES[state] or State.AVAILABLE in MOVES[state]


def test_no_move_leads_nowhere() -> None:
    for state, targets in MOVES.items():
        assert state not in targets


def test_there_is_an_example_of_every_outcome() -> None:
    assert {type(outcome) for outcome in EXAMPLES} == set(get_args(outcomes.Outcome))


@pytest.mark.parametrize("outcome", EXAMPLES, ids=repr)
def test_every_outcome_lands_in_a_state_to_which_a_running_job_may_move(outcome: Outcome, tmp_path: Path) -> None:
    async def play() -> State:
        async with SqliteFile(tmp_path).store() as store:
            bench = await Bench(store).enroll()
            (job_id,) = await bench.put()
            await bench.end([await bench.take_one()], outcome)
            (found,) = await store.find(JobQuery(ids=(job_id,)))
            return found.state

    assert asyncio.run(play()) in MOVES[State.EXECUTING]
