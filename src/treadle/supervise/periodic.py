"""A step that is repeated until it is told to stop.

Life: 1. `start` makes one task. 2. The task runs the step, then waits for what the step returned, at most `every`, or
until it is hastened. 3. A step that raises is reported and repeated; a loop never dies of it. 4. `stop` lets the
running step end, for at most a second, and then cancels it. Starting twice is an error; stopping twice, or before the
start, is harmless.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

# Gives the seconds until the next call, or None for the usual ones.
Step = Callable[[], Awaitable[float | None]]
OnError = Callable[[str, Exception], None]

_LAST_STEP = 1.0


class Periodic:
    """Runs `step` now and then every `every` seconds, or `again` after one that raised, spread by up to a tenth."""

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        every: float,
        jitter: Callable[[], float],
        on_error: OnError,
        again: float | None = None,
    ) -> None:
        self.name = name
        self._step = step
        self._every = every
        self._again = every if again is None else again
        self._jitter = jitter
        self._on_error = on_error
        self._stopping = False
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first step runs at once."""
        if self._task is not None:
            raise RuntimeError(f"{self.name} was started already")
        self._task = asyncio.create_task(self._run(), name=f"treadle {self.name}")

    def hasten(self) -> None:
        """Run the next step now, or when the running one has ended."""
        self._woken.set()

    async def stop(self) -> None:
        """End after the running step."""
        self._stopping = True
        self._woken.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=_LAST_STEP)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            pause = await self._once()
            await self._rest(self._every if pause is None else min(pause, self._every))

    async def _once(self) -> float | None:
        try:
            return await self._step()
        except Exception as error:  # noqa: BLE001 - a loop's edge: reported, and tried again
            self._on_error(self.name, error)
            return self._again

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds * (1 - 0.1 * self._jitter())):
                await self._woken.wait()
        except TimeoutError:
            return


def hasten(periodics: Iterable[Periodic], name: str) -> None:
    """Hasten those of this name."""
    for periodic in periodics:
        if periodic.name == name:
            periodic.hasten()
