"""Everything that happens to a job and to a process, as typed values; and the bus that hands them on.

Log lines, metrics and tests are listeners. An event that nobody listens to is never made.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from treadle.core.job import Job
from treadle.core.outcomes import Failure
from treadle.errors import ConfigError
from treadle.log import Log

_log = Log("treadle.events")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened."""


class JobInserted(Event, frozen=True, kw_only=True):
    """This process enqueued a job."""

    id: str
    queue: str
    name: str


class JobConflicted(Event, frozen=True, kw_only=True):
    """This process enqueued a unique job that stood in the store already; `id` is that one's."""

    id: str
    queue: str
    name: str


class JobStarted(Event, frozen=True, kw_only=True):
    """An attempt began."""

    job: Job


class JobCompleted(Event, frozen=True, kw_only=True):
    """An attempt returned, `seconds` after it began."""

    job: Job
    seconds: float


class JobRetried(Event, frozen=True, kw_only=True):
    """An attempt failed; the next one is due in `after` seconds."""

    job: Job
    failure: Failure
    after: float
    seconds: float


class JobDiscarded(Event, frozen=True, kw_only=True):
    """The last attempt failed."""

    job: Job
    failure: Failure
    seconds: float


class JobSnoozed(Event, frozen=True, kw_only=True):
    """A job asked to run `after` seconds later."""

    job: Job
    after: float
    seconds: float


class JobCancelled(Event, frozen=True, kw_only=True):
    """A running job was ended on purpose."""

    job: Job
    reason: str
    seconds: float


class JobReleased(Event, frozen=True, kw_only=True):
    """A job went back to its queue untouched; `reason` says why."""

    job: Job
    reason: str


class JobUnknown(Event, frozen=True, kw_only=True):
    """A job came, the `first` of its name or not, which is not registered here; it was put back for `after` seconds."""

    job: Job
    after: float
    first: bool = True


class ClaimLost(Event, frozen=True, kw_only=True):
    """A settlement was refused: somebody cancelled, deleted, rescued or took the job, which now stands in `state`."""

    job: Job
    state: str | None


class SettleRefused(Event, frozen=True, kw_only=True):
    """The store refused a settlement with an error of its own; it is kept, and sent again every 5 seconds."""

    job: Job
    error: str


class JobStuck(Event, frozen=True, kw_only=True):
    """A job did not stop at its time-out; it counts as failed, and its slot was given to another."""

    job: Job
    stuck: int


class LoopStalled(Event, frozen=True, kw_only=True):
    """The event loop did not answer for `seconds`; `stack` shows what held it at the time."""

    seconds: float
    stack: str


class WorkerReady(Event, frozen=True, kw_only=True):
    """A worker process began to claim."""

    owner: str
    queues: tuple[str, ...]
    concurrency: int


class WorkerStopped(Event, frozen=True, kw_only=True):
    """A worker process ended its work."""

    owner: str


class WorkerFenced(Event, frozen=True, kw_only=True):
    """This owner was declared dead while it lived; what it ran was stopped and its outcomes are refused."""

    owner: str


class ChildDied(Event, frozen=True, kw_only=True):
    """A worker process of this node died by itself, with `code` as waitpid tells it (negative: the signal)."""

    owner: str
    pid: int
    code: int
    released: int
    suspects: int


class ChildKilled(Event, frozen=True, kw_only=True):
    """This node killed one of its worker processes; `reason` says why."""

    owner: str
    pid: int
    reason: str


class ChildRecycled(Event, frozen=True, kw_only=True):
    """A worker process gives way to a new one, and ends when its jobs have ended; `reason` says why."""

    owner: str
    pid: int
    reason: str


class NodeListening(Event, frozen=True, kw_only=True):
    """A node shows its probes and metrics at this address."""

    host: str
    port: int


class QueueControlled(Event, frozen=True, kw_only=True):
    """Somebody told this node to `pause`, `resume`, `scale`, `start` or `stop` a queue; "*" is every queue."""

    action: str
    queue: str
    limit: int | None = None


class NodeFailed(Event, frozen=True, kw_only=True):
    """A node ends because it cannot do its work at all."""

    error: str


class StoreLost(Event, frozen=True, kw_only=True):
    """The store does not answer; what is owed to it is kept and sent again."""

    error: str


class StoreFound(Event, frozen=True, kw_only=True):
    """The store answers again, after `seconds`."""

    seconds: float


class StoreReset(Event, frozen=True, kw_only=True):
    """The store forgot these owners, so its data was lost or replaced; they enrolled again."""

    owners: tuple[str, ...]


class StoreWarning(Event, frozen=True, kw_only=True):
    """Something about the store endangers jobs; `text` says what, and what to do."""

    text: str


class Staged(Event, frozen=True, kw_only=True):
    """Due jobs were made available."""

    count: int


class CronFired(Event, frozen=True, kw_only=True):
    """The `tick` of an entry of the crontab came, and this process inserted its job, `name` with this `id`."""

    entry: str
    name: str
    tick: datetime
    id: str


class CronMissed(Event, frozen=True, kw_only=True):
    """Ticks of an entry of the crontab passed while no worker was there, and stay out; counted up to 1,001."""

    entry: str
    count: int


class OwnersRescued(Event, frozen=True, kw_only=True):
    """Owners whose lease ran out were fenced and their claims given back."""

    owners: tuple[str, ...]
    claims: int


class JobsPruned(Event, frozen=True, kw_only=True):
    """Old finished jobs were deleted."""

    count: int


class ServiceFailed(Event, frozen=True, kw_only=True):
    """A step of a service raised; it will be repeated."""

    service: str
    error: str


E = TypeVar("E", bound=Event)
Listener = Callable[[Any], None]


class Events:
    """Hands events to their listeners, in the order in which they were added.

    A listener is called where the event happens and must return quickly; one that raises is logged and the rest go on.
    """

    def __init__(self) -> None:
        self._listeners: dict[type[Event], list[Listener]] = {}

    def listen(self, kind: type[E], listener: Callable[[E], None]) -> None:
        """Call `listener` for every event of exactly this kind; harmless when repeated. Raises ConfigError."""
        if Event not in getattr(kind, "__mro__", ()):
            raise ConfigError(f"expected a kind of event, such as treadle.hooks.events.JobCompleted, got {kind!r:.80}")
        listeners = self._listeners.setdefault(kind, [])
        if listener not in listeners:
            listeners.append(listener)

    def wanted(self, kind: type[Event]) -> bool:
        """Whether anybody listens; ask before building an event on a hot path."""
        return kind in self._listeners

    def emit(self, event: Event) -> None:
        """Hand an event on."""
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - user code
                _log.exception("a listener for %s failed", type(event).__name__)
