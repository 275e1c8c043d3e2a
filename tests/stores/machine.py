"""The steps by which chance drives a store beside a plain model, and what is compared after each."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from tests.stores.model import Model
from treadle.core.arguments import Shape
from treadle.core.controls import QueueAction, QueueControl
from treadle.core.cron_entry import CronEntry
from treadle.core.job import Inserted, NewJob
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
from treadle.core.query_parser import parse
from treadle.core.states import State
from treadle.core.uniqueness import Arguments, Unique, Uniqueness
from treadle.errors import Fenced, NotEnrolled
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.claim import Claim, Demand, Settlement
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.ticks import Firing

T = TypeVar("T")

# Instants that are compared are always at least ten seconds apart: a server's clock goes on while the machine works.
LEASE = 670.0
LATER = 400.0
ALL = 10_000
FAILED = Failure("ValueError", "no")
UNIQUE = Unique(period=1e7, until="success")

ACTIONS: tuple[Literal["cancel", "retry", "delete"], ...] = ("cancel", "retry", "delete")
PROCESSES = ("a", "b", "c")

processes = st.sampled_from(PROCESSES)
delays = st.sampled_from([0.0, 0.0, LATER])
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        *(Completed(), Completed(b"7"), Retried(LATER, FAILED), Discarded(FAILED), Snoozed(LATER), Cancelled("why")),
        *(Released(), Released(LATER), SetAside(0), SetAside(1)),
    ]
)


class StoreMachine(RuleBasedStateMachine):
    """Three processes, each one owner after the other. The store is asked for all that it holds after every step.

    Steps that would find nothing to do are left out by their preconditions: chance alone would take mostly those.
    """

    ids = Bundle("ids")
    claims = Bundle("claims")
    queue: ClassVar[str] = "default"

    def __init__(self, store: Store, model: Model) -> None:
        super().__init__()
        self.store = store
        self.model = model
        self.runner = asyncio.Runner()
        self.incarnations = dict.fromkeys(PROCESSES, 1)

    def move(self, seconds: float) -> None:
        """Let so much of the store's time pass, for the store and the model."""
        raise NotImplementedError

    def step(self, seconds: float) -> None:
        """Set the wall clock of the store and of the model."""
        raise NotImplementedError

    def delete_owner(self, owner: str) -> None:
        """Take an owner off the store's list, as a person would."""
        raise NotImplementedError

    def meddle(self, job_id: str) -> None:
        """Do to a job what a foreign program does that asks nobody."""
        raise NotImplementedError

    def hand_out(self, job_id: str) -> None:
        """Make a running job available, as a foreign program may."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.run(self.store.open())
        self.enqueue(4, 0.0, rerun=True)
        self.enqueue(2, 0.0, rerun=False)

    def teardown(self) -> None:
        self.run(self.store.aclose())
        self.store.close()
        self.runner.close()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    @rule(target=ids, count=st.integers(1, 4), delay=delays, rerun=st.booleans())
    def enqueue(self, count: int, delay: float, *, rerun: bool) -> Any:  # noqa: ANN401 - Hypothesis' own type is private
        args = b"[]" if self.store.shape is Shape.LIST else b"{}"
        job = NewJob(name="work", queue=self.queue, args=args, max_attempts=1_000, delay=delay or None, rerun=rerun)
        inserted = [one.id for one in self.run(self.store.insert([job] * count))]
        for job_id in inserted:
            assert job_id not in self.model.jobs
            self.model.insert(job_id, delay, rerun=rerun)
        return multiple(*inserted)

    @precondition(lambda self: self.place_that_lends())
    @rule(target=ids, count=st.integers(1, 4), delay=delays, commits=st.booleans())
    def enqueue_in_a_transaction(self, count: int, delay: float, *, commits: bool) -> Any:  # noqa: ANN401 - as above
        place = self.place_that_lends()
        job = NewJob(name="work", queue=self.queue, args=b"{}", max_attempts=1_000, delay=delay or None)
        with place.lend() as lender:
            inserted = [one.id for one in self.store.insert_now([job] * count, tx=borrow(lender))]
            if not commits:
                lender.rollback()
                return multiple()
            lender.commit()
        for job_id in inserted:
            assert job_id not in self.model.jobs
            self.model.insert(job_id, delay, rerun=True)
        return multiple(*inserted)

    @rule(target=ids, count=st.integers(1, 3), delay=delays)
    def tick(self, count: int, delay: float) -> Any:  # noqa: ANN401 - as above
        args = b"[]" if self.store.shape is Shape.LIST else b"{}"
        job = NewJob(name="work", queue=self.queue, args=args, max_attempts=1_000, delay=delay or None)
        entry = CronEntry(name="nightly", expr="@daily", job=job)
        if "nightly" not in (table := self.run(self.store.crontab())).rows:
            self.run(self.store.put_cron(entry))
            table = self.run(self.store.crontab())
        # Which tick comes next is the caller's business: earlier ones are always at hand.
        last = table.rows["nightly"].last_tick
        coming = min(last, int(table.now)) - 60
        firing = Firing("nightly", last, coming, (entry.job_at(coming),) * count)
        inserted = [one.id for one in self.run(self.store.fire_cron(firing)) or ()]
        assert len(inserted) == count
        # The reply was lost: it is sent once more.
        assert self.run(self.store.fire_cron(firing)) is None
        for job_id in inserted:
            assert job_id not in self.model.jobs
            self.model.insert(job_id, delay, rerun=True)
        return multiple(*inserted)

    def place_that_lends(self) -> Any:  # noqa: ANN401 - a LendingPlace, or None
        """Where a user's own connection comes from, on a store that shares transactions."""
        return None

    @rule(target=ids, key=st.sampled_from(["1", "2"]), delay=delays)
    def enqueue_unique(self, key: str, delay: float) -> Any:  # noqa: ANN401 - as above
        args = b"[%b]" % key.encode() if self.store.shape is Shape.LIST else b'{"key":%b}' % key.encode()
        unique = Uniqueness(UNIQUE, Arguments(("key",)))
        job = NewJob(name="work", queue=self.queue, args=args, max_attempts=1_000, delay=delay or None, unique=unique)
        holder = self.model.holder(key)
        (one,) = self.run(self.store.insert([job]))
        if holder is not None:
            assert one == Inserted(holder, conflict=True)
            return multiple()
        assert not one.conflict
        assert one.id not in self.model.jobs
        self.model.insert(one.id, delay, key=key)
        return multiple(one.id)

    def owner_of(self, process: str) -> str:
        """Its present owner; a new one, with another nonce, where the last one was fenced."""
        owner = f"{process}:1:{self.incarnations[process]}"
        if self.model.is_fenced(owner):
            self.incarnations[process] += 1
            return self.owner_of(process)
        return owner

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

    @rule()
    def somebody_pauses_the_queue_until_the_next_claim(self) -> None:
        self.control("pause")

    def control(self, action: QueueAction) -> None:
        self.run(self.store.control(QueueControl(action=action, queue=self.queue), [self.queue]))
        self.model.paused = action == "pause"

    @precondition(lambda self: self.model.waits_for_time())
    @rule()
    def stage(self) -> None:
        assert self.run(self.store.stage(ALL)) == self.model.stage()

    @precondition(lambda self: self.model.waits_for_time())
    @rule(seconds=st.sampled_from([100.0, LATER]))
    def time_passes(self, seconds: float) -> None:
        self.move(seconds)

    @rule(seconds=st.sampled_from([-7_200.0, 3_600.0]))
    def the_wall_clock_steps(self, seconds: float) -> None:
        self.step(seconds)

    @precondition(lambda self: self.model.holds_any())
    @rule(process=processes)
    def somebody_deletes_an_owner(self, process: str) -> None:
        owner = self.owner_of(process)
        if self.model.is_alive(owner):
            self.model.forget_owner(owner)
            self.delete_owner(owner)

    @rule(job_id=ids)
    def somebody_cancels(self, job_id: str) -> None:
        expected = self.model.cancel(job_id)
        assert self.run(self.store.act("cancel", JobQuery(ids=(job_id,)))) == expected

    @rule(job_id=ids)
    def somebody_retries(self, job_id: str) -> None:
        expected = self.model.retry(job_id)
        assert self.run(self.store.act("retry", JobQuery(ids=(job_id,)))) == expected

    @rule(job_id=ids)
    def somebody_deletes(self, job_id: str) -> None:
        expected = self.model.delete(job_id)
        assert self.run(self.store.act("delete", JobQuery(ids=(job_id,)))) == expected

    @rule(action=st.sampled_from(ACTIONS), states=st.sets(st.sampled_from(State), min_size=1, max_size=3))
    def somebody_acts_on_all_that_match(self, action: Literal["cancel", "retry", "delete"], states: set[State]) -> None:
        meant = [job_id for job_id, (state, _) in self.model.shown().items() if state in states]
        expected = sum(getattr(self.model, action)(job_id) for job_id in meant)
        where = parse(" OR ".join(f"state:{state}" for state in sorted(states)))
        assert self.run(self.store.act(action, JobQuery(where=where))) == expected

    @rule(job_id=ids)
    def a_foreign_program_meddles(self, job_id: str) -> None:
        self.meddle(job_id)

    @invariant()
    def the_store_shows_what_the_model_says(self) -> None:
        self.model.step_ends()
        owners = [self.owner_of(process) for process in PROCESSES]
        found, aside, *held = self.run(self.look(owners))
        assert {view.id: (view.state, view.attempt) for view in found} == self.model.shown()
        suspects = [job for job in self.model.jobs.values() if job.state is State.SUSPENDED]
        assert aside == (0 if self.model.paused else len(suspects))
        for owner, claims in zip(owners, held, strict=True):
            assert {claim.job.id for claim in claims} == self.model.held(owner)
            for claim in claims:
                job = self.model.jobs[claim.job.id]
                assert (claim.cancelled, claim.job.rerun) == (job.wish, job.rerun)

    async def look(self, owners: Sequence[str]) -> Any:  # noqa: ANN401 - what three verbs answer
        return await asyncio.gather(
            self.store.find(JobQuery(limit=ALL)),
            self.store.set_aside([self.queue]),
            *[self.store.held(owner) for owner in owners],
        )
