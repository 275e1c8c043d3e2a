"""Waits after a failure: the formulas of Oban and of Sidekiq, number by number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.backoff import exponential, sidekiq

DAY = 86_400.0

jitters = st.floats(0.0, 1.0, exclude_max=True)


# The figures of Oban 2.23.1 and of oban-py, without jitter.
@pytest.mark.parametrize(("attempt", "seconds"), [(1, 17), (2, 19), (3, 23), (4, 31), (5, 47), (10, 1039)])
def test_the_wait_is_obans(attempt: int, seconds: int) -> None:
    assert exponential(attempt, 20, 0.0) == seconds


def test_the_longest_wait_of_a_job_of_20_attempts_is_twelve_days() -> None:
    assert exponential(20, 20, 0.0) == 1_048_591
    assert sum(exponential(attempt, 20, 0.0) for attempt in range(1, 20)) == pytest.approx(12.1 * DAY, rel=0.01)


@pytest.mark.parametrize("most", [21, 25, 100, 32_767])
def test_more_than_20_attempts_spread_over_the_same_waits(most: int) -> None:
    waits = [exponential(attempt, most, 0.0) for attempt in range(1, most + 1)]
    assert waits == sorted(waits)
    assert waits[-1] == 1_048_591
    for attempt in (1, most // 2, most):
        assert waits[attempt - 1] == 15 + 2 ** round(attempt / most * 20)


@given(st.integers(1, 32_767), st.integers(1, 32_767), jitters)
def test_jitter_adds_up_to_a_tenth(attempt: int, most: int, jitter: float) -> None:
    bare = exponential(attempt, most, 0.0)
    assert bare <= exponential(attempt, most, jitter) <= bare * 1.1 * (1 + 1e-12)


@given(st.integers(-5, 10**9), st.integers(1, 32_767), jitters)
def test_no_attempt_number_gives_a_wait_that_is_none(attempt: int, most: int, jitter: float) -> None:
    assert 15 < exponential(attempt, most, jitter) < float("inf")


# job_retry.rb of 6.4.1: count**4 + 15 + rand(10) * (count + 1), count from 0.
@pytest.mark.parametrize(("failures", "least", "most"), [(1, 15, 24), (2, 16, 34), (3, 31, 58), (25, 331791, 332016)])
def test_sidekiqs_wait_is_sidekiqs(failures: int, least: int, most: int) -> None:
    assert sidekiq(failures, 0.0) == least
    assert sidekiq(failures, 0.999) == most


@given(st.integers(1, 200), jitters)
def test_sidekiqs_jitter_is_a_whole_digit_for_each_failure(failures: int, jitter: float) -> None:
    count = failures - 1
    extra = sidekiq(failures, jitter) - count**4 - 15
    assert extra % failures == 0
    assert 0 <= extra // failures <= 9
