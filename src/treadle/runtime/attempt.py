"""One run of one claimed job, from the moment it starts until its outcome is known."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import Context
from enum import Enum
from types import coroutine
from typing import Any

from treadle.core.outcomes import Cancelled, Outcome, after_stop
from treadle.core.transaction import Completing
from treadle.errors import JobTimeout, Signal, TreadleError
from treadle.runtime.handler import Handler
from treadle.stores.claim import Claim, Settled, Settlement


class Stop(Enum):
    """Why a running attempt is stopped from outside."""

    TIMEOUT = "its time-out passed"
    CANCEL = "it was cancelled"
    SHUTDOWN = "its worker stops"
    GONE = "its claim was taken back"


class Interrupted(BaseException):
    """Raised inside a thread job, or in place of a killed process job, that was told to stop."""


class FailedInProcess(TreadleError):
    """How a process job failed, as the middleware around it sees it; `outcome` was decided in the process."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the job failed in its process")
        self.outcome = outcome


class Attempt:
    """A running job. `started` and `deadline` are on the steady clock; `stop` is set once it is told to end.

    `task` is the runner that it occupies on the loop, `thread` what runs it in a pool: with middleware it has both.
    `waiting` is what its thread waits for on the loop. `transaction` begins the one that completes its job; while that
    is committed it is `ending`, and not to be broken off; `settled` is what that one has settled, with the store's
    answer.
    """

    __slots__ = (
        "abandoned",
        "claim",
        "deadline",
        "ending",
        "handler",
        "settled",
        "slot",
        "started",
        "stop",
        "task",
        "thread",
        "transaction",
        "waiting",
    )

    def __init__(self, claim: Claim, handler: Handler) -> None:
        self.claim = claim
        self.handler = handler
        self.started = 0.0
        self.deadline = 0.0
        self.slot = -1
        self.stop: Stop | None = None
        self.abandoned = False
        self.ending = False
        self.task: asyncio.Task[None] | None = None
        self.thread: object = None
        self.waiting: Future[Any] | None = None
        self.transaction: Callable[[], Completing] | None = None
        self.settled: tuple[Settlement, Settled] | None = None

    def blamed(self, error: BaseException) -> BaseException:
        """The error as the job's author knows it: a JobTimeout in place of what stopped the body at its time-out."""
        if self.stop is not Stop.TIMEOUT or not isinstance(error, asyncio.CancelledError | Interrupted):
            return error
        timeout = JobTimeout(f"ran longer than its time-out of {self.handler.options.timeout:g} s")
        return timeout.with_traceback(error.__traceback__)

    def conclude(self, value: object, error: BaseException | None, jitter: float) -> Outcome | None:
        """What becomes of the job after this `blamed` error, if any; None where its claim is no longer ours.

        A body that was told to stop and returned all the same has completed.
        """
        if error is None:
            return self.handler.returned(value)
        if isinstance(error, FailedInProcess):
            return error.outcome
        if self.stop is Stop.SHUTDOWN and not isinstance(error, Signal):
            # Whatever it raises when it is broken off, it did not fail by itself.
            return after_stop(self.claim.job)
        if self.stop is None or not isinstance(error, asyncio.CancelledError | Interrupted):
            return self.handler.raised(self.claim.job, error, jitter)
        return None if self.stop is Stop.GONE else Cancelled(self.stop.value)


@coroutine
def isolated(body: Any, context: Context) -> Generator[Any, Any, Any]:  # noqa: ANN401 - any coroutine, any value
    """Run a coroutine in a context of its own on the running task.

    Runners are long-lived tasks: without this, a context variable that one job sets would be seen by the next.
    """
    try:
        waiting = context.run(body.send, None)
        while True:
            try:
                value = yield waiting
            except GeneratorExit:
                context.run(body.close)
                raise
            except BaseException as error:  # noqa: BLE001 - handed to the body, which decides
                waiting = context.run(body.throw, error)
            else:
                waiting = context.run(body.send, value)
    except StopIteration as end:
        return end.value
    finally:
        # What was waited for last holds its error, and that by its traceback this frame.
        waiting = None


async def absorb_cancellation(task: asyncio.Task[Any]) -> None:
    """Make a task as if it had never been cancelled, also where the cancellation is not delivered yet."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        pass
    finally:
        while task.cancelling():
            task.uncancel()
