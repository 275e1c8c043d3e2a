"""What a clock is. The only real one is `treadle.supervise.clock`; core and stores are handed it."""

from typing import Protocol


class Clock(Protocol):
    """Two clocks that must not be confused."""

    def now(self) -> float:
        """Seconds since the epoch by this machine's wall clock; it may step."""
        ...

    def steady(self) -> float:
        """Seconds of a clock that no step moves, the same for all processes of this boot; it counts suspended time."""
        ...
