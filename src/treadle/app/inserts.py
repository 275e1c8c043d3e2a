"""How an app's jobs come into its store: within the middleware around insert, and told of as events."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from treadle.app.connection import Connection
from treadle.app.deferred import Deferred
from treadle.app.guard import refuse_while_importing
from treadle.app.surface import Awaiting
from treadle.core.job import Inserted, NewJob
from treadle.errors import ConfigError
from treadle.hooks.events import Events, JobConflicted, JobInserted
from treadle.hooks.middleware import AroundInsert, check_inserted, insert_within
from treadle.stores.borrowed.commits import after_commit
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.contract import refuse_tx


class Inserts:
    """What every way to enqueue ends in. `around` is the middleware, outermost first."""

    def __init__(self, connection: Connection, events: Events) -> None:
        self.around: list[AroundInsert] = []
        self._connection = connection
        self._events = events

    def insert(self, jobs: Sequence[NewJob], *, call: str, tx: Any = None) -> Sequence[Inserted]:  # noqa: ANN401
        """Insert jobs for a blocking call of this name; what came of each.

        Raises BlockingCall where a loop runs, naming its twin; not with `tx`, whose connection is the user's own.
        """
        borrowed = self._borrow(tx)
        if borrowed is None:
            self._connection.refuse_to_block(call, f"await a{call}")
        else:
            refuse_while_importing(call)
            _refuse_async(borrowed, call)
        if not jobs:
            return ()
        if borrowed is None:
            return self._insert_blocking(jobs)
        return self._insert_here(jobs, borrowed) if self.around else self._insert_now(jobs, borrowed)

    async def ainsert(self, jobs: Sequence[NewJob], *, tx: Any = None) -> Sequence[Inserted]:  # noqa: ANN401
        """Insert jobs; what came of each."""
        refuse_while_importing("aenqueue")
        borrowed = self._borrow(tx)
        _refuse_blocking(borrowed)
        if not jobs:
            return ()

        async def insert(jobs: Sequence[NewJob]) -> Sequence[Inserted]:
            return await self._insert(jobs, borrowed)

        return check_inserted(await insert_within(self.around, jobs, insert), len(jobs))

    def defer(self, jobs: Sequence[NewJob], handles: Sequence[Awaiting], given: Any, *, call: str) -> None:  # noqa: ANN401
        """Insert jobs at a commit, which does not block; where there is no transaction, insert them now."""
        refuse_while_importing(call)
        deferred = Deferred(jobs, handles, self._insert_blocking, self.ainsert)
        if jobs and not after_commit(given, deferred):
            self._connection.refuse_to_block(call, f"await a{call}")
            deferred.now()

    async def adefer(self, jobs: Sequence[NewJob], handles: Sequence[Awaiting], given: Any) -> None:  # noqa: ANN401
        """Insert jobs at a commit; where there is no transaction, insert them now."""
        refuse_while_importing("aenqueue")
        deferred = Deferred(jobs, handles, self._insert_blocking, self.ainsert)
        if jobs and not after_commit(given, deferred):
            await deferred.later()

    @contextmanager
    def within(self, around: Sequence[AroundInsert]) -> Iterator[None]:
        """Within the block this middleware is the innermost."""
        kept = self.around
        self.around = [*kept, *around]
        try:
            yield
        finally:
            self.around = kept

    def _borrow(self, tx: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
        if tx is None:
            return None
        refuse_tx(self._connection.store, tx)
        return borrow(tx)

    def _insert_blocking(self, jobs: Sequence[NewJob]) -> Sequence[Inserted]:
        """Within middleware the portal inserts, else this thread."""
        return self._connection.run(self.ainsert(jobs)) if self.around else self._insert_now(jobs, None)

    def _insert_here(self, jobs: Sequence[NewJob], borrowed: Borrowed) -> Sequence[Inserted]:
        """The middleware runs on the portal, what it calls on this thread: no other may use what was lent."""
        calls: SimpleQueue[tuple[Sequence[NewJob], Future[Sequence[Inserted]]] | None] = SimpleQueue()
        chain = self._connection.submit(_handed_over(self.around, jobs, calls))
        chain.add_done_callback(lambda _: calls.put(None))
        while (call := calls.get()) is not None:
            jobs, answer = call
            try:
                answer.set_result(self._insert_now(jobs, borrowed))
            except BaseException as error:  # noqa: BLE001 - raised where the middleware waits for it
                answer.set_exception(error)
        return chain.result()

    def _insert_now(self, jobs: Sequence[NewJob], borrowed: Borrowed | None) -> Sequence[Inserted]:
        store = self._connection.store_now() if borrowed is None else self._connection.store
        inserted = store.insert_now(jobs, tx=borrowed)
        self._tell(jobs, inserted)
        return inserted

    async def _insert(self, jobs: Sequence[NewJob], borrowed: Borrowed | None) -> Sequence[Inserted]:
        store = await self._connection.astore() if borrowed is None else self._connection.store
        inserted = await store.insert(jobs, tx=borrowed)
        self._tell(jobs, inserted)
        return inserted

    def _tell(self, jobs: Sequence[NewJob], inserted: Sequence[Inserted]) -> None:
        if self._events.wanted(JobInserted) or self._events.wanted(JobConflicted):
            for job, one in zip(jobs, inserted, strict=True):
                kind = JobConflicted if one.conflict else JobInserted
                self._events.emit(kind(id=one.id, queue=job.queue, name=job.name))


async def _handed_over(
    around: Sequence[AroundInsert],
    jobs: Sequence[NewJob],
    calls: SimpleQueue[tuple[Sequence[NewJob], Future[Sequence[Inserted]]] | None],
) -> Sequence[Inserted]:
    """Insert within middleware, by the thread that reads these calls."""

    async def insert(jobs: Sequence[NewJob]) -> Sequence[Inserted]:
        answer: Future[Sequence[Inserted]] = Future()
        calls.put((jobs, answer))
        return await asyncio.wrap_future(answer)

    return check_inserted(await insert_within(around, jobs, insert), len(jobs))


def exclusive(after_commit: object, tx: object) -> object:
    """What was given as `after_commit`. Raises ConfigError where `tx` was given too."""
    if tx is not None:
        raise ConfigError("expected either tx or after_commit of a call, got both")
    return after_commit


def _refuse_async(borrowed: Borrowed, call: str) -> None:
    if borrowed.kind != "blocking":
        raise ConfigError(
            f"expected tx= of {call} to be a connection of blocking code, got {borrowed.what}: use await a{call}"
        )


def _refuse_blocking(borrowed: Borrowed | None) -> None:
    if borrowed is not None and borrowed.kind == "blocking":
        raise ConfigError(
            f"expected tx= of an awaited call to be a connection of the loop, got {borrowed.what}, which blocks: "
            f"call the blocking twin, which a coroutine may with it"
        )
