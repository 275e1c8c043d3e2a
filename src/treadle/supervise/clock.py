"""The one place that asks the machine for the time and for randomness."""

import math
import os
import random
import time


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> float:
        """Seconds since the epoch by the wall clock."""
        return time.time()

    def steady(self) -> float:
        """Seconds of a clock that no step moves; where the machine has one it counts suspended time."""
        return time.clock_gettime(_STEADY)


class ManualClock:
    """A wall clock that stands still until it is moved. The steady one is the machine's: time-outs stay real."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._now = float(math.ceil(self._system.now()))

    def now(self) -> float:
        """Seconds since the epoch, where the clock was put; at first the full second after it was made."""
        return self._now

    def steady(self) -> float:
        """Seconds of the machine's clock that no step moves."""
        return self._system.steady()

    def put(self, now: float) -> None:
        """Show this instant, in seconds since the epoch."""
        self._now = now


_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

jitter = random.random
"""A number from [0, 1); for spreading, never for secrets."""


def nonce() -> str:
    """12 hex digits that no other process draws."""
    return os.urandom(6).hex()
