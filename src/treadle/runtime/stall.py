"""Notices that the event loop stood still, and shows what held it at the time, even where the GIL was held."""

import asyncio
import faulthandler
import tempfile
from math import inf

from treadle.core.clock import Clock
from treadle.hooks.events import Events, LoopStalled
from treadle.runtime.page import Page

TICK = 1.0
STALL = 5.0


class StallWatch:
    """Takes over `faulthandler`'s timer, which needs no GIL: for processes of our own alone.

    Each second the loop puts the timer off; a timer that fires writes all stacks to a file, which the loop reads when
    it runs again.
    """

    def __init__(self, page: Page, clock: Clock, events: Events) -> None:
        self._page = page
        self._clock = clock
        self._events = events
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the watch is
        self._last = clock.steady()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch the running loop."""
        now = self._clock.steady()
        if now - self._last >= STALL:
            self._tell(now - self._last)
        self._last = now
        self._page.turned = now
        faulthandler.dump_traceback_later(STALL, file=self._file)
        self._timer = asyncio.get_running_loop().call_later(TICK, self.start)

    def stop(self) -> None:
        """Watch no more."""
        faulthandler.cancel_dump_traceback_later()
        if self._timer is not None:
            self._timer.cancel()
        self._page.turned = inf
        self._file.close()

    def _tell(self, seconds: float) -> None:
        self._file.seek(0)
        stack = self._file.read().decode("utf-8", "replace")
        self._file.seek(0)
        self._file.truncate()
        self._events.emit(LoopStalled(seconds=seconds, stack=stack))
