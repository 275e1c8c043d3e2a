"""A loop on a thread of its own, through which blocking code runs coroutines."""

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Portal:
    """Started at its first use, on any thread; made anew after a fork; ended by `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for it; KeyboardInterrupt cancels it."""
        future = self._submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """End the loop and its thread; where there is one, it runs `last` before. Who waits for it is cancelled."""
        if last is not None and self._loop is not None and self._pid == os.getpid():
            self.run(last())
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None and self._pid == os.getpid():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        if self._pid != os.getpid():
            # A lock that another thread held at the fork would stay locked here.
            self._lock = threading.Lock()
            self._loop, self._pid = None, os.getpid()
        # Under the lock: what comes before a close is cancelled by it, what comes after finds a new loop.
        with self._lock:
            if self._loop is None:
                started: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
                self._thread = threading.Thread(target=_serve, args=(started,), name="treadle portal", daemon=True)
                self._thread.start()
                self._loop = started.result()
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


def _serve(started: "concurrent.futures.Future[asyncio.AbstractEventLoop]") -> None:
    loop = asyncio.new_event_loop()
    loop.call_soon(started.set_result, loop)
    loop.run_forever()
    loop.run_until_complete(_end_the_rest())
    loop.close()


async def _end_the_rest() -> None:
    """Cancel what still runs; what has just ended gets its turn to say so."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    await asyncio.sleep(0)
