"""A store as a plain dictionary: what the contract says, with none of the means by which a store does it."""

from dataclasses import dataclass, field
from typing import Literal

from treadle.core.controls import QueueControl
from treadle.core.outcomes import Outcome, Released, Retried, SetAside, Snoozed
from treadle.core.states import FINAL, State
from treadle.stores.oban import state_after

FOREIGN = "ex-1"
"""A node of another program, which is no owner."""

Answer = Literal["applied", "repeated", "gone"]


@dataclass
class ModelJob:
    """One job. `due` and `begun` are instants of the wall clock; `receipt` and `owner` are the last claim's."""

    state: State
    due: float
    attempt: int = 0
    owner: str = ""
    receipt: str = ""
    deaths: int | None = None
    wish: bool = False
    rerun: bool = True
    key: str = ""
    begun: float = 0.0


@dataclass
class Model:
    """Every job, every owner (the end of its lease by the steady clock, None once fenced), every applied settlement.

    As it stands it describes a table of SQL, which keeps every job; RedisModel says what differs where jobs are lists.
    """

    now: float
    steady: float
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    owners: dict[str, float | None] = field(default_factory=dict)
    settled: set[tuple[str, str]] = field(default_factory=set)
    paused: bool = False
    told: list[QueueControl] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def is_alive(self, owner: str) -> bool:
        """Enrolled, and not fenced; its lease may have run out."""
        return self.owners.get(owner) is not None

    def is_fenced(self, owner: str) -> bool:
        """Declared dead."""
        return owner in self.owners and self.owners[owner] is None

    def running(self, *, foreign: bool = False) -> list[str]:
        """The jobs that owners run, or foreign nodes, as they were inserted: a store may draw their ids by chance."""
        lent = {job_id: job for job_id, job in self.jobs.items() if job.state is State.EXECUTING}
        return [job_id for job_id, job in lent.items() if (job.owner == FOREIGN) is foreign]

    def waiting(self) -> list[str]:
        """The jobs that a claim may lend, as they were inserted."""
        return [job_id for job_id, job in self.jobs.items() if job.state is State.AVAILABLE]

    def holds_any(self) -> bool:
        """Whether any owner runs a job."""
        return bool(self.running())

    def waits_for_time(self) -> bool:
        """Whether any job waits for its time."""
        return any(job.state in {State.SCHEDULED, State.RETRYABLE} for job in self.jobs.values())

    def insert(self, job_id: str, delay: float, *, rerun: bool = True, key: str = "") -> None:
        """A new job. One with a key is to be the only one of it that has not ended."""
        state = State.SCHEDULED if delay else State.AVAILABLE
        self.jobs[job_id] = ModelJob(state, self.now + delay, rerun=rerun, key=key)

    def holder(self, key: str) -> str | None:
        """The job that stands in the way of another of this key: the newest that has not ended."""
        alive = [job_id for job_id, job in self.jobs.items() if job.key == key and job.state not in FINAL]
        return max(alive, key=int, default=None)

    def step_ends(self) -> None:
        """What a store does at the end of a job, whichever way it ended."""

    def claimable(self, *, alone: bool) -> set[str]:
        """What a claim may lend."""
        wanted = State.SUSPENDED if alone else State.AVAILABLE
        return {job_id for job_id, job in self.jobs.items() if job.state is wanted}

    def lend(self, job_id: str, owner: str, receipt: str) -> ModelJob:
        """A claim."""
        job = self.jobs[job_id]
        if job.state is State.AVAILABLE:
            job.deaths = None
        job.state, job.owner, job.receipt = State.EXECUTING, owner, receipt
        # A wish to cancel was for the claim before.
        job.wish = False
        job.attempt += 1
        job.begun = self.now
        return job

    def held(self, owner: str) -> set[str]:
        """The jobs lent to an owner."""
        return {i for i, job in self.jobs.items() if job.state is State.EXECUTING and job.owner == owner}

    def settle(self, job_id: str, receipt: str, outcome: Outcome) -> Answer:
        """A settlement, first or repeated."""
        job = self.jobs.get(job_id)
        if job is not None and job.state is State.EXECUTING and job.receipt == receipt:
            self._apply(job, outcome)
            self._note(job_id, receipt, outcome)
            return "applied"
        return "repeated" if self._was_settled(job_id, receipt, outcome) else "gone"

    def _note(self, job_id: str, receipt: str, outcome: Outcome) -> None:
        if state_after(outcome) not in FINAL:
            self.settled.add((job_id, receipt))

    def _was_settled(self, job_id: str, receipt: str, outcome: Outcome) -> bool:
        """SQL marks what left its job alive, and reads the rest from the row."""
        if (job_id, receipt) in self.settled:
            return True
        job = self.jobs.get(job_id)
        ended = job is not None and job.receipt == receipt and job.state in FINAL
        return ended and self.jobs[job_id].state is state_after(outcome)

    def _apply(self, job: ModelJob, outcome: Outcome) -> None:
        if job.wish and state_after(outcome) not in FINAL:
            job.state, job.wish, job.deaths = State.CANCELLED, False, None
            return
        job.wish = False
        match outcome:
            case Retried(after=after):
                job.due, job.deaths = self.now + after, None
            case Snoozed(after=after):
                job.due, job.deaths = self.now + after, None
                job.attempt -= 1
            case Released(after=after):
                job.due = self.now + after if after else job.due
                job.attempt -= 1
            case SetAside(deaths=deaths):
                job.deaths = deaths
                job.attempt -= 1
            case _:
                job.deaths = None
        job.state = state_after(outcome)
        if isinstance(outcome, Released) and not outcome.after and job.deaths is not None:
            job.state = State.SUSPENDED

    def stage(self) -> int:
        """Make due jobs available."""
        due = [j for j in self.jobs.values() if j.state in {State.SCHEDULED, State.RETRYABLE} and j.due <= self.now]
        for job in due:
            job.state = State.AVAILABLE if job.deaths is None else State.SUSPENDED
        return len(due)

    def leave(self, owner: str) -> int:
        """Give back and forget, unless fenced."""
        given = self.held(owner)
        self._give_back(given)
        if self.owners.get(owner) is not None:
            del self.owners[owner]
        return len(given)

    def rescue(self) -> tuple[set[str], int]:
        """Fence the silent; give back what the fenced and the unknown hold."""
        silent = {owner for owner, end in self.owners.items() if end is not None and end < self.steady}
        for owner in silent:
            self.owners[owner] = None
        given = {job_id for job_id in self.running() if not self.owners.get(self.jobs[job_id].owner)}
        self._give_back(given)
        return silent, len(given)

    def restamp(self, age: float) -> set[str]:
        """What living owners have been running for so long, or since an instant to come."""
        living = {owner for owner, end in self.owners.items() if end is not None and end >= self.steady}
        jobs = {job_id: self.jobs[job_id] for job_id in self.running()}
        old = {i for i, job in jobs.items() if job.owner in living and not self.now - age <= job.begun <= self.now}
        for job_id in old:
            self.jobs[job_id].begun = self.now
        return old

    def forget_owner(self, owner: str) -> None:
        """Somebody deleted it by hand."""
        del self.owners[owner]

    def shown(self) -> dict[str, tuple[State, int]]:
        """State and attempt of every job that the store still shows."""
        return {job_id: (job.state, job.attempt) for job_id, job in self.jobs.items()}

    def cancel(self, job_id: str) -> int:
        """What a person asks for; how many it concerned."""
        job = self.jobs.get(job_id)
        if job is None or job.state in FINAL:
            return 0
        if job.state is State.EXECUTING and self._is_told(job.owner):
            job.wish = True
            self.asked.add(job.owner)
        else:
            job.state, job.deaths = State.CANCELLED, None
        return 1

    def _is_told(self, owner: str) -> bool:
        """Whether a wish waits for this owner's next look; a job that nobody runs is cancelled at once."""
        return self.owners.get(owner) is not None

    def cancel_outside(self, job_id: str) -> None:
        """What a foreign program writes, whoever runs the job."""
        job = self.jobs.get(job_id)
        if job is not None and job.state not in FINAL:
            job.state = State.CANCELLED

    def hand_out(self, job_id: str) -> None:
        """What a foreign program makes available again from under its owner."""
        self.jobs[job_id].state = State.AVAILABLE

    def give_up(self, job_id: str) -> None:
        """What a foreign program discards under its owner."""
        self.jobs[job_id].state = State.DISCARDED

    def delete_row(self, job_id: str) -> None:
        """What a foreign program deletes, whatever its state."""
        self.jobs.pop(job_id, None)

    def lend_outside(self, job_id: str) -> None:
        """What a foreign node claims."""
        self.lend(job_id, FOREIGN, "")

    def complete_outside(self, job_id: str) -> None:
        """What it completes."""
        self.jobs[job_id].state = State.COMPLETED

    def delete(self, job_id: str) -> int:
        """Take it away; a job that runs stays."""
        job = self.jobs.get(job_id)
        if job is None or job.state is State.EXECUTING:
            return 0
        del self.jobs[job_id]
        return 1

    def retry(self, job_id: str) -> int:
        """Run it again, now."""
        job = self.jobs.get(job_id)
        if job is None or job.state in {State.AVAILABLE, State.EXECUTING}:
            return 0
        job.state, job.due, job.deaths = State.AVAILABLE, self.now, None
        return 1

    def _give_back(self, job_ids: set[str]) -> None:
        for job in (self.jobs[job_id] for job_id in job_ids):
            if not job.rerun and not job.wish:
                # Nobody knows whether it ran, and what its owner still sends finds nothing.
                job.state, job.deaths, job.receipt = State.DISCARDED, None, ""
                continue
            job.attempt -= 1
            if job.wish:
                job.state, job.wish, job.deaths = State.CANCELLED, False, None
            else:
                job.state = State.AVAILABLE if job.deaths is None else State.SUSPENDED


