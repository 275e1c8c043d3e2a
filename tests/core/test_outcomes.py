"""What becomes of a job after an attempt, case by case."""

from collections.abc import Callable
from typing import Any, NoReturn

import msgspec
import pytest

from treadle.core import outcomes
from treadle.core.backoff import exponential, sidekiq
from treadle.core.job import Job
from treadle.core.options import SECONDS_LIMIT, JobOptions
from treadle.core.outcomes import (
    MESSAGE_LIMIT,
    Cancelled,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
    Verdict,
    after_death,
    after_error,
    after_failure,
    after_overrun,
)
from treadle.errors import ArgumentError, Cancel, Expired, JobTimeout, Retry, Snooze, StoreUnavailable, TreadleError

FAILURE = Failure("ValueError", "no such user")


def job(attempt: int = 1, most: int = 20, origin: str = "treadle", deaths: int = 0) -> Job:
    return Job("7", "work", "default", b"[]", attempt, most, origin, deaths)


def after(error: BaseException, custom: Callable[[int], Any] | None = None, **fields: Any) -> Outcome:
    return after_error(job(**fields), error, FAILURE, JobOptions(executor="loop", backoff=custom), jitter=0.5)


def by_policy(error: BaseException, attempt: int = 1, **options: Any) -> type[Outcome]:
    """What kind of outcome an error has in a job with these options."""
    return type(after_error(job(attempt), error, FAILURE, JobOptions(executor="loop", **options), jitter=0.5))


# Errors


def test_an_error_is_retried_after_the_back_off_while_attempts_are_left() -> None:
    assert after(ValueError(), attempt=3) == Retried(exponential(3, 20, 0.5), FAILURE)


def test_the_last_attempts_error_discards_the_job() -> None:
    assert after(ValueError(), attempt=20) == Discarded(FAILURE)
    assert after(ValueError(), attempt=21) == Discarded(FAILURE)


def test_a_job_of_sidekiqs_keeps_sidekiqs_waits() -> None:
    assert after(ValueError(), attempt=3, origin="sidekiq") == Retried(sidekiq(3, 0.5), FAILURE)


def test_a_forged_failure_count_gives_a_wait_that_a_calendar_has() -> None:
    outcome = after(ValueError(), attempt=10**9, most=10**9 + 1, origin="sidekiq")
    assert outcome == Retried(SECONDS_LIMIT, FAILURE)


def test_the_jobs_own_back_off_is_asked_with_the_attempt_that_failed() -> None:
    assert after(ValueError(), lambda attempt: attempt * 100, attempt=3) == Retried(300.0, FAILURE)
    assert after(ValueError(), lambda _: -1, attempt=3) == Retried(0.0, FAILURE)
    assert after(ValueError(), lambda _: 1, attempt=20) == Discarded(FAILURE)


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), 1e300, SECONDS_LIMIT, "soon", None])
def test_a_back_off_that_gives_no_seconds_is_an_error_for_the_caller_to_report(wait: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        after(ValueError(), lambda _: wait)


# Signals


def test_a_snooze_waits_and_consumes_no_attempt_even_the_last() -> None:
    assert after(Snooze(60)) == Snoozed(60.0)
    assert after(Snooze(60), attempt=20) == Snoozed(60.0)
    assert after(Snooze(-5)) == Snoozed(0.0)


def test_a_cancel_ends_the_job_with_its_reason() -> None:
    assert after(Cancel("no longer wanted"), attempt=20) == Cancelled("no longer wanted")
    assert after(Cancel()) == Cancelled("")


def test_a_cancels_reason_becomes_text_that_every_store_can_keep() -> None:
    assert after(Cancel("a\ud800b")) == Cancelled("a?b")
    assert after(Cancel(5)) == Cancelled("5")  # type: ignore[arg-type] # what a user may write
    assert after(Cancel("x" * 20_000)) == Cancelled("x" * MESSAGE_LIMIT)


def test_a_retry_waits_as_it_says_and_not_as_the_back_off_does() -> None:
    assert after(Retry(5), lambda _: 1000) == Retried(5.0, FAILURE)
    assert after(Retry(-5)) == Retried(0.0, FAILURE)


def test_a_retry_in_the_last_attempt_discards_the_job() -> None:
    assert after(Retry(5), attempt=20) == Discarded(FAILURE)


@pytest.mark.parametrize("kind", [Snooze, Retry])
@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "soon", None])
def test_a_signal_without_seconds_is_an_error_for_the_caller_to_report(kind: type[Any], seconds: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        after(kind(seconds))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), JobTimeout("late"), StopIteration()])
def test_no_kind_of_error_is_more_than_a_failure(error: BaseException) -> None:
    assert isinstance(after(error), Retried)


