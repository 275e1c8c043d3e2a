"""Jobs in PostgreSQL, in the table of Oban: each verb of the contract, sent to its connection."""

import asyncio
import os
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Literal, TypeVar

import msgspec

from treadle.core.arguments import Shape
from treadle.core.clock import Clock
from treadle.core.controls import QueueControl
from treadle.core.cron_entry import CronEntry
from treadle.core.found import Page, Tally
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.errors import StoreError, UniqueUndecided
from treadle.stores import postgres_activity as activity
from treadle.stores import postgres_claims as claims
from treadle.stores import postgres_controls as controls
from treadle.stores import postgres_crons as crons
from treadle.stores import postgres_doctor as doctor
from treadle.stores import postgres_jobs as table
from treadle.stores import postgres_producers as producers
from treadle.stores import sql_search as search
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.broadcasts import Pulse
from treadle.stores.claim import Claim, Demand, Rescued, Settled, Settlement
from treadle.stores.contract import Ability, Watch
from treadle.stores.forks import while_alive
from treadle.stores.job_query import JobQuery
from treadle.stores.polling import until_orders
from treadle.stores.postgres_broadcasts import Broadcaster
from treadle.stores.postgres_connection import server_at
from treadle.stores.postgres_desks import Desks
from treadle.stores.postgres_query import PostgresTable, where_of
from treadle.stores.postgres_rows import check_kept
from treadle.stores.postgres_settle import Settle
from treadle.stores.postgres_transactions import AsyncPostgresOpened, PostgresOpened, open_async
from treadle.stores.postgres_watch import OrdersWatch, PostgresWatch
from treadle.stores.statements import ASIDE
from treadle.stores.ticks import Crontab, Firing
from treadle.stores.views import Finding, Orders, OwnerReport, QueueView, Result, Work, WorkerView

T = TypeVar("T")


