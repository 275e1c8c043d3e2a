"""Jobs that are enqueued when a transaction of the user's is committed, and the handles that are told of it then."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from treadle.app.surface import Awaiting
from treadle.core.job import Inserted, NewJob
from treadle.errors import TreadleError, Unconfirmed
from treadle.log import Log

_log = Log("treadle.stores")


class Deferred:
    """What is done at the commit; an insert that fails then is logged, as its caller may be gone, and raised."""

    def __init__(
        self,
        jobs: Sequence[NewJob],
        handles: Sequence[Awaiting],
        insert: Callable[[Sequence[NewJob]], Sequence[Inserted]],
        ainsert: Callable[[Sequence[NewJob]], Coroutine[Any, Any, Sequence[Inserted]]],
    ) -> None:
        self._jobs = jobs
        self._handles = handles
        self._insert = insert
        self._ainsert = ainsert

    def now(self) -> None:
        """Insert, blocking."""
        with self._complaining():
            self._tell(self._insert(self._jobs))

    async def later(self) -> None:
        """Insert."""
        with self._complaining():
            self._tell(await self._ainsert(self._jobs))

    def _tell(self, inserted: Sequence[Inserted]) -> None:
        for handle, one in zip(self._handles, inserted, strict=True):
            handle.appoint(one)

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            names = ", ".join(sorted({job.name for job in self._jobs}))
            ids = f" (maybe as {', '.join(error.ids)})" if isinstance(error, Unconfirmed) else ""
            _log.error(
                "%d jobs (%s) were not enqueued%s although their transaction is committed: %s",
                len(self._jobs),
                names,
                ids,
                error if isinstance(error, TreadleError) else repr(error),
            )
            for handle in self._handles:
                handle.fail(error)
            raise
