"""Jobs on Redis as people see them: found wherever they stand, retried, cancelled, deleted."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, NamedTuple

from treadle.core.controls import CancelRequest
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.stores import sidekiq
from treadle.stores.contract import JobQuery
from treadle.stores.redis_claims import claimed_at, opened
from treadle.stores.redis_client import Client
from treadle.stores.redis_controls import tell
from treadle.stores.redis_jobs import holders, queue_names, staging
from treadle.stores.redis_scripts import ScriptCall
from treadle.stores.redis_settle import record
from treadle.stores.sidekiq_view import view

PAGE = 500

_SETS = {State.SCHEDULED: "schedule", State.RETRYABLE: "retry", State.DISCARDED: "dead"}


class Found(NamedTuple):
    """A job and where it stands. `entry` is what is removed there: its text, or the token of a claim."""

    view: JobView
    key: bytes
    entry: bytes
    text: bytes


async def find(client: Client, query: JobQuery) -> list[JobView]:
    """The jobs that match, newest first in each place, at most `query.limit`."""
    found: list[JobView] = []
    async for job in _matching(client, query):
        found.append(job.view)
        if len(found) == query.limit:
            break
    return found


async def act(client: Client, action: Literal["retry", "cancel", "delete"], query: JobQuery) -> int:
    """Do this to every job that matches; how many it was done to."""
    # Everything is read first: what moves under a scan would be met twice or not at all.
    matching = [job async for job in _matching(client, query)]
    done = 0
    for start in range(0, len(matching), PAGE):
        calls = [_call(client, action, job) for job in matching[start : start + PAGE]]
        replies = await client.back.run_all([call for call in calls if call is not None])
        done += sum(reply if isinstance(reply, int) else 0 for reply in replies)
    if action == "cancel":
        owners = {job.view.owner for job in matching if job.view.state is State.EXECUTING and job.view.owner}
        await tell(client, [CancelRequest(owner=owner) for owner in sorted(owners)])
    if action == "retry" and done:
        # What was kept of an end that is none any more.
        await client.back.ask(*[("UNLINK", client.keys.result(job.view.id)) for job in matching])
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
    kind = "zset" if state in _SETS else "list"
    return ScriptCall("drop", [job.key, keys.result(job.view.id)], [kind, job.entry, kept])


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


async def _matching(client: Client, query: JobQuery) -> AsyncIterator[Found]:
    async for job in _everything(client, query):
        shown = job.view
        if (
            (not query.ids or shown.id in query.ids)
            and (query.queue is None or shown.queue == query.queue)
            and (query.name is None or shown.name == query.name)
        ):
            yield job


async def _everything(client: Client, query: JobQuery) -> AsyncIterator[Found]:
    keys, wanted = client.keys, [query.state] if query.state else list(State)
    queues = [query.queue] if query.queue is not None else await queue_names(client)
    places: list[tuple[State, AsyncIterator[Found]]] = []
    for queue in queues:
        places.append((State.AVAILABLE, _listed(client, State.AVAILABLE, queue, keys.queue(queue))))
        places.append((State.SUSPENDED, _listed(client, State.SUSPENDED, queue, keys.suspended(queue))))
    places += [(state, _sorted(client, state, getattr(keys, name))) for state, name in _SETS.items()]
    places.append((State.EXECUTING, _claimed(client)))
    for state, place in places:
        if state in wanted:
            async for job in place:
                yield job


async def _listed(client: Client, state: State, queue: str, key: bytes) -> AsyncIterator[Found]:
    start = 0
    while True:
        [entries] = await client.back.ask(("LRANGE", key, start, start + PAGE - 1))
        for entry in entries:
            text = entry.partition(b"\0")[2] if state is State.SUSPENDED else entry
            yield Found(view(text, state, queue=queue), key, entry, text)
        start += PAGE
        if len(entries) < PAGE:
            return


async def _sorted(client: Client, state: State, key: bytes) -> AsyncIterator[Found]:
    start = 0
    while True:
        [reply] = await client.back.ask(("ZREVRANGE", key, start, start + PAGE - 1, "WITHSCORES"))
        entries = scored(reply)
        for text, score in entries:
            yield Found(view(text, state, score=score), key, text, text)
        start += PAGE
        if len(entries) < PAGE:
            return


async def _claimed(client: Client) -> AsyncIterator[Found]:
    for owner in await holders(client):
        key = client.keys.inflight(owner)
        _, entries, _ = await client.back.run(ScriptCall("held", [key, client.keys.cancel(owner)], []))
        for token, entry in zip(entries[::2], entries[1::2], strict=True):
            queue, _, text = opened(entry)
            shown = view(text, State.EXECUTING, queue=queue, score=claimed_at(token), owner=owner)
            yield Found(shown, key, token, text)


def scored(reply: Sequence[Any]) -> list[tuple[bytes, float]]:
    """Members and scores: pairs as RESP 3 gives them, or the flat list of RESP 2."""
    if reply and isinstance(reply[0], list):
        return [(text, float(score)) for text, score in reply]
    return [(text, float(score)) for text, score in zip(reply[::2], reply[1::2], strict=True)]
