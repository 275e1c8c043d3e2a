"""Jobs on Redis as producers, services and handles see them: insert, stage, prune, count, results."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from treadle.core.job import NewJob
from treadle.core.states import State
from treadle.errors import ArgumentError, StoreError
from treadle.log import Log
from treadle.stores import sidekiq, sidekiq_new
from treadle.stores.redis_client import Client
from treadle.stores.redis_errors import WrongType
from treadle.stores.redis_keys import decode, encode
from treadle.stores.redis_scripts import Argument, ScriptCall
from treadle.stores.redis_settle import read_record
from treadle.stores.views import ANY_QUEUE, Result, Work

# Seconds that an enqueue may take, and more for each job of a bulk insert: the server stands still meanwhile.
PATIENCE = 1.5
PATIENCE_PER_JOB = 2e-5
OPERATION_MS = 10_000
# A command of Redis takes 1,048,576 arguments.
JOBS_AT_ONCE = 300_000
PAGE = 500
# Sets of more jobs than this do not tell their queues: each job would have to be read.
SPLIT_LIMIT = 1_000
# Seconds; a page may hold jobs of many megabytes, and one that never comes would stop the scheduler.
DUE_DEADLINE = 30.0

_log = Log("treadle.stores.redis")


# Producers


def patience(jobs: int) -> float:
    """Seconds in which so many jobs must be in."""
    return PATIENCE + PATIENCE_PER_JOB * jobs


def insertion(client: Client, jobs: Sequence[NewJob]) -> tuple[tuple[str, ...], ScriptCall]:
    """The ids of these jobs, and the call that inserts all of them or none, however often it is sent."""
    ids = drawn_for(client, jobs)
    now: dict[str, list[bytes]] = {}
    timed: list[tuple[str, str, bytes]] = []
    for job, jid in zip(jobs, ids, strict=True):
        heads = now.setdefault(job.queue, [])
        due = when(job)
        if due is None:
            heads.append(sidekiq_new.head(job, jid))
        else:
            timed.append((due, job.queue, sidekiq_new.head(job, jid)))
    args: list[Argument] = [OPERATION_MS, sidekiq_new.BETWEEN, sidekiq_new.TAIL, len(now)]
    for queue, heads in now.items():
        args += [encode(queue), len(heads), *heads]
    numbers = {queue: index for index, queue in enumerate(now, 1)}
    for due, queue, head in timed:
        args += [due, numbers[queue], head]
    keys = client.keys
    named = [keys.operation(client.operation()), keys.queues, keys.schedule, *map(keys.queue, now)]
    return ids, ScriptCall("insert", named, args)


def drawn_for(client: Client, jobs: Sequence[NewJob]) -> tuple[str, ...]:
    """Ids for these jobs. Raises ArgumentError for what cannot be inserted."""
    if len(jobs) > JOBS_AT_ONCE:
        raise ArgumentError(f"expected at most {JOBS_AT_ONCE:,} jobs in one insert, got {len(jobs):,}")
    for job in jobs:
        check(job)
    return drawn_ids(client, len(jobs))


def drawn_ids(client: Client, count: int) -> tuple[str, ...]:
    """So many new ids of jobs."""
    drawn = client.draw(12 * count).hex()
    return tuple(drawn[start : start + 24] for start in range(0, len(drawn), 24))


def check(job: NewJob) -> None:
    """Raise ArgumentError for a job that Sidekiq's payload cannot hold."""
    if job.args[:1] != b"[":
        raise ArgumentError(f'job "{job.name}": expected its arguments as a JSON list, got {job.args!r:.60}')


def when(job: NewJob) -> str | None:
    """When a new job is due, as the scripts take it: an instant, or seconds from now; None for now."""
    if job.at is not None:
        return f"{job.at:.6f}"
    return f"+{job.delay:.6f}" if job.delay else None


# Services


