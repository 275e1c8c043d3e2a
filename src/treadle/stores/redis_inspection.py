"""Jobs on Redis as people see them: found wherever they stand, counted, retried, cancelled, deleted."""

from collections import Counter
from typing import Literal

import msgspec

from treadle.core.controls import CancelRequest
from treadle.core.found import Page, Tally
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.stores import sidekiq
from treadle.stores.contract import JobQuery
from treadle.stores.exq_locks import lock_of, released
from treadle.stores.redis_client import Client
from treadle.stores.redis_controls import tell
from treadle.stores.redis_jobs import staging
from treadle.stores.redis_query import SETS, Found, look
from treadle.stores.redis_scripts import ScriptCall
from treadle.stores.redis_settle import record


async def find(client: Client, query: JobQuery) -> Page:
    """The jobs that match, newest first in each place, at most `query.limit`."""
    seen, jobs = await look(client, query), list[JobView]()
    while seen.goes_on and (not query.ids or len(jobs) < len(query.ids)):
        for job in await seen.page():
            jobs.append(job.view)
            if len(jobs) == query.limit:
                return Page(tuple(jobs), seen.looked, job.cursor)
    return Page(tuple(jobs), seen.looked, seen.cursor)


async def tally(client: Client, query: JobQuery) -> Tally:
    """How many jobs match, by state."""
    seen, states = await look(client, query), Counter[State]()
    while seen.goes_on:
        states.update(job.view.state for job in await seen.page())
    return Tally(dict(states), seen.looked, seen.cursor)


async def act(client: Client, action: Literal["retry", "cancel", "delete"], query: JobQuery) -> int:
    """Do this to every job that matches; how many it was done to. Each is one atomic step, if it still stands there."""
    seen, done = await look(client, msgspec.structs.replace(query, after=None, within=None)), 0
    while seen.goes_on:
        matching = await seen.page()
        calls = [(job, call) for job in matching if (call := _call(client, action, job)) is not None]
        replies = await client.back.run_all([call for _, call in calls])
        touched = [job for (job, _), reply in zip(calls, replies, strict=True) if isinstance(reply, int) and reply]
        done += len(touched)
        seen.taken(len(touched))
        if action == "cancel":
            owners = {job.view.owner for job in touched if job.view.state is State.EXECUTING and job.view.owner}
            await tell(client, [CancelRequest(owner=owner) for owner in sorted(owners)])
        if action == "retry" and touched:
            # What was kept of an end that is none any more.
            await client.back.ask(*[("UNLINK", client.keys.result(job.view.id)) for job in touched])
    return done


def _call(client: Client, action: Literal["retry", "cancel", "delete"], job: Found) -> ScriptCall | None:
    state, keys = job.view.state, client.keys
    if state is State.EXECUTING:
        owner = job.view.owner or ""
        asked = ScriptCall("ask_cancel", [keys.inflight(owner), keys.cancel(owner)], [job.entry])
        return asked if action == "cancel" else None
    if action == "retry":
        return _retry(client, job)
    if action == "cancel" and state is State.DISCARDED:
        return None
    kept = record(State.CANCELLED, error="") if action == "cancel" else b""
    kind = "zset" if state in SETS else "list"
    lock = lock_of(job.text)
    lock = lock if action == "delete" else released(lock, State.CANCELLED)
    named, jid = ([keys.unique(lock.token)[0]], lock.jid.encode()) if lock else ([], b"")
    return ScriptCall("drop", [job.key, keys.result(job.view.id), *named], [kind, job.entry, kept, jid])


def _retry(client: Client, job: Found) -> ScriptCall | None:
    keys, state = client.keys, job.view.state
    if state is State.SUSPENDED:
        queue = job.view.queue
        return ScriptCall("resume", [job.key, keys.queues, keys.queue(queue)], [job.entry, queue.encode()])
    if state is State.AVAILABLE:
        return None
    try:
        due = sidekiq.due(job.text) if state is State.SCHEDULED else sidekiq.again(job.text)
    except sidekiq.Malformed:
        return None
    return staging(client, job.key, [(job.entry, due._replace(deaths=None))])
