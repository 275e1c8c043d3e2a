"""Gives a job its injected parameters for one attempt, and closes what was opened for them, newest first.

It is written once, as coroutines. A loop awaits them. A thread runs them without a loop (`run_here`): there they never
suspend, because whatever has to wait is handed to a loop elsewhere and waited for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import Any, TypeVar

from treadle.core.inject import Provider, Source, Sources
from treadle.core.job import Job

T = TypeVar("T")

Elsewhere = Callable[[Coroutine[Any, Any, Any]], Any]
Told = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
Opened = AbstractContextManager[object] | AbstractAsyncContextManager[object]


class Provided:
    """The injected values of one attempt, each provider's made once.

    `overrides` holds values that take the place of a provider's. `elsewhere` runs a coroutine to its end on a loop, for
    a caller that has none.
    """

    def __init__(self, job: Job, overrides: Mapping[Provider, object], elsewhere: Elsewhere | None = None) -> None:
        self._job = job
        self._overrides = overrides
        self._elsewhere = elsewhere
        self._values: dict[Provider, object] = {}
        self._opened: list[Opened] = []

    async def call(self, body: Callable[..., object], sources: Sources) -> object:
        """Call `body` with the value of each source by its name; what it returns, awaited where it is a coroutine.

        Raises what the body or a provider raised, at last what the end of a generator did. A generator that swallows
        an error does not undo it.
        """
        value: object = None
        failure: BaseException | None = None
        try:
            value = await self._awaited(body(**await self._values_of(sources)))
        except BaseException as error:  # noqa: BLE001 - user code; raised again below
            failure = error
        try:
            failure = await self._close(failure)
        except BaseException as interruption:  # noqa: BLE001 - a thread is interrupted once, maybe between two of them
            failure = await self._close(interruption)
        if failure is None:
            return value
        try:
            raise failure
        finally:
            # Its traceback holds this frame: as a cycle, both would keep what the body held.
            del failure

    async def _values_of(self, sources: Sources) -> dict[str, object]:
        return {name: await self._value_of(source) for name, source in sources.items()}

    async def _value_of(self, source: Source | None) -> object:
        if source is None:
            return self._job
        provider = source.provider
        if provider in self._overrides:
            return self._overrides[provider]
        if provider not in self._values:
            made = await self._awaited(provider(**await self._values_of(source.needs)))
            self._values[provider] = await self._open(made)
        return self._values[provider]

    async def _open(self, made: object) -> object:
        match made:
            case GeneratorType():
                manager = contextmanager(lambda: made)()
                value = manager.__enter__()
                self._opened.append(manager)
            case AsyncGeneratorType():
                later: AbstractAsyncContextManager[object] = asynccontextmanager(lambda: made)()
                later = later if self._elsewhere is None else Held(later)
                value = await self._awaited(later.__aenter__())
                self._opened.append(later)
            case _:
                return made
        return value

    async def _close(self, failure: BaseException | None) -> BaseException | None:
        """End what is open; the attempt's error after that."""
        try:
            while self._opened:
                manager = self._opened.pop()
                try:
                    await self._leave(manager, failure)
                except BaseException as error:  # noqa: BLE001 - user code: from here on it is the attempt's error
                    failure = error
            return failure
        finally:
            del failure

    async def _leave(self, manager: Opened, error: BaseException | None) -> None:
        told = _told(error)
        if isinstance(manager, AbstractContextManager):
            manager.__exit__(*told)
        else:
            await self._awaited(manager.__aexit__(*told))

    async def _awaited(self, value: object) -> object:
        if not isinstance(value, CoroutineType):
            return value
        return await value if self._elsewhere is None else self._elsewhere(value)


class Held(AbstractAsyncContextManager[T]):
    """Another context manager, entered and left within one task, as a time-out or a task group inside it demands.

    For callers whose two calls run in tasks of their own.
    """

    def __init__(self, manager: AbstractAsyncContextManager[T]) -> None:
        self._manager = manager
        self._entered: asyncio.Future[T]
        self._leaving: asyncio.Future[BaseException | None]
        self._task: asyncio.Task[BaseException | None]

    async def __aenter__(self) -> T:
        loop = asyncio.get_running_loop()
        self._entered = loop.create_future()
        self._leaving = loop.create_future()
        self._task = loop.create_task(self._hold(), name="treadle provider")
        await self._until(self._entered)
        if self._entered.done():
            return self._entered.result()
        raise self._task.result() or asyncio.CancelledError

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._leaving.set_result(error)
        await self._until(self._task)
        failure = self._task.result()
        if failure is not None:
            raise failure

    async def _hold(self) -> BaseException | None:
        """What either step raised; a SystemExit that a task lets out would end the whole loop."""
        try:
            self._entered.set_result(await self._manager.__aenter__())
            await self._manager.__aexit__(*_told(await self._leaving))
        except BaseException as error:  # noqa: BLE001 - user code
            return error
        return None

    async def _until(self, done: "asyncio.Future[Any]") -> None:
        try:
            await asyncio.wait([done, self._task], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise


def run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """The value of a coroutine that never suspends, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("expected a coroutine that does not suspend, got one that waits")


def _told(error: BaseException | None) -> Told:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)
