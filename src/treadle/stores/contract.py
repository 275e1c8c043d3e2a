"""What a store promises to the rest of treadle, grouped by who calls it.

Outcomes and new jobs carry durations; a store adds its own clock. Every verb may raise StoreUnavailable, after which it
may be called again with the same values: an insert makes no second job, a claim that was lost is found by `held`, a
settlement that had been applied is answered REPEATED.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Literal, Protocol

from treadle.core.arguments import Shape
from treadle.core.controls import QueueControl
from treadle.core.found import Page, Tally
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.core.uniqueness import check_lock
from treadle.errors import ConfigError
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.claim import Claim, Demand, Rescued, Settled, Settlement
from treadle.stores.job_query import JobQuery
from treadle.stores.ticks import Ticks
from treadle.stores.views import Finding, Orders, OwnerReport, QueueView, Result, Work, WorkerView


class Ability(StrEnum):
    """What not every store can do."""

    PRIORITY = "priority"
    """Jobs of a lower `priority` are claimed first."""

    SIGNALS = "signals"
    """What queues are told is told to the nodes of foreign programs too, and obeyed by them."""

    BROADCASTS = "broadcasts"
    """Dashboards of foreign programs listen to what workers do, rather than look; see stores/broadcasts.py."""

    HISTORY = "history"
    """Jobs that ended stay to be found until they are pruned or deleted: one that is not found is gone."""

    TRANSACTIONS = "transactions"
    """Jobs can be inserted in a transaction of the user's own database."""


class Watch(Protocol):
    """Armed when it is made: a change that comes between a look at the store and `wait` is not missed."""

    async def wait(self, timeout: float) -> None:
        """Return at the store's next change, or after `timeout` seconds; it may return early without reason."""
        ...


