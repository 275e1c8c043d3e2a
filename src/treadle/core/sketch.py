"""Durations, counted by their size: any two sketches add up, and each keeps quantiles to two percent."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from math import ceil, log
from operator import mul

import msgspec

# Oban's dashboards read the bins of just this error: oban_met, values/sketch.ex.
_ERROR = 0.02
_BINS = 1 / log((1 + _ERROR) / (1 - _ERROR))
_NANOSECONDS = 1e9


class Sketch(msgspec.Struct, array_like=True):
    """How many durations fell into each bin; a bin ends four percent above the one before, the first at 1 ns."""

    bins: dict[int, int] = {}

    @property
    def size(self) -> int:
        """How many there are."""
        return sum(self.bins.values())

    def observe(self, durations: Iterable[float]) -> None:
        """Count more, in seconds; what took no time, or less, counts as 1 ns."""
        # Of thousands a second no Python is run for each, but for this one expression.
        nanoseconds = [max(seconds * _NANOSECONDS, 1.0) for seconds in durations]
        self._count(Counter(map(ceil, map(mul, map(log, nanoseconds), repeat(_BINS)))))

    def add(self, other: "Sketch") -> None:
        """Count all of another."""
        self._count(other.bins)

    def _count(self, bins: Mapping[int, int]) -> None:
        for number, count in bins.items():
            self.bins[number] = self.bins.get(number, 0) + count
