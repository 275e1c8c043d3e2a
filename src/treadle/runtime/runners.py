"""Runs coroutine jobs: long-lived tasks that pull from the ready queue, on the worker's own loop.

Life of a runner: 1. it takes the oldest ready attempt, or waits to be woken. 2. If more is ready and another runner is
idle, it wakes that one, so that a job which waits does not hold up the next. 3. It performs the attempt and hands its
outcome on. 4. It goes on with 1 without leaving the loop; jobs that do not wait cost no task switch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context

from treadle.hooks.current import enter
from treadle.runtime.attempt import Attempt, Stop, absorb_cancellation, isolated

Body = Callable[[Attempt], Awaitable[object]]
Reply = Callable[[Attempt, object, BaseException | None], None]


class LoopRunners:
    """At most `limit` tasks, started as they are needed.

    `begin` is called before an attempt runs and says whether it still may; `body` gives the awaitable that runs it;
    `done` is handed its value or its error.
    """

    def __init__(self, limit: int, *, begin: Callable[[Attempt], bool], body: Body, done: Reply) -> None:
        self._limit = limit
        self._begin = begin
        self._body = body
        self._done = done
        self._ready: deque[Attempt] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def grow(self, limit: int) -> None:
        """Run so many at once, if that is more than before."""
        self._limit = max(self._limit, limit)

    def submit(self, attempt: Attempt) -> None:
        """Run this attempt as soon as a runner is free."""
        self._ready.append(attempt)
        self._wake()

    def drop_waiting(self) -> list[Attempt]:
        """Take back what has not begun."""
        waiting = list(self._ready)
        self._ready.clear()
        return waiting

    def stop(self, attempt: Attempt) -> None:
        """Cancel a running attempt; its `stop` says why."""
        if attempt.task is not None:
            attempt.task.cancel()

    def abandon(self, attempt: Attempt) -> bool:
        """Give up on an attempt that did not stop; whether it was still running. Another runner takes its place."""
        if attempt.task not in self._tasks:
            return False
        self._tasks.discard(attempt.task)
        attempt.abandoned = True
        return True

    async def close(self) -> None:
        """End every runner; what still runs is cancelled, and given up after a second."""
        self._closing.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    def _wake(self) -> None:
        while self._idle:
            future = self._idle.popleft()
            if not future.done():
                future.set_result(None)
                return
        if len(self._tasks) < self._limit:
            task = asyncio.get_running_loop().create_task(self._run(), name=f"treadle runner {len(self._tasks)}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a runner runs in a task")
        while not self._closing.is_set():
            try:
                while not self._ready:
                    future = asyncio.get_running_loop().create_future()
                    self._idle.append(future)
                    await future
                attempt = self._ready.popleft()
                if self._ready:
                    self._wake()
                await self._one(attempt, task)
            except asyncio.CancelledError:
                # A job that cancelled its own task, after it had ended: none of the runner's business.
                if self._closing.is_set() or task not in self._tasks:
                    raise
                await absorb_cancellation(task)

    async def _one(self, attempt: Attempt, task: "asyncio.Task[None]") -> None:
        if not self._begin(attempt):
            return
        attempt.task = task
        context = copy_context()
        context.run(enter, attempt.claim.job, attempt.transaction)
        value: object = None
        failure: BaseException | None = None
        try:
            value = await isolated(self._body(attempt), context)
        except BaseException as error:  # noqa: BLE001 - user code: KeyboardInterrupt and SystemExit are failures too
            if self._closing.is_set() and attempt.stop is None:
                attempt.stop = Stop.SHUTDOWN
            failure = error
        attempt.task = None
        if attempt.abandoned:
            raise asyncio.CancelledError
        if task.cancelling() and not self._closing.is_set():
            await absorb_cancellation(task)
        self._done(attempt, value, failure)
        # Its traceback holds this frame: as a cycle, both would keep the job's arguments until the next collection.
        failure = None