class Produces(Protocol):
    """Called by producers."""

    shape: Shape
    abilities: frozenset[Ability]

    async def insert(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """Insert all or none; what came of each, in order. Raises StoreFull, Unconfirmed, UniqueUndecided.

        With `tx` it is done on the connection that a user lent, and stands or falls with his transaction there; the
        errors are those of his driver. It may then come before `open`, which could wait for that very transaction.
        Raises ConfigError for another server, database or schema, and for what is in no transaction.
        """
        ...

    def insert_now(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """The same, blocking; safe on any thread. What a loop lends is for `insert`, all else for this one."""
        ...


class Consumes(Protocol):
    """Called by the process that runs jobs."""

    async def enroll(self, owner: str, lease: float) -> None:
        """Make an owner known, durably, before its first claim. Raises Fenced for one that was declared dead."""
        ...

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        """Lend what is available now, without waiting; nothing of a paused queue. Raises Fenced, NotEnrolled."""
        ...

    async def held(self, owner: str) -> Sequence[Claim]:
        """Every claim that the store has lent to this owner and not got back, oldest first."""
        ...

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Those of these claims that are known to be held no more: what ended, or is in other hands or none.

        A store that lost its data knows of none, nor does one that keeps nothing of a job that has ended.
        """
        ...

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Give claims back with their outcomes; one answer for each, in order. A miss concerns that claim alone.

        Where somebody asked for a cancel, an outcome after which the job would come again leaves it cancelled instead.
        """
        ...

    async def leave(self, owner: str) -> int:
        """Give every claim of this owner back untouched, and forget the owner; how many there were.

        Here and at a rescue a job ends instead of coming back: as cancelled where somebody wished it (the wish survives
        the owner), as discarded with the failure LOST where `rerun` is False. Who knows that such a job has not begun
        settles it as Released before.
        """
        ...

    def watch(self) -> Watch:
        """A watch on everything that this store object has looked at."""
        ...


class Reports(Protocol):
    """Called every few seconds for a living process."""

    async def beat(self, owners: Mapping[str, float]) -> Mapping[str, Literal["alive", "fenced", "unknown"]]:
        """Renew the leases (owner → seconds). Only an owner that is still enrolled and not fenced is renewed."""
        ...

    async def report(self, report: OwnerReport) -> Sequence[str]:
        """Show an owner on dashboards; the names of the signals that were sent to it from there, oldest first."""
        ...


class Keeps(Protocol):
    """Called by the services; each is safe to run on any number of nodes at once."""

    async def stage(self, limit: int) -> int:
        """Make due scheduled and retryable jobs available, at most `limit`; how many were."""
        ...

    async def rescue(self, limit: int) -> Rescued:
        """Fence the owners whose lease ran out and give back their claims, at most `limit`."""
        ...

    async def restamp(self, age: float) -> int:
        """Stamp anew what living owners have been running for `age` seconds; how many jobs it were.

        Foreign programs on the same jobs take for dead what was begun long ago. Where none judges so, nothing is done.
        """
        ...

    async def prune(self, older_than: Mapping[State, float], limit: int) -> int:
        """Delete finished jobs that ended more than so many seconds ago; how many were.

        Where foreign programs keep theirs in the same place, those that a worker of ours held last, and those that
        nobody ever held in a queue that ours serve.
        """
        ...


class Controls(Protocol):
    """Called by people and by programs that they write; the workers listen."""

    async def control(self, control: QueueControl, queues: Collection[str]) -> None:
        """Do this to these queues, for which `control.queue` stands; a claim that begins later respects it."""
        ...

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        """What workers were told since this position; None gives the present one, and no orders.

        It returns when there is an order, soon after it was given, or after `wait` seconds. A cancel of running jobs is
        such an order, to their owner; the wish itself stands with the claim, so one that is not heard is not lost.
        """
        ...


class Inspects(Protocol):
    """Called by people: handles, the command line, the doctor."""

    async def counts(self) -> Mapping[str, Mapping[State, int]]:
        """Queue → state → number of jobs; ANY_QUEUE stands for a queue that is not told. Always quick.

        States that a store does not keep are missing. Of a million jobs, what is over 10,000 may be estimated.
        """
        ...

    async def queues(self) -> Mapping[str, QueueView]:
        """How the queues do. Costs the same however many jobs wait; a queue with nothing to tell may be missing."""
        ...

    async def workers(self) -> Sequence[WorkerView]:
        """The live processes: ours by their leases, those of foreign programs by their own rules."""
        ...

    async def work(self, owners: Sequence[str], queues: Sequence[str]) -> Work:
        """What a drain still has to wait for."""
        ...

    async def set_aside(self, queues: Sequence[str]) -> int:
        """How many jobs of these queues wait to run alone; those of paused queues are not counted."""
        ...

    async def find(self, query: JobQuery) -> Page:
        """The jobs that match, at most `query.limit`; `core/query_match.py` says which do. Raises QueryError."""
        ...

    async def tally(self, query: JobQuery) -> Tally:
        """How many jobs match, by state, without a limit. Raises QueryError."""
        ...

    async def act(self, action: Literal["retry", "cancel", "delete"], query: JobQuery) -> int:
        """Do this to every job that matches, page by page; how many it was done to.

        A job that does not match any more when its turn comes is left alone. Bounds of the query are not heeded.
        """
        ...

    async def result(self, job_id: str) -> Result | None:
        """How a job ended; None while it has not, or where the store kept nothing of it."""
        ...

    async def diagnose(self, *, quick: bool = False) -> Sequence[Finding]:
        """Look for what endangers jobs in this store: schema, settings of the server, clocks.

        An error means that jobs may be lost while everything works. `quick` leaves out what takes long on much data.
        """
        ...


def refuse_tx(store: Produces, tx: object) -> None:
    """Raise ConfigError for a transaction on a store that has none to share."""
    if tx is not None and Ability.TRANSACTIONS not in store.abilities:
        raise ConfigError(
            "expected no tx= on this store, which shares no transactions with your data, got one: give after_commit= "
            "instead, which enqueues when yours is committed"
        )


def check_able(store: Produces, job: NewJob) -> NewJob:
    """The job, if this store can do all that it asks for. Raises ConfigError."""
    if job.priority and Ability.PRIORITY not in store.abilities:
        raise ConfigError(
            f'job "{job.name}": expected priority 0 on this store, which has none, got {job.priority}: give what is '
            f"urgent a queue and slots of its own"
        )
    if job.unique is not None and Ability.HISTORY not in store.abilities:
        check_lock(job.unique.rule, job.name)
    return job


class Store(Produces, Consumes, Reports, Keeps, Ticks, Controls, Inspects, Protocol):
    """A place where jobs are kept. One object serves every thread and loop of one process."""

    async def open(self) -> None:
        """Connect, and make the tables that lack; called before anything else, and harmless when repeated."""
        ...

    async def aclose(self) -> None:
        """Close what belongs to the running loop."""
        ...

    def close(self) -> None:
        """Close everything."""
        ...
