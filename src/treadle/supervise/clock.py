"""The one place that asks the machine for the time and for randomness."""

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


_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

jitter = random.random
"""A number from [0, 1); for spreading, never for secrets."""


def nonce() -> str:
    """12 hex digits that no other process draws."""
    return os.urandom(6).hex()
