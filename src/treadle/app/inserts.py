"""How an app's jobs come into its store: within the middleware around insert, and told of as events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from treadle.app.connection import Connection
from treadle.app.guard import refuse_while_importing
from treadle.core.job import NewJob
from treadle.errors import ConfigError
from treadle.hooks.events import Events, JobInserted
from treadle.hooks.middleware import AroundInsert, insert_within


class Inserts:
    """What every way to enqueue ends in. `around` is the middleware, outermost first."""

    def __init__(self, connection: Connection, events: Events) -> None:
        self.around: list[AroundInsert] = []
        self._connection = connection
        self._events = events

    def insert(self, jobs: Sequence[NewJob], *, instead: str) -> Sequence[str]:
        """Insert jobs, blocking; their ids. Raises BlockingCall where a loop runs, naming `instead`."""
        self._connection.refuse_to_block(instead.removeprefix("await a") or "enqueue", instead)
        if not jobs:
            return ()
        if self.around:
            return self._connection.run(self.ainsert(jobs))
        ids = self._connection.store_now().insert_now(jobs)
        self._tell(jobs, ids)
        return ids

    async def ainsert(self, jobs: Sequence[NewJob]) -> Sequence[str]:
        """Insert jobs; their ids."""
        refuse_while_importing("aenqueue")
        if not jobs:
            return ()
        ids: Any = await insert_within(self.around, jobs, self._insert)
        if not isinstance(ids, Sequence) or len(ids) != len(jobs):
            raise ConfigError(
                f"expected the middleware around insert to give {len(jobs)} ids, got {ids!r:.80}; let it return what "
                f"call_next gives"
            )
        return ids

    @contextmanager
    def within(self, around: Sequence[AroundInsert]) -> Iterator[None]:
        """Within the block this middleware is the innermost."""
        kept = self.around
        self.around = [*kept, *around]
        try:
            yield
        finally:
            self.around = kept

    async def _insert(self, jobs: Sequence[NewJob]) -> Sequence[str]:
        store = await self._connection.astore()
        ids = await store.insert(jobs)
        self._tell(jobs, ids)
        return ids

    def _tell(self, jobs: Sequence[NewJob], ids: Sequence[str]) -> None:
        if self._events.wanted(JobInserted):
            for job, job_id in zip(jobs, ids, strict=True):
                self._events.emit(JobInserted(id=job_id, queue=job.queue, name=job.name))
