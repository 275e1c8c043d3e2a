"""Jobs on Redis as people see them: found wherever they stand, counted, retried, cancelled, deleted."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from treadle.core.controls import CancelRequest
from treadle.core.found import Page, Tally
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.stores import sidekiq
from treadle.stores.exq_locks import Lock, lock_of, released
from treadle.stores.job_query import JobQuery
from treadle.stores.redis_client import Client
from treadle.stores.redis_controls import tell
from treadle.stores.redis_errors import WrongType
from treadle.stores.redis_jobs import staging
from treadle.stores.redis_query import LISTS, Found, look
from treadle.stores.redis_scripts import Argument, ScriptCall
from treadle.stores.redis_settle import record

Action = Literal["retry", "cancel", "delete"]


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


async def act(client: Client, action: Action, query: JobQuery) -> int:
    """Do this to every job that matches; how many it was done to. What does not stand there any more is left alone."""
    seen, done = await look(client, msgspec.structs.replace(query, after=None, within=None)), 0
    while seen.goes_on:
        touched = await _act_on_page(client, action, await seen.page())
        done += len(touched)
        seen.taken(len(touched))
        if action == "cancel":
            owners = {job.view.owner for job in touched if job.view.state is State.EXECUTING and job.view.owner}
            await tell(client, [CancelRequest(owner=owner) for owner in sorted(owners)])
        if action == "retry" and touched:
            # What was kept of an end that is none any more.
            await client.back.ask(*[("UNLINK", client.keys.result(job.view.id)) for job in touched])
    return done


async def _act_on_page(client: Client, action: Action, matching: Sequence[Found]) -> list[Found]:
    """Those of the jobs of one place that it was done to."""
    if action != "retry" and matching and matching[0].view.state in LISTS:
        return await _take(client, action, matching)
    calls = [(job, call) for job in matching if (call := _call(client, action, job)) is not None]
    replies = await client.back.run_all([call for _, call in calls])
    return [job for (job, _), reply in zip(calls, replies, strict=True) if isinstance(reply, int) and reply]


async def _take(client: Client, action: Action, jobs: Sequence[Found]) -> list[Found]:
    """Take these jobs out of their list; a key of another type keeps its own job there and no other."""
    # Some may have been pushed before them since they were read; what is missed for that comes with the next page.
    window = [jobs[0].place, 2 * (jobs[-1].place - jobs[0].place + 1)]
    keys, args = [jobs[0].key], list[Argument]()
    for job in jobs:
        result = client.keys.result(job.view.id)
        lock = _lock(action, job)
        keys += [result, client.keys.unique(lock.token)[0] if lock else result]
        args += [job.entry, lock.jid if lock else ""]
    try:
        taken = await client.back.run(ScriptCall("take", keys, [*window, _kept(action), *args]))
    except WrongType:
        return [] if len(jobs) == 1 else [one for job in jobs for one in await _take(client, action, [job])]
    return [job for job, was_there in zip(jobs, taken, strict=True) if was_there]


def _call(client: Client, action: Action, job: Found) -> ScriptCall | None:
    state, keys = job.view.state, client.keys
    if state is State.EXECUTING:
        owner = job.view.owner or ""
        asked = ScriptCall("ask_cancel", [keys.inflight(owner), keys.cancel(owner)], [job.entry])
        return asked if action == "cancel" else None
    if action == "retry":
        return _retry(client, job)
    if action == "cancel" and state is State.DISCARDED:
        return None
    lock = _lock(action, job)
    named, jid = ([keys.unique(lock.token)[0]], lock.jid.encode()) if lock else ([], b"")
    return ScriptCall("drop", [job.key, keys.result(job.view.id), *named], [job.entry, _kept(action), jid])


def _kept(action: Action) -> bytes:
    return record(State.CANCELLED, error="") if action == "cancel" else b""


def _lock(action: Action, job: Found) -> Lock | None:
    """The lock of a unique job that goes with it."""
    lock = lock_of(job.text)
    return lock if action == "delete" else released(lock, State.CANCELLED)


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
