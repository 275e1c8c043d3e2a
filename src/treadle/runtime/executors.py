"""Gives every attempt to the executor that its job asks for: the loop, a thread, or a process of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from treadle.core.inject import Provider
from treadle.core.outcomes import Cancelled, Completed, Snoozed
from treadle.errors import Cancel, Snooze
from treadle.hooks.middleware import AroundPerform, perform_within
from treadle.runtime.attempt import Attempt, FailedInProcess
from treadle.runtime.processes import ProcessRunners
from treadle.runtime.providers import Provided
from treadle.runtime.runners import LoopRunners, Reply
from treadle.runtime.threads import ThreadRunners


class Executors:
    """All of one worker's executors.

    `begin` is called when an attempt starts and says whether it still may; `begun` when the process of a process job is
    ready for it, from when on its time-out counts; `done` with its value or its error.
    `process_command` starts a helper process; it takes a descriptor's number. `overrides` holds values that take the
    place of a provider's. `stuck` counts the attempts that were abandoned because they did not stop.
    """

    def __init__(
        self,
        limit: int,
        *,
        begin: Callable[[Attempt], bool],
        begun: Callable[[Attempt], None],
        done: Reply,
        around: Sequence[AroundPerform],
        process_command: Sequence[str],
        overrides: Mapping[Provider, object],
    ) -> None:
        self._begin = begin
        self._done = done
        self._around = around
        self._overrides = overrides
        self._loop = LoopRunners(limit, begin=begin, body=self._within if around else self._body, done=done)
        self._threads = ThreadRunners(limit, overrides)
        self._processes = ProcessRunners(process_command, begun)
        self.stuck = 0

    def grow(self, limit: int) -> None:
        """Run so many at once, if that is more than before."""
        self._loop.grow(limit)
        self._threads.grow(limit)

    def submit(self, attempt: Attempt) -> None:
        """Run an attempt as soon as its executor has room."""
        if attempt.handler.options.executor == "thread" and not self._around:
            if self._begin(attempt):
                self._threads.submit(attempt, self._done)
        else:
            self._loop.submit(attempt)

    def drop_waiting(self) -> list[Attempt]:
        """Take back what has not begun, oldest first."""
        return self._loop.drop_waiting()

    def stop(self, attempt: Attempt) -> None:
        """Tell a running attempt to end; `attempt.stop` says why."""
        if not self._threads.interrupt(attempt) and not self._processes.stop(attempt):
            # On the loop is also a thread's or a process's job that its middleware holds.
            self._loop.stop(attempt)

    def abandon(self, attempt: Attempt) -> bool:
        """Give up on an attempt that did not end when it was told to; whether it still ran."""
        in_thread = self._threads.abandon(attempt)
        on_loop = self._loop.abandon(attempt)
        if in_thread:
            # Its middleware waits for a reply that will not come.
            self._loop.stop(attempt)
        self.stuck += in_thread or on_loop
        return in_thread or on_loop

    async def close(self) -> None:
        """End everything that can be ended."""
        await self._loop.close()
        self._threads.close()
        await self._processes.close()

    def _body(self, attempt: Attempt) -> Awaitable[object]:
        handler = attempt.handler
        if handler.options.executor == "loop":
            args, kwargs = handler.signature.load(attempt.claim.job.args)
            if handler.sources:
                body = partial(handler.function, *args, **kwargs)
                return Provided(attempt.claim.job, self._overrides).call(body, handler.sources)
            coroutine: Awaitable[object] = handler.function(*args, **kwargs)
            return coroutine
        if handler.options.executor == "thread":
            return self._on_thread(attempt)
        return self._in_process(attempt)

    def _within(self, attempt: Attempt) -> Awaitable[object]:
        return perform_within(self._around, attempt.claim.job, lambda: self._body(attempt))

    async def _in_process(self, attempt: Attempt) -> object:
        """What the job returned, or raises what it raised, so that middleware sees one job like another."""
        match await self._processes.run(attempt):
            case Completed(result):
                kept = attempt.handler.result
                return None if result is None or kept is None else kept.read(result)
            case Snoozed(after):
                raise Snooze(after)
            case Cancelled(reason):
                raise Cancel(reason)
            case outcome:
                raise FailedInProcess(outcome)

    def _on_thread(self, attempt: Attempt) -> Awaitable[object]:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def reply(_: Attempt, value: object, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(value)
            elif isinstance(error, StopIteration):
                future.set_exception(RuntimeError(f"the job raised {error!r}"))
            else:
                future.set_exception(error)

        self._threads.submit(attempt, reply)
        return future
