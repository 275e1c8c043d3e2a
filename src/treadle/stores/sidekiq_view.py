"""Sidekiq's payloads as people see them; also those that are no job, or whose times are in any unit ever written."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from treadle.core.job import JobError, JobView
from treadle.core.jsontext import load_json
from treadle.core.states import State
from treadle.errors import ArgumentError
from treadle.stores import sidekiq


def view(
    text: bytes, state: State, *, queue: str | None = None, score: float | None = None, owner: str | None = None
) -> JobView:
    """A payload as it stands in this state. `score` is seconds: when it is due, when it died, when it was claimed."""
    members = _members(text)
    named = members.get("queue")
    queue = queue if queue is not None else named if isinstance(named, str) and named else "default"
    try:
        job = sidekiq.read(text, queue)
    except sidekiq.Malformed:
        return _strange(text, state, queue, score)
    waits = state is not State.EXECUTING
    at = instant(score)
    return JobView(
        id=job.id,
        state=state,
        name=job.name,
        queue=queue,
        args=load_json(job.args),
        attempt=job.attempt - waits,
        max_attempts=job.max_attempts,
        inserted_at=instant(members.get("created_at")) or instant(members.get("enqueued_at")),
        scheduled_at=at if state in {State.SCHEDULED, State.RETRYABLE} else instant(members.get("enqueued_at")),
        attempted_at=at if state is State.EXECUTING else _last_failure(members),
        finished_at=at if state is State.DISCARDED else None,
        errors=_errors(members, job.attempt),
        owner=owner,
        tags=job.tags,
        meta=job.meta,
    )


def instant(value: object) -> datetime | None:
    """A time in seconds or milliseconds, by its size, as number or text, or in ISO 8601; None for what is no time."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _parsed(str(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = value / 1000 if abs(value) >= sidekiq.MILLISECONDS_FROM else value
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _parsed(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _members(text: bytes) -> dict[str, Any]:
    try:
        value = load_json(text)
    except (ArgumentError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _last_failure(members: dict[str, Any]) -> datetime | None:
    return instant(members.get("retried_at")) or instant(members.get("failed_at"))


def _errors(members: dict[str, Any], attempt: int) -> tuple[JobError, ...]:
    error_class, message = members.get("error_class"), members.get("error_message")
    if error_class is None and message is None:
        return ()
    text = ": ".join(str(part) for part in (error_class, message) if part is not None)
    return (JobError(text, attempt - 1, _last_failure(members)),)


def _strange(text: bytes, state: State, queue: str, score: float | None) -> JobView:
    """What is no job; its bytes are its argument."""
    shown = text.decode("utf-8", "backslashreplace")
    digest = hashlib.sha256(text).hexdigest()[:24]
    return JobView(
        id=digest,
        state=state,
        name="InvalidPayload",
        queue=queue,
        args=[shown],
        attempt=0,
        max_attempts=1,
        finished_at=instant(score) if state is State.DISCARDED else None,
    )
