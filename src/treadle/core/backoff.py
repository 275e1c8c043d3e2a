"""Seconds to wait after a failed attempt: ours, and the formulas that foreign jobs keep."""

from collections.abc import Callable

# Takes the attempt that failed, counted from 1; gives seconds.
Backoff = Callable[[int], float]

_TOP = 20


def exponential(attempt: int, max_attempts: int, jitter: float) -> float:
    """`15 + 2^attempt` seconds and up to 10 % more; `jitter` is drawn from [0, 1).

    With more than 20 attempts the exponent is spread over them, so that the last wait stays at twelve days.
    Source: Oban lib/oban/backoff.ex, `exponential`, and lib/oban/worker.ex, `backoff`.
    """
    step = attempt if max_attempts <= _TOP else round(attempt / max_attempts * _TOP)
    base = 15 + 2.0 ** min(max(step, 0), 100)
    return base + base * 0.1 * jitter


def sidekiq(failures: int, jitter: float) -> float:
    """Sidekiq's delay after the n-th failure, counted from 1; `jitter` is drawn from [0, 1).

    Source: sidekiq job_retry.rb, `delay_for`: `count**4 + 15 + rand(10) * (count + 1)`, count from 0.
    """
    count = failures - 1
    return count**4 + 15 + int(jitter * 10) * (count + 1)
