"""Oban's table as values: timestamps, the claim's triple, error objects, rows. Pure; both SQL drivers share it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import msgspec

from treadle.core.arguments import Shape
from treadle.core.job import Job, JobError, JobView, NewJob
from treadle.core.jsontext import DEPTH_LIMIT, dump, load_json, too_deep
from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.core.states import State
from treadle.errors import ArgumentError, ConfigError

_encode = msgspec.json.Encoder().encode
_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


# Our own key in `meta`: false where a job must not run again when its worker dies.
_RERUN = "treadle_rerun"

# The end of the year 9999: a stamp has four digits for the year.
_LATEST = 253_402_300_799.0
# This leaves room for a delay that is added to the clock.
_LAST_INSTANT = 1.1e11
NO_ID = -1

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# PostgreSQL cuts names at 63 bytes, and the longest of the channels is called "<schema>.oban_cronitor".
_LONGEST_SCHEMA = 49


def check_schema(name: str) -> str:
    """The name, if a schema of treadle may have it. Raises ConfigError."""
    if len(name) > _LONGEST_SCHEMA or not _SCHEMA.fullmatch(name):
        raise ConfigError(
            f"expected schema to be a letter or _, then letters, digits, _ or -, at most {_LONGEST_SCHEMA} in all, "
            f"got {name!r:.80}"
        )
    return name


def stamp(seconds: float) -> str:
    """Seconds since the epoch as Oban's Lite engine writes them, "2026-11-22T08:22:51.292048Z".

    Always six digits: stamps are compared as text, and "…51Z" would sort after "…51.9Z". What lies after the year 9999,
    and NaN, becomes its end: one job that snoozes for ever must not keep the settlements beside it from being written.
    """
    # In this order: of a number and NaN, `min` keeps the first.
    return datetime.fromtimestamp(min(_LATEST, seconds), UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def instant(text: object) -> datetime | None:
    """The instant that any form in the table means: 0, 3 or 6 digits, 'T' or a blank, 'Z', an offset or none (UTC)."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def attempted_by(owner: str, queue: str, claim: str) -> str:
    """The JSON of `[owner, producer, claim]`."""
    return _encode((owner, producer(owner, queue), claim)).decode()


@lru_cache(maxsize=1024)
def producer(owner: str, queue: str) -> str:
    """What dashboards join on: one for an owner's work on a queue, drawn from both."""
    return str(uuid5(uuid5(NAMESPACE_DNS, owner), queue))


def error_object(at: str, attempt: int, text: str) -> str:
    """One element of `errors`: exactly the keys `at`, `attempt` and `error`; another form would stop an Elixir node."""
    return _encode({"at": at, "attempt": attempt, "error": utf8(text)}).decode()


def utf8(text: str) -> str:
    """Without lone surrogates, which come with texts of users, a reason for a cancel for one: UTF-8 has none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def failure_text(failure: Failure) -> str:
    """What stands under `error`: the traceback where there is one, as oban-py does it, else "Class: message"."""
    return failure.traceback or f"{failure.error_class}: {failure.message}"


_STATES: Mapping[type[Outcome], State] = {
    Completed: State.COMPLETED,
    Retried: State.RETRYABLE,
    Discarded: State.DISCARDED,
    Snoozed: State.SCHEDULED,
    Cancelled: State.CANCELLED,
    SetAside: State.SUSPENDED,
}


def state_after(outcome: Outcome) -> State:
    """The state that an outcome leads to."""
    if isinstance(outcome, Released):
        return State.SCHEDULED if outcome.after > 0 else State.AVAILABLE
    return _STATES[type(outcome)]


def state_of(text: object) -> State | None:
    """The state that stands in a row; None for one that no version known here writes."""
    try:
        return State(text)  # type: ignore[arg-type] # any other value is refused by the enumeration
    except ValueError:
        return None


def poison(args: object, meta: object, attempt: object, max_attempts: object) -> str | None:
    """Why a row must not be run, or None. Takes `args` and `meta` as the bytes that stand in the row."""
    if not isinstance(attempt, int) or not isinstance(max_attempts, int):
        return "expected attempt and max_attempts to be integers"
    if attempt >= max_attempts:
        return f"available although all its {max_attempts} attempts are used"
    return _poison_args(args) or (None if meta == b"{}" else _poison_meta(meta))


def _poison_args(args: object) -> str | None:
    if not isinstance(args, bytes) or args.lstrip()[:1] not in (b"{", b"["):
        return f"expected args to be a JSON object or list, got {args!r:.60}"
    if too_deep(args):
        return f"expected args to be nested at most {DEPTH_LIMIT} deep, got more"
    try:
        _read_object(args) if args[:1] == b"{" else _read_list(args)
    except msgspec.DecodeError:
        # Lone surrogates, which JavaScript writes, are read by the loose reader alone.
        try:
            load_json(args)
        except ArgumentError as error:
            return f"args: {error}"
    return None


def _poison_meta(meta: object) -> str | None:
    if meta is None or meta == b"null":
        return None
    try:
        value = load_json(meta) if isinstance(meta, bytes) else meta
    except ArgumentError as error:
        return f"meta: {error}"
    return None if isinstance(value, dict) else f"expected meta to be a JSON object, got {meta!r:.60}"


def errors_of(raw: object) -> tuple[JobError, ...]:
    """The failed attempts of a row: objects, or texts that hold one, as Elixir's Lite engine writes them."""
    return tuple(_error_of(item) for item in _json(raw, list))


