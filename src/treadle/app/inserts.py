"""How an app's jobs come into its store: within the middleware around insert, and told of as events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from treadle.app.connection import Connection
from treadle.app.guard import refuse_while_importing
from treadle.core.job import Inserted, NewJob
from treadle.hooks.events import Events, JobInserted
from treadle.hooks.middleware import AroundInsert, check_inserted, insert_within


class Inserts:
    """What every way to enqueue ends in. `around` is the middleware, outermost first."""

    def __init__(self, connection: Connection, events: Events) -> None:
        self.around: list[AroundInsert] = []
        self._connection = connection
        self._events = events

    def insert(self, jobs: Sequence[NewJob], *, instead: str) -> Sequence[Inserted]:
        """Insert jobs, blocking; what came of each. Raises BlockingCall where a loop runs, naming `instead`."""
        self._connection.refuse_to_block(instead.removeprefix("await a") or "enqueue", instead)
        if not jobs:
            return ()
        if self.around:
            return self._connection.run(self.ainsert(jobs))
        inserted = self._connection.store_now().insert_now(jobs)
        self._tell(jobs, inserted)
        return inserted

    async def ainsert(self, jobs: Sequence[NewJob]) -> Sequence[Inserted]:
        """Insert jobs; what came of each."""
        refuse_while_importing("aenqueue")
        if not jobs:
            return ()
        return check_inserted(await insert_within(self.around, jobs, self._insert), len(jobs))

    @contextmanager
    def within(self, around: Sequence[AroundInsert]) -> Iterator[None]:
        """Within the block this middleware is the innermost."""
        kept = self.around
        self.around = [*kept, *around]
        try:
            yield
        finally:
            self.around = kept

    async def _insert(self, jobs: Sequence[NewJob]) -> Sequence[Inserted]:
        store = await self._connection.astore()
        inserted = await store.insert(jobs)
        self._tell(jobs, inserted)
        return inserted

    def _tell(self, jobs: Sequence[NewJob], inserted: Sequence[Inserted]) -> None:
        if self._events.wanted(JobInserted):
            for job, one in zip(jobs, inserted, strict=True):
                self._events.emit(JobInserted(id=one.id, queue=job.queue, name=job.name))