async def stage(client: Client, limit: int) -> int:
    """Move due jobs to their queues, retries first; what is no job goes to dead, and nothing stops the others."""
    keys, moved = client.keys, 0
    passed = [0, 0]
    while moved < limit:
        page = min(PAGE, limit - moved)
        due = ScriptCall("due", [keys.retry, keys.schedule], [*passed, page])
        *pages, more = await client.back.run(due, DUE_DEADLINE)
        for index, place in enumerate((keys.retry, keys.schedule)):
            done, stuck = await _stage_page(client, place, pages[index])
            moved += done
            passed[index] += stuck
        if not more:
            break
    return moved


async def _stage_page(client: Client, place: bytes, texts: Sequence[bytes]) -> tuple[int, int]:
    """How many were moved, and how many must stay as their queue is none."""
    due: list[tuple[bytes, sidekiq.Due]] = []
    for text in texts:
        try:
            due.append((text, sidekiq.due(text)))
        except sidekiq.Malformed as error:
            await _reject(client, place, text, str(error))
    if not due:
        return 0, 0
    try:
        moved: int = await client.back.run(staging(client, place, due))
    except WrongType as error:
        if len(due) == 1:
            _log.error("a due job stays where it is: %s", error)
            return 0, 1
        results = [await _stage_page(client, place, [text]) for text, _ in due]
        return sum(done for done, _ in results), sum(stuck for _, stuck in results)
    return moved, 0


def staging(client: Client, place: bytes, due: Sequence[tuple[bytes, sidekiq.Due]]) -> ScriptCall:
    """The call that moves jobs, each with its old text, from a sorted set to where they are run from."""
    keys = client.keys
    numbers: dict[bytes, int] = {}
    args: list[Argument] = []
    for text, (queue, deaths, changed) in due:
        key, first = keys.queue(queue), b""
        if deaths is not None:
            key, first = keys.suspended(queue), b"%d\0" % deaths
        made = changed.arguments
        args += [text, numbers.setdefault(key, len(numbers) + 1), encode(queue), first, len(made), *made]
    return ScriptCall("stage", [place, keys.queues, *numbers], args)


async def _reject(client: Client, place: bytes, text: bytes, why: str) -> None:
    call = ScriptCall("reject", [place, client.keys.dead], [text, *sidekiq.buried(text, "default").arguments])
    if await client.back.run(call):
        _log.warning("a payload in %s was moved to dead: %s", decode(place), why)


async def prune(client: Client, older_than: Mapping[State, float], limit: int) -> int:
    """Delete the dead that are older than this; completed and cancelled jobs leave nothing that must be deleted."""
    age = older_than.get(State.DISCARDED)
    if age is None:
        return 0
    deleted: int = await client.back.run(ScriptCall("prune", [client.keys.dead], [f"{age:.6f}", limit]))
    return deleted


# Counting


class _Queue(msgspec.Struct):
    queue: Any = None


_decode_queue = msgspec.json.Decoder(_Queue).decode


async def counts(client: Client) -> dict[str, dict[State, int]]:
    """Queue → state → number. A set that would have to be read for long is counted as a whole, under ANY_QUEUE."""
    keys, found = client.keys, _Counts()
    names = await queue_names(client)
    lists = [(queue, state, key) for queue in names for state, key in _lists(client, queue)]
    for (queue, state, _), number in zip(
        lists, await client.back.ask(*[("LLEN", key) for _, _, key in lists]), strict=True
    ):
        found.add(queue, state, number)
    places = {State.SCHEDULED: keys.schedule, State.RETRYABLE: keys.retry, State.DISCARDED: keys.dead}
    sizes = await client.back.ask(*[("ZCARD", key) for key in places.values()])
    for (state, place), size in zip(places.items(), sizes, strict=True):
        if size > SPLIT_LIMIT:
            found.add(ANY_QUEUE, state, size)
            continue
        for start in range(0, size, PAGE):
            [texts] = await client.back.ask(("ZRANGE", place, start, start + PAGE - 1))
            for text in texts:
                found.add(_queue_of(text), state, 1)
    hashes = [keys.inflight(owner) for owner in await holders(client)]
    running = await client.back.run(ScriptCall("tally", hashes, []))
    for queue, number in zip(running[::2], running[1::2], strict=True):
        found.add(decode(queue), State.EXECUTING, number)
    return found.by_queue


