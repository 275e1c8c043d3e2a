"""What a job wants called before it is discarded: its `on_discard` functions, when the last attempt has failed.

If the process dies before the store knows of the discard, they may be called again. What they raise changes nothing.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from inspect import iscoroutinefunction
from types import CoroutineType

from treadle.core.job import Job
from treadle.hooks.current import enter
from treadle.log import Log
from treadle.runtime.handler import Handler, OnDiscard

_log = Log("treadle.jobs")

Ended = tuple[object, BaseException | None]


class Discards:
    """Calls them one after the other, as long as the worker has time."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[bool]] = set()
        self._stopped = False

    def call(self, handler: Handler, job: Job, error: BaseException, then: Callable[[bool], None]) -> None:
        """Call what this job wants called with its error, and `then`, which is told whether all was called."""
        if self._stopped:
            _tell_cut_off(job)
            then(False)
            return
        context = copy_context()
        context.run(enter, job)
        task = asyncio.create_task(_call_all(handler, job, error), name="treadle on_discard", context=context)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, then))

    def stop(self) -> None:
        """Cut off what is being called, and call nothing any more."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    def _ended(self, then: Callable[[bool], None], task: "asyncio.Task[bool]") -> None:
        self._tasks.discard(task)
        then(not task.cancelled() and task.result())


async def _call_all(handler: Handler, job: Job, error: BaseException) -> bool:
    for callback in handler.on_discard:
        try:
            await _call(callback, job, error, on_thread=not handler.is_async)
        except asyncio.CancelledError:
            _tell_cut_off(job)
            return False
        except BaseException:  # noqa: BLE001 - user code: a SystemExit would end the worker's loop
            _log.exception("on_discard of job %s %s failed", job.name, job.id)
    return True


async def _call(callback: OnDiscard, job: Job, error: BaseException, *, on_thread: bool) -> None:
    if on_thread and not iscoroutinefunction(callback):
        value = await _in_thread(partial(callback, job, error))
    else:
        value = callback(job, error)
    if isinstance(value, CoroutineType):
        await value


async def _in_thread(call: Callable[[], object]) -> object:
    """Call on a thread of its own, which holds up neither a pool nor the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Ended] = loop.create_future()
    work = partial(copy_context().run, _work, call, loop, future)
    threading.Thread(target=work, name="treadle on_discard", daemon=True).start()
    value, error = await future
    if error is None:
        return value
    try:
        raise error
    finally:
        del error


def _work(call: Callable[[], object], loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Ended]") -> None:
    value: object = None
    failure: BaseException | None = None
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - user code; raised again where it is waited for
        failure = error
    # The loop is closed: the process ends.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_answer, future, (value, failure))


def _answer(future: "asyncio.Future[Ended]", ended: Ended) -> None:
    if not future.done():
        future.set_result(ended)


def _tell_cut_off(job: Job) -> None:
    _log.warning("on_discard of job %s %s was cut off: its worker stops", job.name, job.id)