class PostgresStore:
    """A store in one schema of one database. `pooled` says whether PgBouncer is in front; None has it found out."""

    shape = Shape.MAPPING
    abilities = frozenset(
        {Ability.PRIORITY, Ability.HISTORY, Ability.TRANSACTIONS, Ability.SIGNALS, Ability.BROADCASTS}
    )

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
        self._broadcaster = Broadcaster()
        self._inherited: list[Desks] = []
        self._begin()
        os.register_at_fork(after_in_child=while_alive(self._begin_in_child))

    async def open(self) -> None:
        """Connect, and make the tables that lack."""
        shape = await self._desks.back.run(table.open_tables)
        self._registers = shape.producers
        if not shape.suspended and self._server.aside == ASIDE:
            # An older table of Elixir's: what was set aside stays available there, and our claims pass it by.
            self._end()
            self._server = msgspec.structs.replace(self._server, aside=State.AVAILABLE.value)
            self._begin()

    async def aclose(self) -> None:
        """End what waits on the running loop."""
        self._desks.bell.forget(asyncio.get_running_loop())
        self._desks.signals.forget()

    def close(self) -> None:
        """End the threads and close the connections."""
        self._desks.close()

    async def insert(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """Insert all or none. Raises StoreFull, Unconfirmed, UniqueUndecided."""
        check_kept(jobs, self.shape)
        if tx is not None:
            return await self._desks.lent.insert(jobs, tx)
        if not jobs:
            return []
        inserts = self._desks.inserts
        wish = inserts.announce(jobs)
        try:
            inserted = await self._desks.inserting.call(lambda seat: inserts.serve(seat, wish))
        except UniqueUndecided:
            # Who waits for the end of a transaction lets the others pass.
            inserted = await asyncio.to_thread(self._desks.threads.call, lambda seat: inserts.now(seat, jobs))
        finally:
            inserts.withdraw(wish)
        self._desks.bell.ring()
        return inserted

    def insert_now(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """The same, on the calling thread."""
        check_kept(jobs, self.shape)
        if tx is not None:
            return self._desks.lent.insert_now(jobs, tx)
        inserts = self._desks.inserts
        inserted = self._desks.threads.call(lambda seat: inserts.now(seat, jobs)) if jobs else []
        self._desks.bell.ring()
        return inserted

    def transact_now(self, owner: str) -> PostgresOpened:  # noqa: ARG002 - a claim alone says whose it is
        """A transaction for the body of a job."""
        return PostgresOpened(self._server)

    async def transact(self, owner: str) -> AsyncPostgresOpened:  # noqa: ARG002 - as above
        """The same for a loop."""
        return await open_async(self._server)

    async def enroll(self, owner: str, lease: float) -> None:
        """Make an owner known. Raises Fenced for one that was declared dead."""
        await self._desks.front.run(claims.enroll, owner, lease)

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        """Lend what is available now. Raises Fenced, NotEnrolled."""
        self._turn += 1
        return await self._desks.front.run(
            claims.claim,
            owner,
            demands,
            receipt=self._draw(6).hex(),
            turn=self._turn,
            hints=self._desks.hints,
            large=self._desks.large,
        )

    async def held(self, owner: str) -> Sequence[Claim]:
        """Every claim that was lent to this owner and not got back, oldest first."""
        return await self._desks.front.run(claims.held, owner, self._desks.large)

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Those of these claims that are known to be held no more."""
        return await self._desks.front.run(claims.taken, keys)

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:  # noqa: ARG002
        """Give claims back with their outcomes. A claim alone says whose it is: no two owners share one."""
        settled = await self._desks.front.change(Settle(settlements))
        if settled is None:
            raise StoreError(
                f"expected the rows of {len(settlements)} jobs to be free, got some that another transaction keeps "
                f"locked; the others were settled"
            )
        return settled

    async def leave(self, owner: str) -> int:
        """Give every claim of this owner back untouched, and forget the owner."""
        left = await self._desks.front.change(claims.leave, owner)
        if self._registers:
            await self._desks.back.run(producers.unregister, [owner])
        return left

    def watch(self) -> Watch:
        """Changes by this process are told at once, those by others when they are heard of, or within a second."""
        self._desks.listener.start()
        return PostgresWatch(self._desks.bell, self._draw)

    def ring(self) -> None:
        """Wake whoever waits for a change; for those who hear of changes that others made. Callable on any thread."""
        self._desks.bell.ring()

    async def beat(self, owners: Mapping[str, float]) -> Mapping[str, Literal["alive", "fenced", "unknown"]]:
        """Renew the leases of the owners that are enrolled and not fenced."""
        return await self._desks.front.run(claims.beat, owners)

    async def report(self, report: OwnerReport) -> Sequence[str]:
        """Note what is served and was done."""
        await self._desks.back.run(activity.report, report)
        if self._registers:
            await self._desks.back.run(producers.register, report)
        return ()

    async def broadcast(self, pulses: Sequence[Pulse]) -> None:
        """Tell Oban's dashboards of these owners."""
        await self._desks.back.run(self._broadcaster.tell, pulses)

    async def broadcast_crontab(self, node: str, entries: Sequence[CronEntry]) -> None:
        """Tell Oban's dashboards which entries tick on this node."""
        await self._desks.back.run(self._broadcaster.tell_crontab, node, entries)

    async def stage(self, limit: int) -> int:
        """Make due jobs available."""
        return await self._desks.back.change(table.stage, limit)

    async def rescue(self, limit: int) -> Rescued:
        """Fence the owners whose lease ran out and give back their claims."""
        rescued = await self._desks.back.change(claims.rescue, limit)
        if self._registers and rescued.owners:
            await self._desks.back.run(producers.unregister, rescued.owners)
        return rescued

    async def restamp(self, age: float) -> int:
        """Stamp anew what living owners have been running for so long: Oban's rescuers judge by that alone."""
        if self._registers:
            await self._desks.back.run(producers.refresh)
        return await self._desks.back.run(claims.restamp, age)

    async def prune(self, older_than: Mapping[State, float], limit: int) -> int:
        """Delete finished jobs that ended more than so many seconds ago, and what is kept beside jobs for too long."""
        return await self._desks.back.change(table.prune, older_than, limit)

    async def control(self, control: QueueControl, queues: Collection[str]) -> None:
        """Pause these queues or resume them."""
        await self._desks.back.change(controls.control, control, queues)

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        """What workers were told since this position, in our table and by Oban's signals."""
        signals, listener = self._desks.signals, self._desks.listener
        signals.wanted = True
        listener.start()
        look = partial(self._desks.back.run, controls.orders, since, signals)
        return await until_orders(look, wait, OrdersWatch(signals, listener).wait)

    async def crontab(self) -> Crontab:
        """All the entries, and the server's clock."""
        return await self._desks.back.run(crons.crontab)

    async def declare_crons(self, entries: Sequence[CronEntry], *, fresh: bool) -> None:
        """Write down what a worker has in its code."""
        check_kept([entry.job for entry in entries], self.shape)
        await self._desks.back.run(crons.declare, entries, fresh=fresh)

    async def put_cron(self, entry: CronEntry) -> None:
        """Add or change an entry."""
        check_kept([entry.job], self.shape)
        await self._desks.back.run(crons.put, entry)

    async def pause_cron(self, name: str, *, paused: bool) -> bool:
        """Pause or resume an entry."""
        return await self._desks.back.run(crons.pause, name, paused=paused)

    async def remove_cron(self, name: str) -> bool:
        """Delete an entry."""
        return await self._desks.back.run(crons.remove, name)

    async def fire_cron(self, firing: Firing) -> Sequence[Inserted] | None:
        """Go on to a tick and insert its jobs, in one transaction."""
        check_kept(firing.jobs, self.shape)
        return await self._desks.back.change(crons.fire, firing, self._desks.inserts.ids)

    async def counts(self) -> Mapping[str, Mapping[State, int]]:
        """Queue → state → number of jobs."""
        return await self._desks.back.run(table.counts)

    async def queues(self) -> Mapping[str, QueueView]:
        """How the queues do."""
        return await self._desks.back.run(activity.queues)

    async def workers(self) -> Sequence[WorkerView]:
        """The live processes: ours by their leases, those of Oban's programs that register their queues by that."""
        ours = await self._desks.back.run(activity.workers)
        return [*ours, *await self._desks.back.run(producers.foreign)] if self._registers else ours

    async def work(self, owners: Sequence[str], queues: Sequence[str]) -> Work:
        """What a drain still has to wait for."""
        return await self._desks.back.run(table.work, owners, queues)

    async def set_aside(self, queues: Sequence[str]) -> int:
        """How many jobs of these queues wait to run alone."""
        return await self._desks.back.run(table.set_aside, queues)

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
            done += await self._desks.back.change(table.act, action, ids, where)
        return done

    async def result(self, job_id: str) -> Result | None:
        """How a job ended; None while it has not."""
        return await self._desks.back.run(table.result, job_id)

    async def diagnose(self, *, quick: bool = False) -> Sequence[Finding]:  # noqa: ARG002
        """Look at the server, its settings and its clock; everything is quick here."""
        return await self._desks.back.run(doctor.diagnose, self._clock)

    async def _look(self, step: Callable[[PostgresTable], T]) -> T:
        return await self._desks.back.run(lambda session: step(PostgresTable(session)))

    def _begin(self) -> None:
        self._desks = Desks(self._server, self._clock, self._draw)
        self._end = weakref.finalize(self, self._desks.close)

    def _begin_in_child(self) -> None:
        # Threads do not pass a fork, and a child that used or closed its parent's sockets would break its transactions.
        self._inherited.append(self._desks)
        self._end.detach()
        self._begin()
