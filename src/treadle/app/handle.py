"""What enqueueing gives back: the way to ask after a job, to cancel it, and to wait for its value."""

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from treadle.app.surface import App
from treadle.app.unserved import Patience
from treadle.core.job import Inserted
from treadle.core.states import State
from treadle.errors import ConfigError, JobCancelled, JobFailed, ResultGone, StoreError
from treadle.stores.contract import Ability
from treadle.stores.job_query import JobQuery
from treadle.stores.views import Result

T = TypeVar("T")

_GLANCE = 1.0
# A job that is looked for right after its transaction was committed may not be seen at once.
_MISSES = 2


class Unborn:
    """In place of the id of a job that is enqueued at a commit to come, or was not when it came, for this reason."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def __repr__(self) -> str:
        return "not enqueued yet" if self.error is None else "not enqueued"


class Handle:
    """A job in the store.

    `conflict` says that the enqueued job was not inserted, as it is to be unique and this one stood there already.
    """

    conflict: bool = False

    def __init__(self, app: App, job_id: str | Unborn) -> None:
        if not isinstance(job_id, str | Unborn):
            raise ConfigError(f"expected the id of a job to be text, got {job_id!r:.80}")
        self._app = app
        self._id = job_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id!r})"

    @property
    def id(self) -> str:
        """Its id there, as text.

        Raises ConfigError before the commit that `after_commit=` waits for, StoreError where nothing was enqueued then.
        """
        if isinstance(self._id, Unborn):
            if self._id.error is not None:
                raise StoreError(
                    f"expected a job that was enqueued, got one that was not although its transaction is committed: "
                    f"{self._id.error}"
                ) from self._id.error
            raise ConfigError(
                "expected the transaction of after_commit= to be committed before its job is asked for, got a job that "
                "is not enqueued yet"
            )
        return self._id

    def appoint(self, inserted: Inserted) -> None:
        """Say what came of the job; for those who build on treadle."""
        self._id = inserted.id
        self.conflict = inserted.conflict

    def fail(self, error: Exception) -> None:
        """Say why the job was not enqueued; for those who build on treadle."""
        self._id = Unborn(error)

    def status(self) -> State | None:
        """Where the job stands; None where the store keeps nothing of it (Redis keeps no finished jobs)."""
        return self._app.blocking("status", self.astatus(), instead="await handle.astatus()")

    async def astatus(self) -> State | None:
        """Where the job stands; see `status`."""
        store = await self._app.astore()
        result = await store.result(self.id)
        if result is not None:
            return result.state
        found = await store.find(JobQuery(ids=(self.id,)))
        return found[0].state if found else None

    def cancel(self) -> bool:
        """Cancel the job: at once where it waits, by request where it runs; False where it has ended or is gone."""
        return self._app.blocking("cancel", self.acancel(), instead="await handle.acancel()")

    async def acancel(self) -> bool:
        """Cancel the job; see `cancel`."""
        store = await self._app.astore()
        return await store.act("cancel", JobQuery(ids=(self.id,))) > 0

    if not TYPE_CHECKING:
        # An editor says that a plain handle has no value; at run time a bare AttributeError would not say why.
        def __await__(self) -> NoReturn:
            raise TypeError(_NO_VALUE)

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(_NO_VALUE if name in {"result", "aresult"} else f"a Handle has no attribute {name!r}")


_NO_VALUE = (
    "expected the handle of a job declared with record=True, got one whose value is not kept: it has no result, and "
    "cannot be awaited"
)


class ResultHandle(Handle, Generic[T]):
    """The handle of a job whose value is recorded; it can be awaited, and gives the value.

    `queue` is where its job was put, `read` gives the value of its JSON. A wait says in the log when no live worker
    serves the queue. It raises JobFailed with the last failure's text, JobCancelled, or TimeoutError when our own wait
    ends first.
    """

    def __init__(self, app: App, job_id: str | Unborn, queue: str, read: Callable[[bytes], T]) -> None:
        super().__init__(app, job_id)
        self._queue = queue
        self._read = read

    def result(self, timeout: float | None = None) -> T:
        """Wait for the value, at most `timeout` seconds; None waits for ever."""
        return self._app.blocking("result", self._wait(timeout), instead="await handle")

    async def aresult(self, timeout: float | None = None) -> T:
        """Wait for the value; see `result`."""
        return await self._wait(timeout)

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait(None).__await__()

    async def _wait(self, seconds: float | None) -> T:
        try:
            async with asyncio.timeout(seconds):
                return _value(self.id, await self._ended(), self._read)
        except TimeoutError:
            raise TimeoutError(f"job {self.id} did not end within {seconds} s, and goes on") from None

    async def _ended(self) -> Result:
        store = await self._app.astore()
        patience = Patience(self._app, self.id, self._queue)
        missing = 0
        while True:
            watch = store.watch()
            result = await store.result(self.id)
            if result is not None:
                return result
            if Ability.HISTORY in store.abilities:
                missing = 0 if await store.find(JobQuery(ids=(self.id,))) else missing + 1
            if missing >= _MISSES:
                raise ResultGone(
                    f"expected job {self.id} to stand in the store, or its value, got neither: it was pruned or "
                    f"deleted, maybe by another program that uses this table"
                )
            await patience.look(store)
            await watch.wait(_GLANCE)


def _value(job_id: str, result: Result, read: Callable[[bytes], T]) -> T:
    if result.state is State.COMPLETED:
        return read(b"null" if result.value is None else result.value)
    if result.state is State.CANCELLED:
        raise JobCancelled(f"job {job_id} was cancelled")
    raise JobFailed(f"job {job_id} failed: {result.error}")
