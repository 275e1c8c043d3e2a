"""Jobs in Redis, in the keys of Sidekiq: each verb of the contract, with the connections that it goes over."""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from treadle.core.arguments import Shape
from treadle.core.clock import Clock
from treadle.core.controls import QueueControl
from treadle.core.cron_entry import CronEntry
from treadle.core.found import Page, Tally
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.errors import Unconfirmed
from treadle.stores import redis_activity as activity
from treadle.stores import redis_claims as claims
from treadle.stores import redis_controls as controls
from treadle.stores import redis_crons as crons
from treadle.stores import redis_dashboard as dashboard
from treadle.stores import redis_doctor as doctor
from treadle.stores import redis_inspection as inspection
from treadle.stores import redis_jobs as jobs
from treadle.stores import redis_rescue as giving_back
from treadle.stores import redis_unique as unique
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.claim import Claim, Demand, Rescued, Settled, Settlement
from treadle.stores.contract import Ability, Watch, refuse_tx
from treadle.stores.job_query import JobQuery
from treadle.stores.redis_client import Client, Draw
from treadle.stores.redis_errors import ReplyLost
from treadle.stores.redis_scripts import ScriptCall
from treadle.stores.redis_settle import settle
from treadle.stores.redis_watch import RedisWatch
from treadle.stores.ticks import Crontab, Firing
from treadle.stores.views import Finding, Orders, OwnerReport, QueueView, Result, Work, WorkerView


