"""What a job is, before it is enqueued, while a worker holds it and when somebody looks at it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from treadle.core.jsontext import dump
from treadle.core.states import State
from treadle.core.transaction import Completing, opening
from treadle.core.uniqueness import Uniqueness
from treadle.errors import ConfigError


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is to be inserted.

    `args` is JSON in the shape that the store keeps: a list for Redis, an object for Oban's table.
    `delay` is seconds from the store's own clock; `at` an instant that the caller gave, seconds since the epoch.
    At most one of them is set; neither means now. `priority` is 0, the first, to 9; a store without priorities ignores
    it. `rerun` is False for a job that must not run again when its worker dies. `tags` are words to find it by, `meta`
    values that travel with it, as JSON has them.
    `unique` is the rule of a job of which only one is to be kept.
    """

    name: str
    queue: str
    args: bytes
    max_attempts: int
    delay: float | None = None
    at: float | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = {}
    rerun: bool = True
    unique: Uniqueness | None = None

    def __repr__(self) -> str:
        """Without what it carries, which may be secret."""
        return f"NewJob(name={self.name!r}, queue={self.queue!r})"

    def digest(self, unique: Uniqueness) -> str:
        """What this job and those that are the same by this rule have in common. Raises ArgumentError for its meta."""
        meta = dump(dict(self.meta), f'meta of job "{self.name}"') if self.meta else b"{}"
        return unique.digest(name=self.name, queue=self.queue, args=self.args, meta=meta)


class Inserted(msgspec.Struct, frozen=True):
    """What an insert gave for one of its jobs: the id in the store. `conflict` says that it is that of another job.

    That job stood there before, and this one, which was to be unique, was not inserted.
    """

    id: str
    conflict: bool = False


class Job(msgspec.Struct, frozen=True):
    """One enqueued unit of work as its body sees it.

    `attempt` counts from 1 and includes the one that runs. `args` is the JSON that stands in the store.
    `origin` names the system whose rules the job was written under: "treadle" or a foreign one ("sidekiq").
    `deaths` counts the workers that died while they ran this job alone. `waited` is how many seconds of the store's
    clock lay between when it was due and when it was claimed. `rerun`, `tags` and `meta` are as in NewJob.
    """

    id: str
    name: str
    queue: str
    args: bytes
    attempt: int
    max_attempts: int
    origin: str = "treadle"
    deaths: int = 0
    rerun: bool = True
    waited: float = 0.0
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = {}

    @property
    def tick(self) -> datetime | None:
        """For which tick of the crontab it was inserted; None for a job that was not, or by hand."""
        at = self.meta.get("cron_at") if self.meta else None
        try:
            tick = datetime.fromisoformat(at) if isinstance(at, str) else None
        except ValueError:
            return None
        return tick.astimezone(UTC) if tick and tick.tzinfo else None

    def transaction(self) -> Completing:
        """A transaction of an SQL store's that commits what this job writes together with the job's completion.

        `async with job.transaction() as connection:` on a loop, `with` in a thread. Raises ConfigError elsewhere.
        """
        opener = opening.get(None)
        if opener is None:
            raise ConfigError(
                "expected transaction() while a job runs in a loop or a thread of a worker, got a call elsewhere"
            )
        return opener()

    def __repr__(self) -> str:
        """Without what it carries, which may be secret."""
        return f"Job(id={self.id!r}, name={self.name!r}, queue={self.queue!r}, attempt={self.attempt})"


class JobError(msgspec.Struct, frozen=True):
    """One failed attempt, as the store kept it. `attempt` and `at` are None where the store does not keep them."""

    error: str
    attempt: int | None = None
    at: datetime | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands in the store, for people and dashboards.

    Instants are aware, in UTC; None means not yet, or not kept.
    """

    id: str
    state: State
    name: str
    queue: str
    args: Any
    attempt: int
    max_attempts: int
    inserted_at: datetime | None = None
    scheduled_at: datetime | None = None
    attempted_at: datetime | None = None
    finished_at: datetime | None = None
    errors: tuple[JobError, ...] = ()
    owner: str | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = {}
    priority: int = 0

    def __repr__(self) -> str:
        """Without what it carries, which may be secret."""
        return f"JobView(id={self.id!r}, state={self.state.value!r}, name={self.name!r}, queue={self.queue!r})"
