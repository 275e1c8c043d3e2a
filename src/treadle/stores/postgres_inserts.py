"""Inserts on PostgreSQL: ids are drawn before, so that what nobody confirmed may be sent again."""

from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import msgspec

from treadle.core.arguments import Shape
from treadle.core.clock import Clock
from treadle.core.job import Inserted, NewJob
from treadle.core.jsontext import load_json
from treadle.errors import ArgumentError, StoreUnavailable, Unconfirmed
from treadle.stores import postgres_unique as unique
from treadle.stores.oban import check, meta_of
from treadle.stores.postgres_connection import Seat, Session

LONGEST_NAME = 127

# Seconds after which a caller is told that the store is away.
PATIENCE = 1.8
# A try is given so long, and a second more for so many jobs or bytes.
_TRY = 0.8
_JOBS_A_SECOND = 2_000
_BYTES_A_SECOND = 2_000_000
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)
# Of one statement, whose time is limited.
_JOBS_TOGETHER = 5_000

_encode = msgspec.json.Encoder().encode


class _Row(msgspec.Struct):
    id: int
    queue: str
    worker: str
    args: msgspec.Raw
    max_attempts: int
    priority: int
    tags: tuple[str, ...]
    meta: msgspec.Raw
    at: float | None
    delay: float | None


def check_kept(jobs: Sequence[NewJob], shape: Shape) -> None:
    """Raise ArgumentError for a job that PostgreSQL cannot keep; nothing of its bulk was sent then."""
    check(jobs, shape)
    for job in jobs:
        for what, name in (("name", job.name), ("queue", job.queue)):
            if not 0 < len(name) <= LONGEST_NAME:
                raise ArgumentError(
                    f"job {job.name!r:.60}: expected its {what} to have 1 to {LONGEST_NAME} characters on this store, "
                    f"got {len(name)}"
                )
            _check_text(name, f"{what} of job {job.name!r:.60}")
        if b"\\u" in job.args:
            _check_value(load_json(job.args), f'args of job "{job.name}"')
        for index, tag in enumerate(job.tags):
            _check_text(tag, f'tags of job "{job.name}"[{index}]')
        if job.meta:
            _check_value(job.meta, f'meta of job "{job.name}"')


def _check_value(value: Any, where: str) -> None:  # noqa: ANN401 - any JSON
    match value:
        case str():
            _check_text(value, where)
        case dict():
            for key, item in value.items():
                _check_text(key, f"a key of {where}")
                _check_value(item, f"{where}[{key!r}]")
        case list() | tuple():
            for index, item in enumerate(value):
                _check_value(item, f"{where}[{index}]")
        case _:
            pass


def _check_text(text: str, where: str) -> None:
    if "\0" in text:
        raise ArgumentError(
            f"{where}: expected text without NUL characters, which PostgreSQL cannot keep, got one at position "
            f"{text.index(chr(0))}"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{where}: expected text, got a lone surrogate at position {error.start}, which UTF-8 cannot carry"
        ) from error


def insert(session: Session, jobs: Sequence[NewJob]) -> list[Inserted]:
    """Insert within a transaction that the caller holds, and that ends all or nothing."""
    ids = _drawn_ids(session, jobs)
    if any(job.unique is not None for job in jobs):
        unique.take_keys(session, jobs)
        return _put_unique(session, jobs, ids)
    for page in _pages(ids, jobs):
        session.rows("insert", page)
    return [Inserted(str(job_id)) for job_id in ids]


class Insert:
    """One call of `insert`: it knows its ids as soon as they are drawn, and is repeated with them until a deadline."""

    def __init__(self, jobs: Sequence[NewJob], clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._end = clock.steady() + PATIENCE
        self._ids: list[int] = []
        self._sent = False
        size = sum(len(job.args) for job in jobs)
        self._need = _TRY + len(jobs) / _JOBS_A_SECOND + size / _BYTES_A_SECOND

    def run(self, seat: Seat) -> list[Inserted]:
        """What came of each job, in order. Raises StoreFull; Unconfirmed where the jobs may stand in the store."""
        failure: StoreUnavailable | None = None
        for pause in _PAUSES:
            if pause:
                Event().wait(pause)
            left = self._end - self._clock.steady()
            if failure is not None and left < _TRY:
                break
            try:
                return seat.run(self._step, patience=max(self._need, 0.1), inserting=True)
            except StoreUnavailable as error:
                failure = error
        if self._sent:
            raise Unconfirmed(str(failure), tuple(map(str, self._ids))) from failure
        raise failure or AssertionError("unreachable: the first try returns or raises")

    def _step(self, session: Session) -> list[Inserted]:
        if not self._ids:
            self._ids = _drawn_ids(session, self._jobs)
        if any(job.unique is not None for job in self._jobs):
            return self._with_unique(session)
        pages = list(_pages(self._ids, self._jobs))
        self._sent = True
        if len(pages) == 1:
            session.rows("insert", pages[0])
        else:
            with session.together():
                for page in pages:
                    session.rows("insert", page)
        return [Inserted(str(job_id)) for job_id in self._ids]

    def _with_unique(self, session: Session) -> list[Inserted]:
        with session.together():
            unique.take_keys(session, self._jobs)
            if self._sent:
                done = unique.before(session, self._jobs, self._ids)
                if done is not None:
                    return done
            self._sent = True
            return _put_unique(session, self._jobs, self._ids)


def _put_unique(session: Session, jobs: Sequence[NewJob], ids: Sequence[int]) -> list[Inserted]:
    """Insert those that are not one too many; their keys are taken."""
    planned = unique.plan(session, jobs, ids)
    for page in _pages([job_id for job_id, _, _ in planned.jobs], [job for _, job, _ in planned.jobs]):
        session.rows("insert", page)
    unique.keep(session, planned)
    return list(planned.answers)


def _drawn_ids(session: Session, jobs: Sequence[NewJob]) -> list[int]:
    return [row[0] for row in session.rows("draw_ids", {"count": len(jobs)})] if jobs else []


def _row(job_id: int, job: NewJob) -> _Row:
    return _Row(
        job_id,
        job.queue,
        job.name,
        msgspec.Raw(job.args),
        job.max_attempts,
        job.priority,
        job.tags,
        msgspec.Raw(meta_of(job).encode()),
        job.at,
        job.delay,
    )


def _pages(ids: Sequence[int], jobs: Sequence[NewJob]) -> Iterator[dict[str, str]]:
    rows = [_row(job_id, job) for job_id, job in zip(ids, jobs, strict=True)]
    for start in range(0, len(rows), _JOBS_TOGETHER):
        yield {"jobs": _encode(rows[start : start + _JOBS_TOGETHER]).decode()}