class RedisStore:
    """A store in one Redis or Valkey, shared with Sidekiq.

    `where` is the URL as people may see it. `namespace` stands before every key, as with the redis-namespace gem.
    `clock` is for patience and for the doctor: every instant that is stored is the server's. `draw` gives random bytes.
    """

    shape = Shape.LIST
    abilities: frozenset[Ability] = frozenset()

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        namespace: str = "",
        where: str | None = None,
        draw: Draw = os.urandom,  # noqa: TID251 - the default source of an argument, for ids alone
    ) -> None:
        self._client = Client(url, where or url, namespace, clock, draw)
        self._clock = clock

    async def open(self) -> None:
        """Connect."""
        await self._client.back.ask(("PING",))

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._client.connections.aclose()

    def close(self) -> None:
        """Close the connections of code without a loop."""
        self._client.connections.close()

    async def insert(self, new: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """Insert all or none; not in a user's transaction. Raises StoreFull, Unconfirmed."""
        refuse_tx(self, tx)
        if not new:
            return ()
        ids, call = self._insertion(new)
        try:
            reply = await self._client.back.insist(call, jobs.patience(len(new)))
        except ReplyLost as error:
            raise Unconfirmed(str(error), ids) from error
        if call.name == "insert":
            return [Inserted(jid) for jid in ids]
        inserted, changes = unique.outcome(self._client, new, ids, reply)
        for change in changes:
            await self._client.back.insist(change, jobs.PATIENCE)
        return inserted

    def insert_now(self, new: Sequence[NewJob], *, tx: Borrowed | None = None) -> Sequence[Inserted]:
        """The same, blocking; safe on any thread."""
        refuse_tx(self, tx)
        if not new:
            return ()
        ids, call = self._insertion(new)
        try:
            reply = self._client.thread.insist(call, jobs.patience(len(new)))
        except ReplyLost as error:
            raise Unconfirmed(str(error), ids) from error
        if call.name == "insert":
            return [Inserted(jid) for jid in ids]
        inserted, changes = unique.outcome(self._client, new, ids, reply)
        for change in changes:
            self._client.thread.insist(change, jobs.PATIENCE)
        return inserted

    def _insertion(self, new: Sequence[NewJob]) -> tuple[tuple[str, ...], ScriptCall]:
        build = jobs.insertion if all(job.unique is None for job in new) else unique.insertion
        return build(self._client, new)

    async def enroll(self, owner: str, lease: float) -> None:
        """Make an owner known. Raises Fenced for one that was declared dead."""
        await claims.enroll(self._client, owner, lease)

    async def claim(self, owner: str, demands: Sequence[Demand]) -> Sequence[Claim]:
        """Lend what is available now. Raises Fenced, NotEnrolled."""
        return await claims.claim(self._client, owner, demands)

    async def held(self, owner: str) -> Sequence[Claim]:
        """Every claim that was lent to this owner and not got back, oldest first."""
        return await claims.held(self._client, owner)

    async def taken(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:  # noqa: ARG002
        """None: what is not in flight left no trace of what became of it."""
        return ()

    async def settle(self, owner: str, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Give claims back with their outcomes."""
        return await settle(self._client, owner, settlements)

    async def leave(self, owner: str) -> int:
        """Give every claim of this owner back untouched, and forget the owner."""
        return await giving_back.leave(self._client, owner)

    def watch(self) -> Watch:
        """A watch on the queues and results that were looked at on the running loop."""
        return RedisWatch(self._client)

    async def beat(self, owners: Mapping[str, float]) -> Mapping[str, Literal["alive", "fenced", "unknown"]]:
        """Renew the leases of the owners that are enrolled and not fenced."""
        return await claims.beat(self._client, owners)

    async def report(self, report: OwnerReport) -> Sequence[str]:
        """Show an owner on Sidekiq's Web; the signals that were sent to it from there."""
        return await dashboard.report(self._client, report)

    async def stage(self, limit: int) -> int:
        """Make due jobs available."""
        return await jobs.stage(self._client, limit)

    async def rescue(self, limit: int) -> Rescued:
        """Fence the owners whose lease ran out and give back their claims."""
        return await giving_back.rescue(self._client, limit)

    async def restamp(self, age: float) -> int:  # noqa: ARG002 - the contract's
        """Nothing: programs on Redis judge each other by beats."""
        return 0

    async def prune(self, older_than: Mapping[State, float], limit: int) -> int:
        """Delete the dead of more than so many seconds ago."""
        return await jobs.prune(self._client, older_than, limit)

    async def control(self, control: QueueControl, queues: Collection[str]) -> None:
        """Pause these queues or resume them, in the set that Sidekiq Pro keeps of those that are paused."""
        await controls.control(self._client, control, queues)

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        """What workers were told since this position. Told by the server, or looked for where it does not tell."""
        return await controls.orders(self._client, since, wait)

    async def crontab(self) -> Crontab:
        """All the entries, and the server's clock."""
        return await crons.crontab(self._client)

    async def declare_crons(self, entries: Sequence[CronEntry], *, fresh: bool) -> None:
        """Write down what a worker has in its code."""
        await crons.declare(self._client, entries, fresh=fresh)

    async def put_cron(self, entry: CronEntry) -> None:
        """Add or change an entry."""
        await crons.put(self._client, entry)

    async def pause_cron(self, name: str, *, paused: bool) -> bool:
        """Pause or resume an entry."""
        return await crons.pause(self._client, name, paused=paused)

    async def remove_cron(self, name: str) -> bool:
        """Delete an entry."""
        return await crons.remove(self._client, name)

    async def fire_cron(self, firing: Firing) -> Sequence[Inserted] | None:
        """Go on to a tick and insert its jobs, in one script."""
        return await crons.fire(self._client, firing)

    async def counts(self) -> Mapping[str, Mapping[State, int]]:
        """Queue → state → number of jobs."""
        return await jobs.counts(self._client)

    async def queues(self) -> Mapping[str, QueueView]:
        """How the queues do; the age is that of the job that is next, by when it was pushed, as Sidekiq shows it."""
        return await activity.queues(self._client)

    async def workers(self) -> Sequence[WorkerView]:
        """The live processes: owners within their lease, and those of Sidekiq and Exq that beat within a minute."""
        return await activity.workers(self._client)

    async def work(self, owners: Sequence[str], queues: Sequence[str]) -> Work:
        """What a drain still has to wait for."""
        return await jobs.work(self._client, owners, queues)

    async def set_aside(self, queues: Sequence[str]) -> int:
        """How many jobs of these queues wait to run alone."""
        return await jobs.set_aside(self._client, queues)

    async def find(self, query: JobQuery) -> Page:
        """The jobs that match, newest first in each place, at most `query.limit`."""
        return await inspection.find(self._client, query)

    async def tally(self, query: JobQuery) -> Tally:
        """How many jobs match, by state."""
        return await inspection.tally(self._client, query)

    async def act(self, action: Literal["retry", "cancel", "delete"], query: JobQuery) -> int:
        """Do this to every job that matches. The cancel of a running job is a wish that its owner is told."""
        return await inspection.act(self._client, action, query)

    async def result(self, job_id: str) -> Result | None:
        """How a job ended; None while it has not, and for plain completions, of which nothing is kept."""
        return await jobs.result(self._client, job_id)

    async def diagnose(self, *, quick: bool = False) -> Sequence[Finding]:  # noqa: ARG002 - all of it is quick
        """Look at the server's version, settings and clock."""
        return await doctor.diagnose(self._client, self._clock)
