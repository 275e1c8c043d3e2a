"""A loop on a thread of its own, through which blocking code runs coroutines."""

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PATIENCE = 1.0


class Portal:
    """Started at its first use, on any thread; made anew after a fork; ended by `close`, at the latest by the program.

    `new_loop` makes the loop.
    """

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
        self._new_loop = new_loop
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._end: weakref.finalize[..., Portal] | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for it; KeyboardInterrupt cancels it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def attend(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its end, whatever comes.

        KeyboardInterrupt, or what else a signal's handler raises meanwhile, cancels it, again with each that comes, and
        is raised when it has ended: it may take its time to end well.
        """
        errand = _Errand(coroutine)
        interruption: BaseException | None = None
        while not errand.ended.done():
            try:
                self.submit(errand.go_on(interrupted=interruption is not None))
                concurrent.futures.wait([errand.ended])
            except BaseException as error:  # noqa: BLE001 - raised below
                interruption = error
        return errand.outcome(interruption)

    async def aattend(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The same from a coroutine of another loop, whose cancellation cancels it."""
        errand = _Errand(coroutine)
        interruption: BaseException | None = None
        ended = asyncio.wrap_future(errand.ended)
        while not ended.done():
            self.submit(errand.go_on(interrupted=interruption is not None))
            try:
                await asyncio.wait([ended])
            except asyncio.CancelledError as error:
                interruption = error
        return errand.outcome(interruption)

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """End the loop and its thread; where there is one, it runs `last` before. Who waits for it is cancelled."""
        if last is not None and self._loop is not None and self._pid == os.getpid():
            self.run(last())
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
            if self._end is not None:
                self._end.detach()
        if loop is not None and thread is not None and self._pid == os.getpid():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Begin a coroutine; cancelling the future cancels it."""
        if self._pid != os.getpid():
            # A lock that another thread held at the fork would stay locked here.
            self._lock = threading.Lock()
            self._loop, self._pid = None, os.getpid()
        # Under the lock: what comes before a close is cancelled by it, what comes after finds a new loop.
        with self._lock:
            if self._loop is None:
                started: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
                arguments = (started, self._new_loop)
                self._thread = threading.Thread(target=_serve, args=arguments, name="treadle portal", daemon=True)
                self._thread.start()
                self._loop = started.result()
                # Nobody must close anything, and what is pending when Python ends is complained of on stderr.
                self._end = weakref.finalize(self, _stop, self._loop, self._thread, self._pid)
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


class _Errand(Generic[T]):
    """A coroutine that is run once, however often it is told to go on; `ended` is done when it has ended."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._coroutine = coroutine
        self._begun = asyncio.Event()
        self._task: asyncio.Task[T] | None = None

    async def go_on(self, *, interrupted: bool) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(lambda _: self.ended.set_result(None))
        if interrupted:
            # A task that is cancelled before its first step is never run.
            await self._begun.wait()
            self._task.cancel()

    def outcome(self, interruption: BaseException | None) -> T:
        if interruption is not None:
            raise interruption
        if self._task is None:
            raise RuntimeError("expected an errand that was run")
        return self._task.result()

    async def _run(self) -> T:
        self._begun.set()
        return await self._coroutine


def _serve(
    started: "concurrent.futures.Future[asyncio.AbstractEventLoop]", new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    loop = new_loop()
    loop.call_soon(started.set_result, loop)
    loop.run_forever()
    loop.run_until_complete(_end_the_rest())
    loop.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread, pid: int) -> None:
    """End a loop that nobody closed, without waiting long for a body that holds it."""
    if pid == os.getpid() and thread.is_alive() and thread is not threading.current_thread():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)


async def _end_the_rest() -> None:
    """Cancel what still runs; what has just ended gets its turn to say so."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    await asyncio.sleep(0)
