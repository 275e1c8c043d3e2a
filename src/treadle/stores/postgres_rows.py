"""Jobs on their way into PostgreSQL's table: what it can keep, and the two ways to send them."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from treadle.core.arguments import Shape
from treadle.core.job import NewJob
from treadle.core.jsontext import load_json
from treadle.errors import ArgumentError
from treadle.stores.oban import check, meta_of
from treadle.stores.postgres_connection import JsonText, Session

LONGEST_NAME = 127

# Of one statement, whose time is limited.
_JOBS_A_PAGE = 5_000
_BYTES_A_PAGE = 8 << 20

Numbered = tuple[int, NewJob]

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


def put(session: Session, rows: Sequence[Numbered], ahead: int = 0, *, silent: Collection[str] = ()) -> list[int]:
    """Insert these; so many ids for later ones. Silent queues are not told of."""
    text = JsonText(_encode([_row(job_id, job) for job_id, job in rows]))
    ids: list[int] = session.row("insert", {"jobs": text, "ahead": ahead, "silent": list(silent)})[1]
    return ids


def copy(session: Session, rows: Sequence[Numbered], *, silent: Collection[str]) -> None:
    """Insert these, none of which waits for its time, within a transaction. Silent queues are not told of."""
    for page in pages(rows):
        session.copy("copy", (_columns(job_id, job) for job_id, job in page))
    session.rows("tell", {"queues": sorted({job.queue for _, job in rows}.difference(silent))})


def _columns(job_id: int, job: NewJob) -> tuple[Any, ...]:
    args, tags = job.args.decode(), list(job.tags)
    return (job_id, job.queue, job.name, args, job.max_attempts, job.priority, tags, meta_of(job))


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


def pages(rows: Sequence[Numbered]) -> Iterator[Sequence[Numbered]]:
    """So many at once as a statement has time for."""
    start, size = 0, 0
    for stop, (_, job) in enumerate(rows):
        size += len(job.args)
        if stop > start and (stop - start == _JOBS_A_PAGE or size > _BYTES_A_PAGE):
            yield rows[start:stop]
            start, size = stop, len(job.args)
    if start < len(rows):
        yield rows[start:]
