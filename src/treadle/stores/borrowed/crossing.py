"""Run a step that blocks on a connection whose calls are awaited: the step on a thread, its statements on the loop."""

import asyncio
import threading
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from treadle.stores.borrowed.link import Awaits

T = TypeVar("T")

Rows = Sequence[Sequence[Any]]
Fetch = Callable[[str, Mapping[str, Any]], Rows]


async def across(borrowed: Awaits, step: Callable[[Fetch], T]) -> T:
    """What the step gives. Nothing of it is sent any more when this has returned, also where it was cancelled."""
    crossing = _Crossing(borrowed, asyncio.get_running_loop())
    try:
        return await crossing.run(step)
    finally:
        await crossing.close()


class _Crossing:
    def __init__(self, borrowed: Awaits, loop: AbstractEventLoop) -> None:
        self._borrowed = borrowed
        self._loop = loop
        self._sending: Task[Any] | None = None
        self._closed = False

    def run(self, step: Callable[[Fetch], T]) -> "Future[T]":
        """Begin it. A thread of its own: those of a pool may all wait for what this one is to do."""
        ended: Future[T] = self._loop.create_future()

        def work() -> None:
            try:
                value, error = step(self._fetch), None
            except BaseException as raised:  # noqa: BLE001 - raised where it is awaited
                value, error = None, raised
            try:
                self._loop.call_soon_threadsafe(_end, ended, value, error)
            except RuntimeError:
                # The loop was closed: nobody waits any more.
                return

        threading.Thread(target=work, name="treadle lent", daemon=True).start()
        return ended

    async def close(self) -> None:
        """Send nothing any more; return when what is being sent has ended."""
        self._closed = True
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            await asyncio.wait([self._sending])

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> Rows:
        return asyncio.run_coroutine_threadsafe(self._send(sql, values), self._loop).result()

    async def _send(self, sql: str, values: Mapping[str, Any]) -> Rows:
        if self._closed:
            raise asyncio.CancelledError
        self._sending = asyncio.current_task()
        return await self._borrowed.fetch(sql, values)


def _end(ended: "Future[T]", value: Any, error: BaseException | None) -> None:  # noqa: ANN401 - the step's
    if ended.done():
        return
    if error is None:
        ended.set_result(value)
    else:
        ended.set_exception(error)
