"""Unique jobs on Redis: one script looks at the lock and pushes; a second one changes what waits for its time."""

from collections.abc import Sequence

from treadle.core.job import Inserted, NewJob
from treadle.core.uniqueness import Uniqueness, check_lock
from treadle.stores import exq_locks, sidekiq_new
from treadle.stores.redis_client import Client
from treadle.stores.redis_jobs import OPERATION_MS, drawn_for, when
from treadle.stores.redis_keys import encode
from treadle.stores.redis_scripts import Argument, ScriptCall


def insertion(client: Client, jobs: Sequence[NewJob]) -> tuple[tuple[str, ...], ScriptCall]:
    """The ids of these jobs, and the call that inserts them, however often it is sent."""
    ids, keys = drawn_for(client, jobs), client.keys
    queues: dict[str, int] = {}
    locks: dict[str, int] = {}
    args: list[Argument] = []
    for job, jid in zip(jobs, ids, strict=True):
        place: list[Argument] = [
            jid,
            queues.setdefault(job.queue, len(queues) + 1),
            when(job) or "",
            sidekiq_new.head(job, jid),
        ]
        args += [*place, *_lock(job, locks)]
    named = [keys.operation(client.operation()), keys.queues, keys.schedule, *map(keys.queue, queues)]
    named += [key for token in locks for key in keys.unique(token)]
    first: list[Argument] = [OPERATION_MS, sidekiq_new.BETWEEN, sidekiq_new.TAIL, len(queues), *map(encode, queues)]
    return ids, ScriptCall("insert_unique", named, [*first, *args])


def outcome(
    client: Client, jobs: Sequence[NewJob], ids: Sequence[str], reply: Sequence[bytes]
) -> tuple[list[Inserted], list[ScriptCall]]:
    """What came of each job, and the calls by which waiting ones take over what they are to."""
    inserted: list[Inserted] = []
    calls: list[ScriptCall] = []
    for job, jid, holder, text in zip(jobs, ids, reply[::2], reply[1::2], strict=True):
        inserted.append(Inserted(holder.decode("utf-8", "surrogateescape"), conflict=True) if holder else Inserted(jid))
        if text and job.unique is not None:
            calls.append(_replacement(client, job, job.unique, text))
    return inserted, calls


def _lock(job: NewJob, locks: dict[str, int]) -> list[Argument]:
    if job.unique is None:
        return [0, 0, 0, 0, b""]
    rule, token = check_lock(job.unique.rule, job.name), job.digest(job.unique)
    number = locks.setdefault(token, len(locks) + 1)
    timed, changes = rule.timestamp == "scheduled_at", bool(rule.replace)
    return [number, f"{rule.period or 0:.6f}", int(timed), int(changes), exq_locks.members(rule, token)]


def _replacement(client: Client, job: NewJob, unique: Uniqueness, text: bytes) -> ScriptCall:
    rule = unique.rule
    names = rule.taken_over("scheduled")
    moves = "scheduled_at" in names
    due = (when(job) or "+0") if moves else ""
    lasts = f"{rule.period or 0:.6f}" if moves and rule.timestamp == "scheduled_at" else ""
    lock, kept = client.keys.unique(job.digest(unique))
    return ScriptCall(
        "replace", [client.keys.schedule, kept, lock], [text, sidekiq_new.replaced(text, job, names), due, lasts]
    )
