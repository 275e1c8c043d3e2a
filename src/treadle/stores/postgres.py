"""Jobs in PostgreSQL, in the table of Oban: each verb of the contract, sent to its connection."""

import asyncio
import os
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from queue import Empty, LifoQueue
from typing import Concatenate, Literal, ParamSpec, TypeVar

import msgspec

from treadle.core.arguments import Shape
from treadle.core.clock import Clock
from treadle.core.controls import QueueControl
from treadle.core.cron_entry import CronEntry
from treadle.core.found import Page, Tally
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.errors import StoreError, StoreUnavailable
from treadle.stores import postgres_activity as activity
from treadle.stores import postgres_claims as claims
from treadle.stores import postgres_controls as controls
from treadle.stores import postgres_crons as crons
from treadle.stores import postgres_doctor as doctor
from treadle.stores import postgres_jobs as table
from treadle.stores import postgres_producers as producers
from treadle.stores import sql_search as search
from treadle.stores.bell import Bell
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.claim import Claim, Demand, Rescued, Settled, Settlement
from treadle.stores.contract import Ability, Watch
from treadle.stores.job_query import JobQuery
from treadle.stores.lane import Lane
from treadle.stores.polling import until_orders
from treadle.stores.postgres_connection import Seat, Server, Session, server_at
from treadle.stores.postgres_hearing import Signals, listener_of
from treadle.stores.postgres_hints import Hints
from treadle.stores.postgres_inserts import PATIENCE, Insert, check_kept
from treadle.stores.postgres_lent import LentInserts, identity
from treadle.stores.postgres_listener import Listener
from treadle.stores.postgres_query import PostgresTable, where_of
from treadle.stores.postgres_settle import Settle
from treadle.stores.postgres_transactions import AsyncPostgresOpened, PostgresOpened, open_async
from treadle.stores.postgres_watch import PostgresWatch
from treadle.stores.statements import ASIDE
from treadle.stores.ticks import Crontab, Firing
from treadle.stores.views import Finding, Orders, OwnerReport, QueueView, Result, Work, WorkerView

P = ParamSpec("P")
T = TypeVar("T")

# Claims and beats must not stand behind a settlement that waits for a row. Every statement here goes by an index, one
# row after the other; a plan that was made while the table was small must not go by another way for ever.
_FRONT_SETTINGS = {
    "lock_timeout": "250ms",
    **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"),
}
# Connections for threads that enqueue; more threads take turns.
_THREAD_SEATS = 8


