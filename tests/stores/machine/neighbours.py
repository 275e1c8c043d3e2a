"""What programs do that share the jobs and ask nobody: Oban's lifeline, its pruner, its nodes; a person with SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import multiple, precondition, rule

from tests.stores.machine.ground import ALL, claims, ids, outcomes, processes
from tests.stores.machine.people import People
from treadle.core.outcomes import Outcome
from treadle.stores.job_query import JobQuery

# No sum of the steps that time takes.
OLD = 205.0

picks = st.integers(0, 99)


class StoreMachine(People):
    """All the steps. `shares_rows` says that foreign programs find every job where ours do, running ones too."""

    shares_rows: ClassVar[bool] = True

    def meddle(self, job_id: str) -> None:
        """Do to a job what a foreign program does that asks nobody: end it, or take it away."""
        raise NotImplementedError

    def hand_out(self, job_id: str) -> None:
        """Make a running job available, as a foreign program may."""
        raise NotImplementedError

    def give_up(self, job_id: str) -> None:
        """Discard a running job, as a lifeline does that finds no attempt left."""
        raise NotImplementedError

    def delete_row(self, job_id: str) -> None:
        """Delete a job in whatever state."""
        raise NotImplementedError

    def lend_outside(self, job_id: str) -> None:
        """Have a foreign node claim an available job."""
        raise NotImplementedError

    def complete_outside(self, job_id: str) -> None:
        """Have the foreign node complete it."""
        raise NotImplementedError

    @rule()
    def what_runs_long_is_stamped_anew(self) -> None:
        before = self.stamps()
        meant = self.model.restamp(OLD)
        assert self.run(self.store.restamp(OLD)) == len(meant)
        assert {job_id for job_id, at in self.stamps().items() if at != before[job_id]} == meant

    def stamps(self) -> dict[str, datetime | None]:
        return {view.id: view.attempted_at for view in self.run(self.store.find(JobQuery(limit=ALL)))}

    @rule(job_id=ids)
    def a_foreign_program_meddles(self, job_id: str) -> None:
        self.meddle(job_id)

    @precondition(lambda self: self.model.holds_any())
    @rule(pick=picks)
    def a_foreign_lifeline_takes_it_for_dead(self, pick: int) -> None:
        self.hand_out(one(self.model.running(), pick))

    @precondition(lambda self: self.shares_rows and self.model.holds_any())
    @rule(pick=picks)
    def a_foreign_lifeline_gives_it_up(self, pick: int) -> None:
        self.give_up(one(self.model.running(), pick))

    @precondition(lambda self: self.shares_rows)
    @rule(job_id=ids)
    def a_foreign_pruner_deletes_it(self, job_id: str) -> None:
        self.delete_row(job_id)

    @precondition(lambda self: self.shares_rows and self.model.claimable(alone=False))
    @rule(pick=picks)
    def a_foreign_node_claims(self, pick: int) -> None:
        self.lend_outside(one(self.model.waiting(), pick))

    @precondition(lambda self: self.model.running(foreign=True))
    @rule(pick=picks)
    def a_foreign_node_completes(self, pick: int) -> None:
        self.complete_outside(one(self.model.running(foreign=True), pick))

    @precondition(lambda self: self.model.claimable(alone=False))
    @rule(target=claims, process=processes, outcome=outcomes)
    def a_wish_was_for_the_claim_before(self, process: str, outcome: Outcome) -> Any:  # noqa: ANN401 - as above
        for _, claim in self.take(process, 2, alone=False):
            self.somebody_cancels(claim.job.id)
            self.hand_out(claim.job.id)
        again = self.take(process, ALL, alone=False)
        self.the_store_shows_what_the_model_says()
        for lent in again[::2]:
            self.give(lent, outcome)
        return multiple(*again)


def one(jobs: Sequence[str], pick: int) -> str:
    """One of them."""
    return jobs[pick % len(jobs)]