def last_error(raw: object) -> str | None:
    """The text of the latest failed attempt; None where there was none."""
    errors = errors_of(raw)
    return errors[-1].error if errors else None


def _error_of(item: object) -> JobError:
    value = _json(item.encode(), dict) if isinstance(item, str) else item
    if not isinstance(value, dict) or not value:
        return JobError(str(item))
    attempt = value.get("attempt")
    return JobError(
        str(value.get("error", "")), attempt if isinstance(attempt, int) else None, instant(value.get("at"))
    )


def check(jobs: Sequence[NewJob], shape: Shape) -> None:
    """Raise ArgumentError for a job that this table cannot keep, or that would stop an Elixir node."""
    for job in jobs:
        if shape is Shape.MAPPING and job.args[:1] != b"{":
            raise ArgumentError(
                f'job "{job.name}": expected its arguments as a JSON object, which Oban keeps, got {job.args!r:.60}'
            )
        if max(job.at or 0, job.delay or 0) > _LAST_INSTANT:
            raise ArgumentError(f'job "{job.name}": expected a time before the year 5000, got {job.at or job.delay}')
        if job.tags or job.meta:
            tags_of(job)
            meta_of(job)


def row_id(text: str) -> int:
    """The row that an id names; one that names none matches no row."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else NO_ID  # noqa: PLR2004 - 64 bits


def meta_of(job: NewJob) -> str:
    """What stands in `meta` of a new job. Raises ArgumentError for what is no JSON."""
    if job.rerun and not job.meta:
        return "{}"
    meta = {**job.meta} if job.rerun else {**job.meta, _RERUN: False}
    return dump(meta, f'meta of job "{job.name}"').decode()


def tags_of(job: NewJob) -> str:
    """What stands in `tags` of a new job. Raises ArgumentError for what is no text."""
    return dump(list(job.tags), f'tags of job "{job.name}"').decode() if job.tags else "[]"


def job_of(row: Sequence[Any], queue: str, attempt: int, at: datetime | None) -> Job:
    """A row that is lent `at`: id, worker, args, meta, attempt, max_attempts, deaths, tags, scheduled_at."""
    job_id, name, waited = str(row[0]), row[1].decode("utf-8", "replace"), _waited(row[8], at)
    if row[3] == b"{}" and row[7] == b"[]":
        return Job(job_id, name, queue, row[2], attempt, row[5], "treadle", row[6], True, waited)
    meta, tags = _json(row[3], dict), _tags(row[7])
    return marked_job(Job(job_id, name, queue, row[2], attempt, row[5], "treadle", row[6], True, waited), tags, meta)


def marked_job(job: Job, tags: tuple[str, ...], meta: dict[str, Any]) -> Job:
    """A job with its tags and with what its `meta` says, of which our own keys are no part."""
    rerun = _take_ours(meta)
    return msgspec.structs.replace(job, rerun=rerun, tags=tags, meta=meta)


def _take_ours(meta: dict[str, Any]) -> bool:
    """Take out what the table notes of a job beside what its enqueuer said; whether it may run again."""
    if meta.pop("recorded", False) is True:
        meta.pop("return", None)
    return meta.pop(_RERUN, True) is not False


def _waited(due: object, at: datetime | None) -> float:
    """Seconds from an instant of the table to another; 0 for what is none."""
    try:
        # The form that we write ourselves; others, which cannot be subtracted or read like this, take the slower way.
        seconds = (at - datetime.fromisoformat(due)).total_seconds()  # type: ignore[operator,arg-type] # caught
    except (TypeError, ValueError):
        since = instant(due)
        seconds = (at - since).total_seconds() if at and since else 0.0
    return seconds if seconds > 0 else 0.0


def view_of(row: Sequence[Any]) -> JobView:
    """A row, its columns in the order of Oban's table, for people: whatever stands there is shown, nothing raises."""
    job_id, state, queue, worker, args, meta, tags, errors, attempt, most, priority, *moments = row
    inserted, scheduled, attempted, by, cancelled, completed, discarded = moments
    holders, shown = _json(by, list), _json(meta, dict)
    _take_ours(shown)
    return JobView(
        id=str(job_id),
        state=State(state),
        name=_text(worker),
        queue=_text(queue),
        args=_loose(args),
        attempt=attempt,
        max_attempts=most,
        inserted_at=instant(inserted),
        scheduled_at=instant(scheduled),
        attempted_at=instant(attempted),
        finished_at=instant(completed) or instant(discarded) or instant(cancelled),
        errors=errors_of(errors),
        owner=str(holders[0]) if holders else None,
        tags=_tags(tags),
        meta=shown,
        priority=priority if isinstance(priority, int) else 0,
    )


def _tags(raw: object) -> tuple[str, ...]:
    return tuple(str(tag) for tag in _json(raw, list))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _loose(value: object) -> Any:  # noqa: ANN401 - any JSON, or what stands there in its place
    if not isinstance(value, bytes):
        return value
    try:
        return load_json(value)
    except ArgumentError:
        return _text(value)


def _json(raw: object, kind: type[Any]) -> Any:  # noqa: ANN401 - a value of `kind`
    value = _loose(raw)
    return value if isinstance(value, kind) else kind()
