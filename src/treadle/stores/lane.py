"""One thread that runs blocking calls for every event loop of the process, one after another."""

import asyncio
import threading
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Call = tuple[Callable[[], Any], "Future[Any]", "_Replies"]


class Lane:
    """Calls run in the order in which they were made. The thread starts at the first call and ends at `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turning = threading.Lock()
        self._thread: threading.Thread | None = None
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._replies: dict[AbstractEventLoop, _Replies] = {}

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result. Where the awaiting task is cancelled, a call that has begun runs to its end."""
        loop = asyncio.get_running_loop()
        future: Future[T] = loop.create_future()
        replies = self._replies.get(loop)
        if replies is None:
            self._replies = {known: box for known, box in self._replies.items() if not known.is_closed()}
            replies = self._replies[loop] = _Replies(loop)
        # Under the lock: what comes before a stop is still run by its thread, what comes after finds a new one.
        with self._turning:
            if self._thread is None:
                self._start()
            self._calls.put((call, future, replies))
        return await future

    def stop(self) -> None:
        """End the thread when it has run what waits; harmless when repeated. A later call starts it again."""
        with self._turning:
            thread, calls = self._thread, self._calls
            self._thread, self._calls = None, SimpleQueue()
        if thread is not None:
            calls.put(None)
            if thread is not threading.current_thread():
                thread.join()

    def _start(self) -> None:
        self._thread = threading.Thread(target=_work, args=(self._calls,), name=self._name, daemon=True)
        self._thread.start()


class _Replies:
    """What is ready for one loop; however many results wait, the loop is woken once."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[tuple[Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def give(self, future: "Future[Any]", value: object, error: BaseException | None) -> None:
        self._ready.append((future, value, error))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                # The loop was closed while its call ran: nobody waits any more.
                self._ready.clear()

    def _deliver(self) -> None:
        # Cleared first: a result that comes while we deliver wakes the loop again rather than never.
        self._woken = False
        while self._ready:
            future, value, error = self._ready.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


def _work(calls: "SimpleQueue[_Call | None]") -> None:
    while (item := calls.get()) is not None:
        call, future, replies = item
        if future.cancelled():
            continue
        try:
            value, error = call(), None
        except BaseException as raised:  # noqa: BLE001 - handed to the caller, whatever it is
            value, error = None, raised
        replies.give(future, value, error)
        # Nothing of the last call may live on while the thread waits for the next one.
        del item, call, future, replies, value, error