async def work(client: Client, owners: Sequence[str], queues: Sequence[str]) -> Work:
    """What a drain still has to wait for."""
    keys = client.keys
    ends = await _lease_ends(client)
    known = sorted(ends.keys() | set(owners))
    hashes = [keys.inflight(owner) for owner in known]
    lengths = await _lengths(client, {queue: keys.queue(queue) for queue in queues}, hashes)
    waiting, held = lengths[: len(lengths) - len(known)], lengths[len(lengths) - len(known) :]
    holding = {owner for owner, number in zip(known, held, strict=True) if number}
    others = {owner: ends[owner] for owner in holding.difference(owners)}
    return Work(sum(waiting), not holding.isdisjoint(owners), others)


async def _lease_ends(client: Client) -> dict[str, float]:
    """Every owner that may hold claims, with the end of its lease; 0 for one that is being rescued."""
    keys = client.keys
    known = await holders(client)
    scores = await client.back.ask(*[("ZSCORE", keys.owners, encode(owner)) for owner in known]) if known else ()
    return {owner: float(score or 0) for owner, score in zip(known, scores, strict=True)}


async def set_aside(client: Client, queues: Sequence[str]) -> int:
    """How many jobs of these queues wait to run alone."""
    return sum(await _lengths(client, {queue: client.keys.suspended(queue) for queue in queues}, []))


async def queue_names(client: Client) -> list[str]:
    """Every queue that was ever pushed to."""
    [names] = await client.back.ask(("SMEMBERS", client.keys.queues))
    return sorted(decode(name) for name in names)


async def holders(client: Client) -> list[str]:
    """Every owner that may hold claims."""
    keys = client.keys
    places = ("ZRANGE", keys.owners, 0, -1), ("SMEMBERS", keys.leaving), ("SMEMBERS", keys.holders)
    return sorted({decode(owner) for known in await client.back.ask(*places) for owner in known})


async def result(client: Client, job_id: str) -> Result | None:
    """How a job ended. Looked up on the connection that hears when it changes."""
    [kept] = await client.front.ask(("GET", client.keys.result(job_id)))
    return None if kept is None else read_record(kept)


def _lists(client: Client, queue: str) -> list[tuple[State, bytes]]:
    return [(State.AVAILABLE, client.keys.queue(queue)), (State.SUSPENDED, client.keys.suspended(queue))]


async def _lengths(client: Client, lists: Mapping[str, bytes], hashes: Sequence[bytes]) -> list[int]:
    """The lengths of these lists, by their queues, and hashes, at one moment and in one call.

    That of a paused queue is 0, and so is that of a key of another type.
    """
    paused, queues = client.keys.paused, [encode(queue) for queue in lists]
    try:
        lengths: list[int] = await client.back.run(ScriptCall("work", [paused, *lists.values(), *hashes], queues))
    except WrongType:
        asked = [("SISMEMBER", paused, queue) for queue in queues]
        counted = [*(("LLEN", key) for key in lists.values()), *(("HLEN", key) for key in hashes)]
        replies = [_length(reply) for reply in await client.back.ask_all(*asked, *counted)]
        stopped = [*replies[: len(queues)], *[0] * len(hashes)]
        return [0 if is_paused else number for is_paused, number in zip(stopped, replies[len(queues) :], strict=True)]
    return lengths


def _length(reply: int | StoreError) -> int:
    if isinstance(reply, StoreError):
        _log.error("passing over a key: %s", reply)
        return 0
    return reply


def _queue_of(text: bytes) -> str:
    try:
        queue = _decode_queue(text).queue
    except (msgspec.DecodeError, RecursionError):
        queue = None
    return queue if isinstance(queue, str) else "default"


class _Counts:
    """Numbers by queue and state; zeros are left out."""

    def __init__(self) -> None:
        self.by_queue: dict[str, dict[State, int]] = {}

    def add(self, queue: str, state: State, number: int) -> None:
        """Count some more."""
        if number:
            states = self.by_queue.setdefault(queue, {})
            states[state] = states.get(state, 0) + number
