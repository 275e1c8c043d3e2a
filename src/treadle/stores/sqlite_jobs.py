"""Jobs on SQLite as producers, services and people see them: insert, stage, prune, count, act, results."""

from collections.abc import Iterator, Mapping, Sequence
from sqlite3 import Connection
from typing import Any, Literal

import msgspec

from treadle.core.job import Inserted, NewJob
from treadle.core.states import FINAL, State
from treadle.stores.borrowed.link import Runs
from treadle.stores.oban import last_error, meta_of, row_id, stamp, state_of, tags_of
from treadle.stores.sql_query import filled
from treadle.stores.sql_search import Where
from treadle.stores.sqlite_claims import as_list, as_names, forget
from treadle.stores.sqlite_controls import request_cancels
from treadle.stores.sqlite_query import SqliteTable
from treadle.stores.statements import statement
from treadle.stores.views import Result, Work

DAY = 86_400.0
HOUR = 3_600.0

_ENDED = {State.COMPLETED: "completed_at", State.DISCARDED: "discarded_at", State.CANCELLED: "cancelled_at"}


def insert_all(connection: Runs, jobs: Sequence[NewJob], now: float) -> list[Inserted]:
    """Insert all of them; what came of each, in order."""
    if not jobs:
        return []
    at = stamp(now)
    connection.executemany(statement("sqlite/insert"), [_row(job, now, at) for job in jobs])
    # AUTOINCREMENT under the write lock: the ids of one call follow each other.
    last: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    return [Inserted(str(job_id)) for job_id in range(last - len(jobs) + 1, last + 1)]


def _row(job: NewJob, now: float, at: str) -> tuple[str | int, ...]:
    state, scheduled = placed(job, now)
    first = state, job.queue, job.name, job.args.decode(), job.max_attempts, at, scheduled
    return *first, job.priority, tags_of(job), meta_of(job)


def placed(job: NewJob, now: float) -> tuple[str, str]:
    """The state of a new job, and when it is due."""
    due = job.at if job.at is not None else now + (job.delay or 0)
    return ("scheduled", stamp(due)) if due > now else ("available", stamp(now))


def stage(connection: Connection, limit: int, now: float) -> int:
    """Make due jobs available, oldest first; suspects among them go back to their own place."""
    ids = [row[0] for row in connection.execute(statement("sqlite/due"), {"now": stamp(now), "limit": limit})]
    if ids:
        connection.execute(statement("sqlite/stage"), (as_list(ids),))
    return len(ids)


def finished_before(connection: Connection, older_than: Mapping[State, float], limit: int, now: float) -> list[int]:
    """Ours that ended more than so many seconds ago, at most `limit`. Only reads: the scan holds no lock."""
    served = {queue for (queue,) in connection.execute(statement("sqlite/served"))}
    found: list[int] = []
    for state, age in older_than.items():
        if state in FINAL:
            values: dict[str, Any] = {"state": state.value, "cut": stamp(now - age)}
            text = filled(statement("sqlite/ended"), ended_at=_ENDED[state])
            for queue, priority in groups(connection, state):
                values |= {"queue": queue, "priority": priority, "served": queue in served, "limit": limit - len(found)}
                found += [row[0] for row in connection.execute(text, values)]
    return found


def groups(connection: Connection, state: State) -> Iterator[tuple[str, int]]:
    """The pairs of queue and priority that occur in a state, by one look into the index for each."""
    group = connection.execute(statement("sqlite/first_group"), (state.value,)).fetchone()
    while group is not None:
        yield group
        group = connection.execute(statement("sqlite/next_group"), (state.value, *group)).fetchone()


def prune(connection: Connection, ids: Sequence[int], now: float) -> int:
    """Delete these jobs if they still are final; and results, marks and tombstones that have had their time."""
    deleted = 0
    if ids:
        deleted = connection.execute(statement("sqlite/prune_jobs"), (as_list(ids),)).rowcount
        connection.execute(statement("sqlite/forget_unique"), (as_list(ids),))
    connection.execute(statement("sqlite/prune_unique"))
    connection.execute(statement("sqlite/prune_results"), (stamp(now - DAY),))
    connection.execute(statement("sqlite/prune_settled"), (stamp(now - HOUR),))
    connection.execute(statement("sqlite/prune_owners"), (stamp(now - DAY),))
    connection.execute(statement("sqlite/prune_serving"))
    connection.execute(statement("sqlite/prune_suspects"))
    connection.execute(statement("sqlite/prune_cancels"))
    return deleted


def counts(connection: Connection) -> dict[str, dict[State, int]]:
    """Queue → state → number. States that no version known here writes are left out."""
    found: dict[str, dict[State, int]] = {}
    for queue, text, number in connection.execute(statement("sqlite/counts")):
        state = state_of(text)
        if state is not None:
            found.setdefault(queue.decode("utf-8", "replace"), {})[state] = number
    return found


def work(connection: Connection, owners: Sequence[str], queues: Sequence[str]) -> Work:
    """Available jobs of these queues, and who holds claims."""
    available, holders = connection.execute(statement("sqlite/work"), {"queues": as_names(queues)}).fetchone()
    beats: dict[str, float] = msgspec.json.decode(holders)
    others = {owner: beat for owner, beat in beats.items() if owner not in owners}
    return Work(available, len(others) < len(beats), others)


def set_aside(connection: Connection, queues: Sequence[str]) -> int:
    """How many jobs of these queues wait to run alone."""
    number: int = connection.execute(statement("sqlite/count_suspects"), (as_names(queues),)).fetchone()[0]
    return number


def act(
    action: Literal["retry", "cancel", "delete"], ids: Sequence[int], where: Where, now: float, connection: Connection
) -> int:
    """Do it to those of these jobs that still match and may be touched. Those that others hold suspended may not."""
    matching = SqliteTable(connection).match(where, ids, len(ids))
    values = {"ids": as_list(matching), "now": stamp(now)}
    done = [row[0] for row in connection.execute(statement(f"sqlite/act_{action}"), values).fetchall()]
    asked = request_cancels(connection, as_list(matching), now) if action == "cancel" else 0
    forget(connection, suspects=as_list(done), cancels=as_list(done))
    if action == "delete":
        connection.execute(statement("sqlite/forget_unique"), (as_list(done),))
    return len(done) + asked


def result(connection: Connection, job_id: str) -> Result | None:
    """How a job ended. A value outlives its pruned job."""
    row = connection.execute(statement("sqlite/result"), (row_id(job_id),)).fetchone()
    if row is None:
        return None
    state, errors, value = state_of(row[0]), row[1], row[2]
    if state is State.COMPLETED:
        return Result(state, value=value)
    if state in FINAL:
        return Result(state, error=last_error(errors))
    return None
