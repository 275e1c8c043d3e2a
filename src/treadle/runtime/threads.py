"""Runs sync jobs: threads that pull from one queue and hand what they did back to the loop in batches.

A thread cannot be killed. An attempt that is told to stop has `Interrupted` raised in it, which comes when the code
next returns to Python; one that does not stop is abandoned: its thread ends after it, and a new one takes its place.
"""

import asyncio
import ctypes
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from types import CoroutineType
from typing import Any, NoReturn

from treadle.core.inject import Provider
from treadle.errors import ConfigError
from treadle.hooks.current import enter
from treadle.runtime.attempt import Attempt, Interrupted
from treadle.runtime.handler import Handler
from treadle.runtime.providers import Provided, run_here
from treadle.runtime.runners import Reply


class _Thread:
    """What a pool thread is doing; `lock` orders the end of an attempt against its interruption."""

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.lock = threading.Lock()
        self.attempt: Attempt | None = None
        self.interrupted = False
        self.abandoned = False


class ThreadRunners:
    """At most `limit` threads, started as they are needed, besides those that were abandoned.

    `overrides` holds values that take the place of a provider's.
    """

    def __init__(self, limit: int, overrides: Mapping[Provider, object]) -> None:
        self._limit = limit
        self._overrides = overrides
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Attempt, Reply] | None] = SimpleQueue()
        self._done: deque[tuple[Attempt, Reply, object, BaseException | None]] = deque()
        self._told = False
        self._threads = 0
        self._pending = 0

    def grow(self, limit: int) -> None:
        """Run so many at once, if that is more than before."""
        self._limit = max(self._limit, limit)

    def submit(self, attempt: Attempt, reply: Reply) -> None:
        """Run this attempt on a thread; `reply` is called on the loop with its value or its error."""
        self._pending += 1
        self._queue.put((attempt, reply))
        if self._pending > self._threads and self._threads < self._limit:
            self._threads += 1
            # A daemon: the process ends without joining a thread whose job does not stop.
            threading.Thread(target=self._work, name=f"treadle thread {self._threads}", daemon=True).start()

    def interrupt(self, attempt: Attempt) -> bool:
        """Raise Interrupted in an attempt's thread, if it runs there; whether it does."""
        thread = attempt.thread
        if not isinstance(thread, _Thread):
            return False
        with thread.lock:
            if thread.attempt is not attempt:
                return False
            if attempt.ending:
                return True
            thread.interrupted = True
            _raise_in(thread.ident)
            if attempt.waiting is not None:
                attempt.waiting.cancel()
            return True

    def abandon(self, attempt: Attempt) -> bool:
        """Give up on an attempt that did not stop; whether it was still running. Its reply is never called."""
        thread = attempt.thread
        if not isinstance(thread, _Thread):
            return False
        with thread.lock:
            if thread.attempt is not attempt:
                return False
            thread.abandoned = True
        self._threads -= 1
        self._pending -= 1
        return True

    def close(self) -> None:
        """Tell every idle thread to end."""
        for _ in range(self._threads):
            self._queue.put(None)

    def _work(self) -> None:
        thread = _Thread()
        while (item := self._queue.get()) is not None:
            attempt, reply = item
            value, error = _run(thread, attempt, self._call)
            if thread.abandoned:
                return
            self._done.append((attempt, reply, value, error))
            # Nothing of it may live on while this thread waits for the next one.
            del item, attempt, reply, value, error
            if not self._told:
                self._told = True
                try:
                    self._loop.call_soon_threadsafe(self._drain)
                except RuntimeError:
                    return  # the loop is closed: the process ends, and the claim goes back with its owner

    def _drain(self) -> None:
        self._told = False
        while self._done:
            attempt, reply, value, error = self._done.popleft()
            self._pending -= 1
            reply(attempt, value, error)

    def _call(self, attempt: Attempt) -> object:
        if attempt.stop is not None:
            raise Interrupted
        job, handler = attempt.claim.job, attempt.handler
        context = copy_context()
        context.run(enter, job, attempt.transaction)
        args, kwargs = handler.signature.load(job.args)
        if handler.sources:
            body = partial(_call_sync, handler, *args, **kwargs)
            provided = Provided(job, self._overrides, partial(self._elsewhere, attempt))
            return context.run(run_here, provided.call(body, handler.sources))
        value = context.run(handler.function, *args, **kwargs)
        if isinstance(value, CoroutineType):
            _refuse(handler, value)
        return value

    def _elsewhere(self, attempt: Attempt, coroutine: Coroutine[Any, Any, object]) -> object:
        """What a coroutine gives that runs on the loop while this thread waits."""
        attempt.waiting = asyncio.run_coroutine_threadsafe(_caught(coroutine), self._loop)
        try:
            value, error = attempt.waiting.result()
        finally:
            attempt.waiting.cancel()
            attempt.waiting = None
        if error is None:
            return value
        try:
            raise error
        finally:
            del error


def shield(attempt: Attempt) -> None:
    """Have this attempt, on its own thread, not be interrupted any more. Raises Interrupted where it has been."""
    thread = attempt.thread
    if not isinstance(thread, _Thread):
        raise TypeError("expected an attempt on a thread")
    with thread.lock:
        if thread.interrupted:
            _take(thread)
            raise Interrupted
        attempt.ending = True


def _run(thread: _Thread, attempt: Attempt, call: Callable[[Attempt], object]) -> tuple[object, BaseException | None]:
    value: object = None
    failure: BaseException | None = None
    try:
        with thread.lock:
            thread.attempt = attempt
            attempt.thread = thread
        value = call(attempt)
    except BaseException as error:  # noqa: BLE001 - user code: SystemExit in a thread is a failure too
        failure = error
    while thread.attempt is not None:
        # It may come after the body has ended and before `_leave` can forbid it: the body's own end counts.
        # `try` and not `suppress`, whose own call it could come in, and end the thread.
        try:
            _leave(thread)
        except Interrupted:
            continue
    try:
        return value, failure
    finally:
        # Its traceback holds this frame: as a cycle, both would keep the job's arguments until the next collection.
        del failure


def _call_sync(handler: Handler, /, *args: object, **kwargs: object) -> object:
    value = handler.function(*args, **kwargs)
    if isinstance(value, CoroutineType):
        _refuse(handler, value)
    return value


def _refuse(handler: Handler, value: "CoroutineType[Any, Any, Any]") -> NoReturn:
    value.close()
    raise ConfigError(f'job "{handler.name}" gave a coroutine that nobody runs: write it, or its wrapper, async')


async def _caught(coroutine: Coroutine[Any, Any, object]) -> tuple[object, BaseException | None]:
    """What it gave or raised: a SystemExit that a task lets out would end the whole loop."""
    try:
        return await coroutine, None
    except BaseException as error:  # noqa: BLE001 - user code; raised again where it is waited for
        return None, error


def _leave(thread: _Thread) -> None:
    with thread.lock:
        if thread.interrupted:
            _take(thread)
        thread.attempt = None


def _take(thread: _Thread) -> None:
    """Have an interruption come here and now, in place of one that may be on its way.

    Not taken back instead: Python 3.11 would go on looking for it, and no function that is traced would ever begin.
    """
    try:
        _raise_in(thread.ident)
        while True:
            pass
    except Interrupted:
        thread.interrupted = False


def _raise_in(ident: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Interrupted))
