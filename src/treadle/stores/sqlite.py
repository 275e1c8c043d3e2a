"""Jobs in an SQLite file, in the table of Oban's Lite engine: each verb of the contract, sent to its connection."""

import asyncio
import os
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Concatenate, Literal, ParamSpec, TypeVar

from treadle.core.arguments import Shape
from treadle.core.clock import Clock
from treadle.core.controls import QueueControl
from treadle.core.cron_entry import CronEntry
from treadle.core.found import Page, Tally
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.errors import ConfigError
from treadle.stores import sql_search as search
from treadle.stores import sqlite_activity as activity
from treadle.stores import sqlite_claims as claims
from treadle.stores import sqlite_controls as controls
from treadle.stores import sqlite_crons as crons
from treadle.stores import sqlite_doctor as doctor
from treadle.stores import sqlite_jobs as table
from treadle.stores.bell import Bell
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.claim import Claim, Demand, Rescued, Settled, Settlement
from treadle.stores.contract import Ability, Watch, refuse_tx
from treadle.stores.forks import while_alive
from treadle.stores.job_query import JobQuery
from treadle.stores.lane import Lane
from treadle.stores.large import AtHand
from treadle.stores.oban import check
from treadle.stores.polling import until_orders
from treadle.stores.sqlite_database import IN_MEMORY, Database
from treadle.stores.sqlite_inserts import Inserts
from treadle.stores.sqlite_lent import on_blocking, on_loop
from treadle.stores.sqlite_query import SqliteTable, where_of
from treadle.stores.sqlite_settle import settle
from treadle.stores.sqlite_transactions import AsyncSqliteOpened, SqliteOpened
from treadle.stores.ticks import Crontab, Firing
from treadle.stores.views import Finding, Orders, OwnerReport, QueueView, Result, Work, WorkerView

