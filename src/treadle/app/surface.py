"""What the parts of the face need of an app; `Treadle` is the one that has it."""

from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from treadle.core.clock import Clock
from treadle.core.cron_entry import CronEntry
from treadle.core.inject import Provider
from treadle.core.job import Inserted, NewJob
from treadle.core.options import JobDefaults, Unknown
from treadle.hooks.events import Events
from treadle.hooks.middleware import AroundPerform
from treadle.runtime.handler import Handler
from treadle.stores.contract import Store

T = TypeVar("T")


class Home(Protocol):
    """Where a job was declared."""

    @property
    def app(self) -> "App":
        """The app that it belongs to. Raises ConfigError where there is none."""
        ...


class Awaiting(Protocol):
    """A handle whose job is not enqueued yet."""

    def appoint(self, inserted: Inserted) -> None:
        """Say what came of the job."""
        ...

    def fail(self, error: Exception) -> None:
        """Say why the job was not enqueued."""
        ...


class Declares(Protocol):
    """What of the crontab its code declares."""

    def declared(self) -> Sequence[CronEntry]:
        """The entries. Raises ConfigError."""
        ...


class App(Protocol):
    """An app, as its own parts see it."""

    events: Events
    around_performs: list[AroundPerform]
    max_payload: int
    defaults: JobDefaults
    overrides: dict[Provider, object]
    unknown: Unknown
    reference: str

    @property
    def clock(self) -> Clock:
        """The clocks that it lives by."""
        ...

    @property
    def url(self) -> str:
        """The URL of the store."""
        ...

    @property
    def store(self) -> Store:
        """The store; it may not be open yet."""
        ...

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Every registered job by its name."""
        ...

    @property
    def crons(self) -> Declares:
        """Its crontab."""
        ...

    @property
    def parameters(self) -> Mapping[str, Sequence[str]]:
        """The names of the parameters of every job, by each name that it answers to."""
        ...

    def load(self) -> None:
        """Import the modules with its jobs."""
        ...

    def living(self) -> AbstractAsyncContextManager[None]:
        """Within the block the app's lifespan has begun and has not ended."""
        ...

    def resolve(self, name: str) -> Handler | None:
        """The job that answers to a name."""
        ...

    async def astore(self) -> Store:
        """The open store."""
        ...

    def refuse_to_block(self, call: str, instead: str) -> None:
        """Raise BlockingCall on a thread whose loop runs."""
        ...

    def blocking(self, call: str, coroutine: Coroutine[Any, Any, T], *, instead: str = "") -> T:
        """Run a coroutine for a blocking call."""
        ...

    def insert(self, jobs: Sequence[NewJob], *, call: str = "enqueue", tx: object = None) -> Sequence[Inserted]:
        """Insert jobs, blocking, in the transaction of `tx`; `call` is what the user has called."""
        ...

    def defer(
        self, jobs: Sequence[NewJob], handles: Sequence[Awaiting], after_commit: object, *, call: str = "enqueue"
    ) -> None:
        """Insert jobs when a transaction is committed, at once where there is none."""
        ...

    async def adefer(self, jobs: Sequence[NewJob], handles: Sequence[Awaiting], after_commit: object) -> None:
        """Insert jobs when a transaction is committed, at once where there is none."""
        ...

    async def ainsert(self, jobs: Sequence[NewJob], *, tx: object = None) -> Sequence[Inserted]:
        """Insert jobs, in the transaction of `tx`."""
        ...
