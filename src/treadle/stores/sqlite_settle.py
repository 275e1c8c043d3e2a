"""Give claims back with their outcomes on SQLite: one transaction a batch, each row only while its claim is held."""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.core.states import FINAL, State
from treadle.stores.claim import APPLIED, REPEATED, Claim, Settled, Settlement
from treadle.stores.oban import attempted_by, error_object, failure_text, stamp, state_after, state_of
from treadle.stores.sqlite_claims import as_list, forget
from treadle.stores.statements import statement


def settle(connection: Connection, owner: str, settlements: Sequence[Settlement], now: float) -> list[Settled]:
    """Apply them in order; one answer for each. Plain completions go together, in one call of the driver."""
    settling = _Settling(connection, owner, now)
    plain = [s for s in settlements if isinstance(s.outcome, Completed) and s.outcome.result is None]
    together = len(plain) > 1 and settling.complete_all(plain)
    answers = [
        APPLIED if together and isinstance(s.outcome, Completed) and s.outcome.result is None else settling.one(s)
        for s in settlements
    ]
    settling.tidy([int(s.claim.job.id) for s, answer in zip(settlements, answers, strict=True) if answer is APPLIED])
    return answers


def ended(connection: Connection, owner: str, settlement: Settlement) -> Settled | None:
    """What became of a settlement that another transaction may have made; None where the claim is held as before."""
    claim = settlement.claim
    row = connection.execute(statement("sqlite/where_is"), (int(claim.job.id),)).fetchone()
    if row is None:
        return Settled("gone")
    state, ours = state_of(row[0]), row[1] == attempted_by(owner, claim.job.queue, claim.receipt)
    if ours and state is State.EXECUTING:
        return None
    return APPLIED if ours and state is state_after(settlement.outcome) else Settled("gone", state)


class _Settling:
    """One call of `settle`."""

    def __init__(self, connection: Connection, owner: str, now: float) -> None:
        self._connection = connection
        self._owner = owner
        self._seconds = now
        self._now = stamp(now)
        self._holders: dict[tuple[str, str], str] = {}
        self._suspects, self._cancels = connection.execute(statement("sqlite/leftovers")).fetchone()
        self._still_suspect: set[int] = set()

    def complete_all(self, settlements: Sequence[Settlement]) -> bool:
        """Complete all of them or none: the driver counts rows, and does not say which one missed."""
        rows = [(self._now, int(s.claim.job.id), self._holder(s.claim)) for s in settlements]
        self._connection.execute("SAVEPOINT completions")
        done = self._connection.executemany(statement("sqlite/complete"), rows).rowcount == len(rows)
        if not done:
            self._connection.execute("ROLLBACK TO completions")
        self._connection.execute("RELEASE completions")
        return done

    def one(self, settlement: Settlement) -> Settled:
        """Apply one settlement, or find out why not."""
        claim, outcome = settlement.claim, self._obeying(settlement)
        job_id = int(claim.job.id)
        if not self._apply(claim, outcome, job_id):
            return self._miss(claim, settlement.outcome, job_id)
        match outcome:
            case Completed(result=bytes() as value):
                self._connection.execute(statement("sqlite/keep_result"), (job_id, value, self._now))
            case SetAside():
                self._connection.execute(statement("sqlite/suspect"), (job_id, outcome.deaths))
                self._still_suspect.add(job_id)
            case Released():
                self._still_suspect.add(job_id)
            case _:
                pass
        if state_after(settlement.outcome) not in FINAL:
            self._connection.execute(statement("sqlite/mark_settled"), (job_id, claim.receipt, self._now))
        return APPLIED

    def tidy(self, ids: Sequence[int]) -> None:
        """Forget the suspicions and the wishes to cancel that ended with these settlements."""
        if self._suspects or self._cancels:
            cleared = as_list(job_id for job_id in ids if job_id not in self._still_suspect)
            forget(self._connection, suspects=cleared, cancels=as_list(ids))

    def _obeying(self, settlement: Settlement) -> Outcome:
        """The outcome; where a cancel was asked for and the body did not end the job, the job is cancelled."""
        outcome, claim = settlement.outcome, settlement.claim
        if not self._cancels or state_after(outcome) in FINAL:
            return outcome
        wish = (int(claim.job.id), claim.receipt)
        asked = self._connection.execute(statement("sqlite/cancel_asked"), wish).fetchone()
        if asked is None:
            return outcome
        return Cancelled(failure_text(outcome.failure) if isinstance(outcome, Retried) else "")

    def _apply(self, claim: Claim, outcome: Outcome, job_id: int) -> bool:
        if isinstance(outcome, Completed):
            row = (self._now, job_id, self._holder(claim))
            return self._connection.execute(statement("sqlite/complete"), row).rowcount == 1
        values: dict[str, Any] = {"id": job_id, "held": self._holder(claim), "now": self._now}
        name = "sqlite/" + self._fill(outcome, claim.job.attempt, values)
        return self._connection.execute(statement(name), values).rowcount == 1

    def _fill(self, outcome: Outcome, attempt: int, values: dict[str, Any]) -> str:
        """The name of the statement that applies an outcome; its values are added."""
        match outcome:
            case Retried():
                values["due"] = self._after(outcome.after)
                values["error"] = error_object(self._now, attempt, failure_text(outcome.failure))
                return "retry_later"
            case Discarded():
                values["error"] = error_object(self._now, attempt, failure_text(outcome.failure))
                return "discard"
            case Cancelled():
                values["error"] = error_object(self._now, attempt, outcome.reason) if outcome.reason else None
                return "cancel"
            case Snoozed():
                values["due"] = self._after(outcome.after)
                return "snooze"
            case Released():
                values["due"] = self._after(outcome.after) if outcome.after > 0 else None
                return "release"
            case _:
                return "set_aside"

    def _miss(self, claim: Claim, outcome: Outcome, job_id: int) -> Settled:
        """Not held: applied before, or taken from us. A final state that fits, under our claim, was set by us."""
        if self._connection.execute(statement("sqlite/was_settled"), (job_id, claim.receipt)).fetchone():
            return REPEATED
        row = self._connection.execute(statement("sqlite/where_is"), (job_id,)).fetchone()
        if row is None:
            return Settled("gone")
        state = state_of(row[0])
        if state in FINAL and state is state_after(outcome) and row[1] == self._holder(claim):
            return REPEATED
        return Settled("gone", state)

    def _holder(self, claim: Claim) -> str:
        key = (claim.job.queue, claim.receipt)
        text = self._holders.get(key)
        if text is None:
            text = self._holders[key] = attempted_by(self._owner, *key)
        return text

    def _after(self, seconds: float) -> str:
        return stamp(self._seconds + seconds)