# Seconds of waiting for the file after which others had to wait for it too: a process may lock it for as long as one of
# its threads holds the GIL in the middle of a transaction of another.
_LOCKED = 1.0

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore:
    """A store in one file, or in memory with the path ":memory:"; then it belongs to the process that made it.

    `sync` is "normal", safe against the death of processes, or "full", safe against power cuts too. One that stands in
    for another store takes jobs as that one does: with its `shape` and its `abilities`; in memory it takes those of a
    transaction at once, whatever becomes of that.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock,
        sync: str,
        shape: Shape = Shape.MAPPING,
        abilities: frozenset[Ability] | None = None,
    ) -> None:
        self.shape = shape
        self.abilities = _abilities(path) if abilities is None else abilities
        self._clock = clock
        self._database = Database(path, sync)
        self._turn = 0
        self._large = AtHand()
        self._last_rescue: Literal["judged", "excused", "failed"] = "judged"
        self._begin()
        os.register_at_fork(after_in_child=while_alive(self._begin_in_child))

    async def open(self) -> None:
        """Open the file and make the tables that lack."""
        await self._lane.run(self._database.open)

    async def aclose(self) -> None:
        """End what waits on the running loop."""
        self._bell.forget(asyncio.get_running_loop())

    def close(self) -> None:
        """End the threads and close the file; what was in memory is gone."""
        _finish(self._lane, self._reading, self._database)

    async def insert(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """Insert all or none. Raises StoreFull, Unconfirmed."""
        refuse_tx(self, tx)
        if tx is not None and not self._database.in_memory:
            return await on_loop(tx, self._inserts.step(jobs))
        wish = self._inserts.announce(jobs)
        inserted = await self._lane.run(partial(self._inserts.serve, wish))
        self._bell.ring()
        return inserted

    def insert_now(self, jobs: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """The same, on the calling thread."""
        refuse_tx(self, tx)
        if tx is not None and not self._database.in_memory:
            return on_blocking(tx, self._inserts.step(jobs))
        inserted = self._inserts.now(jobs)
        self._bell.ring()
        return inserted

    def transact_now(self, owner: str) -> SqliteOpened:
        """A transaction for the body of a job."""
        if self._database.in_memory:
            raise ConfigError("expected transaction() in a worker on a file of SQLite, got a store in memory")
        return SqliteOpened(self._database.path, owner, self._clock, self._bell.ring)

    async def transact(self, owner: str) -> AsyncSqliteOpened:
        """The same for a loop, which does not wait for the lock of the file itself."""
        return AsyncSqliteOpened(await asyncio.to_thread(self.transact_now, owner))

    async def enroll(self, owner: str, lease: float) -> None:
        """Make an owner known. Raises Fenced for one that was declared dead."""
        await self._write(lambda connection: claims.enroll(connection, owner, lease, self._instant()))

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        """Lend what is available now. Raises Fenced, NotEnrolled."""
        self._turn += 1
        turn = self._turn
        lent = await self._write(lambda connection: claims.claim(connection, owner, demands, self._clock.now(), turn))
        self._large.add(lent)
        return lent

    async def held(self, owner: str) -> Sequence[Claim]:
        """Every claim that was lent to this owner and not got back, oldest first."""
        return await self._read(claims.held, owner, self._large.now())

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Those of these claims that are known to be held no more."""
        return await self._read(claims.taken, keys)

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Give claims back with their outcomes, in one transaction."""
        return await self._change(lambda connection: settle(connection, owner, settlements, self._clock.now()))

    async def leave(self, owner: str) -> int:
        """Give every claim of this owner back untouched, and forget the owner."""
        return await self._change(lambda connection: claims.leave(connection, owner, self._clock.now()))

    def watch(self) -> Watch:
        """Changes by this process are told at once, those by others within 20 ms."""
        return self._bell.watch()

    async def beat(self, owners: Mapping[str, float]) -> Mapping[str, Literal["alive", "fenced", "unknown"]]:
        """Renew the leases of the owners that are enrolled and not fenced."""
        return await self._write(lambda connection: claims.beat(connection, owners, self._instant()))

    async def report(self, report: OwnerReport) -> Sequence[str]:
        """Note what is served and was done. No signals: Oban's Lite engine has no dashboard that shows processes."""
        await self._write(lambda connection: activity.report(connection, report, self._clock.now()))
        return ()

    async def stage(self, limit: int) -> int:
        """Make due jobs available."""
        return await self._change(lambda connection: table.stage(connection, limit, self._clock.now()))

    async def rescue(self, limit: int) -> Rescued:
        """Fence the owners whose lease ran out and give back their claims.

        Whoever kept the file locked kept the beats of all owners from it: after that, nobody is judged once.
        """
        asked, last, self._last_rescue = self._clock.steady(), self._last_rescue, "failed"

        def step(connection: Connection) -> Rescued:
            at = self._instant()
            late = last == "failed" or (last == "judged" and at.steady - asked > _LOCKED)
            self._last_rescue = "excused" if late else "judged"
            return claims.rescue(connection, limit, at, judging=not late)

        return await self._change(step)

    async def restamp(self, age: float) -> int:
        """Stamp anew what living owners have been running for so long: Oban's rescuers judge by that alone."""
        return await self._write(lambda connection: claims.restamp(connection, age, self._instant()))

    async def prune(self, older_than: Mapping[State, float], limit: int) -> int:
        """Delete finished jobs that ended more than so many seconds ago, and what is kept beside jobs for too long."""
        now = self._clock.now()
        found = await self._read(table.finished_before, older_than, limit, now)
        return await self._change(lambda connection: table.prune(connection, found, now))

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        """What workers were told since this position. Looked for, twice a second."""
        return await until_orders(lambda: self._read(controls.orders, since), wait)

    async def control(self, control: QueueControl, queues: Collection[str]) -> None:
        """Pause these queues or resume them."""
        await self._change(lambda connection: controls.control(connection, control, queues, self._clock.now()))

    async def crontab(self) -> Crontab:
        """All the entries, and the clock."""
        return await self._read(crons.crontab, self._clock.now())

    async def declare_crons(self, entries: Sequence[CronEntry], *, fresh: bool) -> None:
        """Write down what a worker has in its code."""
        check([entry.job for entry in entries], self.shape)
        await self._write(lambda connection: crons.declare(connection, entries, self._clock.now(), fresh=fresh))

    async def put_cron(self, entry: CronEntry) -> None:
        """Add or change an entry."""
        check([entry.job], self.shape)
        await self._write(lambda connection: crons.put(connection, entry, self._clock.now()))

    async def pause_cron(self, name: str, *, paused: bool) -> bool:
        """Pause or resume an entry."""
        return await self._write(lambda connection: crons.pause(connection, name, self._clock.now(), paused=paused))

    async def remove_cron(self, name: str) -> bool:
        """Delete an entry."""
        return await self._write(lambda connection: crons.remove(connection, name, self._clock.now()))

    async def fire_cron(self, firing: Firing) -> Sequence[Inserted] | None:
        """Go on to a tick and insert its jobs, in one transaction."""
        check(firing.jobs, self.shape)
        return await self._change(lambda connection: crons.fire(connection, firing, self._clock.now()))

    async def counts(self) -> Mapping[str, Mapping[State, int]]:
        """Queue → state → number of jobs."""
        return await self._read(table.counts)

    async def queues(self) -> Mapping[str, QueueView]:
        """How the queues do."""
        return await self._read(activity.queues, self._clock.now())

    async def workers(self) -> Sequence[WorkerView]:
        """The live processes; of foreign programs nothing is known here."""
        return await self._read(activity.workers, self._instant())

    async def work(self, owners: Sequence[str], queues: Sequence[str]) -> Work:
        """What a drain still has to wait for."""
        return await self._read(table.work, owners, queues)

    async def set_aside(self, queues: Sequence[str]) -> int:
        """How many jobs of these queues wait to run alone."""
        return await self._read(table.set_aside, queues)

    async def find(self, query: JobQuery) -> Page:
        """The jobs that match, newest first, at most `query.limit`."""
        return await search.find(self._look, query, self._where(query), self._clock)

    async def tally(self, query: JobQuery) -> Tally:
        """How many jobs match, by state."""
        return await search.tally(self._look, query, self._where(query), self._clock)

    async def act(self, action: Literal["retry", "cancel", "delete"], query: JobQuery) -> int:
        """Do this to every job that matches. The cancel of a running job is a wish that its owner is told."""
        done, where = 0, self._where(query)
        async for ids in search.pages(self._look, query, where):
            done += await self._change(partial(table.act, action, ids, where, self._clock.now()))
        return done

    async def result(self, job_id: str) -> Result | None:
        """How a job ended; None while it has not."""
        return await self._read(table.result, job_id)

    async def diagnose(self, *, quick: bool = False) -> Sequence[Finding]:
        """Look at the file, its disk and its settings."""
        return await self._read(
            doctor.diagnose, Path(self._database.path), in_memory=self._database.in_memory, quick=quick
        )

    async def _write(self, step: Callable[[Connection], T]) -> T:
        return await self._lane.run(partial(self._database.write, step))

    async def _change(self, step: Callable[[Connection], T]) -> T:
        """A write after which somebody may find work, or a result."""
        done = await self._write(step)
        self._bell.ring()
        return done

    async def _read(self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._reading.run(
            partial(self._database.read, lambda connection: step(connection, *args, **kwargs))
        )

    async def _look(self, step: Callable[[SqliteTable], T]) -> T:
        return await self._read(lambda connection: step(SqliteTable(connection)))

    def _where(self, query: JobQuery) -> search.Where:
        return where_of(query.whole, self._clock.now())

    def _instant(self) -> claims.Instant:
        return claims.Instant(self._clock.now(), self._clock.steady(), self._boot)

    def _begin(self) -> None:
        self._boot = doctor.boot_id()
        self._lane = Lane("treadle-sqlite-write")
        self._reading = Lane("treadle-sqlite-read")
        self._inserts = Inserts(self._database, self._clock, self.shape)
        self._bell = Bell(self._database.version, alone=self._database.in_memory)
        self._end = weakref.finalize(self, _finish, self._lane, self._reading, self._database)

    def _begin_in_child(self) -> None:
        # Threads do not pass a fork, and a lock that one of them held would stay held.
        self._end.detach()
        self._begin()


def _abilities(path: str) -> frozenset[Ability]:
    # What is in memory has no second connection that could be lent.
    abilities = {Ability.PRIORITY, Ability.HISTORY}
    return frozenset(abilities if path == IN_MEMORY else {*abilities, Ability.TRANSACTIONS})


def _finish(writing: Lane, reading: Lane, database: Database) -> None:
    """The end of a store that nobody closed."""
    writing.stop()
    reading.stop()
    database.close()
