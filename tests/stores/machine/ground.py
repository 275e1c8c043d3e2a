"""A store and a plain model of it, driven by chance: what the steps stand on, and what is compared after each."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from tests.stores.model import Model
from treadle.core.arguments import Shape
from treadle.core.controls import QueueAction, QueueControl
from treadle.core.job import NewJob
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
from treadle.core.states import State
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery

T = TypeVar("T")

# Instants that are compared are always at least ten seconds apart: a server's clock goes on while the machine works.
LEASE = 670.0
LATER = 400.0
ALL = 10_000
FAILED = Failure("ValueError", "no")
PROCESSES = ("a", "b", "c")

ids = Bundle("ids")
claims = Bundle("claims")
processes = st.sampled_from(PROCESSES)
delays = st.sampled_from([0.0, 0.0, LATER])
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        *(Completed(), Completed(b"7"), Retried(LATER, FAILED), Discarded(FAILED), Snoozed(LATER), Cancelled("why")),
        *(Released(), Released(LATER), SetAside(0), SetAside(1)),
    ]
)


class Ground(RuleBasedStateMachine):
    """Three processes, each one owner after the other. The store is asked for all that it holds after every step.

    Steps that would find nothing to do are left out by their preconditions: chance alone would take mostly those.
    """

    queue: ClassVar[str] = "default"
    position: str

    def __init__(self, store: Store, model: Model) -> None:
        super().__init__()
        self.store = store
        self.model = model
        self.at_end = ExitStack()
        self.runner = self.at_end.enter_context(asyncio.Runner())
        self.at_end.callback(store.close)
        self.at_end.callback(lambda: self.run(store.aclose()))
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

    def teardown(self) -> None:
        self.at_end.close()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def owner_of(self, process: str) -> str:
        """Its present owner; a new one, with another nonce, where the last one was fenced."""
        owner = f"{process}:1:{self.incarnations[process]}"
        if self.model.is_fenced(owner):
            self.incarnations[process] += 1
            return self.owner_of(process)
        return owner

    def new(self, args: bytes | None = None, **given: Any) -> NewJob:
        """A job of the machine's queue, with arguments in the shape of the store."""
        empty = b"[]" if self.store.shape is Shape.LIST else b"{}"
        return NewJob(name="work", queue=self.queue, args=args or empty, max_attempts=1_000, **given)

    def control(self, action: QueueAction) -> None:
        self.tell(QueueControl(action=action, queue=self.queue))
        self.model.paused = action == "pause"

    def tell(self, control: QueueControl) -> None:
        self.run(self.store.control(control, [self.queue]))
        self.model.told.append(control)

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