# Policy


class OfAPartner(ConnectionError): ...


def test_only_the_errors_of_retry_on_and_their_subclasses_are_worth_another_attempt() -> None:
    assert by_policy(ConnectionError(), retry_on=(ConnectionError, KeyError)) is Retried
    assert by_policy(OfAPartner(), retry_on=(ConnectionError,)) is Retried
    assert by_policy(OSError(), retry_on=(ConnectionError,)) is Discarded
    assert by_policy(SystemExit(), retry_on=(ConnectionError,)) is Discarded
    assert by_policy(ConnectionError(), 20, retry_on=(ConnectionError,)) is Discarded


def test_the_errors_of_discard_on_and_their_subclasses_are_not_whatever_retry_on_says() -> None:
    assert by_policy(OfAPartner(), discard_on=(ConnectionError,)) is Discarded
    assert by_policy(OSError(), discard_on=(ConnectionError,)) is Retried
    assert by_policy(OfAPartner(), discard_on=(OfAPartner,), retry_on=(ConnectionError,)) is Discarded


def test_signals_are_obeyed_whatever_the_policy_says() -> None:
    for options in ({"retry_on": (ValueError,)}, {"discard_on": (Exception,)}):
        assert by_policy(Snooze(1), **options) is Snoozed
        assert by_policy(Cancel(), **options) is Cancelled
        assert by_policy(Retry(1), **options) is Retried
        assert by_policy(Retry(1), 20, **options) is Discarded


def test_a_time_out_is_an_error_like_those_of_the_job() -> None:
    assert by_policy(JobTimeout("late"), retry_on=(ValueError,)) is Discarded
    assert by_policy(JobTimeout("late"), retry_on=(TimeoutError,)) is Retried
    assert by_policy(JobTimeout("late"), discard_on=(TimeoutError,)) is Discarded


@pytest.mark.parametrize("error", [ArgumentError("no such argument"), StoreUnavailable("away")])
def test_our_own_errors_are_worth_another_attempt_unless_the_job_says_otherwise(error: TreadleError) -> None:
    assert by_policy(error, retry_on=(ValueError,)) is Retried
    assert by_policy(error, discard_on=(type(error),)) is Discarded


def test_a_job_that_expired_is_not_tried_again() -> None:
    assert by_policy(Expired("late")) is Discarded


def test_a_foreign_jobs_errors_are_judged_by_the_same_policy() -> None:
    options = JobOptions(executor="loop", discard_on=(ValueError,))
    assert after_error(job(origin="sidekiq"), ValueError(), FAILURE, options, jitter=0.5) == Discarded(FAILURE)


# Deaths and overruns


def test_a_worker_that_dies_beside_other_jobs_counts_for_none_of_them() -> None:
    assert after_death(job(), alone=False) == SetAside(0)
    assert after_death(job(deaths=2), alone=False) == SetAside(2)


def test_the_third_death_alone_discards_the_job() -> None:
    assert after_death(job(), alone=True) == SetAside(1)
    assert after_death(job(deaths=1), alone=True) == SetAside(2)
    assert after_death(job(deaths=2), alone=True) == Discarded(Failure("WorkerDied", "crashed its worker 3 times"))


def test_what_must_not_run_again_ends_with_its_worker_and_where_a_stop_breaks_it_off() -> None:
    once = msgspec.structs.replace(job(), rerun=False)
    assert outcomes.after_death(once, alone=False) == outcomes.after_stop(once) == Discarded(outcomes.LOST)
    assert outcomes.after_stop(job()) == Released()


