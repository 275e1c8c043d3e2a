"""Jobs are lent to owners and given back, once or twice, late, under an older claim, by the living and the dead."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import consumes, multiple, precondition, rule

from tests.stores.machine.ground import ALL, LATER, LEASE, PROCESSES, claims, outcomes, processes
from tests.stores.machine.producing import Producing
from treadle.core.outcomes import Completed, Outcome, Released, SetAside
from treadle.errors import Fenced, NotEnrolled
from treadle.stores.claim import Claim, Demand, Settlement


class Lending(Producing):
    """What a process that runs jobs does, and who rescues from it."""

    @precondition(lambda self: self.model.holds_any())
    @rule(process=processes)
    def enroll(self, process: str) -> None:
        for number in range(1, self.incarnations[process] + 1):
            owner = f"{process}:1:{number}"
            try:
                self.run(self.store.enroll(owner, LEASE))
            except Fenced:
                assert self.model.is_fenced(owner)
            else:
                assert not self.model.is_fenced(owner)
                self.model.owners[owner] = self.model.steady + LEASE

    def beat(self, process: str) -> None:
        owner = self.owner_of(process)
        answer = self.run(self.store.beat({owner: LEASE}))[owner]
        if self.model.is_alive(owner):
            assert answer == "alive"
            self.model.owners[owner] = self.model.steady + LEASE
        else:
            assert answer == ("fenced" if owner in self.model.owners else "unknown")

    @precondition(lambda self: self.model.claimable(alone=False))
    @rule(target=claims, process=processes, limit=st.integers(1, 5))
    def claim(self, process: str, limit: int) -> Any:  # noqa: ANN401 - as above
        return multiple(*self.take(process, limit, alone=False))

    @precondition(lambda self: self.model.claimable(alone=True))
    @rule(target=claims, process=processes, limit=st.integers(1, 5))
    def claim_alone(self, process: str, limit: int) -> Any:  # noqa: ANN401 - as above
        return multiple(*self.take(process, limit, alone=True))

    def take(self, process: str, limit: int, *, alone: bool) -> list[tuple[str, Claim]]:
        self.refused(f"{process}:1:{self.incarnations[process]}")
        owner = self.owner_of(process)
        if not self.model.is_alive(owner):
            self.enroll(process)
        if self.model.paused:
            assert self.run(self.store.claim(owner, [Demand((self.queue,), limit, alone)])) == []
            self.control("resume")
        lent = self.run(self.store.claim(owner, [Demand((self.queue,), limit, alone)]))
        possible = self.model.claimable(alone=alone)
        assert {claim.job.id for claim in lent} <= possible
        assert len(lent) == min(limit, len(possible))
        for claim in lent:
            job = self.model.lend(claim.job.id, owner, claim.receipt)
            shown = claim.job.attempt, claim.job.deaths, claim.job.rerun
            assert shown == (job.attempt, job.deaths or 0, job.rerun)
        return [(owner, claim) for claim in lent]

    def refused(self, owner: str) -> None:
        if not self.model.is_alive(owner):
            error = Fenced if self.model.is_fenced(owner) else NotEnrolled
            with pytest.raises(error):
                self.run(self.store.claim(owner, [Demand((self.queue,), 1)]))

    @rule(lent=claims, outcome=outcomes)
    def settle(self, lent: tuple[str, Claim], outcome: Outcome) -> None:
        self.give(lent, outcome)
        # The reply was lost: it is sent once more.
        self.give(lent, outcome)

    @rule(lent=consumes(claims), again=outcomes, late=outcomes)
    def settle_under_an_older_claim(self, lent: tuple[str, Claim], again: Outcome, late: Outcome) -> None:
        owner, claim = lent
        self.give(lent, Released())
        self.take(owner[0], ALL, alone=False)
        self.take(owner[0], ALL, alone=True)
        self.give(lent, late)
        newer = [(owner, one) for one in self.run(self.store.held(owner)) if one.job.id == claim.job.id]
        for pair in newer:
            self.give(pair, again)
            self.give(lent, again)

    @precondition(lambda self: self.model.claimable(alone=False))
    @rule(target=claims, process=processes, deaths=st.integers(0, 2))
    def a_suspect_is_put_off(self, process: str, deaths: int) -> Any:  # noqa: ANN401 - as above
        for lent in self.take(process, 1, alone=False):
            self.give(lent, SetAside(deaths))
        suspects = self.take(process, ALL, alone=True)
        for lent in suspects:
            self.give(lent, Released(LATER))
        self.move(LATER)
        self.stage()
        self.the_store_shows_what_the_model_says()
        return multiple(*self.take(process, ALL, alone=True))

    def give(self, lent: tuple[str, Claim], outcome: Outcome) -> None:
        owner, claim = lent
        expected = self.model.settle(claim.job.id, claim.receipt, outcome)
        (answer,) = self.run(self.store.settle(owner, [Settlement(claim, outcome)]))
        assert answer.answer == expected

    @precondition(lambda self: self.model.holds_any())
    @rule(process=processes, outcome=outcomes)
    def settle_all(self, process: str, outcome: Outcome) -> None:
        owner = self.owner_of(process)
        held = list(self.run(self.store.held(owner)))
        expected = [self.model.settle(claim.job.id, claim.receipt, outcome) for claim in held]
        answers = self.run(self.store.settle(owner, [Settlement(claim, outcome) for claim in held]))
        assert [answer.answer for answer in answers] == expected

    @rule(lent=st.lists(claims, min_size=2, max_size=5, unique_by=lambda pair: (pair[1].job.id, pair[1].receipt)))
    def complete_old_and_new_together(self, lent: list[tuple[str, Claim]]) -> None:
        owner = lent[0][0]
        mine = [claim for holder, claim in lent if holder == owner]
        expected = [self.model.settle(claim.job.id, claim.receipt, Completed()) for claim in mine]
        answers = self.run(self.store.settle(owner, [Settlement(claim, Completed()) for claim in mine]))
        assert [answer.answer for answer in answers] == expected

    @precondition(lambda self: self.model.holds_any())
    @rule(process=processes)
    def leave(self, process: str) -> None:
        self.owner_of(process)
        for number in range(1, self.incarnations[process] + 1):
            owner = f"{process}:1:{number}"
            assert self.run(self.store.leave(owner)) == self.model.leave(owner)

    @precondition(lambda self: self.model.holds_any())
    @rule(silent=processes)
    def one_falls_silent(self, silent: str) -> None:
        others = [process for process in PROCESSES if process != silent]
        for seconds in (LEASE - 20.0, 40.0):
            for process in others:
                self.beat(process)
            self.move(seconds)
        self.rescue()

    @precondition(lambda self: self.model.holds_any())
    @rule()
    def rescue(self) -> None:
        rescued = self.run(self.store.rescue(ALL))
        assert (set(rescued.owners), rescued.claims) == self.model.rescue()
