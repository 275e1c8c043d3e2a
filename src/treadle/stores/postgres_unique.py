"""Unique jobs on PostgreSQL: whoever inserts one holds its key until his transaction ends, and sees what others did.

A step is: 1. look for jobs of each key that count; where each has one, that is the answer, and nobody is waited for.
2. take the keys; who takes the same ones waits. 3. look again, in a statement that sees what was committed meanwhile.
4. insert the others, and note their keys. A row is what is locked, so that it holds through a pooler and within a
user's transaction.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec

from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.core.uniqueness import Uniqueness
from treadle.stores.oban import meta_of
from treadle.stores.postgres_connection import Session
from treadle.stores.sql_unique import OTHERS, OTHERS_ANYWHERE, Found, by_key

_encode = msgspec.json.Encoder().encode


class Planned(msgspec.Struct, frozen=True):
    """What is to be inserted, each with its id and its key ("" where it is not unique); what came of every job."""

    jobs: Sequence[tuple[int, NewJob, str]]
    answers: Sequence[Inserted]


def before(session: Session, jobs: Sequence[NewJob], ids: Sequence[int]) -> list[Inserted] | None:
    """What came of these jobs where they were inserted before, though nobody confirmed it; None where they were not."""
    keys = {job_id: job.digest(job.unique) for job_id, job in zip(ids, jobs, strict=True) if job.unique is not None}
    # What is not unique was inserted in the same transaction.
    plain = [job_id for job_id in ids if job_id not in keys]
    values = {"ids": list(keys), "keys": list(set(keys.values())), "plain": plain}
    kept, newest, stands = session.row("unique_kept", values)
    if not kept and not stands:
        return None
    own = {*kept, *plain}
    return [
        Inserted(str(job_id)) if job_id in own else Inserted(str(newest.get(keys[job_id], job_id)), conflict=True)
        for job_id in ids
    ]


def conflicts(session: Session, jobs: Sequence[NewJob]) -> list[Inserted] | None:
    """What came of these jobs where each is one too many already; None where something may be left to insert."""
    keys = [job.digest(job.unique) for job in jobs if job.unique is not None]
    holders = _holders(session, jobs, keys) if len(keys) == len(jobs) else {}
    if len(holders) < len(jobs):
        return None
    planning = _Planning(session, jobs, keys, holders)
    changing = any(job.unique is not None and job.unique.rule.replace for job in jobs)
    with session.together() if changing else nullcontext():
        answers = [planning.put(index, 0) for index in range(len(jobs))]
        return None if planning.planned else answers


def take_keys(session: Session, jobs: Sequence[NewJob], patience: str | None = None) -> None:
    """Wait until nobody else inserts jobs like these, and let nobody do so until the transaction ends."""
    keys = {job.digest(job.unique) for job in jobs if job.unique is not None}
    session.rows("unique_lock", {"keys": sorted(keys), "patience": patience})


def plan(session: Session, jobs: Sequence[NewJob], ids: Sequence[int]) -> Planned:
    """Change what is to take over from a new job, and say what is left to insert."""
    keys = [None if job.unique is None else job.digest(job.unique) for job in jobs]
    planning = _Planning(session, jobs, keys, _holders(session, jobs, keys))
    answers = [planning.put(index, job_id) for index, job_id in enumerate(ids)]
    return Planned(planning.planned, answers)


def keep(session: Session, planned: Planned) -> None:
    """Note the keys of what was inserted."""
    unique = [(job_id, key) for job_id, _, key in planned.jobs if key]
    session.rows("unique_keep", {"ids": [job_id for job_id, _ in unique], "keys": [key for _, key in unique]})


class _Planning:
    def __init__(
        self, session: Session, jobs: Sequence[NewJob], keys: Sequence[str | None], holders: Mapping[int, Found]
    ) -> None:
        self._session = session
        self._jobs = jobs
        self._keys = keys
        self._holders = holders
        self._others: dict[object, dict[str, Found]] = {}
        self._places: dict[str, int] = {}
        self.planned: list[tuple[int, NewJob, str]] = []

    def put(self, index: int, job_id: int) -> Inserted:
        """Plan one job, or find the one that stands in its way and let that take over what it is to."""
        job, key = self._jobs[index], self._keys[index]
        if job.unique is None or key is None:
            self.planned.append((job_id, job, ""))
            return Inserted(str(job_id))
        place = self._places.get(key)
        if place is not None and _state(self.planned[place][1]) in job.unique.rule.held:
            return self._conflict_within(place, job, job.unique)
        found = self._holders.get(index) or self._among_others(job, job.unique).get(key)
        while found is not None:
            if self._replace(job, job.unique, *found):
                return Inserted(str(found[0]), conflict=True)
            # It went on since we looked at it, and may not count any more.
            self._others.clear()
            found = _holders(self._session, [job], [key]).get(0) or self._among_others(job, job.unique).get(key)
        self._places[key] = len(self.planned)
        self.planned.append((job_id, job, key))
        return Inserted(str(job_id))

    def _conflict_within(self, place: int, job: NewJob, unique: Uniqueness) -> Inserted:
        job_id, first, key = self.planned[place]
        names = unique.rule.taken_over(_state(first))
        changes: dict[str, Any] = {name: getattr(job, name) for name in names if name != "scheduled_at"}
        if "scheduled_at" in names:
            changes |= {"delay": job.delay, "at": job.at}
        self.planned[place] = job_id, msgspec.structs.replace(first, **changes), key
        return Inserted(str(job_id), conflict=True)

    def _among_others(self, job: NewJob, unique: Uniqueness) -> dict[str, Found]:
        """Jobs that have no key of ours, by what their key would be. They are read once for all jobs of a call."""
        rule = unique.rule
        queue = job.queue if "queue" in rule.fields else None
        seen = (id(rule), queue, job.name)
        if seen not in self._others:
            rows = self._session.rows(
                "unique_others_anywhere" if queue is None else "unique_others",
                {
                    "states": sorted(rule.held),
                    "queue": queue,
                    "worker": job.name if "worker" in rule.fields else None,
                    "limit": OTHERS_ANYWHERE if queue is None else OTHERS,
                    "period": rule.period,
                    "timestamp": rule.timestamp,
                    "unstarted": rule.unstarted,
                },
            )
            as_bytes = ((*start, args.encode(), (meta or "{}").encode()) for *start, args, meta in rows)
            self._others[seen] = by_key(as_bytes, unique)
        return self._others[seen]

    def _replace(self, job: NewJob, unique: Uniqueness, job_id: int, state: str) -> bool:
        """Have a job take over what it is to; whether it still is in this state, where that matters."""
        names = unique.rule.taken_over(state)
        if not names:
            return True
        new = {
            "args": job.args.decode(),
            "max_attempts": job.max_attempts,
            "meta": meta_of(job),
            "priority": job.priority,
            "queue": job.queue,
            "tags": list(job.tags),
        }
        values = {name: value if name in names else None for name, value in new.items()}
        due = {"moves": "scheduled_at" in names, "at": job.at, "delay": job.delay}
        return bool(self._session.rows("unique_replace", {**values, **due, "id": job_id, "state": state}))


def _holders(session: Session, jobs: Sequence[NewJob], keys: Sequence[str | None]) -> dict[int, Found]:
    wanted = [
        {
            "number": index,
            "key": key,
            "states": sorted(job.unique.rule.held),
            "period": job.unique.rule.period,
            "timestamp": job.unique.rule.timestamp,
            "unstarted": job.unique.rule.unstarted,
        }
        for index, (job, key) in enumerate(zip(jobs, keys, strict=True))
        if job.unique is not None
    ]
    rows = session.rows("unique_holders", {"wanted": _encode(wanted).decode()})
    return {number: (job_id, state) for number, job_id, state in rows}


def _state(job: NewJob) -> State:
    """Where a job of this very insert will stand; an instant that was given is taken to lie ahead."""
    return State.SCHEDULED if job.delay or job.at is not None else State.AVAILABLE
