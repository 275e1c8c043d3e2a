"""Unique jobs on SQLite: looked for and inserted in one transaction, of which the file admits one at a time."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.core.uniqueness import Uniqueness
from treadle.stores.borrowed.link import Runs
from treadle.stores.oban import meta_of, stamp, tags_of
from treadle.stores.sql_unique import OTHERS, OTHERS_ANYWHERE, Found, Row, by_key
from treadle.stores.sqlite_jobs import insert_all, placed
from treadle.stores.statements import statement

_list = msgspec.json.Encoder().encode


def insert(connection: Runs, jobs: Sequence[NewJob], now: float) -> list[Inserted]:
    """Insert them in order, but for those that are one too many; what came of each."""
    if all(job.unique is None for job in jobs):
        return insert_all(connection, jobs, now)
    keeper = _Keeper(connection, now)
    inserted: list[Inserted] = []
    for unique, group in groupby(jobs, lambda job: job.unique):
        if unique is None:
            inserted += insert_all(connection, list(group), now)
        else:
            inserted += [keeper.put(job, unique) for job in group]
    return inserted


class _Keeper:
    """The unique jobs of one transaction."""

    def __init__(self, connection: Runs, now: float) -> None:
        self._connection = connection
        self._now = now
        self._others: dict[object, dict[str, Found]] = {}

    def put(self, job: NewJob, unique: Uniqueness) -> Inserted:
        """Insert a job, or find the one that stands in its way and let that take over what it is to."""
        key = job.digest(unique)
        found = self._holder(unique, key) or self._among_others(job, unique).get(key)
        if found is not None:
            self._replace(job, unique, *found)
            return Inserted(str(found[0]), conflict=True)
        (inserted,) = insert_all(self._connection, [job], self._now)
        self._connection.execute(statement("sqlite/unique_keep"), (int(inserted.id), key))
        return inserted

    def _holder(self, unique: Uniqueness, key: str) -> Found | None:
        values = {**self._counting(unique), "key": key, "states": _list(sorted(unique.rule.held)).decode()}
        found: Found | None = self._connection.execute(statement("sqlite/unique_holder"), values).fetchone()
        return found

    def _among_others(self, job: NewJob, unique: Uniqueness) -> dict[str, Found]:
        """Jobs that have no key of ours, by what their key would be. They are read once for all jobs of a call."""
        rule = unique.rule
        queue = job.queue if "queue" in rule.fields else None
        name = job.name if "worker" in rule.fields else None
        seen = (id(unique.rule), queue, job.name)
        if seen not in self._others:
            self._others[seen] = by_key(self._rows_of_others(unique, queue, name), unique)
        return self._others[seen]

    def _rows_of_others(self, unique: Uniqueness, queue: str | None, name: str | None) -> Iterator[Row]:
        text = statement("sqlite/unique_others" if queue is not None else "sqlite/unique_others_anywhere")
        limit = OTHERS if queue is not None else OTHERS_ANYWHERE
        values = {**self._counting(unique), "queue": queue, "worker": name, "limit": limit}
        for state in sorted(unique.rule.held):
            for row in self._connection.execute(text, {**values, "state": state.value}).fetchall():
                job_id, found, worker, place, args, meta = row
                yield job_id, found, worker.decode("utf-8", "replace"), place.decode("utf-8", "replace"), args, meta

    def _counting(self, unique: Uniqueness) -> dict[str, Any]:
        rule = unique.rule
        cut = None if rule.period is None else stamp(self._now - rule.period)
        return {"unstarted": rule.unstarted, "cut": cut, "timestamp": rule.timestamp}

    def _replace(self, job: NewJob, unique: Uniqueness, job_id: int, state: str) -> None:
        names = unique.rule.taken_over(state)
        if names:
            due, scheduled_at = placed(job, self._now)
            new = {
                "args": job.args.decode(),
                "max_attempts": job.max_attempts,
                "meta": meta_of(job),
                "priority": job.priority,
                "queue": job.queue,
                "scheduled_at": scheduled_at,
                "tags": tags_of(job),
            }
            values = {name: value if name in names else None for name, value in new.items()}
            row = {**values, "due": due == State.AVAILABLE, "id": job_id, "state": state}
            self._connection.execute(statement("sqlite/unique_replace"), row)