class PostgresStore:
    """A store in one schema of one database. `pooled` says whether PgBouncer is in front; None has it found out.

    Three connections at most serve the loops of a process, each on a thread of its own: claims, settlements and beats
    on one, inserts on another, all else on the third. Up to eight more serve threads that enqueue.
    """

    shape = Shape.MAPPING
    abilities = frozenset({Ability.PRIORITY, Ability.HISTORY, Ability.TRANSACTIONS, Ability.SIGNALS})

    def __init__(
        self,
        url: str,
        *,
        schema: str,
        where: str,
        pooled: bool | None,
        clock: Clock,
        draw: Callable[[int], bytes] = os.urandom,  # noqa: TID251 - the default source of an argument, for ids alone
    ) -> None:
        self._server = server_at(url, schema, where, pooled=pooled)
        self._clock = clock
        self._draw = draw
        self._turn = 0
        # Known once the tables were looked at.
        self._registers = False
        self._begin()
        _begin_again_after_fork(self)
        weakref.finalize(self, _finish, self._desks)

    async def open(self) -> None:
        """Connect, and make the tables that lack."""
        shape = await self._back.run(table.open_tables)
        self._registers = shape.producers
        if not shape.suspended and self._server.aside == ASIDE:
            # An older table of Elixir's: what was set aside stays available there, and our claims pass it by.
            _finish(self._desks)
            self._server = msgspec.structs.replace(self._server, aside=State.AVAILABLE.value)
            self._begin()
            weakref.finalize(self, _finish, self._desks)

    async def aclose(self) -> None:
        """End what waits on the running loop."""
        self._bell.forget(asyncio.get_running_loop())

    def close(self) -> None:
        """End the threads and close the connections."""
        _finish(self._desks)

    async def insert(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """Insert all or none. Raises StoreFull, Unconfirmed."""
        check_kept(jobs, self.shape)
        if tx is not None:
            return await self._lent.insert(jobs, tx)
        inserted = await self._inserting.call(Insert(jobs, self._clock).run) if jobs else []
        self._bell.ring()
        return inserted

    def insert_now(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """The same, on the calling thread."""
        check_kept(jobs, self.shape)
        if tx is not None:
            return self._lent.insert_now(jobs, tx)
        inserted = self._threads.call(Insert(jobs, self._clock).run) if jobs else []
        self._bell.ring()
        return inserted

    def transact_now(self, owner: str) -> PostgresOpened:  # noqa: ARG002 - a claim alone says whose it is
        """A transaction for the body of a job."""
        return PostgresOpened(self._server)

    async def transact(self, owner: str) -> AsyncPostgresOpened:  # noqa: ARG002 - as above
        """The same for a loop."""
        return await open_async(self._server)

    async def enroll(self, owner: str, lease: float) -> None:
        """Make an owner known. Raises Fenced for one that was declared dead."""
        await self._front.run(claims.enroll, owner, lease)

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        """Lend what is available now. Raises Fenced, NotEnrolled."""
        self._turn += 1
        return await self._front.run(
            claims.claim, owner, demands, receipt=self._draw(6).hex(), turn=self._turn, hints=self._hints
        )

    async def held(self, owner: str) -> Sequence[Claim]:
        """Every claim that was lent to this owner and not got back, oldest first."""
        return await self._front.run(claims.held, owner)

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:  # noqa: ARG002
        """Give claims back with their outcomes. A claim alone says whose it is: no two owners share one."""
        settled = await self._change(self._front, Settle(settlements))
        if settled is None:
            raise StoreError(
                f"expected the rows of {len(settlements)} jobs to be free, got some that another transaction keeps "
                f"locked; the others were settled"
            )
        return settled

    async def leave(self, owner: str) -> int:
        """Give every claim of this owner back untouched, and forget the owner."""
        left = await self._change(self._front, claims.leave, owner)
        if self._registers:
            await self._back.run(producers.unregister, [owner])
        return left

    def watch(self) -> Watch:
        """Changes by this process are told at once, those by others when they are heard of, or within a second."""
        self._listener.start()
        return PostgresWatch(self._bell, self._draw)

    def ring(self) -> None:
        """Wake whoever waits for a change; for those who hear of changes that others made. Callable on any thread."""
        self._bell.ring()

    async def beat(self, owners: Mapping[str, float]) -> Mapping[str, Literal["alive", "fenced", "unknown"]]:
        """Renew the leases of the owners that are enrolled and not fenced."""
        return await self._front.run(claims.beat, owners)

    async def report(self, report: OwnerReport) -> Sequence[str]:
        """Note what is served and was done."""
        await self._back.run(activity.report, report)
        if self._registers:
            await self._back.run(producers.register, report)
        return ()

    async def stage(self, limit: int) -> int:
        """Make due jobs available."""
        return await self._change(self._back, table.stage, limit)

    async def rescue(self, limit: int) -> Rescued:
        """Fence the owners whose lease ran out and give back their claims."""
        rescued = await self._change(self._back, claims.rescue, limit)
        if self._registers and rescued.owners:
            await self._back.run(producers.unregister, rescued.owners)
        return rescued

    async def restamp(self, age: float) -> int:
        """Stamp anew what living owners have been running for so long: Oban's rescuers judge by that alone."""
        if self._registers:
            await self._back.run(producers.refresh)
        return await self._back.run(claims.restamp, age)

    async def prune(self, older_than: Mapping[State, float], limit: int) -> int:
        """Delete finished jobs that ended more than so many seconds ago, and what is kept beside jobs for too long."""
        return await self._change(self._back, table.prune, older_than, limit)

    async def control(self, control: QueueControl, queues: Collection[str]) -> None:
        """Pause these queues or resume them."""
        await self._change(self._back, controls.control, control, queues)

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        """What workers were told since this position, in our table and by Oban's signals. Looked for twice a second."""
        self._listener.start()
        return await until_orders(lambda: self._back.run(controls.orders, since, self._signals), wait)

    async def crontab(self) -> Crontab:
        """All the entries, and the server's clock."""
        return await self._back.run(crons.crontab)

    async def declare_crons(self, entries: Sequence[CronEntry], *, fresh: bool) -> None:
        """Write down what a worker has in its code."""
        check_kept([entry.job for entry in entries], self.shape)
        await self._back.run(crons.declare, entries, fresh=fresh)

    async def put_cron(self, entry: CronEntry) -> None:
        """Add or change an entry."""
        check_kept([entry.job], self.shape)
        await self._back.run(crons.put, entry)

    async def pause_cron(self, name: str, *, paused: bool) -> bool:
        """Pause or resume an entry."""
        return await self._back.run(crons.pause, name, paused=paused)

    async def remove_cron(self, name: str) -> bool:
        """Delete an entry."""
        return await self._back.run(crons.remove, name)

    async def fire_cron(self, firing: Firing) -> Sequence[Inserted] | None:
        """Go on to a tick and insert its jobs, in one transaction."""
        check_kept(firing.jobs, self.shape)
        return await self._change(self._back, crons.fire, firing)

    async def counts(self) -> Mapping[str, Mapping[State, int]]:
        """Queue → state → number of jobs."""
        return await self._back.run(table.counts)

    async def queues(self) -> Mapping[str, QueueView]:
        """How the queues do."""
        return await self._back.run(activity.queues)

    async def workers(self) -> Sequence[WorkerView]:
        """The live processes: ours by their leases, those of Oban's programs that register their queues by that."""
        ours = await self._back.run(activity.workers)
        return [*ours, *await self._back.run(producers.foreign)] if self._registers else ours

    async def work(self, owners: Sequence[str], queues: Sequence[str]) -> Work:
        """What a drain still has to wait for."""
        return await self._back.run(table.work, owners, queues)

    async def set_aside(self, queues: Sequence[str]) -> int:
        """How many jobs of these queues wait to run alone."""
        return await self._back.run(table.set_aside, queues)

    async def find(self, query: JobQuery) -> Page:
        """The jobs that match, newest first, at most `query.limit`."""
        return await search.find(self._look, query, where_of(query.whole), self._clock)

    async def tally(self, query: JobQuery) -> Tally:
        """How many jobs match, by state."""
        return await search.tally(self._look, query, where_of(query.whole), self._clock)

    async def act(self, action: Literal["retry", "cancel", "delete"], query: JobQuery) -> int:
        """Do this to every job that matches. The cancel of a running job is a wish that its owner is told."""
        done, where = 0, where_of(query.whole)
        async for ids in search.pages(self._look, query, where):
            done += await self._change(self._back, table.act, action, ids, where)
        return done

    async def result(self, job_id: str) -> Result | None:
        """How a job ended; None while it has not."""
        return await self._back.run(table.result, job_id)

    async def diagnose(self, *, quick: bool = False) -> Sequence[Finding]:  # noqa: ARG002
        """Look at the server, its settings and its clock; everything is quick here."""
        return await self._back.run(doctor.diagnose, self._clock)

    async def _look(self, step: Callable[[PostgresTable], T]) -> T:
        return await self._back.run(lambda session: step(PostgresTable(session)))

    async def _change(
        self, desk: "_Desk", step: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A step after which somebody may find work, or a result."""
        done = await desk.run(step, *args, **kwargs)
        if desk is self._back:
            self._hints.forget()
        self._bell.ring()
        return done

    def _begin(self) -> None:
        self._front = _Desk("treadle-postgres", self._server, _FRONT_SETTINGS)
        self._inserting = _Desk("treadle-postgres-insert", self._server)
        self._back = _Desk("treadle-postgres-back", self._server)
        self._threads = _Seats(self._server)
        own_now = partial(self._threads.call, lambda seat: seat.run(identity))
        self._lent = LentInserts(self._server, own_now, partial(self._back.run, identity))
        self._bell = Bell(lambda: 0, alone=True)
        self._signals = Signals()
        self._listener = listener_of(self._server, self._bell, self._threads.call, self._clock, self._signals)
        self._hints = Hints(self._clock)
        self._desks = (self._listener, self._front, self._inserting, self._back, self._threads)


class _Desk:
    """A connection with a thread of its own, for every loop of the process."""

    def __init__(self, name: str, server: Server, settings: Mapping[str, str] | None = None) -> None:
        self._lane = Lane(name)
        self._seat = Seat(server, settings)

    async def run(self, step: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._lane.run(lambda: self._seat.run(lambda session: step(session, *args, **kwargs)))

    async def call(self, job: Callable[[Seat], T]) -> T:
        return await self._lane.run(partial(job, self._seat))

    def close(self) -> None:
        self._lane.stop()
        self._seat.close()


class _Seats:
    """Connections for threads; the one that was used last is lent first."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free: LifoQueue[Seat] = LifoQueue()
        for _ in range(_THREAD_SEATS):
            self._free.put(Seat(server))
        self._closings = 0

    def call(self, job: Callable[[Seat], T]) -> T:
        try:
            seat = self._free.get(timeout=PATIENCE)
        except Empty:
            raise StoreUnavailable(
                f"expected one of {_THREAD_SEATS} connections to PostgreSQL at {self._server.where} to be free within "
                f"{PATIENCE:g} s, got none: too many threads enqueue at once, or the server is slow"
            ) from None
        closings = self._closings
        try:
            return job(seat)
        finally:
            if closings != self._closings:
                # Nobody else could close it while it was lent.
                seat.close()
            self._free.put(seat)

    def close(self) -> None:
        self._closings += 1
        free = []
        while not self._free.empty():
            free.append(self._free.get())
        for seat in free:
            seat.close()
            self._free.put(seat)


def _finish(desks: "tuple[Listener | _Desk | _Seats, ...]") -> None:
    """The end of a store that nobody closed."""
    for desk in desks:
        desk.close()


def _begin_again_after_fork(store: PostgresStore) -> None:
    # Threads do not pass a fork, and a child that used or closed its parent's sockets would break its transactions.
    known = weakref.ref(store)
    inherited: list[object] = []

    def begin() -> None:
        living = known()
        if living is not None:
            inherited.append(living._desks)  # noqa: SLF001 - this module's own class
            living._begin()  # noqa: SLF001 - as above

    os.register_at_fork(after_in_child=begin)