def dead(verdict: Verdict, tellings: int = 0) -> Job:
    return msgspec.structs.replace(job(), deaths=int(verdict) + tellings)


def test_a_job_that_ended_without_its_worker_is_known_by_its_deaths() -> None:
    assert [Verdict.of(job(deaths=deaths)) for deaths in range(3)] == [None] * 3
    for end in (outcomes.CRASHED, outcomes.OVERRAN, outcomes.LOST):
        handed = outcomes.handed_over(end)
        assert type(handed.deaths) is int
        verdict = Verdict.of(job(deaths=handed.deaths))
        assert verdict is not None
        assert verdict.failure == end


@pytest.mark.parametrize("verdict", Verdict)
def test_three_workers_that_die_of_its_on_discard_are_enough(verdict: Verdict) -> None:
    assert [Verdict.of(dead(verdict, tellings)) for tellings in range(3)] == [verdict] * 3
    assert outcomes.after_death_telling(dead(verdict), verdict) == SetAside(verdict + 1)
    assert outcomes.after_death_telling(dead(verdict, 1), verdict) == SetAside(verdict + 2)
    end = outcomes.after_death_telling(dead(verdict, 2), verdict)
    text = f"{verdict.failure.message}; its on_discard crashed 3 workers more"
    assert end == Discarded(Failure(verdict.failure.error_class, text))


def test_an_overrun_is_a_failed_attempt() -> None:
    outcome = after_overrun(job(attempt=2), jitter=0.5)
    assert isinstance(outcome, Retried)
    assert outcome.after == exponential(2, 20, 0.5)
    assert outcome.failure.error_class == "JobTimeout"
    assert isinstance(after_overrun(job(attempt=20), jitter=0.5), Discarded)


def test_a_failure_without_an_error_goes_by_the_system_that_wrote_the_job() -> None:
    assert after_failure(job(attempt=2), FAILURE, jitter=0.0) == Retried(19.0, FAILURE)
    assert after_failure(job(attempt=2, origin="sidekiq"), FAILURE, jitter=0.0) == Retried(16.0, FAILURE)
    assert after_failure(job(attempt=20), FAILURE, jitter=0.0) == Discarded(FAILURE)


# Failures


class UnprintableError(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError("no")


class ExitingError(Exception):
    def __str__(self) -> NoReturn:
        raise SystemExit(1)


class NoTextError(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - what a user may write


def test_a_failure_names_the_class_and_the_text_of_the_error() -> None:
    assert Failure.of(ValueError("no such user"), "trace") == Failure("ValueError", "no such user", "trace")


@pytest.mark.parametrize(
    ("error", "cause"),
    [(UnprintableError(), "RuntimeError"), (ExitingError(), "SystemExit"), (NoTextError(), "TypeError")],
)
def test_an_error_that_cannot_be_printed_is_named_by_its_class(error: Exception, cause: str) -> None:
    name = type(error).__name__
    assert Failure.of(error) == Failure(name, f"<{name} whose text cannot be made: {cause}>")


def test_a_failures_text_is_cut_at_10_000_characters() -> None:
    assert Failure.of(ValueError("é" * 10_001)).message == "é" * 10_000


def test_a_failures_texts_can_be_written_as_utf_8() -> None:
    failure = Failure.of(ValueError("a\ud800"), "b\udfff")
    assert (failure.message, failure.traceback) == ("a?", "b?")


@pytest.mark.parametrize(
    "outcome",
    [
        Completed(),
        Completed(b"1"),
        Retried(1.0, FAILURE),
        Discarded(FAILURE),
        Snoozed(1.0),
        Cancelled("x"),
        Released(30.0),
        SetAside(2),
    ],
)
def test_every_outcome_passes_between_processes_unchanged(outcome: Outcome) -> None:
    raw = msgspec.msgpack.encode(outcome)
    assert msgspec.msgpack.Decoder(outcomes.Outcome).decode(raw) == outcome
