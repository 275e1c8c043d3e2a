"""Give claims back with their outcomes on PostgreSQL: one statement for each kind of outcome, however many claims."""

from collections.abc import Sequence
from typing import Any

import msgspec

from treadle.core.outcomes import Cancelled, Completed, Discarded, Released, Retried, SetAside, Snoozed
from treadle.core.states import FINAL, State
from treadle.stores.claim import APPLIED, REPEATED, Settled, Settlement
from treadle.stores.erlang import recorded as recorded_term
from treadle.stores.oban import failure_text, state_after, state_of, utf8
from treadle.stores.postgres_connection import Session

# What a timestamp can hold, with room for the clock: one job that snoozes for ever must not keep the settlements beside
# it from being written.
_LONGEST = 1.1e11

_encode = msgspec.json.Encoder().encode


class _Other(msgspec.Struct):
    """An outcome that is no completion, as the statement takes it."""

    id: int
    claim: str
    state: str
    final: bool
    refund: bool = False
    snoozed: bool = False
    suspicion: bool = False
    after: float | None = None
    error: str | None = None
    deaths: int | None = None


class Settle:
    """One call of `settle`. The first try waits a moment for locks of others; the next leaves out what is locked."""

    def __init__(self, settlements: Sequence[Settlement]) -> None:
        self._settlements = settlements
        self._waited = False

    def __call__(self, session: Session) -> list[Settled] | None:
        """One answer for each, in order; None where rows are locked, and all the others were settled."""
        if not self._waited:
            self._waited = True
            return _settle(session, self._settlements)
        with session.together():
            ids = [_row(s) for s in self._settlements]
            free = {row[0] for row in session.rows("lock_free", {"ids": ids})}
            there = [s for s in self._settlements if _row(s) in free]
            answers = {s.claim.key: answer for s, answer in zip(there, _settle(session, there), strict=True)}
        missed = [s for s in self._settlements if _row(s) not in free]
        answers |= _misses(session, missed)
        locked = any(answers[s.claim.key].state is State.EXECUTING for s in missed)
        return None if locked else [answers[s.claim.key] for s in self._settlements]


def ended(session: Session, settlement: Settlement) -> Settled | None:
    """What became of a settlement that another transaction may have made; None where the claim is held as before.

    Waits until that transaction has ended.
    """
    if session.rows("await_claim", {"id": _row(settlement), "claim": settlement.claim.receipt}):
        return None
    ((_, _, _, state, ours),) = session.rows("look_again", _claims([settlement]))
    done = ours and state_of(state) is state_after(settlement.outcome)
    return APPLIED if done else Settled("gone", state_of(state))


def _settle(session: Session, settlements: Sequence[Settlement]) -> list[Settled]:
    by_id = sorted(settlements, key=_row)
    completed = [s for s in by_id if isinstance(s.outcome, Completed)]
    plain = [s for s in completed if s.outcome == Completed()]
    recorded = [s for s in completed if s.outcome != Completed()]
    others = [s for s in by_id if not isinstance(s.outcome, Completed)]
    rows: list[Any] = []
    if plain:
        rows += session.rows("complete", _claims(plain))
    if recorded:
        rows += complete_recorded(session, recorded)
    if others:
        rows += session.rows("settle", {"settlements": _encode([_other(s) for s in others]).decode()})
    # By row and claim: a batch may hold an older claim of the same job too.
    done = {(str(job_id), claim) for job_id, claim in rows}
    answers = _misses(session, [s for s in by_id if s.claim.key not in done])
    return [answers.get(s.claim.key, APPLIED) for s in settlements]


def complete_recorded(session: Session, settlements: Sequence[Settlement]) -> list[Any]:
    """Complete jobs whose values are kept, durably; the rows and claims that were."""
    results = [s.outcome.result for s in settlements if isinstance(s.outcome, Completed)]
    terms = [recorded_term(value or b"null") for value in results]
    return session.rows("complete_recorded", {**_claims(settlements), "values": results, "terms": terms})


def _misses(session: Session, missed: Sequence[Settlement]) -> dict[tuple[str, str], Settled]:
    """Not held: applied before, or taken from us. A final state that fits, under our claim, was set by us."""
    if not missed:
        return {}
    rows = session.rows("look_again", _claims(missed))
    found = {(str(job_id), claim): (marked, state_of(state), ours) for job_id, claim, marked, state, ours in rows}
    answers = {}
    for settlement in missed:
        marked, state, ours = found[settlement.claim.key]
        repeated = marked or (ours and state in FINAL and state is state_after(settlement.outcome))
        answers[settlement.claim.key] = REPEATED if repeated else Settled("gone", state)
    return answers


def _row(settlement: Settlement) -> int:
    return int(settlement.claim.job.id)


def _claims(settlements: Sequence[Settlement]) -> dict[str, Any]:
    return {"ids": [_row(s) for s in settlements], "claims": [s.claim.receipt for s in settlements]}


def _other(settlement: Settlement) -> _Other:
    outcome = settlement.outcome
    state = state_after(outcome)
    given = _Other(_row(settlement), settlement.claim.receipt, state.value, state in FINAL)
    match outcome:
        case Retried():
            given.after, given.error = _seconds(outcome.after), failure_text(outcome.failure)
        case Discarded():
            given.error = failure_text(outcome.failure)
        case Cancelled():
            given.error = outcome.reason or None
        case Snoozed():
            given.after, given.refund, given.snoozed = _seconds(outcome.after), True, True
        case Released():
            given.after = _seconds(outcome.after) if outcome.after > 0 else None
            given.refund = given.suspicion = True
        case SetAside():
            given.deaths, given.refund, given.suspicion = outcome.deaths, True, True
        case _:
            pass
    if given.error is not None:
        given.error = utf8(given.error).replace("\0", "\ufffd")
    return given


def _seconds(after: float) -> float:
    # In this order: of a number and NaN, `min` keeps the first.
    return max(min(_LONGEST, after), 0.0)
