"""Notice changes of a store: those of this process at once, those of other processes within 20 ms."""

import asyncio
import threading
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable

LOOK_EVERY = 0.02
Position = tuple[int, int]


class Bell:
    """Rung by this process after each of its changes; `version` tells those of others. One look serves a whole loop."""

    def __init__(self, version: Callable[[], int], *, alone: bool) -> None:
        self._version = version
        self._alone = alone
        self._rings = 0
        self._lock = threading.Lock()
        self._lookouts: dict[AbstractEventLoop, _Lookout] = {}

    def ring(self) -> None:
        """Say that something changed; callable on any thread."""
        self._rings += 1
        if self._lookouts:
            with self._lock:
                lookouts = tuple(self._lookouts.values())
            for lookout in lookouts:
                lookout.look_soon()

    def position(self) -> Position:
        """Differs from an earlier one if anything changed since."""
        return self._rings, self._version()

    def watch(self) -> "ChangeWatch":
        """A watch for the running loop, armed now."""
        return ChangeWatch(self)

    def lookout(self, loop: AbstractEventLoop) -> "_Lookout":
        """The one that looks for everybody who waits on this loop."""
        with self._lock:
            found = self._lookouts.get(loop)
            if found is None:
                for closed in [known for known in self._lookouts if known.is_closed()]:
                    del self._lookouts[closed]
                found = self._lookouts[loop] = _Lookout(self, loop, None if self._alone else LOOK_EVERY)
        return found

    def forget(self, loop: AbstractEventLoop) -> None:
        """End what belongs to this loop; who waits on it returns."""
        with self._lock:
            lookout = self._lookouts.pop(loop, None)
        if lookout is not None:
            lookout.stop()


class ChangeWatch:
    """Armed when made, and again whenever `wait` returns."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._seen = bell.position()

    async def wait(self, timeout: float) -> None:
        """Return at the next change, or after `timeout` seconds."""
        if self._bell.position() == self._seen:
            await self._bell.lookout(asyncio.get_running_loop()).change(self._seen, timeout)
        self._seen = self._bell.position()


class _Lookout:
    """Looks while somebody waits on its loop; lives on that loop's thread but for `look_soon`."""

    def __init__(self, bell: Bell, loop: AbstractEventLoop, every: float | None) -> None:
        self._bell = bell
        self._loop = loop
        self._every = every
        self._waiting: dict[Future[None], Position] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def change(self, seen: Position, timeout: float) -> None:
        future: Future[None] = self._loop.create_future()
        self._waiting[future] = seen
        self._look()
        try:
            await asyncio.wait((future,), timeout=timeout)
        finally:
            self._waiting.pop(future, None)

    def look_soon(self) -> None:
        if self._waiting:
            try:
                self._loop.call_soon_threadsafe(self._look)
            except RuntimeError:
                # The loop was closed under its waiters.
                self._waiting.clear()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _look(self) -> None:
        position = self._bell.position()
        waiting = False
        for future, seen in self._waiting.items():
            if not future.done():
                if position != seen:
                    future.set_result(None)
                else:
                    waiting = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waiting and self._every is not None:
            self._timer = self._loop.call_later(self._every, self._look)