@dataclass
class RedisModel(Model):
    """Where a job is an entry that moves: what completed or was cancelled is gone, and attempts are failures.

    A key is a lock: its job gives it back at its end, and never takes it again; of one that a foreign program took away
    it stays.
    """

    locks: dict[str, str] = field(default_factory=dict)
    taken_away: set[str] = field(default_factory=set)

    def insert(self, job_id: str, delay: float, *, rerun: bool = True, key: str = "") -> None:
        """A new job takes the lock of its key."""
        super().insert(job_id, delay, rerun=rerun, key=key)
        if key:
            self.locks[key] = job_id

    def holder(self, key: str) -> str | None:
        """Who has the lock."""
        return self.locks.get(key)

    def step_ends(self) -> None:
        """Who ended gives the lock back."""
        ended = {i for i in self.locks.values() if i not in self.jobs or self.jobs[i].state in FINAL} - self.taken_away
        self.locks = {key: job_id for key, job_id in self.locks.items() if job_id not in ended}

    def shown(self) -> dict[str, tuple[State, int]]:
        """What completed or was cancelled left nothing that stands anywhere."""
        gone = {State.COMPLETED, State.CANCELLED}
        return {job_id: place for job_id, place in super().shown().items() if place[0] not in gone}

    def delete(self, job_id: str) -> int:
        """Only what stands somewhere can be deleted."""
        return super().delete(job_id) if job_id in self.shown() else 0

    def hand_out(self, job_id: str) -> None:
        """The payload says nothing of the attempt that ran."""
        super().hand_out(job_id)
        self.jobs[job_id].attempt -= 1

    def delete_outside(self, job_id: str) -> None:
        """What a foreign program takes away, also from under its owner."""
        if job_id in self.shown():
            del self.jobs[job_id]
            self.taken_away.add(job_id)

    def retry(self, job_id: str) -> int:
        """Sidekiq's rule: what was tried is counted one less. A suspect only moves to the others."""
        if job_id not in self.shown():
            return 0
        job = self.jobs[job_id]
        taken = job.state in {State.RETRYABLE, State.DISCARDED}
        done = super().retry(job_id)
        job.attempt -= done and taken
        return done

    def restamp(self, age: float) -> set[str]:  # noqa: ARG002 - nobody judges by when a job began
        """There are no stamps."""
        return set()

    def _note(self, job_id: str, receipt: str, outcome: Outcome) -> None:  # noqa: ARG002 - one mark for every outcome
        self.settled.add((job_id, receipt))

    def _was_settled(self, job_id: str, receipt: str, outcome: Outcome) -> bool:  # noqa: ARG002 - as above
        return (job_id, receipt) in self.settled

    def _is_told(self, owner: str) -> bool:  # noqa: ARG002 - a rescue obeys in its place
        return True
