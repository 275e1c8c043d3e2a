"""Sketches of durations: the arithmetic that Oban's dashboards undo, and that nothing is lost when two are one."""

from collections.abc import Iterable
from math import ceil, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.sketch import Sketch

GAMMA = 1.02 / 0.98

nanoseconds = st.integers(1, 30 * 86_400 * 10**9)
durations = st.lists(st.floats(0, 30 * 86_400), max_size=50)


def sketch_of(seconds: Iterable[float]) -> Sketch:
    sketch = Sketch()
    sketch.observe(seconds)
    return sketch


@given(nanoseconds)
def test_a_bin_is_that_of_the_formula_and_tells_the_duration_to_two_percent(value: int) -> None:
    seconds = value / 1e9
    [number] = sketch_of([seconds]).bins
    assert number == ceil(log(max(seconds * 1e9, 1.0)) * (1 / log(GAMMA)))
    assert 2 * GAMMA**number / (GAMMA + 1) == pytest.approx(value, rel=0.0201)


@pytest.mark.parametrize(("seconds", "number"), [(-1.0, 0), (0.0, 0), (1e-9, 0), (2e-9, 18), (1.0, 519), (60.0, 621)])
def test_bins_by_example(seconds: float, number: int) -> None:
    assert sketch_of([seconds]).bins == {number: 1}


@given(durations, durations)
def test_what_is_added_up_is_what_was_observed_together(some: list[float], more: list[float]) -> None:
    both, one_by_one = sketch_of(some), Sketch()
    both.add(sketch_of(more))
    for seconds in some + more:
        one_by_one.observe([seconds])
    assert both.bins == sketch_of(some + more).bins == one_by_one.bins
    assert both.size == len(some) + len(more)
