"""Event loops that show what they were asked for, and need not wait for it."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")


class NoWaitLoop(asyncio.SelectorEventLoop):
    """Notes for how long it was asked to wait, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.asked.append(when - self.time())
        return super().call_at(self.time(), callback, *args, context=context)


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often other threads woke it."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


class CancellingLoop(asyncio.SelectorEventLoop):
    """Cancels a task when the loop begins to wait for a socket for the n-th time."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.task: asyncio.Task[Any] | None = None
        self._left = nth

    def add_reader(self, fd: Any, callback: Callable[[*Ts], Any], *args: *Ts) -> None:  # noqa: ANN401 - what has a descriptor
        super().add_reader(fd, callback, *args)
        if self.task is not None:
            self._left -= 1
            if not self._left:
                self.task.cancel()
